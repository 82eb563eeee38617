//go:build xr_panic

package node

import "encoding/json"

// testControls let a library that is built for the test of the border's guards panic on purpose, with the lock held.
var testControls = map[string]handler{
	"panic": func(n *Node, _ json.RawMessage) (any, error) {
		panic("node: a panic on purpose")
	},
}
