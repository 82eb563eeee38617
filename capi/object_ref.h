/* object_ref.h - references to objects. */
#ifndef XR_OBJECT_REF_H
#define XR_OBJECT_REF_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "errors.h"
#include "state.h"

typedef struct xr_ref {
    PyObject_HEAD uint64_t handle; /* 0: nothing is referred to, and nothing is let go */
    uint64_t session;
} xr_ref;

extern PyType_Spec xr_ref_spec;

/* A reference that takes over one hold on the handle. Returns: new reference, or NULL. */
PyObject *ref_new(uint64_t handle);
/* restore_ref(handle, session) of _core.pyi: METH_FASTCALL. */
PyObject *ref_restore(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

static inline int ref_check(PyObject *o)
{
    return Py_TYPE(o) == S.final_ref || PyObject_TypeCheck(o, S.ref_type);
}

/* The handle of a reference of the running session. Returns 0, or -1 with ValueError. */
static inline int ref_handle(PyObject *ref, uint64_t *handle)
{
    xr_ref *r = (xr_ref *)ref;
    *handle = r->handle;
    return r->session == S.session && r->session != 0 ? 0 : errors_session(r->session);
}

#endif
