/* wire.h - what a node and its workers share: memory layout and messages.
 *
 * This header is the specification. The node's side is Go (core/wire mirrors the
 * numbers; tests/lint compares both), the worker's side is C (capi/channel.c).
 * All integers are little-endian and naturally aligned. Whoever reads a record
 * treats the writer as untrusted: every length, offset and count is checked
 * against what is mapped before it is used.
 *
 * Memory, each a memfd:
 *   board    one per node, mapped by the node and by all its workers: the node's doorbell.
 *   arena    one per node: the object store. Node maps it read-write; workers map it
 *            read-only, and read-write too as soon as they write their first object.
 *   channel  one per worker: a control page and three rings.
 *                task ring    node -> worker   DEFINE, TASK
 *                reply ring   node -> worker   REPLY, GRANT, EXIT, nested TASK
 *                out ring     worker -> node   everything that a worker says
 */
#ifndef XR_WIRE_H
#define XR_WIRE_H
#include <stdint.h>

#define XR_WIRE_VERSION 2u
#define XR_LINE 64
#define XR_WORKERS_MAX 4096 /* bits on the board */

/* ---- board ------------------------------------------------------------------------ */
/* Who sleeps on the node's side, and so whom a worker has to wake. The worker that changes
 * `mode` from non-zero to 0 does the wake (futex on the word named). */
#define XR_MODE_POLLED 0u /* somebody reads the rings: wake nobody */
#define XR_MODE_GETTER 1u /* a thread sleeps in get/wait: wake `getter` at every message */
#define XR_MODE_LAZY 2u   /* only the drainer sleeps: wake `drainer` at urgent messages (all but
                           * DONE and REFS), before the worker itself sleeps, when the out ring
                           * is more than half full, and when the last wake by this worker is
                           * longer ago than XR_NOTIFY_NS */
#define XR_NOTIFY_NS 500000u

typedef struct xr_board {
    uint32_t version;
    uint32_t cpus;                     /* cores that this node may use */
    uint32_t names;                    /* changes when an actor gets a name, or loses it */
    uint8_t _0[XR_LINE - 12];
    uint32_t mode;                     /* XR_MODE_* */
    uint8_t _1[XR_LINE - 4];
    uint32_t getter;                   /* futex: bumped, then woken, when mode was GETTER */
    uint8_t _2[XR_LINE - 4];
    uint32_t drainer;                  /* futex: bumped, then woken, when mode was LAZY */
    uint8_t _3[XR_LINE - 4];
    uint32_t active;                   /* processes (workers, driver) that are not asleep: who finds
                                        * active > cpus does not spin */
    uint8_t _4[XR_LINE - 4];
    uint64_t bits[XR_WORKERS_MAX / 64]; /* worker i has written since the node last looked. Order: the
                                        * worker stores tail, fences (seq_cst), then sets the bit if it
                                        * is not set; the node swaps the word to 0, then reads tail. */
} xr_board;

/* ---- channel ---------------------------------------------------------------------- */
#define XR_RING_BYTES (256u * 1024u) /* capacity of each ring; a power of two */
#define XR_RECORD_MAX (112u * 1024u) /* largest record, header included; bigger ones go INDIRECT */
#define XR_INLINE_MAX (100u * 1024u) /* largest value that travels inline; bigger ones go to the store */

typedef struct xr_ring_ctl { /* positions count bytes for ever; index = position & (capacity - 1) */
    uint64_t tail;             /* written by the producer, release */
    uint8_t _0[XR_LINE - 8];
    uint64_t head;             /* written by the consumer, release */
    uint8_t _1[XR_LINE - 8];
} xr_ring_ctl;

typedef struct xr_channel_ctl { /* the control page, 4096 bytes */
    uint32_t version;
    uint32_t worker;           /* index on the board */
    uint8_t _0[XR_LINE - 8];
    uint32_t bell;             /* futex: 1 while the worker sleeps (or is about to); the node swaps it
                                * to 0 and wakes all after writing to either ring */
    uint8_t _1[XR_LINE - 4];
    uint32_t counted;          /* 1 while this worker is counted in board->active (the node corrects the
                                * count when the worker dies) */
    uint8_t _2[XR_LINE - 4];
    xr_ring_ctl task, reply, out;
    uint32_t output_errno;     /* why what the worker prints cannot be written, 0: it can */
} xr_channel_ctl;

#define XR_CTL_BYTES 4096u
#define XR_TASK_OFFSET (XR_CTL_BYTES)
#define XR_REPLY_OFFSET (XR_TASK_OFFSET + XR_RING_BYTES)
#define XR_OUT_OFFSET (XR_REPLY_OFFSET + XR_RING_BYTES)
#define XR_CHANNEL_BYTES (XR_OUT_OFFSET + XR_RING_BYTES)

/* A record: 16-byte header, payload; the whole rounded up to 16 bytes, never wrapping (a PAD record
 * fills the rest of the ring; a rest is always a multiple of 16, so a header fits). */
typedef struct xr_record {
    uint32_t size;  /* header + payload, before rounding */
    uint16_t kind;  /* XR_MSG_* */
    uint16_t flags; /* XR_RECORD_* */
    uint32_t claim; /* TASK in the task ring: 0 free, 1 the worker took it, 2 the node took it back;
                     * both sides change it by compare-and-swap from 0 */
    uint32_t _0;
} xr_record;
#define XR_RECORD_INDIRECT 1u /* the payload is an xr_span; the true payload lies in the arena.
                               * node -> worker: the node frees it when the task ends, or, for a REPLY, when the
                               * worker says FREE. worker -> node: the worker got it by ALLOC, the node frees it. */
#define XR_CLAIM_FREE 0u
#define XR_CLAIM_WORKER 1u
#define XR_CLAIM_NODE 2u

typedef struct xr_span {
    uint64_t offset, length; /* bytes in the arena */
} xr_span;

/* ---- values ----------------------------------------------------------------------- */
/* A value is a blob (codec.h says what is in it), inline in the message or in the arena. */
#define XR_WHERE_INLINE 1u
#define XR_WHERE_STORE 2u
typedef struct xr_value {   /* 24 bytes; inline bytes follow it, padded to 8 */
    uint32_t where;         /* XR_WHERE_* */
    uint32_t refs;          /* number of uint64 handles of references inside the value; they follow the bytes */
    uint64_t length;        /* bytes of the blob */
    uint64_t offset;        /* arena offset when STORE */
} xr_value;

/* ---- messages: node -> worker ------------------------------------------------------ */
#define XR_MSG_PAD 0u
#define XR_MSG_DEFINE 1u /* xr_msg_define, name bytes, blob bytes: comes before the first TASK that needs it */
#define XR_MSG_TASK 2u   /* xr_msg_task, args, then deps x (xr_value, bytes padded to 8, for STORE the object's handle as uint64, refs is 1) */
#define XR_MSG_REPLY 3u  /* xr_msg_reply, payload by the request's kind */
#define XR_MSG_GRANT 4u  /* n x uint64: object handles that this worker may give to what it creates; it holds each once */
#define XR_MSG_EXIT 5u   /* leave as soon as the current task has ended, run atexit handlers */
#define XR_MSG_CANCEL 6u /* xr_msg_cancel; with INTERRUPT a SIGINT follows, for a worker that does not read its ring. The
                          * worker sets the record's claim when it has acted on it, which may be before its turn comes */
#define XR_MSG_ROOM 7u   /* xr_msg_room: a generator may go on, or is to stop */
#define XR_MSG_READYREF 8u /* n x (uint64 handle, xr_value, inline bytes padded to 8; refs is 0): objects that the worker
                            * watches and that are ready; STORE values carry one hold each, which it must release. One
                            * that is gone has `where` 0.
                            * Handle 0 asks an event loop whether anything else goes on, see loop.quiet */

#define XR_DEF_FUNCTION 1u /* blob: cloudpickle of the function */
#define XR_DEF_CLASS 2u    /* blob: cloudpickle of the class */
#define XR_DEF_METHOD 3u   /* no blob: name is the method's name */
typedef struct xr_msg_define {
    uint32_t fid;
    uint32_t kind; /* XR_DEF_* */
    uint32_t name_len, blob_len;
} xr_msg_define;

#define XR_TASK_PLAIN 1u
#define XR_TASK_CREATE 2u /* fid is the class; the worker is that actor's from now on */
#define XR_TASK_METHOD 3u /* fid is the method definition */
typedef struct xr_msg_task {
    uint64_t task;       /* handle, given back in DONE */
    uint64_t object;     /* handle of the first return (CREATE, METHOD: for METHOD the first return too) */
    uint64_t actor;      /* handle of the actor's object, 0 for a plain task */
    uint32_t fid;
    uint32_t type;       /* XR_TASK_* */
    uint32_t returns;    /* number of results to give */
    uint32_t attempt;    /* 0 for the first */
    uint32_t args_len;   /* bytes of the encoded arguments (codec.h), padded to 8 in the record */
    uint32_t deps;       /* resolved top-level references, in the order of their index in args */
    uint32_t tid;        /* template: key of per-options state in the worker, else of no meaning to it */
    uint32_t flags;      /* XR_TASKF_* */
    uint32_t group;      /* METHOD: concurrency group, 0 the default one, else 1 + its place among the actor's groups */
    uint32_t window;     /* generator: items that may be unread before it pauses; 0: no limit */
} xr_msg_task;
#define XR_TASKF_RETRY_EXCEPTIONS 1u /* an application error is reported as such and may be retried */
#define XR_TASKF_CONTEXT 8u           /* has GPUs, or CPUs for several threads: the worker asks by the control operation
                                       * "task.context" for them before it loads anything of the task's */
#define XR_TASKF_RETRY_LIST 16u      /* only an error of certain classes may: the worker asks by control
                                      * "template.retry" which, and reports another as FINAL */
#define XR_TASKF_CONCURRENT 32u      /* CREATE: the actor runs several calls at a time; the worker asks by the control
                                      * operation "concurrency" {"template": tid} how many of each group, in which way */
#define XR_TASKF_STREAM 2u  /* a generator: each item is said by YIELD; its one result is None, or the error that it raised */
#define XR_TASKF_DYNAMIC 4u /* a generator: its items are put, its one result is the references to them */

typedef struct xr_msg_room {
    uint64_t task;
    uint64_t taken; /* items that have been taken, or that need not be counted any more */
} xr_msg_room;
#define XR_ROOM_STOP INT64_MAX  /* as `taken`: nobody wants more items; the generator is closed, and the task ends */

typedef struct xr_msg_cancel {
    uint64_t task;  /* that is cancelled; to be ignored when it does not run any more */
    uint32_t flags; /* XR_CANCEL_* */
    uint32_t _0;
} xr_msg_cancel;
#define XR_CANCEL_INTERRUPT 1u /* KeyboardInterrupt is raised in it; else it is only told when it asks */

typedef struct xr_msg_reply {
    uint32_t request; /* number that the worker chose */
    int32_t status;   /* XR_OK or an error code of thornback.h; then the payload is UTF-8 JSON
                       * {"message": ..., fields...} */
} xr_msg_reply;
/* Reply payloads: DEFINE -> uint32 fid; TEMPLATE -> uint32 tid; ALLOC -> xr_span;
 * GET -> uint32 count, uint32 index of the first, then count x (xr_value, inline bytes padded to 8), refs is 0; STORE
 *        values carry one hold for this worker each, which it must release; with fail_fast the first error alone;
 * NEXT -> uint32 count, uint32 1 when none comes after these, uint64 the object that comes next (0 unless count is 0),
 *        then count x uint64; each handle is held once for this worker, which must release it;
 * WAIT -> uint32 count, uint32 _0, then n bytes, 1 where ready; CONTROL -> JSON bytes. */

/* ---- messages: worker -> node ------------------------------------------------------ */
#define XR_MSG_READY 16u    /* xr_msg_ready: the worker has mapped everything and waits for work */
#define XR_MSG_DONE 17u     /* xr_msg_done, then `returns` x (xr_value, inline bytes padded to 8, refs x uint64) */
#define XR_MSG_REFS 18u     /* n x xr_ref_delta: references and pins this worker gained or lost; written before any
                             * DONE, SUBMIT or PUT that follows, so that nothing is let go too early */
#define XR_MSG_SUBMIT 19u   /* xr_msg_submit, then returns x uint64 (granted handles), deps x uint64, holds x uint64,
                             * args bytes */
#define XR_MSG_PUT 20u      /* xr_msg_put, xr_value, inline bytes padded to 8, refs x uint64 */
#define XR_MSG_YIELD 22u    /* xr_msg_yield, xr_value, inline bytes padded to 8, refs x uint64: the next item of a generator. One of an
                             * index that an earlier attempt has given already is the same again, and dropped */
#define XR_MSG_FREE 21u     /* n x uint64: arena offsets of INDIRECT replies that were read, or of an ALLOC given up */
#define XR_MSG_WATCH 23u    /* n x uint64 handles: a READYREF is wanted when they are ready, once */
#define XR_MSG_REQUEST 32u  /* and above: requests, xr_msg_request first; each gets a REPLY unless it was dropped */
#define XR_REQ_DEFINE 32u   /* uint32 kind, name_len, blob_len, _0, 16 bytes digest, name, blob */
#define XR_REQ_TEMPLATE 33u /* JSON bytes */
#define XR_REQ_ALLOC 34u    /* uint64 bytes */
#define XR_REQ_GET 35u      /* uint32 n, uint32 flags (XR_GET_*), n x uint64 handles */
#define XR_REQ_WAIT 36u     /* uint32 n, uint32 need, uint32 flags, uint32 _0, n x uint64 handles */
#define XR_REQ_CONTROL 37u  /* uint32 op_len, uint32 _0, op bytes (UTF-8) padded to 8, JSON bytes; op "grant" {"count": n}
                             * asks for n handles more, which come before the reply */
#define XR_REQ_DROP 38u     /* the worker no longer waits for that request (timeout, Ctrl-C); no reply to this one */
#define XR_REQ_NEXT 39u     /* uint64 stream, uint32 most, uint32 _0: items of a stream that are there */
#define XR_GET_FAIL_FAST 1u
#define XR_GET_NOW 2u       /* answer at once with what there is (timeout 0): the reply's status is XR_ETIMEOUT when
                             * something is missing; for WAIT: the flags as they are */
#define XR_GET_TIMED 4u     /* the worker gives up after a while: in no circle of waits for ever */

typedef struct xr_msg_ready {
    uint32_t version, pid;
} xr_msg_ready;

#define XR_DONE_OK 0u
#define XR_DONE_ERROR 1u     /* the user's code raised: each value is an ERROR blob */
#define XR_DONE_SYSTEM 2u    /* the task could not be run at all (arguments or function do not unpickle) */
#define XR_DONE_EXIT 3u      /* actor left by exit_actor: values as for OK, not looked at; the process ends after this */
#define XR_DONE_FINAL 4u     /* as ERROR, but not to be tried again */
#define XR_DONE_QUIT 5u      /* as EXIT, but by sys.exit(0) */
typedef struct xr_msg_done {
    uint64_t task;
    uint64_t exec_ns;  /* time in the user's function */
    uint64_t ended_ns; /* when that ended, CLOCK_MONOTONIC; 0 when it was not entered */
    uint32_t status;   /* XR_DONE_* */
    uint32_t returns;
} xr_msg_done;

typedef struct xr_msg_yield {
    uint64_t task;
    uint64_t index; /* from 0 */
} xr_msg_yield;

typedef struct xr_ref_delta {
    uint64_t handle;
    int64_t delta;
} xr_ref_delta;

typedef struct xr_msg_submit {
    uint64_t actor;    /* METHOD: handle of the actor's object; else 0 */
    uint64_t parent;   /* handle of the task that submits, 0 from a thread outside any */
    uint32_t tid;
    uint32_t returns, deps, holds, args_len;
    uint32_t flags;    /* XR_SUBMIT_*, and above XR_SUBMIT_SITE the number of the place in the program, see site.h */
    uint64_t deadline; /* when it is cancelled, in ns of CLOCK_MONOTONIC; 0: when its parent is, if ever */
    uint64_t scope;    /* object of the scope that it belongs to; 0: that of its parent, if any */
} xr_msg_submit;
#define XR_SUBMIT_SITE 16u
#define XR_SUBMIT_INTERRUPTED 1u /* the submitting task knows by now that it was cancelled: this is no child to be
                                  * cancelled with it, but one that tidies up */

typedef struct xr_msg_put {
    uint64_t handle; /* granted */
    uint32_t site;   /* where in the program it was put, see site.h */
    uint32_t _0;
} xr_msg_put;

typedef struct xr_msg_request {
    uint32_t request; /* chosen by the worker, not 0, not in use */
    uint32_t _0;
    uint64_t task;    /* the task that waits, 0 outside any: its CPU is lent meanwhile */
} xr_msg_request;

#endif
