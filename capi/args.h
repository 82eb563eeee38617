/* args.h - arguments of a call: from Python to bytes with references beside them, and back. */
#ifndef XR_ARGS_H
#define XR_ARGS_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "buf.h"
#include "engine.h"

typedef struct xr_args {
    xr_buf bytes;   /* codec.h: xr_args_head and what follows it */
    xr_words deps;  /* objects to be resolved, by their index in the bytes */
    xr_words holds; /* objects mentioned inside values */
    xr_words temps; /* of the deps, those put here, to be let go after the submission */
    xr_words kept;  /* Python references that must live until then */
} xr_args;

/* Encodes positional arguments and keywords: the values of names kwnames (a tuple) follow the
 * positional ones in args, or NULL. Borrows all. Returns 0 or -1; args_clear is due either way. */
int args_encode(xr_args *a, PyObject *const *args, Py_ssize_t npos, PyObject *kwnames);
void args_clear(xr_args *a);

/* Decodes into a new tuple and a new dict (NULL without keywords). deps: values of the task's
 * dependencies; each hold among them is taken over when its value is used. Returns 0 or -1. */
int args_decode(const uint8_t *bytes, size_t length, xr_item *deps, size_t ndeps, PyObject **args, PyObject **kwargs);

/* Encodes, submits, and makes the references. deadline: as xr_now(), or 0 for none. Returns: None, an ObjectRef, a list of them, or,
 * for XR_RETURNS_STREAM, a generator of them. */
PyObject *args_submit(uint32_t tid, uint32_t returns, uint64_t actor, uint64_t deadline, PyObject *const *args,
                      Py_ssize_t npos, PyObject *kwnames);

#endif
