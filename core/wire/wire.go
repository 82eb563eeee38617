// Package wire says in Go what capi/wire.h says in C: the memory that a node and its workers share and the messages
// in it. The header is the specification; tests/lint compares the numbers. Reading is checked throughout, because the
// other process is not trusted: see Reader.
package wire

// Version of the layout; both sides refuse another.
const Version = 2

// Limits and sizes, in bytes unless said otherwise.
const (
	WorkersMax   = 4096 // workers on a board
	RingBytes    = 256 << 10
	RecordMax    = 112 << 10
	InlineMax    = 100 << 10
	CtlBytes     = 4096
	TaskOffset   = CtlBytes
	ReplyOffset  = TaskOffset + RingBytes
	OutOffset    = ReplyOffset + RingBytes
	ChannelBytes = OutOffset + RingBytes
	RecordHead   = 16
)

// Offsets in the control page of a channel.
const (
	CtlVersion = 0
	CtlWorker  = 4
	CtlBell    = 64
	CtlCounted = 128
	CtlTask    = 192
	CtlReply   = 320
	CtlOut     = 448
	CtlOutput  = 576
	CtlHead    = 64 // of head within a ring's control, tail is at 0
)

// Offsets on the board.
const (
	BoardVersion = 0
	BoardCPUs    = 4
	BoardNames   = 8
	BoardMode    = 64
	BoardGetter  = 128
	BoardDrainer = 192
	BoardActive  = 256
	BoardBits    = 320
	BoardBytes   = 4096 // 320 + 4096/8 bytes of bits, rounded to a page
)

// Modes of the board: who sleeps on the node's side.
const (
	ModePolled = 0
	ModeGetter = 1
	ModeLazy   = 2
)

// Flags and claims of a record.
const (
	RecordIndirect = 1
	ClaimFree      = 0
	ClaimWorker    = 1
	ClaimNode      = 2
)

// Where a value's bytes are.
const (
	WhereInline = 1
	WhereStore  = 2
)

// Message kinds.
const (
	MsgPad    = 0
	MsgDefine = 1
	MsgTask   = 2
	MsgReply  = 3
	MsgGrant  = 4
	MsgExit   = 5
	MsgCancel = 6
	MsgRoom   = 7

	MsgReadyRef = 8

	MsgReady    = 16
	MsgDone     = 17
	MsgRefs     = 18
	MsgSubmit   = 19
	MsgPut      = 20
	MsgFree     = 21
	MsgYield    = 22
	MsgWatch    = 23
	MsgRequest  = 32
	ReqDefine   = 32
	ReqTemplate = 33
	ReqAlloc    = 34
	ReqGet      = 35
	ReqWait     = 36
	ReqControl  = 37
	ReqDrop     = 38
	ReqNext     = 39
)

// Kinds of definitions.
const (
	DefFunction = 1
	DefClass    = 2
	DefMethod   = 3
)

// Types of tasks, as in the TASK message, and its flags.
const (
	TaskPlain  = 1
	TaskCreate = 2
	TaskMethod = 3

	TaskRetryExceptions = 1
	TaskContext         = 8
	TaskRetryList       = 16
	TaskConcurrent      = 32
	TaskStream          = 2
	TaskDynamic         = 4

	RoomStop = (1 << 63) - 1
)

// Flags of CANCEL and SUBMIT.
const (
	CancelInterrupt   = 1
	SubmitInterrupted = 1
	SubmitSite        = 16
)

// Flags of GET and WAIT requests.
const (
	GetFailFast = 1
	GetNow      = 2
	GetTimed    = 4
)

// Outcomes in a DONE message.
const (
	DoneOK     = 0
	DoneError  = 1
	DoneSystem = 2
	DoneExit   = 3
	DoneFinal  = 4
	DoneQuit   = 5
)

// Sizes of the fixed parts of messages.
const (
	ValueBytes    = 24
	SpanBytes     = 16
	TaskBytes     = 64
	DefineBytes   = 16
	ReplyBytes    = 8
	CancelBytes   = 16
	YieldBytes    = 16
	RoomBytes     = 16
	DoneBytes     = 32
	SubmitBytes   = 56
	RequestBytes  = 16
	RefDeltaBytes = 16
)

// First bytes of blobs that the node looks at or writes (capi/codec.h).
const (
	TagNone   = 0
	TagError  = 10
	TagSysErr = 11
)

// Codes of thornback.h.
const (
	OK          = 0
	EClosed     = -1
	EBadHandle  = -2
	EFull       = -3
	EInval      = -4
	ETimeout    = -5
	EPoisoned   = -6
	ESystem     = -7
	EInfeasible = -8
	EDead       = -9
	EPending    = -10
	EDeadlock   = -14
	ECancel     = -13
	EScope      = -16
	EScopeEnded = -17
)

// Codes of SYSERR blobs, as in python/thornback/_exceptions.py.
const (
	ErrWorkerCrashed    = 1
	ErrActorDied        = 2
	ErrActorUnavailable = 3
	ErrObjectLost       = 4
	ErrObjectFreed      = 5
	ErrOwnerDied        = 6
	ErrStoreFull        = 7
	ErrOutOfMemory      = 8
	ErrTaskCancelled    = 9
	ErrUnschedulable    = 10
	ErrNodeDied         = 11
	ErrInternal         = 12
	ErrGetTimeout       = 13
	ErrPendingCalls     = 14
	ErrTaskUnpicklable  = 15
	ErrDeadlock         = 18
	ErrEndOfStream      = 16
	ErrReconstruction   = 20
	ErrScope            = 21
	ErrScopeEnded       = 22
	ErrDeadlineExceeded = 17
)
