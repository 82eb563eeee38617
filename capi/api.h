/* api.h - the module's functions on objects: get, put, wait, submit, definitions, control. */
#ifndef XR_API_H
#define XR_API_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern PyMethodDef xr_api_methods[];

#endif
