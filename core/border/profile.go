//go:build xr_profile

package main

import (
	"os"
	"runtime/pprof"
)

// A library that is built for `make profile` writes a CPU profile of the session to THORNBACK_CPU_PROFILE when it is closed.
func init() {
	path := os.Getenv("THORNBACK_CPU_PROFILE")
	if path == "" {
		return
	}
	f, err := os.Create(path)
	if err == nil {
		err = pprof.StartCPUProfile(f)
	}
	if err != nil {
		panic(err)
	}
	atClose = func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			panic(err)
		}
	}
}
