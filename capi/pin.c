#include "pin.h"

#include "state.h"

typedef struct xr_pin {
    PyObject_HEAD uint64_t handle, session, length;
    const uint8_t *bytes;
} xr_pin;

PyObject *pin_new(uint64_t handle, const uint8_t *bytes, uint64_t length)
{
    xr_pin *self = (xr_pin *)PyType_GenericAlloc(S.pin_type, 0);
    if (self != NULL) {
        self->handle = handle;
        self->session = S.session;
        self->bytes = bytes;
        self->length = length;
    }
    return (PyObject *)self;
}

static void pin_dealloc(PyObject *o)
{
    xr_pin *self = (xr_pin *)o;
    PyTypeObject *type = Py_TYPE(o);
    if (self->session == S.session) {
        S.engine->delta(self->handle, -1);
    }
    PyObject_Free(o);
    Py_DECREF(type);
}

static int pin_getbuffer(PyObject *o, Py_buffer *view, int flags)
{
    xr_pin *self = (xr_pin *)o;
    return PyBuffer_FillInfo(view, o, (void *)self->bytes, (Py_ssize_t)self->length, 1, flags);
}

static PyType_Slot pin_slots[] = {
    {Py_tp_dealloc, pin_dealloc},
    {Py_bf_getbuffer, pin_getbuffer},
    {0, NULL},
};

PyType_Spec xr_pin_spec = {
    .name = "thornback._core.Pin",
    .basicsize = sizeof(xr_pin),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = pin_slots,
};
