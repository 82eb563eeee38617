// Package owner is the state machine that owns tasks, objects and actors of one process: what waits for what, who holds
// which object, what becomes of it when a worker dies. Where a task runs is package sched's decision.
//
// The caller, package node, tells what happened (Submit, Put, Refs, Done, WorkerLost, ...) and calls Schedule when it has
// told all; the machine answers through Ports, calls that only move bytes and never block or call back. It does no other
// I/O, starts no goroutine, and takes the time as an argument, so that a whole node can be simulated from a seed.
//
// An object lives as long as somebody holds it: Python references in the driver and in workers, zero-copy views, tasks
// that have it as argument or inside an argument, objects that contain it. Holds of a worker are also counted for that
// worker, and end with it.
//
// Not safe for concurrent use. Bulk state sits in slabs (package slab) and in package offheap.
package owner
