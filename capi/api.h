/* api.h - the module's functions on objects: get, put, wait, submit, definitions, control. */
#ifndef XR_API_H
#define XR_API_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern PyMethodDef xr_api_methods[];

/* timeout: seconds or None; deadline: as xr_now. Returns 0, or -1 with TypeError. */
int api_deadline(PyObject *timeout, int64_t *deadline);
/* wait(refs, num_returns, timeout, fetch_local) of _core.pyi, in wait.c. */
PyObject *api_wait(PyObject *module, PyObject *args, PyObject *kwargs);

#endif
