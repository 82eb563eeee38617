// Package resources counts what a node can give to tasks and actors: CPUs, GPUs,
// memory and whatever users name.
//
// Amounts are integers, ten-thousandths of a unit, converted once where they
// come in (FromFloat, Names.Request) and back where they go out. Names become
// small numbers at the same place. A Request is the sorted vector of what one
// task needs; equal requests are equal values (==), so a Request can be part of
// the key of a scheduling class. A Pool has the totals of one node and what is
// left of them.
//
// The package decides nothing about order or place: its caller asks Fits or
// Claim for each task, calls Release when the task ends, and LendCPU and
// TakeBackCPU around the times when a worker waits for the result of others.
// When nothing fits, Missing says what is short and whether it ever can fit.
//
// Names and Pool are not safe for concurrent use: their owner holds a lock.
// Amount and Request are plain values. A wrong argument from a user is an error;
// a call that would break an invariant, such as releasing what was never
// claimed, is a mistake of the caller and panics with the numbers.
//
// # GPUs
//
// Pool counts GPUs as it counts everything, which is enough to say how many are
// left and whether a request fits one node, not which device a worker gets: 0.6
// are not free when two devices have 0.3 each. The table of devices and shares
// belongs beside Pool, with the same Claim and Release; a node with devices then
// asks it after Pool.Fits said yes and before Pool.Claim.
package resources
