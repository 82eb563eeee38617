package main

import (
	"os"
	"runtime"
)

// guests is how many threads of C are expected to call in at about the same time.
const guests = 4

// A thread of C that has called in keeps its processor (P) while it is back in C, until the runtime takes that away. While none
// is idle the runtime looks for such every 20 us and starts threads that look for work, which on two cores costs a fifth of all
// time. What users set in GOMAXPROCS stays.
func init() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + guests)
	}
}
