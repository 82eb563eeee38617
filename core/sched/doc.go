// Package sched decides which worker of one node runs which queued task, and how many tasks are sent ahead.
//
// It knows tasks only by number, grouped in classes (equal options, so equal demand and similar length), and workers by
// number. A worker that is given tasks of a class is leased to it: the class's demand is claimed once and released when
// the worker's last task of the lease ends. Short tasks are sent ahead (pipelined), long ones one at a time, by the mean
// length observed so far; what was sent ahead can be taken back until the worker starts it.
//
// Submitters (the driver, a task, an actor) get equal shares of work: the next task is that of the one who was given the
// least, whatever classes it uses. A class whose next task is passed over for want of resources has kept for it, after a
// while, what becomes free, in the order of waiting; unless what it lacks is held by actors or by tasks that wait for
// others, which might need it.
//
// The package does no I/O, starts no goroutine and reads no clock: the time comes in as nanoseconds. Not safe for
// concurrent use. The caller, package owner, calls Enqueue, Done, AddWorker ... as things happen, then Next until it
// says no, and carries out what it says.
package sched
