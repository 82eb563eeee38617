/* method_spec.h - one method of an actor class, shared by all handles of the class. */
#ifndef XR_METHOD_SPEC_H
#define XR_METHOD_SPEC_H
#include "task_function.h"

typedef struct xr_spec {
    PyObject_HEAD xr_target target;
    PyObject *name;
    PyObject *export_; /* called with this object to set the template */
    /* The type of handles (borrowed, compared only) that is known to have no attribute of this name:
     * there, the name means the method without further looking. */
    const PyTypeObject *unshadowed;
} xr_spec;

/* Makes sure of a session and of a template in it. Returns 0, or -1 with an exception. */
int spec_export(xr_spec *spec);

#endif
