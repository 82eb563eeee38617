// Package sched decides which worker of one node runs which queued task, and how many tasks are sent ahead.
//
// It knows tasks only by number, grouped in classes (equal options, so equal demand and similar length), and workers by
// number. A worker that is given tasks of a class is leased to it: the class's demand is claimed once and released when
// the worker's last task of the lease ends. Short tasks are sent ahead (pipelined), long ones one at a time, by the mean
// length observed so far; what was sent ahead can be taken back until the worker starts it.
//
// The package does no I/O, starts no goroutine and reads no clock: the time comes in as nanoseconds. Not safe for
// concurrent use. The caller, package owner, calls Enqueue, Done, AddWorker ... as things happen, then Next until it
// says no, and carries out what it says.
package sched
