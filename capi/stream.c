#include "stream.h"

#include <structmember.h>

#include "api.h"
#include "buf.h"
#include "errors.h"
#include "object_ref.h"
#include "spin.h"

#define XR_STREAM_BATCH 64 /* items are taken so many at a time, as far as they are there */

typedef struct xr_stream {
    PyObject_HEAD uint64_t handle, session;
    PyObject *end;  /* the reference that is ready when the generator has ended */
    xr_words taken; /* held here, not yet given out */
    size_t given;   /* of those */
    int ended;      /* none comes after those taken */
} xr_stream;

#define XR_TAKE_END 1
#define XR_TAKE_LATE 2

PyObject *stream_new(uint64_t end, uint64_t stream)
{
    xr_stream *self = (xr_stream *)PyType_GenericAlloc(S.final_stream, 0);
    if (self == NULL) {
        S.engine->delta(end, -1);
        S.engine->delta(stream, -1);
        return NULL;
    }
    self->handle = stream;
    self->session = S.session;
    words_init(&self->taken);
    self->end = ref_new(end);
    if (self->end == NULL) {
        Py_CLEAR(self);
    }
    return (PyObject *)self;
}

static int check_session(const xr_stream *self)
{
    return self->session == S.session && S.session != 0 ? 0 : errors_session(self->session);
}

/* Asks for what is there. Returns how many items came; or -1 with an exception. *next: see engine.h. */
static int refill(xr_stream *self, uint64_t *next)
{
    uint64_t items[XR_STREAM_BATCH];
    int ended, n = S.engine->next(self->handle, XR_STREAM_BATCH, items, next, &ended);
    if (n <= 0) {
        self->ended = n == 0 && ended;
        return n;
    }
    if (self->given == self->taken.len) {
        self->given = self->taken.len = 0;
    }
    self->ended = ended;
    for (int i = 0; i < n; i++) {
        if (words_add(&self->taken, items[i]) < 0) {
            for (; i < n; i++) {
                S.engine->delta(items[i], -1);
            }
            return -1;
        }
    }
    return n;
}

/* Waits for the object that comes next, and lets it go. Returns 0 when it is there, XR_TAKE_LATE, or -1. */
static int wait_for(uint64_t next, int64_t deadline)
{
    uint8_t ready = 0;
    int rc = deadline > 0 ? S.engine->wait(&next, 1, 1, deadline, &ready) : 0;
    S.engine->delta(next, -1);
    return rc < 0 ? -1 : ready ? 0 : XR_TAKE_LATE;
}

/* The next item, waited for until the deadline. Returns 0 with a new reference, XR_TAKE_*, or -1 with an exception. */
static int take(xr_stream *self, int64_t deadline, PyObject **item)
{
    for (;;) {
        if (self->given < self->taken.len) {
            if (check_session(self) < 0) {
                return -1;
            }
            *item = ref_new(self->taken.data[self->given++]);
            return *item != NULL ? 0 : -1;
        }
        if (self->ended) {
            return XR_TAKE_END;
        }
        uint64_t next;
        int n = check_session(self) < 0 ? -1 : refill(self, &next);
        if (n < 0) {
            return -1;
        }
        if (n > 0) {
            continue;
        }
        int rc = wait_for(next, self->ended ? 0 : deadline);
        if (rc != 0 && !self->ended) {
            return rc;
        }
    }
}

int stream_peek(PyObject *o, uint64_t *handle)
{
    xr_stream *self = (xr_stream *)o;
    int ended;
    if (check_session(self) < 0) {
        return -1;
    }
    if (self->given < self->taken.len) {
        *handle = self->taken.data[self->given];
        S.engine->delta(*handle, 1);
        return 0;
    }
    return S.engine->next(self->handle, 0, NULL, handle, &ended) < 0 ? -1 : 0;
}

/* ---- methods ---- */

static PyObject *stream_next(PyObject *o)
{
    PyObject *item = NULL;
    take((xr_stream *)o, XR_NEVER, &item);
    return item; /* NULL without an exception: the end */
}

/* take(timeout) -> ObjectRef, or None when there is none in time. Raises StopIteration at the end. */
static PyObject *stream_take(PyObject *o, PyObject *timeout)
{
    int64_t deadline;
    PyObject *item = NULL;
    if (api_deadline(timeout, &deadline) < 0) {
        return NULL;
    }
    switch (take((xr_stream *)o, deadline, &item)) {
    case XR_TAKE_END:
        PyErr_SetNone(PyExc_StopIteration);
        return NULL;
    case XR_TAKE_LATE:
        Py_RETURN_NONE;
    default:
        return item;
    }
}

/* peek() -> ObjectRef of what comes next. */
static PyObject *stream_peek_ref(PyObject *o, PyObject *unused)
{
    (void)unused;
    uint64_t handle;
    return stream_peek(o, &handle) < 0 ? NULL : ref_new(handle);
}

/* exhausted() -> whether nothing comes any more. */
static PyObject *stream_exhausted(PyObject *o, PyObject *unused)
{
    (void)unused;
    xr_stream *self = (xr_stream *)o;
    if (self->given < self->taken.len) {
        Py_RETURN_FALSE;
    }
    if (!self->ended) {
        uint64_t next;
        int ended;
        if (check_session(self) < 0 || S.engine->next(self->handle, 0, NULL, &next, &ended) < 0) {
            return NULL;
        }
        S.engine->delta(next, -1);
        self->ended = ended;
    }
    return PyBool_FromLong(self->ended);
}

/* The items go, then the reference to the end, then the stream: who has none of them any more wants the generator to stop. */
static void stream_dealloc(PyObject *o)
{
    xr_stream *self = (xr_stream *)o;
    PyTypeObject *type = Py_TYPE(o);
    if (self->session == S.session) {
        for (size_t i = self->given; i < self->taken.len; i++) {
            S.engine->delta(self->taken.data[i], -1);
        }
    }
    if (self->taken.data != NULL) {
        words_free(&self->taken);
    }
    Py_XDECREF(self->end);
    if (self->handle != 0 && self->session == S.session) {
        S.engine->delta(self->handle, -1);
    }
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(o);
    Py_DECREF(type);
}

static PyMethodDef stream_methods[] = {
    {"take", stream_take, METH_O, NULL},
    {"peek", stream_peek_ref, METH_NOARGS, NULL},
    {"exhausted", stream_exhausted, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef stream_members[] = {
    {"_generator_ref", T_OBJECT_EX, offsetof(xr_stream, end), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot stream_slots[] = {
    {Py_tp_dealloc, stream_dealloc}, {Py_tp_iter, PyObject_SelfIter}, {Py_tp_iternext, stream_next},
    {Py_tp_methods, stream_methods}, {Py_tp_members, stream_members}, {0, NULL},
};

PyType_Spec xr_stream_spec = {
    .name = "thornback._core.Stream",
    .basicsize = sizeof(xr_stream),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = stream_slots,
};
