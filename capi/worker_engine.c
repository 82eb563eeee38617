/* worker_engine.c - the engine of a worker: the operations of engine.h as records and requests. */
#include "buf.h"
#include "crew.h"
#include "errors.h"
#include "kill_point.h"
#include "state.h"
#include "watch.h"
#include "worker.h"

#include <string.h>
#include <sys/mman.h>

/* Sets the exception for a reply's status. Returns -1. */
static int fail(const xr_pending *p)
{
    return errors_raise(p->status, (const char *)p->data, p->length);
}

/* A request whose reply starts with one uint32. */
static int request_number(uint16_t kind, const xr_part *parts, size_t n, uint32_t *number)
{
    xr_pending p = {0};
    int rc = worker_request(&p, kind, parts, n, XR_NEVER);
    if (rc == 0 && p.status != XR_OK) {
        rc = fail(&p);
    } else if (rc == 0 && p.length < sizeof *number) {
        rc = worker_corrupt("a reply is too short");
    } else if (rc == 0) {
        memcpy(number, p.data, sizeof *number);
    }
    pending_clear(&p);
    return rc;
}

static int worker_define(uint32_t kind, const char *name, size_t name_len, const void *blob, size_t blob_len,
                         const uint8_t digest[16], uint32_t *fid)
{
    uint32_t head[4] = {kind, (uint32_t)name_len, (uint32_t)blob_len, 0};
    xr_part parts[] = {{head, sizeof head}, {digest, 16}, {name, name_len}, {blob, blob_len}};
    return request_number(XR_REQ_DEFINE, parts, 4, fid);
}

static int worker_template(const char *json, size_t len, uint32_t *tid)
{
    xr_part part = {json, len};
    return request_number(XR_REQ_TEMPLATE, &part, 1, tid);
}

static PyObject *worker_control(const char *op, size_t op_len, const char *json, size_t len)
{
    uint32_t head[2] = {(uint32_t)op_len, 0};
    PyObject *result = NULL;
    xr_pending p = {0};
    xr_part parts[] = {{head, sizeof head}, {op, op_len}, {json, len}};
    if (worker_request(&p, XR_REQ_CONTROL, parts, 3, XR_NEVER) == 0) {
        result = p.status == XR_OK ? PyBytes_FromStringAndSize((char *)p.data, (Py_ssize_t)p.length)
                                   : errors_control(p.status, (const char *)p.data, p.length);
    }
    pending_clear(&p);
    return result;
}

static int worker_submit(const xr_call *c, uint64_t *rets)
{
    if (worker_take_handles(c->returns, rets) < 0) {
        return -1;
    }
    xr_running *here = worker_here();
    xr_msg_submit head = {.actor = c->actor,
                          .parent = here != NULL ? here->task : 0,
                          .tid = c->tid,
                          .returns = (uint32_t)c->returns,
                          .deps = (uint32_t)c->ndeps,
                          .holds = (uint32_t)c->nholds,
                          .args_len = (uint32_t)c->args_len,
                          .deadline = c->deadline,
                          .scope = c->scope,
                          .flags = c->site << XR_SUBMIT_SITE};
    if (worker_running != NULL && worker_running->is_raised) {
        head.flags |= XR_SUBMIT_INTERRUPTED;
    }
    xr_part parts[] = {{&head, sizeof head},
                       {rets, c->returns * sizeof *rets},
                       {c->deps, c->ndeps * sizeof *c->deps},
                       {c->holds, c->nholds * sizeof *c->holds},
                       {c->args, c->args_len}};
    kill_point("submit", "begun");
    int rc = worker_send(XR_MSG_SUBMIT, parts, 5, XR_URGENTLY, 0);
    kill_point("submit", "said");
    return rc;
}

/* ---- objects ---- */

/* Maps the arena for writing, at the first need: most workers never write. */
static int map_writable(void)
{
    if (W.writable == NULL) {
        void *memory = mmap(NULL, S.arena_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, W.arena_fd, 0);
        if (memory == MAP_FAILED) {
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        W.writable = memory;
    }
    return 0;
}

static int worker_alloc(uint64_t bytes, uint64_t *offset, uint8_t **memory)
{
    xr_part part = {&bytes, sizeof bytes};
    xr_pending p = {0};
    xr_span span;
    int rc = map_writable() < 0 ? -1 : worker_request(&p, XR_REQ_ALLOC, &part, 1, XR_NEVER);
    if (rc == 0 && p.status != XR_OK) {
        rc = fail(&p);
    } else if (rc == 0 && (worker_span(p.data, p.length, &span) == NULL || span.length < bytes)) {
        rc = PyErr_Occurred() ? -1 : worker_corrupt("the node gave less space than asked for");
    } else if (rc == 0) {
        *offset = span.offset;
        *memory = W.writable + span.offset;
    }
    pending_clear(&p);
    return rc;
}

static int worker_put(const xr_value *v, const void *bytes, const uint64_t *refs, uint32_t site, uint64_t *handle)
{
    if (worker_take_handles(1, handle) < 0) {
        return -1;
    }
    xr_msg_put head = {.handle = *handle, .site = site};
    xr_part parts[] = {{&head, sizeof head},
                       {v, sizeof *v},
                       {bytes, v->where == XR_WHERE_INLINE ? v->length : 0},
                       {refs, v->refs * sizeof *refs}};
    kill_point("put", "begun");
    int rc = worker_send(XR_MSG_PUT, parts, 4, XR_URGENTLY, 0);
    kill_point("put", "said");
    return rc;
}

/* One value of a GET's reply.   Returns: where the next one starts, or 0 when it is malformed. */
static size_t parse_value(const uint8_t *data, size_t length, size_t at, uint64_t handle, xr_item *item)
{
    xr_value v;
    if (length - at < sizeof v) {
        return 0;
    }
    memcpy(&v, data + at, sizeof v);
    at += sizeof v;
    item->handle = handle;
    item->length = v.length;
    item->stored = item->held = v.where == XR_WHERE_STORE;
    if (item->stored) {
        item->bytes = S.arena + v.offset;
        return v.offset <= S.arena_bytes && v.length <= S.arena_bytes - v.offset ? at : 0;
    }
    item->bytes = data + at;
    size_t space = xr_pad8(v.length);
    return space >= v.length && space <= length - at ? at + space : 0;
}

/* The reply: uint32 count, uint32 index of the first, then the values. */
static int parse_values(const uint8_t *data, size_t length, const uint64_t *handles, size_t n, xr_got *got)
{
    uint32_t head[2];
    size_t at = sizeof head;
    if (length < sizeof head) {
        return worker_corrupt("a reply to get is too short");
    }
    memcpy(head, data, sizeof head);
    if (head[0] == 0 || head[1] > n || head[0] > n - head[1]) {
        return worker_corrupt("a reply to get has a wrong count");
    }
    for (uint32_t i = 0; i < head[0]; i++) {
        at = parse_value(data, length, at, handles[head[1] + i], &got->items[i]);
        if (at == 0) {
            return worker_corrupt("a reply to get has a malformed value");
        }
    }
    got->count = head[0];
    return 0;
}

/* The flags that say when a request ends by itself. */
static uint32_t ending(int64_t deadline)
{
    return deadline <= 0 ? XR_GET_NOW : deadline < XR_NEVER ? XR_GET_TIMED : 0;
}

static int worker_get(const uint64_t *handles, size_t n, int64_t deadline, xr_got *got)
{
    uint32_t head[2] = {(uint32_t)n, XR_GET_FAIL_FAST | ending(deadline)};
    xr_part parts[] = {{head, sizeof head}, {handles, n * sizeof *handles}};
    xr_pending p = {.handles = handles, .nhandles = n};
    if (C.is_async && deadline > 0 && crew_warn_blocking() < 0) {
        return -1;
    }
    if (got_init(got, n) < 0) {
        return -1;
    }
    if (n == 1 && watch_get(handles[0], got)) {
        return 0;
    }
    int rc = worker_request(&p, XR_REQ_GET, parts, 2, deadline <= 0 ? XR_NEVER : deadline);
    if (rc == 0 && p.status != XR_OK) {
        rc = fail(&p);
    } else if (rc == 0) {
        /* The bytes go on living in got. */
        const uint8_t *bytes = p.data;
        if (p.data == (uint8_t *)p.small) {
            memcpy(got->small, p.small, p.length);
            bytes = (const uint8_t *)got->small;
        } else {
            got->keep_bytes = p.data;
            p.data = NULL;
        }
        rc = parse_values(bytes, p.length, handles, n, got);
    }
    pending_clear(&p);
    if (rc < 0) {
        got_free(got);
    }
    return rc;
}

/* Asks once.   Returns: 0 with *status, or -1 with an exception. */
static int ask_wait(const uint64_t *handles, size_t n, size_t need, int64_t deadline, uint8_t *ready, int32_t *status)
{
    uint32_t head[4] = {(uint32_t)n, (uint32_t)need, ending(deadline), 0};
    xr_part parts[] = {{head, sizeof head}, {handles, n * sizeof *handles}};
    xr_pending p = {0};
    int rc = worker_request(&p, XR_REQ_WAIT, parts, 2, deadline <= 0 ? XR_NEVER : deadline);
    *status = p.status;
    if (rc == 0 && p.status == XR_OK) {
        if (p.length < 8 + n) {
            rc = worker_corrupt("a reply to wait is too short");
        } else {
            memcpy(ready, p.data + 8, n);
        }
    } else if (rc == 0 && p.status != XR_ETIMEOUT) {
        rc = fail(&p);
    }
    pending_clear(&p);
    return rc;
}

static int worker_wait(const uint64_t *handles, size_t n, size_t need, int64_t deadline, uint8_t *ready)
{
    int32_t status;
    int rc = ask_wait(handles, n, need, deadline, ready, &status);
    if (rc == 0 && status == XR_ETIMEOUT) {
        rc = ask_wait(handles, n, need, 0, ready, &status); /* what there is by now */
    }
    return rc;
}

static int worker_next(uint64_t stream, size_t most, uint64_t *items, uint64_t *next, int *ended)
{
    struct {
        uint64_t stream;
        uint32_t most, _0;
    } head = {stream, (uint32_t)most, 0};
    struct {
        uint32_t count, ended;
        uint64_t next;
    } reply;
    xr_part part = {&head, sizeof head};
    xr_pending p = {.is_next = 1};
    int rc = worker_request(&p, XR_REQ_NEXT, &part, 1, XR_NEVER);
    if (rc == 0 && p.status != XR_OK) {
        rc = fail(&p);
    } else if (rc == 0 && p.length < sizeof reply) {
        rc = worker_corrupt("a reply to next is too short");
    } else if (rc == 0) {
        memcpy(&reply, p.data, sizeof reply);
        if (reply.count > most || reply.count > (p.length - sizeof reply) / sizeof *items) {
            rc = worker_corrupt("a reply to next has a wrong count");
        } else {
            memcpy(items, p.data + sizeof reply, reply.count * sizeof *items);
            *next = reply.next;
            *ended = reply.ended != 0;
            rc = (int)reply.count;
        }
    }
    pending_clear(&p);
    return rc;
}

const xr_engine xr_worker_engine = {
    .submit = worker_submit,
    .alloc = worker_alloc,
    .give_up = worker_free_space,
    .put = worker_put,
    .get = worker_get,
    .wait = worker_wait,
    .next = worker_next,
    .watch = worker_watch,
    .watched = worker_watched,
    .delta = worker_delta,
    .define = worker_define,
    .make_template = worker_template,
    .control = worker_control,
};
