/* task.h - one task in a worker, in the steps of its life. GIL held throughout. */
#ifndef XR_TASK_H
#define XR_TASK_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "engine.h"
#include "worker.h"

#define XR_DEPS_FAST 8

typedef struct xr_task {
    xr_msg_task m;
    xr_running running;
    const uint8_t *args;
    xr_item few[XR_DEPS_FAST], *deps; /* values of the dependencies; == few when they are few */
    PyObject *object;                 /* the definition */
    PyObject *positional, *keywords;
    PyObject *leave; /* ends what hooks.enter_context began, or NULL */
} xr_task;

/* Reads a TASK record's payload, which must stay until task_prepare has returned. Of t, which need not be
 * initialized, everything is set, so that task_clear is due either way.
 * Returns 0, or -1 with an exception: the node has sent nonsense. */
int task_parse(const uint8_t *payload, size_t length, xr_task *t);
/* Everything before the user's code: its environment, the definition and the arguments. Returns 0, or -1 with an exception. */
int task_prepare(xr_task *t);
/* Calls the user's code. Returns: new reference, or NULL with an exception. */
PyObject *task_call(xr_task *t);
/* Makes what a constructor gave the actor of this worker. Steals instance. Returns: new reference to None. */
PyObject *task_created(PyObject *instance);
/* Reports what a call gave; result NULL: the exception that is set, which is taken away. What the arguments
 * pinned is let go first. Borrows: result.
 * Returns 0; -1 with SystemExit, nothing reported: the process is to end; or -1 with the error that kept the
 * report from being written. */
int task_report(xr_task *t, PyObject *result, int64_t start, int64_t end);
/* Both: calls and reports. Returns as task_report. */
int task_finish(xr_task *t);
/* Reports that the exception that is set kept a task from being run. Returns as task_report. */
int task_report_unrunnable(xr_task *t);
void task_clear(xr_task *t);

/* All of it. record: when the payload lies in the task ring, which is advanced past it as soon as the
 * arguments are decoded; else NULL.
 * Returns 0 when its end has been reported, or -1 with SystemExit (the process is to end), or with the
 * error that kept the report from being written. */
int task_run(const uint8_t *payload, size_t length, const xr_record *record);

#endif
