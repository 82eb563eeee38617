#define _GNU_SOURCE /* nanosleep, in C11 */
/* worker_watch.c - watched objects in a worker: what READYREF brings lies here until it is asked for. */
#include "buf.h"
#include "crew.h"
#include "state.h"
#include "watch.h"
#include "worker.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define XR_TASK_PAUSE_NS 1000000

/* An object that is ready, with its value. */
typedef struct xr_ready {
    struct xr_ready *next;
    uint64_t handle;
    xr_value v;
    uint8_t bytes[]; /* of an inline value */
} xr_ready;

static struct {
    xr_ready *fresh, *last; /* in the order in which they came */
    xr_ready *taken;        /* by the last watched() */
    uint32_t some;          /* fresh != NULL, for threads without the GIL */
} R;

static void let_go(xr_ready *r)
{
    if (r->v.where == XR_WHERE_STORE) {
        worker_delta(r->handle, -1);
    }
    free(r);
}

/* Returns: where the next one starts, or 0 with an exception. */
static size_t take_one(const uint8_t *p, size_t length, size_t at)
{
    uint64_t handle;
    xr_value v;
    if (length - at < sizeof handle + sizeof v) {
        return 0;
    }
    memcpy(&handle, p + at, sizeof handle);
    memcpy(&v, p + at + sizeof handle, sizeof v);
    at += sizeof handle + sizeof v;
    size_t space = v.where == XR_WHERE_INLINE ? xr_pad8(v.length) : 0, left = length - at;
    int is_stored = v.where == XR_WHERE_STORE;
    if ((v.where == XR_WHERE_INLINE && (v.length > left || space > left)) ||
        (is_stored && (v.offset > S.arena_bytes || v.length > S.arena_bytes - v.offset))) {
        return 0;
    }
    xr_ready *r = malloc(sizeof *r + space);
    if (r == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    *r = (xr_ready){.handle = handle, .v = v};
    memcpy(r->bytes, p + at, space);
    *(R.fresh != NULL ? &R.last->next : &R.fresh) = r;
    R.last = r;
    return at + space;
}

int watch_take(const uint8_t *payload, size_t length)
{
    size_t at = 0;
    while (at < length) {
        at = take_one(payload, length, at);
        if (at == 0) {
            return PyErr_Occurred() ? -1 : worker_corrupt("the node sent a malformed READYREF");
        }
    }
    /* Whoever is in watched(), or the loop that calls it, may not be who reads this, and may be about to sleep: a wake alone
     * would be lost on it. */
    __atomic_store_n(&R.some, R.fresh != NULL, __ATOMIC_SEQ_CST);
    if (C.is_async) {
        __atomic_store_n(&C.woken, 1, __ATOMIC_SEQ_CST);
    }
    channel_wake_pausing(&W.channel);
    return 0;
}

int watch_has_some(void)
{
    return R.fresh != NULL;
}

int watch_get(uint64_t handle, xr_got *got)
{
    xr_ready **at = &R.taken; /* asked for in the order in which they came, so mostly the first */
    while (*at != NULL && (*at)->handle != handle) {
        at = &(*at)->next;
    }
    xr_ready *r = *at;
    if (r == NULL) {
        return 0;
    }
    *at = r->next;
    if (r->v.where != XR_WHERE_INLINE && r->v.where != XR_WHERE_STORE) {
        free(r); /* it is gone: the node says so */
        return 0;
    }
    int is_stored = r->v.where == XR_WHERE_STORE;
    got->keep_bytes = r;
    got->count = 1;
    got->items[0] = (xr_item){.bytes = is_stored ? S.arena + r->v.offset : r->bytes,
                              .length = r->v.length,
                              .handle = handle,
                              .stored = (uint8_t)is_stored,
                              .held = (uint8_t)is_stored};
    return 1;
}

/* ---- the engine's operations ---- */

int worker_watch(const uint64_t *handles, size_t n)
{
    xr_part part = {handles, n * sizeof *handles};
    return worker_send(XR_MSG_WATCH, &part, 1, XR_URGENTLY, 0);
}

/* Moves what has come, up to so many, to what is taken, and writes its handles.   Returns: their number. */
static int take_fresh(uint64_t *into)
{
    int n = 0;
    while (R.taken != NULL) { /* nobody has asked for it: its future was cancelled, or is asked for elsewhere */
        xr_ready *next = R.taken->next;
        let_go(R.taken);
        R.taken = next;
    }
    xr_ready **end = &R.taken;
    while (n < XR_WATCHED_MOST && R.fresh != NULL) {
        xr_ready *r = R.fresh;
        R.fresh = r->next;
        r->next = NULL;
        *end = r;
        end = &r->next;
        into[n++] = r->handle;
    }
    __atomic_store_n(&R.some, R.fresh != NULL, __ATOMIC_SEQ_CST);
    return n;
}

int worker_watched(int64_t deadline, uint64_t *into)
{
    while (R.fresh == NULL && deadline > 0 && xr_now() < deadline) {
        int before_task = worker_poll_replies();
        if (before_task < 0) {
            return -1;
        }
        if (R.fresh != NULL) {
            break;
        }
        worker_flush();
        /* A task on top of one that waits is that one's thread's to run: it might wait for us. */
        PyThreadState *thread = PyEval_SaveThread();
        if (before_task) {
            nanosleep(&(struct timespec){0, XR_TASK_PAUSE_NS}, NULL);
        } else {
            channel_pause(&W.channel, &R.some, 0, 0, deadline);
        }
        PyEval_RestoreThread(thread);
    }
    return take_fresh(into);
}
