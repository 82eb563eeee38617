/* task_function.h - what `.remote` of functions and of methods needs, in C. */
#ifndef XR_TASK_FUNCTION_H
#define XR_TASK_FUNCTION_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "spin.h"

/* How calls of one function or method are to be made. */
typedef struct xr_target {
    Py_ssize_t minimum, maximum; /* positional arguments; minimum > maximum: always ask Python */
    uint64_t session;            /* that tid belongs to; 0: none yet */
    uint32_t tid, returns;
    uint64_t timeout, deadline; /* ns, from the call and of xr_now(); 0: none */
} xr_target;

extern PyType_Spec xr_function_spec;

static inline void target_init(xr_target *t)
{
    t->minimum = 1;
    t->maximum = 0;
    t->session = 0;
    t->timeout = t->deadline = 0;
}

/* When a call made now is to be cancelled, or 0. */
static inline uint64_t target_deadline(const xr_target *t)
{
    if (__builtin_expect((t->timeout | t->deadline) == 0, 1)) {
        return 0;
    }
    uint64_t at = t->timeout != 0 ? (uint64_t)xr_now() + t->timeout : t->deadline;
    return t->deadline != 0 && t->deadline < at ? t->deadline : at;
}

/* Checks the arguments: in C where that is enough, else by owner._check_arguments(args, kwargs).
 * Returns 0 or -1. */
int target_check(const xr_target *t, PyObject *owner, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames);
/* set_arity and set_template of _core.pyi. Return None or NULL. */
PyObject *target_set_arity(xr_target *t, PyObject *args);
PyObject *target_set_template(xr_target *t, PyObject *args);

#endif
