// Package node is what makes things happen on one machine: it has the memory that is shared with workers, reads and writes
// their rings, starts and ends their processes through the zygote, and follows their output. What should happen is decided
// by package owner, which it drives; Node implements owner.Ports.
//
// One lock, Node.mu, guards all state. Calls come from threads of the driver (through package border), from its drainer
// thread, and from the goroutines that listen to the zygote and to log files. Nothing blocks under the lock: processes are
// signalled, memory is reserved and threads are woken after it is released (see Node.do).
package node
