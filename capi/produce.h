/* produce.h - generators in a worker: each item goes to the node as soon as it is there. */
#ifndef XR_PRODUCE_H
#define XR_PRODUCE_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "wire.h"

extern PyType_Spec xr_out_spec;

/* Runs what a generator function has returned to its end, by the task's flags: STREAM says each item by YIELD, DYNAMIC puts
 * it. Pauses at the window, and stops when nobody wants more.
 * Returns: the task's result, a new reference; NULL with the exception that takes the place of the next item. */
PyObject *produce(const xr_msg_task *task, PyObject *generator);

/* The same for a call that runs in an event loop, where generators may be asynchronous. Returns: new reference, the result or a
 * coroutine that gives it; or NULL with an exception. */
PyObject *produce_in_loop(const xr_msg_task *task, PyObject *generator);

/* Acts on a ROOM record. Returns 0, or -1 with an exception. */
int produce_room(const uint8_t *payload, size_t length);

#endif
