/* scope.h - the scope that submissions belong to, see python/thornback/_scope.py. */
#ifndef XR_SCOPE_H
#define XR_SCOPE_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "state.h"

int scope_ask(uint64_t *scope);

/* The scope that the calling code is in, 0 for none. Returns 0, or -1 with an exception. */
static inline int scope_here(uint64_t *scope)
{
    *scope = 0;
    return S.scope == NULL ? 0 : scope_ask(scope);
}

/* ---- functions of the module; see _core.pyi ---- */
PyObject *scope_set(PyObject *module, PyObject *variable);
PyObject *scope_adopt(PyObject *module, PyObject *handle);

#endif
