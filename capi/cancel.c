/* cancel.c - tasks that are cancelled while they run.
 *
 * The node's CANCEL lies in the reply ring, where a thread that waits finds it by itself. A task that computes is made to
 * look by SIGINT, and asks by is_canceled(): both look ahead in the ring and leave what else is there alone, so that no
 * nested task begins inside a signal handler.
 *
 * An exception is raised in the task named, and only where the user's code runs: not in one below it on the same thread,
 * which gets it as soon as it is on top again, and not while the engine reports how the task has ended.
 */
#include "crew.h"
#include "state.h"
#include "worker.h"

#include <signal.h>
#include <string.h>

void running_list(xr_running *r)
{
    r->thread = PyThread_get_thread_ident();
    r->next = W.running;
    W.running = r;
}

void running_unlist(xr_running *r)
{
    xr_running **at = &W.running;
    while (*at != r) {
        at = &(*at)->next;
    }
    *at = r->next;
}

void running_enter(xr_running *r)
{
    running_list(r);
    r->is_open = 1;
    r->outer = worker_running;
    worker_running = r;
    if (worker_is_main) {
        W.main = r;
    }
}

void running_leave(xr_running *r)
{
    running_unlist(r);
    worker_running = r->outer;
    if (worker_is_main) {
        W.main = r->outer;
    }
}

void running_close(xr_running *r)
{
    r->is_open = 0;
    if (r->is_raised && r->thread != W.main_thread) {
        PyThreadState_SetAsyncExc(r->thread, NULL); /* it would be raised in whatever the thread does next */
    }
}

static int is_on_top(const xr_running *r)
{
    for (const xr_running *x = W.running; x != NULL; x = x->next) {
        if (x->outer == r) {
            return 0;
        }
    }
    return 1;
}

/* Has an exception raised in a task: now, where it waits or computes in another thread, else when its own thread looks. */
static void interrupt(xr_running *r)
{
    r->is_due = 1;
    if (r == worker_running || r->thread == W.main_thread || !is_on_top(r)) {
        return;
    }
    if (r->waits) {
        channel_wake_pausing(&W.channel);
    } else if (r->is_open) {
        r->is_due = 0;
        r->is_raised = 1;
        PyThreadState_SetAsyncExc(r->thread, PyExc_KeyboardInterrupt);
    }
}

void cancel_take(xr_record *record)
{
    xr_msg_cancel c;
    if (record->claim != XR_CLAIM_FREE || record->size < sizeof *record + sizeof c) {
        return; /* seen before its turn came */
    }
    record->claim = XR_CLAIM_WORKER;
    memcpy(&c, record + 1, sizeof c);
    if (C.n > 0 && crew_cancel(c.task)) {
        return;
    }
    for (xr_running *r = W.running; r != NULL; r = r->next) {
        if (r->task == c.task) {
            r->is_cancelled = 1;
            if ((c.flags & XR_CANCEL_INTERRUPT) != 0) {
                interrupt(r);
            }
            return;
        }
    }
}

/* Acts on all CANCEL records in the ring, and on nothing else. */
static void look(void)
{
    int corrupt;
    xr_record *record = consumer_next(&W.channel.reply, &corrupt);
    while (record != NULL) {
        if (record->kind == XR_MSG_CANCEL) {
            cancel_take(record);
        }
        record = consumer_after(&W.channel.reply, record, &corrupt);
    }
}

int cancel_raise(void)
{
    xr_running *r = worker_running;
    if (r == NULL || !r->is_due || !r->is_open) {
        return 0;
    }
    r->is_due = 0;
    r->is_raised = 1;
    PyErr_SetNone(PyExc_KeyboardInterrupt);
    return -1;
}

/* The handler of SIGINT. Python calls it in the main thread. A SIGINT that names no task, or one that has ended meanwhile,
 * is none of this worker's. */
static PyObject *on_interrupt(PyObject *module, PyObject *args)
{
    (void)module, (void)args;
    if (S.forked || !session_running()) {
        Py_RETURN_NONE;
    }
    look();
    return cancel_raise() == 0 ? Py_NewRef(Py_None) : NULL;
}

static PyMethodDef handler = {"on_interrupt", on_interrupt, METH_VARARGS, NULL};

int cancel_set_up(void)
{
    PyObject *module = PyImport_ImportModule("_signal"), *function = PyCFunction_New(&handler, NULL), *before = NULL;
    W.main_thread = PyThread_get_thread_ident();
    if (module != NULL && function != NULL) {
        before = PyObject_CallMethod(module, "signal", "iO", SIGINT, function);
    }
    Py_XDECREF(module);
    Py_XDECREF(function);
    Py_XDECREF(before);
    return before != NULL ? 0 : -1;
}

PyObject *worker_is_canceled(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    xr_running *r = worker_current();
    if (r == NULL || S.forked) {
        Py_RETURN_FALSE;
    }
    look();
    return PyBool_FromLong(r->is_cancelled);
}
