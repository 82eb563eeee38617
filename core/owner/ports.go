package owner

import (
	"thornback/core/sched"
	"thornback/core/wire"
)

// WorkerID names a worker process.
type WorkerID = sched.WorkerID

// Driver is the holder that is no worker: the process that the machine lives in.
const Driver WorkerID = ^WorkerID(0)

// TaskMessage is a task as it goes to a worker. Its slices are valid during the call only.
type TaskMessage struct {
	Task     uint64 // handle
	Object   uint64 // handle of the first return, 0 when there is none
	Actor    uint64 // handle of the actor's object, 0 for plain tasks
	Template *Template
	Returns  int
	Attempt  int
	Args     []byte
	Deps     []wire.Value // values of the top-level references among the arguments
	DepIDs   []uint64     // their handles
	Nested   bool         // for a worker that is blocked in get: it runs the task on top of the waiting one
}

// Ports is what the machine makes happen. No call blocks, and none calls back into the machine.
type Ports interface {
	// Send writes a task into the worker's ring. The position is for TakeBack and Started. ErrNoRoom: not now; any other
	// error: never, the task fails with it.
	Send(w WorkerID, m *TaskMessage) (pos uint64, err error)
	// TakeBack claims a task sent before its worker does; false when the worker was faster.
	TakeBack(w WorkerID, pos uint64) bool
	// Started reports whether the worker has begun with the task at pos.
	Started(w WorkerID, pos uint64) bool
	// ReplyValues answers a GET request: count values from index first on.
	ReplyValues(w WorkerID, request uint32, first int, values []wire.Value)
	// ReplyReady answers a WAIT request: 1 for each object that is ready.
	ReplyReady(w WorkerID, request uint32, ready []byte)
	// ReplyError answers any request with a code of the border.
	ReplyError(w WorkerID, request uint32, status int32, text string)
	// ReadyRef tells a worker that an object which it watches is ready, or gone. Called before its value may change.
	ReadyRef(w WorkerID, h uint64)
	// FailAwaited tells a worker that an object which it watches has this value, for it alone.
	FailAwaited(w WorkerID, h uint64, blob []byte)
	// Quiet reports whether a worker was told nothing, and has said nothing, since Machine.Quiet.
	Quiet(w WorkerID) bool
	// Room tells a generator how many of its items were taken, or wire.RoomStop.
	Room(w WorkerID, task uint64, taken uint64)
	// Exit asks a worker to end after what it does now; Kill ends it at once.
	Exit(w WorkerID)
	Kill(w WorkerID)
	// Cancel tells a worker that a task which it has begun is cancelled. With interrupt an exception is raised in it.
	Cancel(w WorkerID, task uint64, interrupt bool)
	// Spawn starts n processes; for each, sched is told through WorkerReady or WorkerFailed.
	Spawn(n int)
	// Renamed says that an actor has got a name, or lost it.
	Renamed()
	// FreeExtent gives back an extent of the arena.
	FreeExtent(offset uint64)
	// Alarm asks for a call of Alarmed with the token, after so many ns.
	Alarm(token uint64, ns int64)
	// Wake wakes the thread that sleeps on a waiter's word.
	Wake(word *uint32)
}
