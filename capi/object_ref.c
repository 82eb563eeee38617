#include "object_ref.h"

#include <structmember.h>

#include "encode.h"

PyObject *ref_new(uint64_t handle)
{
    xr_ref *self = (xr_ref *)PyType_GenericAlloc(S.final_ref, 0);
    if (self == NULL) {
        S.engine->delta(handle, -1);
        return NULL;
    }
    self->handle = handle;
    self->session = S.session;
    return (PyObject *)self;
}

PyObject *ref_restore(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    if (nargs != 2) {
        PyErr_Format(PyExc_TypeError, "_restore_ref takes 2 arguments, got %zd", nargs);
        return NULL;
    }
    uint64_t handle = PyLong_AsUnsignedLongLong(args[0]);
    if (handle == (uint64_t)-1 && PyErr_Occurred()) {
        return NULL;
    }
    uint64_t session = PyLong_AsUnsignedLongLong(args[1]);
    if (session == (uint64_t)-1 && PyErr_Occurred()) {
        return NULL;
    }
    xr_ref *self = (xr_ref *)PyType_GenericAlloc(S.final_ref, 0);
    if (self == NULL) {
        return NULL;
    }
    self->handle = handle;
    self->session = session;
    /* One of another session can be made, kept and shown; its use is what fails. */
    if (session == S.session) {
        S.engine->delta(handle, 1);
    }
    return (PyObject *)self;
}

static void ref_dealloc(PyObject *o)
{
    xr_ref *self = (xr_ref *)o;
    PyTypeObject *type = Py_TYPE(o);
    if (self->handle != 0 && self->session == S.session) {
        S.engine->delta(self->handle, -1);
    }
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(o);
    Py_DECREF(type);
}

static Py_hash_t ref_hash(PyObject *o)
{
    xr_ref *self = (xr_ref *)o;
    /* Slots are neighbours: multiplied apart, by the golden ratio. */
    uint64_t h = (self->handle ^ self->session) * 0x9E3779B97F4A7C15u;
    Py_hash_t hash = (Py_hash_t)(h ^ (h >> 32));
    return hash == -1 ? -2 : hash;
}

static PyObject *ref_compare(PyObject *a, PyObject *b, int op)
{
    if ((op != Py_EQ && op != Py_NE) || !ref_check(a) || !ref_check(b)) {
        Py_RETURN_NOTIMPLEMENTED;
    }
    xr_ref *x = (xr_ref *)a, *y = (xr_ref *)b;
    int same = x->handle == y->handle && x->session == y->session;
    return PyBool_FromLong(same == (op == Py_EQ));
}

/* Notes the handle for the value being encoded, which then holds the object. Pickled outside any
 * encoding, the object is kept for the rest of the session: the stream may come back at any time. */
static PyObject *ref_reduce(PyObject *o, PyObject *unused)
{
    (void)unused;
    xr_ref *self = (xr_ref *)o;
    if (self->session == S.session && session_running()) {
        int noted = encode_note_ref(o, self->handle);
        if (noted < 0) {
            return NULL;
        }
        if (!noted) {
            S.engine->delta(self->handle, 1);
        }
    }
    return Py_BuildValue("O(KK)", S.restore_ref, (unsigned long long)self->handle, (unsigned long long)self->session);
}

static PyMethodDef ref_methods[] = {
    {"__reduce__", ref_reduce, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef ref_members[] = {
    {"handle", T_ULONGLONG, offsetof(xr_ref, handle), READONLY, NULL},
    {"session", T_ULONGLONG, offsetof(xr_ref, session), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot ref_slots[] = {
    {Py_tp_dealloc, ref_dealloc}, {Py_tp_hash, ref_hash},       {Py_tp_richcompare, ref_compare},
    {Py_tp_methods, ref_methods}, {Py_tp_members, ref_members}, {0, NULL},
};

PyType_Spec xr_ref_spec = {
    .name = "thornback._core.ObjectRef",
    .basicsize = sizeof(xr_ref),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = ref_slots,
};
