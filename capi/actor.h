/* actor.h - handles of actors, their methods, and the methods' specifications. */
#ifndef XR_ACTOR_H
#define XR_ACTOR_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>

extern PyType_Spec xr_handle_spec, xr_method_spec, xr_spec_spec;

#endif
