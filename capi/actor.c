#include "actor.h"

#include <structmember.h>

#include "args.h"
#include "method_spec.h"
#include "object_ref.h"

typedef struct xr_handle {
    PyObject_HEAD PyObject *ref;
    PyObject *methods; /* dict of MethodSpec */
    PyObject *class_name;
} xr_handle;

/* Without cyclic collection: it lives for the length of a call, and a handle never leads back to it. */
typedef struct xr_method {
    PyObject_HEAD PyObject *handle, *spec;
} xr_method;

/* ---- ActorHandleBase ---- */

static int handle_init(PyObject *o, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"ref", "methods", "class_name", NULL};
    xr_handle *self = (xr_handle *)o;
    PyObject *ref, *methods, *class_name;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!U:ActorHandleBase", names, S.ref_type, &ref, &PyDict_Type,
                                     &methods, &class_name)) {
        return -1;
    }
    PyObject *old[] = {self->ref, self->methods, self->class_name};
    self->ref = Py_NewRef(ref);
    self->methods = Py_NewRef(methods);
    self->class_name = Py_NewRef(class_name);
    for (size_t i = 0; i < 3; i++) {
        Py_XDECREF(old[i]);
    }
    return 0;
}

/* Whether a class on the type's way to object has this attribute. getattr(type, name) would also find
 * those of the metatype. Returns 1, 0, or -1. */
static int is_shadowed(PyTypeObject *type, PyObject *name)
{
    PyObject *mro = PyObject_GetAttrString((PyObject *)type, "__mro__");
    Py_ssize_t n = mro != NULL ? PyTuple_Size(mro) : -1;
    int found = n < 0 ? -1 : 0;
    for (Py_ssize_t i = 0; i < n && found == 0; i++) {
        PyObject *dict = PyObject_GetAttrString(PyTuple_GetItem(mro, i), "__dict__");
        found = dict != NULL ? PySequence_Contains(dict, name) : -1;
        Py_XDECREF(dict);
    }
    Py_XDECREF(mro);
    return found;
}

static PyObject *method_make(PyObject *handle, PyObject *spec)
{
    xr_method *self = (xr_method *)PyType_GenericAlloc(S.final_method, 0);
    if (self != NULL) {
        self->handle = Py_NewRef(handle);
        self->spec = Py_NewRef(spec);
    }
    return (PyObject *)self;
}

/* handle.name.   The methods' table first, because a failed look-up among the attributes costs an
 * exception; that no attribute is hidden by this is found out once per method. */
static PyObject *handle_getattr(PyObject *o, PyObject *name)
{
    xr_handle *self = (xr_handle *)o;
    PyObject *found = self->methods != NULL ? PyDict_GetItemWithError(self->methods, name) : NULL;
    if (found == NULL) {
        return PyErr_Occurred() ? NULL : PyObject_GenericGetAttr(o, name);
    }
    if (!PyObject_TypeCheck(found, S.spec_type)) {
        PyErr_SetString(PyExc_TypeError, "methods of a handle must be MethodSpec objects");
        return NULL;
    }
    xr_spec *spec = (xr_spec *)found;
    if (spec->unshadowed != Py_TYPE(o)) {
        int shadowed = is_shadowed(Py_TYPE(o), name);
        if (shadowed != 0) {
            return shadowed < 0 ? NULL : PyObject_GenericGetAttr(o, name);
        }
        spec->unshadowed = Py_TYPE(o);
    }
    return method_make(o, found);
}

static int handle_traverse(PyObject *o, visitproc visit, void *arg)
{
    xr_handle *self = (xr_handle *)o;
    Py_VISIT(Py_TYPE(o));
    Py_VISIT(self->ref);
    Py_VISIT(self->methods);
    Py_VISIT(self->class_name);
    return 0;
}

static int handle_clear(PyObject *o)
{
    xr_handle *self = (xr_handle *)o;
    Py_CLEAR(self->ref);
    Py_CLEAR(self->methods);
    Py_CLEAR(self->class_name);
    return 0;
}

static void handle_dealloc(PyObject *o)
{
    PyTypeObject *type = Py_TYPE(o);
    PyObject_GC_UnTrack(o);
    handle_clear(o);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(o);
    Py_DECREF(type);
}

static PyMemberDef handle_members[] = {
    {"_ref", T_OBJECT_EX, offsetof(xr_handle, ref), READONLY, NULL},
    {"_methods", T_OBJECT_EX, offsetof(xr_handle, methods), READONLY, NULL},
    {"_class_name", T_OBJECT_EX, offsetof(xr_handle, class_name), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot handle_slots[] = {
    {Py_tp_init, handle_init},
    {Py_tp_dealloc, handle_dealloc},
    {Py_tp_getattro, handle_getattr},
    {Py_tp_traverse, handle_traverse},
    {Py_tp_clear, handle_clear},
    {Py_tp_members, handle_members},
    {0, NULL},
};

PyType_Spec xr_handle_spec = {
    .name = "thornback._core.ActorHandleBase",
    .basicsize = sizeof(xr_handle),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = handle_slots,
};

/* ---- ActorMethod ---- */

static int method_init(PyObject *o, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"handle", "spec", NULL};
    xr_method *self = (xr_method *)o;
    PyObject *handle, *spec;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!:ActorMethod", names, S.handle_type, &handle, S.spec_type,
                                     &spec)) {
        return -1;
    }
    PyObject *old[] = {self->handle, self->spec};
    self->handle = Py_NewRef(handle);
    self->spec = Py_NewRef(spec);
    Py_XDECREF(old[0]);
    Py_XDECREF(old[1]);
    return 0;
}

/* remote(*args, **kwargs).   Borrows: all.   Returns: new reference, see args_submit. */
static PyObject *method_remote(PyObject *o, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    xr_method *self = (xr_method *)o;
    xr_handle *handle = (xr_handle *)self->handle;
    xr_spec *spec = (xr_spec *)self->spec;
    uint64_t actor;
    if (handle == NULL || handle->ref == NULL || spec->export_ == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "the actor method has not been initialized");
        return NULL;
    }
    if (ref_handle(handle->ref, &actor) < 0 || target_check(&spec->target, o, args, nargs, kwnames) < 0) {
        return NULL;
    }
    if (spec->target.session != S.session && spec_export(spec) < 0) {
        return NULL;
    }
    return args_submit(spec->target.tid, spec->target.returns, actor, target_deadline(&spec->target), args, nargs,
                       kwnames);
}

static void method_dealloc(PyObject *o)
{
    xr_method *self = (xr_method *)o;
    PyTypeObject *type = Py_TYPE(o);
    Py_XDECREF(self->handle);
    Py_XDECREF(self->spec);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(o);
    Py_DECREF(type);
}

static PyMethodDef method_methods[] = {
    {"remote", (PyCFunction)(void (*)(void))method_remote, METH_FASTCALL | METH_KEYWORDS,
     "Call the method in the actor's process and return references to its results."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef method_members[] = {
    {"_handle", T_OBJECT_EX, offsetof(xr_method, handle), READONLY, NULL},
    {"_spec", T_OBJECT_EX, offsetof(xr_method, spec), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot method_slots[] = {
    {Py_tp_init, method_init},
    {Py_tp_dealloc, method_dealloc},
    {Py_tp_methods, method_methods},
    {Py_tp_members, method_members},
    {0, NULL},
};

PyType_Spec xr_method_spec = {
    .name = "thornback._core.ActorMethod",
    .basicsize = sizeof(xr_method),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = method_slots,
};
