//go:build !xr_panic

package node

// testControls are operations for tests; there are none in a library that users get.
var testControls map[string]handler
