/* task.c - one task in a worker: from its record to the report of its end. */
#include "args.h"
#include "errors.h"
#include "kill_point.h"
#include "produce.h"
#include "report.h"
#include "state.h"
#include "task.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

int task_parse(const uint8_t *p, size_t length, xr_task *t)
{
    t->object = t->positional = t->keywords = t->leave = NULL;
    t->deps = t->few;
    if (length < sizeof t->m) {
        return worker_corrupt("the node sent a task that is too short");
    }
    memcpy(&t->m, p, sizeof t->m);
    t->running = (xr_running){
        .task = t->m.task, .actor = t->m.actor, .object = t->m.object, .attempt = t->m.attempt, .tid = t->m.tid};
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

/* Sets the environment up for what the task has. Returns 0, or -1 with an exception. */
static int enter_context(xr_task *t)
{
    if (S.hooks.enter_context == NULL) {
        return 0;
    }
    t->leave = PyObject_CallFunction(S.hooks.enter_context, "KO", (unsigned long long)t->m.task,
                                     t->m.type == XR_TASK_CREATE ? Py_True : Py_False);
    return t->leave != NULL ? 0 : -1;
}

static void leave_context(xr_task *t)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyObject *result = PyObject_CallNoArgs(t->leave);
    if (result == NULL) {
        PyErr_WriteUnraisable(t->leave);
    }
    Py_XDECREF(result);
    Py_CLEAR(t->leave);
    PyErr_Restore(type, value, traceback);
}

void task_clear(xr_task *t)
{
    if (t->leave != NULL) {
        leave_context(t);
    }
    Py_XDECREF(t->object);
    Py_XDECREF(t->positional);
    Py_XDECREF(t->keywords);
    if (t->deps != t->few) {
        free(t->deps);
    }
}

/* The group of a task's steps, see kill_point.h. */
static const char *group_of(const xr_task *t)
{
    if (t->m.type == XR_TASK_CREATE) {
        return t->m.attempt > 0 ? "restart" : "create";
    }
    return t->m.type == XR_TASK_METHOD ? "method" : "task";
}

int task_prepare(xr_task *t)
{
    kill_point(group_of(t), "claimed");
    if (t->m.type == XR_TASK_CREATE) {
        W.restarts = t->m.attempt;
    }
    int rc = (t->m.flags & XR_TASKF_CONTEXT) != 0 ? enter_context(t) : 0;
    if (rc == 0) {
        rc = definitions_get(t->m.fid, &t->object, &t->running.name);
    }
    if (rc == 0) {
        rc = args_decode(t->args, t->m.args_len, t->deps, t->m.deps, &t->positional, &t->keywords);
    }
    kill_point(group_of(t), "decoded");
    return rc;
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
    return instance != NULL ? task_created(instance) : NULL;
}

PyObject *task_created(PyObject *instance)
{
    PyObject *before = W.actor; /* of a creation that is tried again */
    W.actor = instance;
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

PyObject *task_call(xr_task *t)
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

static int send(xr_report *r, const xr_task *t, uint32_t status, int64_t exec_ns, int64_t now)
{
    if (kill_armed) {
        kill_point(group_of(t), "encoded");
        worker_flush();
        kill_point(group_of(t), "refs");
    }
    xr_msg_done done = {.task = t->m.task,
                        .exec_ns = (uint64_t)exec_ns,
                        .ended_ns = (uint64_t)now,
                        .status = status,
                        .returns = t->m.returns};
    xr_part part = {r->bytes.data, r->bytes.len};
    memcpy(r->bytes.data, &done, sizeof done);
    int urgency = status == XR_DONE_EXIT || status == XR_DONE_QUIT ? XR_URGENTLY : XR_LAZILY;
    int rc = worker_send(XR_MSG_DONE, &part, 1, urgency, now);
    if (rc == 0) {
        r->stored.len = 0; /* the node's now */
        kill_point(group_of(t), "reported");
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

int task_report_unrunnable(xr_task *t)
{
    xr_report r;
    running_close(&t->running);
    int rc = report_init(&r, sizeof(xr_msg_done));
    if (rc == 0 && (rc = report_add_error(&r, t->m.returns)) == 0) {
        rc = send(&r, t, XR_DONE_SYSTEM, 0, 0);
    }
    report_free(&r);
    return rc;
}

/* Whether the current exception counts as a failed attempt, where only some classes do. What fails on the
 * way to the answer means that it does not. */
static int is_final(const xr_task *t)
{
    PyObject *exception = (t->m.flags & XR_TASKF_RETRY_LIST) != 0 ? errors_take() : NULL;
    if (exception == NULL) {
        return 0;
    }
    PyObject *answer = PyObject_CallFunction(S.hooks.retryable, "OI", exception, t->m.tid);
    if (answer == NULL) {
        PyErr_WriteUnraisable(NULL);
    }
    int final = answer != Py_True;
    Py_XDECREF(answer);
    errors_throw(exception);
    return final;
}

/* Whether the current exception is a SystemExit by which an actor leaves: that of status 0. */
static int quits(const xr_task *t)
{
    if (t->m.actor == 0) {
        return 0;
    }
    PyObject *exception = errors_take();
    PyObject *code = exception != NULL ? PyObject_GetAttrString(exception, "code") : NULL;
    int is_zero = code == Py_None || (code != NULL && PyLong_Check(code) && PyLong_AsLong(code) == 0);
    PyErr_Clear();
    Py_XDECREF(code);
    errors_throw(exception);
    return is_zero;
}

int task_report(xr_task *t, PyObject *result, int64_t start, int64_t end)
{
    xr_report r;
    if (S.forked) {
        end_child(result);
    }
    kill_point(group_of(t), "called");
    /* Before the report, so that what the arguments pinned is let go with it. */
    Py_CLEAR(t->positional);
    Py_CLEAR(t->keywords);
    int leaves = t->running.leaves;
    uint32_t status = leaves ? XR_DONE_EXIT : XR_DONE_OK;
    if (result == NULL && PyErr_ExceptionMatches(PyExc_SystemExit)) {
        if (!leaves && !quits(t)) {
            return -1;
        }
        if (!leaves) {
            leaves = t->running.leaves = W.leaving = 1;
            status = XR_DONE_QUIT;
        }
        PyErr_Clear();
        result = Py_None;
    }
    int rc = report_init(&r, sizeof(xr_msg_done));
    if (rc == 0 && (result == NULL || report_add_results(&r, result, t->m.returns, t->m.type) < 0)) {
        status = leaves ? XR_DONE_EXIT : is_final(t) ? XR_DONE_FINAL : XR_DONE_ERROR;
        running_close(&t->running);
        rc = report_add_error(&r, t->m.returns);
    }
    running_close(&t->running);
    if (rc == 0) {
        rc = send(&r, t, status, end - start, end);
    }
    report_free(&r);
    return rc;
}

int task_finish(xr_task *t)
{
    int64_t start = xr_now();
    PyObject *result = task_call(t);
    if (result != NULL && (t->m.flags & (XR_TASKF_STREAM | XR_TASKF_DYNAMIC)) != 0 && !S.forked) {
        PyObject *generator = result;
        result = produce(&t->m, generator);
        Py_DECREF(generator);
    }
    int rc = task_report(t, result, start, xr_now());
    Py_XDECREF(result); /* after the report: references in it are held by the report from then on */
    return rc;
}

int task_run(const uint8_t *payload, size_t length, const xr_record *record)
{
    xr_task t;
    int rc = task_parse(payload, length, &t);
    if (rc == 0) {
        running_enter(&t.running);
        int prepared = task_prepare(&t);
        if (record != NULL) {
            consumer_advance(&W.channel.task, record); /* the node may refill while we run */
        }
        rc = prepared == 0 ? task_finish(&t) : task_report_unrunnable(&t);
        running_leave(&t.running);
    }
    task_clear(&t);
    return rc;
}
