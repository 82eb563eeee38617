/* worker_request.c - a worker's questions to the node and their replies.
 *
 * The reply ring is read with the GIL held, by whichever thread is there: each waiting thread sleeps on
 * the same bell, and the one that reads hands the others their replies. A nested task is run by the
 * thread that finds it: all that read here wait for something that may depend on it.
 */
#include "buf.h"
#include "errors.h"
#include "kill_point.h"
#include "produce.h"
#include "state.h"
#include "task.h"
#include "watch.h"
#include "worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XR_SLICE_NS 100000000 /* so often a waiting thread looks for Python's signals at least */

/* A GET or NEXT that was given up. Its reply may be under way, with holds that nobody else would release; it
 * is, or it comes never, before any reply to a later request. */
typedef struct xr_dropped {
    uint32_t number, before; /* first request number after the drop */
    size_t n;
    int is_next;
    struct xr_dropped *next;
    uint64_t handles[];
} xr_dropped;

static struct {
    uint32_t last; /* number of the last request */
    xr_pending *pending;
    xr_dropped *dropped;
    xr_words granted;
} requests;

int worker_corrupt(const char *what)
{
    return errors_system(XR_SYSTEM_INTERNAL, what, strlen(what));
}

const uint8_t *worker_span(const void *payload, size_t length, xr_span *span)
{
    if (length >= sizeof *span) {
        memcpy(span, payload, sizeof *span);
        if (span->offset <= S.arena_bytes && span->length <= S.arena_bytes - span->offset) {
            return S.arena + span->offset;
        }
    }
    worker_corrupt("the node sent a span that lies outside of the store");
    return NULL;
}

void pending_clear(xr_pending *p)
{
    if (p->data != (uint8_t *)p->small) {
        free(p->data);
    }
    p->data = NULL;
}

static void unlink_pending(xr_pending *p)
{
    xr_pending **at = &requests.pending;
    while (*at != NULL && *at != p) {
        at = &(*at)->next;
    }
    if (*at == p) {
        *at = p->next;
    }
}

/* ---- replies ---- */

/* Lets go what the reply to a dropped GET holds. */
static void release_holds(const uint8_t *p, size_t length, const uint64_t *handles, size_t n)
{
    uint32_t head[2];
    if (length < sizeof head) {
        return;
    }
    memcpy(head, p, sizeof head);
    size_t at = sizeof head;
    for (size_t i = 0; i < head[0] && length - at >= sizeof(xr_value); i++) {
        xr_value v;
        memcpy(&v, p + at, sizeof v);
        at += sizeof v;
        if (v.where == XR_WHERE_STORE && head[1] + i < n) {
            worker_delta(handles[head[1] + i], -1);
        } else if (v.where == XR_WHERE_INLINE) {
            if (v.length > length - at) {
                return;
            }
            at += xr_pad8(v.length);
        }
        if (at > length) {
            return;
        }
    }
}

/* Lets go what the reply to a dropped NEXT has taken: the items are lost, as the thread that wanted them has failed. */
static void release_items(const uint8_t *p, size_t length)
{
    const size_t head = 2 * sizeof(uint64_t); /* counts, then what comes next, then the items */
    for (size_t at = head - sizeof(uint64_t); at + sizeof(uint64_t) <= length; at += sizeof(uint64_t)) {
        uint64_t handle;
        memcpy(&handle, p + at, sizeof handle);
        if (handle != 0) {
            worker_delta(handle, -1);
        }
    }
}

/* The reply to a request that nobody waits for any more, or to a later one. */
static void settle_dropped(const xr_msg_reply *reply, const uint8_t *data, size_t length)
{
    xr_dropped **at = &requests.dropped;
    while (*at != NULL) {
        xr_dropped *d = *at;
        int is_reply = d->number == reply->request;
        if (is_reply && reply->status == XR_OK && d->is_next) {
            release_items(data, length);
        } else if (is_reply && reply->status == XR_OK) {
            release_holds(data, length, d->handles, d->n);
        }
        if (is_reply || (int32_t)(reply->request - d->before) >= 0) {
            *at = d->next;
            free(d);
        } else {
            at = &d->next;
        }
    }
}

static int fill_pending(xr_pending *p, int32_t status, const uint8_t *data, size_t length)
{
    p->data = (uint8_t *)p->small;
    if (length > sizeof p->small && (p->data = malloc(length)) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(p->data, data, length);
    p->length = length;
    p->status = status;
    unlink_pending(p);
    __atomic_store_n(&p->done, 1, __ATOMIC_SEQ_CST);
    if (p->owner != &worker_is_main) {
        channel_wake_pausing(&W.channel);
    }
    return 0;
}

static int take_reply(const uint8_t *payload, size_t length)
{
    xr_msg_reply reply;
    if (length < sizeof reply) {
        return worker_corrupt("the node sent a reply that is too short");
    }
    memcpy(&reply, payload, sizeof reply);
    payload += sizeof reply;
    length -= sizeof reply;
    if (requests.dropped != NULL) {
        settle_dropped(&reply, payload, length);
    }
    for (xr_pending *p = requests.pending; p != NULL; p = p->next) {
        if (p->number == reply.request) {
            return fill_pending(p, reply.status, payload, length);
        }
    }
    return 0;
}

static int take_grant(const uint8_t *payload, size_t length)
{
    size_t n = length / sizeof(uint64_t);
    for (size_t i = 0; i < n; i++) {
        uint64_t handle;
        memcpy(&handle, payload + i * sizeof handle, sizeof handle);
        if (words_add(&requests.granted, handle) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Decoding a task may run code that reads the ring again, so the task leaves it first. */
static int take_task(const uint8_t *payload, size_t length, const xr_record *record)
{
    uint8_t *copy = malloc(length);
    if (copy == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memcpy(copy, payload, length);
    consumer_advance(&W.channel.reply, record);
    int rc = task_run(copy, length, NULL);
    free(copy);
    return rc == 0 ? cancel_raise() : rc; /* what was due in the one below is now */
}

/* Acts on one record and gives its space back. */
static int take_record(xr_record *record)
{
    xr_span span = {0};
    const uint8_t *payload = (const uint8_t *)(record + 1);
    size_t length = record->size - sizeof *record;
    int rc = 0, is_indirect = (record->flags & XR_RECORD_INDIRECT) != 0;
    if (is_indirect) {
        if ((payload = worker_span(payload, length, &span)) == NULL) {
            return -1;
        }
        length = span.length;
    }
    switch (record->kind) {
    case XR_MSG_TASK:
        return take_task(payload, length, record);
    case XR_MSG_REPLY:
        rc = take_reply(payload, length);
        if (is_indirect) {
            worker_free_space(span.offset);
        }
        break;
    case XR_MSG_GRANT:
        rc = take_grant(payload, length);
        break;
    case XR_MSG_DEFINE:
        rc = definitions_add(payload, length);
        break;
    case XR_MSG_ROOM:
        rc = produce_room(payload, length);
        break;
    case XR_MSG_READYREF:
        rc = watch_take(payload, length);
        break;
    case XR_MSG_EXIT:
        W.exit_asked = 1;
        break;
    case XR_MSG_CANCEL:
        cancel_take(record);
        consumer_advance(&W.channel.reply, record);
        return cancel_raise(); /* at once: the replies behind it may be the failures of what is cancelled with it */
    default:
        return worker_corrupt("the node sent a record of unknown kind");
    }
    consumer_advance(&W.channel.reply, record);
    return rc;
}

static int poll(int with_tasks)
{
    int corrupt, rc = 0;
    xr_record *record;
    while (rc == 0 && (record = consumer_next(&W.channel.reply, &corrupt)) != NULL) {
        if (record->kind == XR_MSG_TASK && !with_tasks) {
            return 1;
        }
        rc = take_record(record);
    }
    return rc == 0 && corrupt ? worker_corrupt("the reply ring is malformed") : rc;
}

int worker_poll(void)
{
    return poll(1);
}

int worker_poll_replies(void)
{
    return poll(0);
}

/* ---- requests ---- */

/* Gives a request up.   Returns: 0, or -1 with MemoryError (a hold may be lost then). */
static int drop(xr_pending *p)
{
    xr_msg_request head = {.request = p->number};
    xr_part part = {&head, sizeof head};
    unlink_pending(p);
    worker_send(XR_REQ_DROP, &part, 1, XR_LAZILY, 0);
    if (p->nhandles > 0 || p->is_next) {
        xr_dropped *d = malloc(sizeof *d + p->nhandles * sizeof(uint64_t));
        if (d == NULL) {
            return -1;
        }
        d->number = p->number;
        d->before = requests.last + 1;
        d->n = p->nhandles;
        d->is_next = p->is_next;
        if (p->nhandles > 0) {
            memcpy(d->handles, p->handles, p->nhandles * sizeof(uint64_t));
        }
        d->next = requests.dropped;
        requests.dropped = d;
    }
    return 0;
}

/* Waits for the reply.   Returns: 0 with p filled, or -1 with an exception, the request dropped. */
static int await(xr_pending *p, int64_t deadline)
{
    while (!p->done) {
        if (worker_poll() < 0) {
            break;
        }
        if (p->done) {
            return 0;
        }
        if (PyErr_CheckSignals() < 0 || cancel_raise() < 0) {
            break;
        }
        int64_t now = xr_now();
        if (now >= deadline) {
            p->status = XR_ETIMEOUT;
            return drop(p);
        }
        worker_flush();
        int64_t until = deadline - now < XR_SLICE_NS ? deadline : now + XR_SLICE_NS;
        xr_running *r = worker_running;
        if (r != NULL) {
            r->waits = 1;
        }
        PyThreadState *thread = PyEval_SaveThread();
        channel_pause(&W.channel, &p->done, 0, worker_is_main, until);
        PyEval_RestoreThread(thread);
        if (r != NULL) {
            r->waits = 0;
        }
    }
    if (p->done) {
        return PyErr_Occurred() ? -1 : 0;
    }
    drop(p);
    return -1;
}

/* The group of a request's steps, see kill_point.h. */
static const char *group_of(uint16_t kind)
{
    static const char *const names[] = {"define", "template", "alloc", "get", "wait", "control", "drop", "next"};
    size_t i = kind - XR_REQ_DEFINE;
    return i < sizeof names / sizeof names[0] ? names[i] : "request";
}

int worker_request(xr_pending *p, uint16_t kind, const xr_part *parts, size_t n, int64_t deadline)
{
    xr_part all[8];
    xr_running *here = worker_here();
    xr_msg_request head = {.task = here != NULL ? here->task : 0};
    requests.last = requests.last == UINT32_MAX ? 1 : requests.last + 1;
    head.request = p->number = requests.last;
    p->done = 0;
    p->owner = &worker_is_main;
    p->data = NULL;
    p->length = 0;
    all[0] = (xr_part){&head, sizeof head};
    for (size_t i = 0; i < n; i++) {
        all[i + 1] = parts[i];
    }
    p->next = requests.pending;
    requests.pending = p;
    if (worker_send(kind, all, n + 1, XR_URGENTLY, 0) < 0) {
        unlink_pending(p);
        return -1;
    }
    kill_point(group_of(kind), "asked");
    int rc = await(p, deadline);
    kill_point(group_of(kind), "answered");
    return rc;
}

/* Asks for handles, which the node sends before its reply. What is due for the submissions before this
 * comes before it too, and may be enough.   Returns: 0, or -1 with an exception. */
static int ask_for_handles(size_t n)
{
    char json[48];
    int length = snprintf(json, sizeof json, "{\"count\": %zu}", n);
    PyObject *answer = xr_worker_engine.control("grant", 5, json, (size_t)length);
    if (answer == NULL && requests.granted.len >= n && PyErr_ExceptionMatches(PyExc_RuntimeError)) {
        PyErr_Clear();
        return 0;
    }
    Py_XDECREF(answer);
    return answer != NULL ? 0 : -1;
}

int worker_take_handles(size_t n, uint64_t *handles)
{
    if (requests.granted.data == NULL) {
        words_init(&requests.granted);
    }
    if (requests.granted.len < n && worker_poll() < 0) {
        return -1;
    }
    if (requests.granted.len < n && ask_for_handles(n) < 0) {
        return -1;
    }
    if (requests.granted.len < n) {
        return worker_corrupt("the node granted fewer handles than were asked for");
    }
    requests.granted.len -= n;
    memcpy(handles, requests.granted.data + requests.granted.len, n * sizeof *handles);
    return 0;
}
