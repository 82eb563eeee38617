#include "pin.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "state.h"

typedef struct xr_pin {
    PyObject_HEAD uint64_t handle, session, length;
    const uint8_t *bytes;
} xr_pin;

/* Under the GIL, as all here. */
static size_t live_pins; /* of the running session */

PyObject *pin_new(uint64_t handle, const uint8_t *bytes, uint64_t length)
{
    xr_pin *self = (xr_pin *)PyType_GenericAlloc(S.pin_type, 0);
    if (self != NULL) {
        self->handle = handle;
        self->session = S.session;
        live_pins++;
        self->bytes = bytes;
        self->length = length;
    }
    return (PyObject *)self;
}

/* ---- arenas of sessions that are over; all under the GIL ---- */

typedef struct xr_old_arena {
    uint64_t session;
    void *memory;
    size_t bytes;
    size_t pins;
    struct xr_old_arena *next;
} xr_old_arena;

static xr_old_arena *old_arenas;

void pins_leave_arena(uint64_t session, void *memory, size_t bytes)
{
    xr_old_arena *a = live_pins > 0 ? malloc(sizeof *a) : NULL;
    if (a != NULL) {
        *a = (xr_old_arena){session, memory, bytes, live_pins, old_arenas};
        old_arenas = a;
    } else if (live_pins == 0) {
        munmap(memory, bytes);
    } /* else: no memory for the book-keeping, so it stays mapped */
    live_pins = 0;
}

static void old_pin_gone(uint64_t session)
{
    for (xr_old_arena **at = &old_arenas; *at != NULL; at = &(*at)->next) {
        xr_old_arena *a = *at;
        if (a->session != session) {
            continue;
        }
        if (--a->pins == 0) {
            *at = a->next;
            munmap(a->memory, a->bytes);
            free(a);
        }
        return;
    }
    live_pins -= live_pins > 0; /* of the session that is being closed right now */
}

static void pin_dealloc(PyObject *o)
{
    xr_pin *self = (xr_pin *)o;
    PyTypeObject *type = Py_TYPE(o);
    if (self->session == S.session) {
        live_pins--;
        S.engine->delta(self->handle, -1);
    } else {
        old_pin_gone(self->session);
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
