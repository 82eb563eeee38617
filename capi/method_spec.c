#include "method_spec.h"

#include <structmember.h>

#include "actor.h"
#include "state.h"

int spec_export(xr_spec *spec)
{
    if (session_ensure() < 0) {
        return -1;
    }
    if (spec->target.session == S.session) {
        return 0;
    }
    PyObject *result = PyObject_CallFunctionObjArgs(spec->export_, (PyObject *)spec, NULL);
    if (result == NULL) {
        return -1;
    }
    Py_DECREF(result);
    if (spec->target.session != S.session) {
        PyErr_Format(PyExc_RuntimeError, "the export of method %R has not set a template", spec->name);
        return -1;
    }
    return 0;
}

static PyObject *spec_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    xr_spec *self = (xr_spec *)PyType_GenericAlloc(type, 0);
    if (self != NULL) {
        target_init(&self->target);
    }
    return (PyObject *)self;
}

static int spec_init(PyObject *o, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"name", "minimum", "maximum", "export", NULL};
    xr_spec *self = (xr_spec *)o;
    PyObject *name, *export_;
    Py_ssize_t minimum, maximum;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UnnO:MethodSpec", names, &name, &minimum, &maximum, &export_)) {
        return -1;
    }
    PyObject *old_name = self->name, *old_export = self->export_;
    self->name = Py_NewRef(name);
    self->export_ = Py_NewRef(export_);
    self->target.minimum = minimum;
    self->target.maximum = maximum;
    self->unshadowed = NULL;
    Py_XDECREF(old_name);
    Py_XDECREF(old_export);
    return 0;
}

static PyObject *spec_set_template(PyObject *o, PyObject *args)
{
    return target_set_template(&((xr_spec *)o)->target, args);
}

static int spec_traverse(PyObject *o, visitproc visit, void *arg)
{
    xr_spec *self = (xr_spec *)o;
    Py_VISIT(Py_TYPE(o));
    Py_VISIT(self->name);
    Py_VISIT(self->export_);
    return 0;
}

static int spec_clear(PyObject *o)
{
    xr_spec *self = (xr_spec *)o;
    Py_CLEAR(self->name);
    Py_CLEAR(self->export_);
    return 0;
}

static void spec_dealloc(PyObject *o)
{
    PyTypeObject *type = Py_TYPE(o);
    PyObject_GC_UnTrack(o);
    spec_clear(o);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(o);
    Py_DECREF(type);
}

static PyMethodDef spec_methods[] = {
    {"set_template", spec_set_template, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef spec_members[] = {
    {"name", T_OBJECT_EX, offsetof(xr_spec, name), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot spec_slots[] = {
    {Py_tp_new, spec_new},         {Py_tp_init, spec_init},
    {Py_tp_dealloc, spec_dealloc}, {Py_tp_traverse, spec_traverse},
    {Py_tp_clear, spec_clear},     {Py_tp_methods, spec_methods},
    {Py_tp_members, spec_members}, {0, NULL},
};

PyType_Spec xr_spec_spec = {
    .name = "thornback._core.MethodSpec",
    .basicsize = sizeof(xr_spec),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = spec_slots,
};
