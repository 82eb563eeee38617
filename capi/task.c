/* task.c - one task in a worker: from its record to the report of its end. */
#include "args.h"
#include "codec.h"
#include "encode.h"
#include "errors.h"
#include "state.h"
#include "store.h"
#include "worker.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XR_DEPS_FAST 8
#define XR_RESULT_SMALL 4096 /* results up to this stay inline, however many there are */

typedef struct xr_task {
    xr_msg_task m;
    const uint8_t *args;
    xr_item few[XR_DEPS_FAST], *deps; /* values of the dependencies */
    PyObject *object;                 /* the definition */
    PyObject *positional, *keywords;
} xr_task;

/* The results as they go into the report. */
typedef struct xr_report {
    xr_buf bytes;    /* xr_msg_done and what follows it */
    xr_words stored; /* arena offsets that nobody owns unless the report is sent */
    xr_words kept;   /* Python references whose handles it mentions */
} xr_report;

/* ---- from the record ---- */

/* One dependency. Its handle, which a pin needs, follows a value in the store.
 * Returns: where the next one starts, or 0 when it is malformed. */
static size_t parse_dep(const uint8_t *p, size_t length, size_t at, xr_item *item)
{
    xr_value v;
    if (length - at < sizeof v) {
        return 0;
    }
    memcpy(&v, p + at, sizeof v);
    at += sizeof v;
    *item = (xr_item){.length = v.length, .stored = v.where == XR_WHERE_STORE};
    item->bytes = item->stored ? S.arena + v.offset : p + at;
    size_t space = item->stored ? 0 : xr_pad8(v.length), left = length - at;
    if (item->stored && (v.offset > S.arena_bytes || v.length > S.arena_bytes - v.offset)) {
        return 0;
    }
    if (!item->stored && (v.length > left || space > left)) {
        return 0;
    }
    at += space;
    if (v.refs > (length - at) / sizeof(uint64_t)) {
        return 0;
    }
    if (item->stored && v.refs > 0) {
        memcpy(&item->handle, p + at, sizeof item->handle);
    }
    return at + v.refs * sizeof(uint64_t);
}

/* Returns: 0, or -1 with an exception: the node has sent nonsense. */
static int parse(const uint8_t *p, size_t length, xr_task *t)
{
    t->object = t->positional = t->keywords = NULL;
    t->deps = t->few;
    if (length < sizeof t->m) {
        return worker_corrupt("the node sent a task that is too short");
    }
    memcpy(&t->m, p, sizeof t->m);
    t->args = p + sizeof t->m;
    size_t left = length - sizeof t->m;
    if (t->m.args_len > left || xr_pad8(t->m.args_len) > left || t->m.deps > left / sizeof(xr_value)) {
        return worker_corrupt("the node sent a task that does not fit its record");
    }
    size_t at = sizeof t->m + xr_pad8(t->m.args_len);
    if (t->m.deps > XR_DEPS_FAST && (t->deps = malloc(t->m.deps * sizeof(xr_item))) == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (uint32_t i = 0; i < t->m.deps; i++) {
        if ((at = parse_dep(p, length, at, &t->deps[i])) == 0) {
            return worker_corrupt("the node sent a task with a malformed dependency");
        }
    }
    return 0;
}

static void clear(xr_task *t)
{
    Py_XDECREF(t->object);
    Py_XDECREF(t->positional);
    Py_XDECREF(t->keywords);
    if (t->deps != t->few) {
        free(t->deps);
    }
}

/* Everything before the user's code. Returns 0 or -1. */
static int prepare(xr_task *t, xr_running *running)
{
    if (definitions_get(t->m.fid, &t->object, &running->name) < 0) {
        return -1;
    }
    return args_decode(t->args, t->m.args_len, t->deps, t->m.deps, &t->positional, &t->keywords);
}

/* ---- the call ---- */

/* A definition of a method is its name, or a function to be called with the actor first. */
static PyObject *call_method(xr_task *t)
{
    if (W.actor == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "this worker has no actor");
        return NULL;
    }
    PyObject *method = PyUnicode_Check(t->object) ? PyObject_GetAttr(W.actor, t->object)
                                                  : PyObject_CallMethod(t->object, "__get__", "O", W.actor);
    PyObject *result = NULL;
    if (method != NULL) {
        result = PyObject_Call(method, t->positional, t->keywords);
        Py_DECREF(method);
    }
    return result;
}

static PyObject *call_create(xr_task *t)
{
    PyObject *instance = PyObject_Call(t->object, t->positional, t->keywords);
    if (instance == NULL) {
        return NULL;
    }
    PyObject *before = W.actor; /* of a creation that is tried again */
    W.actor = instance;
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

static PyObject *call(xr_task *t)
{
    switch (t->m.type) {
    case XR_TASK_METHOD:
        return call_method(t);
    case XR_TASK_CREATE:
        return call_create(t);
    default:
        return PyObject_Call(t->object, t->positional, t->keywords);
    }
}

/* ---- results ---- */

static int report_init(xr_report *r)
{
    buf_init(&r->bytes);
    words_init(&r->stored);
    words_init(&r->kept);
    return buf_add(&r->bytes, sizeof(xr_msg_done)) != NULL ? 0 : -1;
}

/* Takes the results back, so that others can be written in their place. */
static void report_reset(xr_report *r)
{
    for (size_t i = 0; i < r->stored.len; i++) {
        worker_free_space(r->stored.data[i]);
    }
    for (size_t i = 0; i < r->kept.len; i++) {
        Py_DECREF((PyObject *)(uintptr_t)r->kept.data[i]);
    }
    r->bytes.len = sizeof(xr_msg_done);
    r->stored.len = r->kept.len = 0;
}

static void report_free(xr_report *r)
{
    report_reset(r);
    buf_free(&r->bytes);
    words_free(&r->stored);
    words_free(&r->kept);
}

static int add_refs(xr_report *r, const xr_blob *b)
{
    size_t size = b->refs.len * sizeof(uint64_t);
    uint8_t *place = buf_add(&r->bytes, size);
    if (place == NULL) {
        return -1;
    }
    memcpy(place, b->refs.data, size);
    for (size_t i = 0; i < b->kept.len; i++) {
        if (words_add(&r->kept, b->kept.data[i]) < 0) {
            return -1;
        }
        Py_INCREF((PyObject *)(uintptr_t)b->kept.data[i]);
    }
    return 0;
}

static int add_blob(xr_report *r, xr_blob *b)
{
    xr_value v = {.where = XR_WHERE_INLINE, .refs = (uint32_t)b->refs.len, .length = b->size};
    int is_inline = b->size <= XR_RESULT_SMALL || r->bytes.len + b->size <= XR_INLINE_MAX;
    if (!is_inline && (store_write(b, &v) < 0 || words_add(&r->stored, v.offset) < 0)) {
        return -1;
    }
    size_t space = is_inline ? xr_pad8(b->size) : 0;
    uint8_t *place = buf_add(&r->bytes, sizeof v + space);
    if (place == NULL) {
        return -1;
    }
    memcpy(place, &v, sizeof v);
    if (is_inline) {
        memset(place + sizeof v + space - 8, 0, 8);
        if (blob_write(b, place + sizeof v) < 0) {
            return -1;
        }
    }
    return b->refs.len > 0 ? add_refs(r, b) : 0;
}

static int add_result(xr_report *r, PyObject *value)
{
    uint8_t small[9];
    size_t size = encode_small(value, small);
    if (size > 0) {
        xr_value v = {.where = XR_WHERE_INLINE, .length = size};
        uint8_t *place = buf_add(&r->bytes, sizeof v + xr_pad8(size));
        if (place == NULL) {
            return -1;
        }
        memcpy(place, &v, sizeof v);
        memset(place + sizeof v + xr_pad8(size) - 8, 0, 8);
        memcpy(place + sizeof v, small, size);
        return 0;
    }
    xr_blob b;
    int rc = blob_prepare(&b, value, "result");
    if (rc == 0) {
        rc = add_blob(r, &b);
    }
    blob_clear(&b);
    return rc;
}

/* The items of the one object that a task with several results returns. */
static int add_several(xr_report *r, PyObject *result, uint32_t returns)
{
    Py_ssize_t n = PyObject_Size(result);
    if (n < 0) {
        return -1;
    }
    if ((size_t)n != returns) {
        PyErr_Format(PyExc_ValueError, "Task returned %zd objects, but num_returns=%u.", n, (unsigned)returns);
        return -1;
    }
    PyObject *items = PySequence_Tuple(result);
    int rc = items != NULL && PyTuple_Size(items) == n ? 0 : -1;
    if (items != NULL && rc < 0) {
        PyErr_Format(PyExc_ValueError, "Task returned %zd objects, but num_returns=%u.", PyTuple_Size(items),
                     (unsigned)returns);
    }
    for (Py_ssize_t i = 0; rc == 0 && i < n; i++) {
        rc = add_result(r, PyTuple_GetItem(items, i));
    }
    Py_XDECREF(items);
    return rc;
}

static int add_results(xr_report *r, PyObject *result, uint32_t returns, uint32_t type)
{
    if (returns == 0) {
        return 0;
    }
    if (returns == 1) {
        return add_result(r, result);
    }
    if (type == XR_TASK_CREATE || W.leaving) {
        for (uint32_t i = 0; i < returns; i++) {
            if (add_result(r, Py_None) < 0) {
                return -1;
            }
        }
        return 0;
    }
    return add_several(r, result, returns);
}

/* What goes out when the error itself can't. */
static int add_plain_error(xr_report *r, uint32_t returns)
{
    static const char text[] = "....{\"message\": \"the task failed, and its error could not be pickled\"}";
    uint8_t blob[4 + sizeof text - 1];
    uint32_t code = XR_SYSTEM_INTERNAL;
    memset(blob, 0, 4);
    blob[0] = XR_TAG_SYSERR;
    memcpy(blob + 4, text, sizeof text - 1);
    memcpy(blob + 4, &code, sizeof code);
    for (uint32_t i = 0; i < returns; i++) {
        xr_value v = {.where = XR_WHERE_INLINE, .length = sizeof blob};
        uint8_t *place = buf_add(&r->bytes, sizeof v + xr_pad8(sizeof blob));
        if (place == NULL) {
            return -1;
        }
        memset(place, 0, sizeof v + xr_pad8(sizeof blob));
        memcpy(place, &v, sizeof v);
        memcpy(place + sizeof v, blob, sizeof blob);
    }
    return 0;
}

/* Takes the current exception as the outcome of all results. */
static int add_error(xr_report *r, uint32_t returns)
{
    PyObject *exception = errors_take();
    xr_blob b;
    report_reset(r);
    int rc = blob_prepare_error(&b, exception);
    for (uint32_t i = 0; rc == 0 && i < returns; i++) {
        rc = add_blob(r, &b);
    }
    blob_clear(&b);
    Py_XDECREF(exception);
    if (rc < 0) {
        PyErr_WriteUnraisable(NULL); /* into the worker's log: the only place left */
        report_reset(r);
        rc = add_plain_error(r, returns);
    }
    return rc;
}

static int send(xr_report *r, const xr_task *t, uint32_t status, int64_t exec_ns, int64_t now)
{
    xr_msg_done done = {.task = t->m.task, .exec_ns = (uint64_t)exec_ns, .status = status, .returns = t->m.returns};
    xr_part part = {r->bytes.data, r->bytes.len};
    memcpy(r->bytes.data, &done, sizeof done);
    int urgency = status == XR_DONE_EXIT ? XR_URGENTLY : XR_LAZILY;
    int rc = worker_send(XR_MSG_DONE, &part, 1, urgency, now);
    if (rc == 0) {
        r->stored.len = 0; /* the node's now */
    }
    return rc;
}

/* ---- the whole ---- */

/* A child that user code forked, and that has come back here out of the user's function: nothing here
 * is the child's to write to. */
static void end_child(PyObject *result)
{
    if (result == NULL) {
        PyErr_Print();
    }
    PyObject *out = PySys_GetObject("stdout");
    PyObject *flushed = out != NULL ? PyObject_CallMethod(out, "flush", NULL) : NULL;
    Py_XDECREF(flushed);
    _exit(result == NULL);
}

/* Reports a task that could not be run. */
static int report_unrunnable(xr_task *t)
{
    xr_report r;
    int rc = report_init(&r);
    if (rc == 0 && (rc = add_error(&r, t->m.returns)) == 0) {
        rc = send(&r, t, XR_DONE_SYSTEM, 0, 0);
    }
    report_free(&r);
    return rc;
}

/* Runs the user's code and reports. Returns 0; -1 with SystemExit, unreported, or with an error. */
static int run_and_report(xr_task *t)
{
    xr_report r;
    int64_t start = xr_now();
    PyObject *result = call(t);
    int64_t end = xr_now();
    if (S.forked) {
        end_child(result);
    }
    /* Before the report, so that what the arguments pinned is let go with it. */
    Py_CLEAR(t->positional);
    Py_CLEAR(t->keywords);
    uint32_t status = W.leaving ? XR_DONE_EXIT : XR_DONE_OK;
    if (result == NULL && PyErr_ExceptionMatches(PyExc_SystemExit)) {
        if (!W.leaving) {
            return -1;
        }
        PyErr_Clear();
        result = Py_NewRef(Py_None);
    }
    int rc = report_init(&r);
    if (rc == 0 && (result == NULL || add_results(&r, result, t->m.returns, t->m.type) < 0)) {
        status = W.leaving ? XR_DONE_EXIT : XR_DONE_ERROR;
        rc = add_error(&r, t->m.returns);
    }
    if (rc == 0) {
        rc = send(&r, t, status, end - start, end);
    }
    report_free(&r);
    Py_XDECREF(result); /* after the report: references in it are held by the report from then on */
    return rc;
}

int task_run(const uint8_t *payload, size_t length, const xr_record *record)
{
    xr_task t;
    int rc = parse(payload, length, &t);
    if (rc == 0) {
        xr_running running = {
            .task = t.m.task, .actor = t.m.actor, .attempt = t.m.attempt, .tid = t.m.tid, .outer = worker_running};
        worker_running = &running;
        W.main = worker_is_main ? &running : W.main;
        int prepared = prepare(&t, &running);
        if (record != NULL) {
            consumer_advance(&W.channel.task, record); /* the node may refill while we run */
        }
        rc = prepared == 0 ? run_and_report(&t) : report_unrunnable(&t);
        worker_running = running.outer;
        W.main = worker_is_main ? running.outer : W.main;
    }
    clear(&t);
    return rc;
}
