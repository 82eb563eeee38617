/* thornback.h - the border between the Go core (libthornback.so) and C.
 *
 * Rules for all functions:
 *   Threads    any thread may call, at any time between xr_open and the return of xr_close.
 *   Blocking   none blocks for long: each works on the calling thread under a short lock. Waiting is
 *              done by the caller on futex words (see "Waiting").
 *   Ownership  pointers given in are borrowed for the call. `out` arguments are filled by the callee.
 *              Text and buffers that come back are freed by xr_free.
 *   Errors     XR_OK or a negative code; `err`, if not NULL, gets the text.
 *   Panics     are caught: the first prints the stacks, later calls answer XR_EPOISONED.
 *   fork       the library does not survive fork; a child must not call it (the C extension sees to it).
 */
#ifndef XR_THORNBACK_H
#define XR_THORNBACK_H
#include <stddef.h>
#include <stdint.h>
#include "wire.h"

#define XR_OK 0
#define XR_ECLOSED -1     /* no session is open */
#define XR_EBADHANDLE -2  /* stale, freed or unknown handle */
#define XR_EFULL -3       /* the object store is full; text says how full and by what */
#define XR_EINVAL -4      /* an argument is wrong; text says which */
#define XR_ETIMEOUT -5    /* not ready in time */
#define XR_EPOISONED -6   /* an earlier call panicked */
#define XR_ESYSTEM -7     /* an operating system call failed; text says which */
#define XR_EINFEASIBLE -8 /* no node can ever fulfil the demand; text says what is missing */
#define XR_EDEAD -9       /* the actor is dead */
#define XR_EPENDING -10   /* max_pending_calls reached */
#define XR_EDEADLOCK -14 /* a wait that would never end; text names the circle */
#define XR_ECANCEL -13    /* cancel: not in this way; text says why */
#define XR_ESCOPE -16     /* a wait in a scope's block: something in the scope has failed, or it was cancelled */
#define XR_ESCOPEENDED -17 /* a submission in a scope whose block has been left */

typedef struct xr_error {
    int32_t code;
    char text[1020]; /* UTF-8, NUL-terminated, cut if longer */
} xr_error;

#define XR_ABI_VERSION 3 /* of the functions below */

typedef struct xr_session { /* filled by xr_open; all addresses but the arena's are valid until xr_close */
    uint8_t *arena;         /* the object store, mapped read-write */
    uint64_t arena_bytes;
    xr_board *board;
    uint64_t session;       /* random, never 0: tells references of one session from another's */
    int32_t arena_fd;       /* not to be closed by the caller */
    int32_t version;        /* XR_ABI_VERSION of the library: the caller refuses another */
} xr_session;

/* What xr_drain and xr_submit report. */
#define XR_DRAIN_SOME 1   /* something was read */
#define XR_DRAIN_FLIGHT 2 /* tasks are queued behind others in a worker's ring: drain again after about 1 ms */

#ifndef XR_TYPES_ONLY /* the Go side defines these functions itself, without const */

/* options: JSON, see core/node/options.go. Starts the zygote, maps the store. */
int32_t xr_open(const char *options, size_t len, xr_session *out, xr_error *err);
/* Ends all processes of the session, unmaps everything but the arena: the caller unmaps that (munmap) as soon as it has no
 * views of it. Idempotent. The caller has stopped its drainer first. */
int32_t xr_close(void);

/* Functions, classes, methods (XR_DEF_*). The same digest gives the same id. */
int32_t xr_define(uint32_t kind, const char *name, size_t name_len, const void *blob, size_t blob_len,
                  const uint8_t digest[16], uint32_t *fid, xr_error *err);
/* The options of a task, actor or method, JSON, see core/node/template.go. */
int32_t xr_template(const char *json, size_t len, uint32_t *tid, xr_error *err);

/* Submits one task or actor call or creation. Returns XR_OK, or XR_DRAIN_FLIGHT when tasks are now queued behind others
 * in a worker's ring, so that the drainer must tick. rets is filled with `returns` handles, each held once for the
 * caller. deps: objects resolved for the task; holds: objects that args mention inside; both are kept alive
 * until it ends. `actor` is 0 unless the template is a method's. site: place in the program, see site.h; 0: not known.
 * deadline: when it is cancelled, in ns of CLOCK_MONOTONIC, or 0.
 * scope: the object of one that it belongs to, or 0. */
int32_t xr_submit(uint32_t tid, uint32_t site, uint64_t actor, const void *args, size_t args_len, const uint64_t *deps,
                  size_t ndeps, const uint64_t *holds, size_t nholds, uint64_t deadline, uint64_t scope,
                  size_t returns,
                  uint64_t *rets, xr_error *err);

/* Space in the arena for an object that the caller writes next; then xr_put with STORE, or xr_abort. */
int32_t xr_alloc(uint64_t bytes, uint64_t *offset, xr_error *err);
int32_t xr_abort(uint64_t offset);
/* A new object. v->where INLINE: v->offset is ignored, `bytes` is copied; STORE: v->offset came from xr_alloc.
 * refs: v->refs handles of references inside. The object is held once for the caller. */
int32_t xr_put(const xr_value *v, const void *bytes, const uint64_t *refs, uint32_t site, uint64_t *handle,
               xr_error *err);

/* Has xr_watched tell, once, of each object that is ready, now or later. One that is gone counts as ready. */
int32_t xr_watch(const uint64_t *handles, size_t n);
/* Takes watched objects that are ready, at most `most`. Returns their number; when it is 0, *word becomes XR_WORD_DONE, as
 * that of a waiter does, when there are some. One thread at a time; the word is valid until its next call. */
int32_t xr_watched(uint64_t *handles, size_t most, uint32_t **word);

/* Items of a generator: takes up to `most` that are there, each held once for the caller, and returns their number. When
 * it is 0, *next is the object that comes next, held once for the caller too, and ready with the next item or the end;
 * else *next is 0. *ended: none comes after these. */
int32_t xr_stream_next(uint64_t stream, size_t most, uint64_t *items, uint64_t *next, int32_t *ended, xr_error *err);

/* References gained and lost by this process. Stale handles are ignored. */
int32_t xr_refs(const xr_ref_delta *d, size_t n);

#define XR_STATE_PENDING 0
#define XR_STATE_READY 1
#define XR_STATE_ERROR 2   /* ready, and the value is an ERROR or SYSERR blob */
#define XR_STATE_UNKNOWN 3 /* stale handle */
/* Looks, without waiting, at n objects, in order, until `most` ready ones are found. states: n bytes, those not looked at
 * are PENDING. values: NULL or n entries; for a ready object `where`
 * and `length` are set and offset is the arena offset (STORE) or the ADDRESS of the bytes (INLINE), valid while the
 * caller holds the object. Returns the number of ready ones (>= 0) or an error code. */
int32_t xr_look(const uint64_t *handles, size_t n, size_t most, uint8_t *states, xr_value *values);

/* Waiting ---------------------------------------------------------------------------
 * xr_wait_begin registers a waiter for `need` of n objects (all ready when need == n). `word` receives the address of
 * a futex word: 0 while unfulfilled, 1 then; a thread that is going to sleep on it sets it from 0 to 3 first (compare and
 * swap) and sleeps while it is 3; other values are the caller's own. NULL: fulfilled already, nothing was registered. fail_fast: an error among them
 * fulfils it too. scope: the one in whose block the thread is, or 0; when it is over, the wait is fulfilled, and beginning
 * one gives XR_ESCOPE. The thread then
 *   - takes part in reading the workers' output: board->mode = POLLED, xr_drain() while board->bits are set;
 *   - before it sleeps: mode = GETTER, fence, looks at bits again, futex_wait(board->getter);
 *   - when done, xr_wait_end, and mode = LAZY again, fence, one more look at bits (xr_drain if set).
 * Only one thread is the reader at a time; others futex_wait on their own word (xr_drain wakes it). */
int32_t xr_wait_begin(const uint64_t *handles, size_t n, size_t need, int32_t fail_fast, uint64_t scope,
                      uint64_t *waiter, uint32_t **word, xr_error *err);
int32_t xr_wait_end(uint64_t waiter);
/* Reads what workers wrote and acts on it. Returns a bit set of XR_DRAIN_*, or an error code. */
int32_t xr_drain(void);

/* Everything that need not be fast: op and JSON in, JSON out (xr_free it). Ops: core/node/control.go. */
int32_t xr_control(const char *op, size_t op_len, const char *json, size_t len, char **out, size_t *out_len,
                   xr_error *err);
void xr_free(void *p);

#endif /* XR_TYPES_ONLY */
#endif
