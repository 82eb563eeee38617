/* stream.h - the consumer's end of a generator: its items as references, one after another. */
#ifndef XR_STREAM_H
#define XR_STREAM_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "state.h"

extern PyType_Spec xr_stream_spec;

/* As `returns` of a call: a generator, whose results are its end and its stream. */
#define XR_RETURNS_STREAM UINT32_MAX
#define XR_STREAM_RETURNS 2u

/* A consumer that takes over one hold on each handle. Returns: new reference, or NULL. */
PyObject *stream_new(uint64_t end, uint64_t stream);

static inline int stream_check(PyObject *o)
{
    return PyObject_TypeCheck(o, S.stream_type);
}

/* What comes next, held once for the caller: an object that is ready as soon as there is an item, or the end.
 * Returns 0, or -1 with an exception. */
int stream_peek(PyObject *stream, uint64_t *handle);

#endif
