#include "decode.h"

#include <string.h>

#include "errors.h"
#include "ndarray.h"
#include "pin.h"
#include "state.h"

static PyObject *corrupt(const char *what)
{
    errors_system(XR_SYSTEM_INTERNAL, what, strlen(what));
    return NULL;
}

/* loads(stream[, buffers=...]).   Borrows: all.   Returns: new reference or NULL. */
static PyObject *loads(PyObject *stream, PyObject *buffers)
{
    PyObject *result = NULL, *options = NULL;
    PyObject *args = PyTuple_Pack(1, stream);
    if (args == NULL) {
        return NULL;
    }
    if (buffers == NULL || (options = Py_BuildValue("{sO}", "buffers", buffers)) != NULL) {
        result = PyObject_Call(S.pickle_loads, args, options);
    }
    Py_XDECREF(options);
    Py_DECREF(args);
    return result;
}

/* The unpickler looks at the memory during the call only, so it needs no copy and no pin. */
static PyObject *loads_memory(const uint8_t *bytes, uint64_t length)
{
    PyObject *view = PyMemoryView_FromMemory((char *)bytes, (Py_ssize_t)length, PyBUF_READ);
    PyObject *result = view != NULL ? loads(view, NULL) : NULL;
    Py_XDECREF(view);
    return result;
}

/* What exports the whole blob, read-only, and outlives the call: a pin, or a copy. */
static PyObject *lasting_base(const xr_item *item, int *held)
{
    PyObject *base;
    if (item->stored && item->handle != 0) {
        if (!*held) {
            S.engine->delta(item->handle, 1);
            *held = 1;
        }
        base = pin_new(item->handle, item->bytes, item->length);
        *held = base == NULL;
    } else {
        base = PyBytes_FromStringAndSize((const char *)item->bytes, (Py_ssize_t)item->length);
    }
    return base;
}

static PyObject *lasting_view(const xr_item *item, int *held)
{
    PyObject *base = lasting_base(item, held);
    PyObject *view = base != NULL ? PyMemoryView_FromObject(base) : NULL;
    Py_XDECREF(base);
    return view;
}

static PyObject *decode_ndarray(const xr_item *item, int *held)
{
    PyObject *base = lasting_base(item, held);
    PyObject *array = base != NULL ? ndarray_decode(item->bytes, item->length, base) : NULL;
    Py_XDECREF(base);
    return array;
}

static PyObject *slice(PyObject *view, uint64_t offset, uint64_t length)
{
    return PySequence_GetSlice(view, (Py_ssize_t)offset, (Py_ssize_t)(offset + length));
}

static int fits(uint64_t offset, uint64_t length, uint64_t whole)
{
    return offset <= whole && length <= whole - offset;
}

/* Returns: new list of memoryviews, or NULL. */
static PyObject *list_buffers(const xr_item *item, uint32_t n, PyObject *view)
{
    PyObject *buffers = PyList_New((Py_ssize_t)n);
    for (uint32_t i = 0; buffers != NULL && i < n; i++) {
        xr_span span;
        memcpy(&span, item->bytes + sizeof(xr_buffers_head) + i * sizeof span, sizeof span);
        PyObject *buffer = fits(span.offset, span.length, item->length)
                               ? slice(view, span.offset, span.length)
                               : corrupt("a value's buffer lies outside of it");
        if (buffer == NULL || PyList_SetItem(buffers, (Py_ssize_t)i, buffer) < 0) {
            Py_CLEAR(buffers);
        }
    }
    return buffers;
}

static PyObject *decode_buffers(const xr_item *item, int *held)
{
    xr_buffers_head head;
    if (item->length < sizeof head) {
        return corrupt("a value with buffers is too short");
    }
    memcpy(&head, item->bytes, sizeof head);
    if (head.nbuf > (item->length - sizeof head) / sizeof(xr_span) ||
        !fits(head.pickle_offset, head.pickle_len, item->length)) {
        return corrupt("a value with buffers has a head that does not fit");
    }
    PyObject *stream = NULL, *buffers = NULL, *result = NULL;
    PyObject *view = lasting_view(item, held);
    if (view != NULL && (stream = slice(view, head.pickle_offset, head.pickle_len)) != NULL &&
        (buffers = list_buffers(item, head.nbuf, view)) != NULL) {
        result = loads(stream, buffers);
    }
    Py_XDECREF(buffers);
    Py_XDECREF(stream);
    Py_XDECREF(view);
    return result;
}

static PyObject *decode_arrow(const xr_item *item, int *held)
{
    xr_arrow_head head;
    if (item->length < XR_LINE || S.hooks.arrow_read == NULL) {
        return corrupt("an Arrow value is too short");
    }
    memcpy(&head, item->bytes, sizeof head);
    if (!fits(XR_LINE, head.stream_len, item->length)) {
        return corrupt("an Arrow value has a head that does not fit");
    }
    PyObject *stream = NULL, *result = NULL;
    PyObject *view = lasting_view(item, held);
    if (view != NULL && (stream = slice(view, XR_LINE, head.stream_len)) != NULL) {
        result = PyObject_CallFunction(S.hooks.arrow_read, "iO", (int)head.kind, stream);
    }
    Py_XDECREF(stream);
    Py_XDECREF(view);
    return result;
}

/* Sets the exception that an ERROR or SYSERR blob stands for. Returns NULL. */
static PyObject *decode_error(const uint8_t *p, uint64_t n)
{
    if (p[0] == XR_TAG_SYSERR) {
        uint32_t code;
        if (n < 8) {
            return corrupt("an error is too short");
        }
        memcpy(&code, p + 4, sizeof code);
        errors_system(code, (const char *)p + 8, n - 8);
        return NULL;
    }
    PyObject *error = loads_memory(p + 1, n - 1);
    if (error != NULL && S.hooks.raise_task_error != NULL) {
        PyObject *made = PyObject_CallFunctionObjArgs(S.hooks.raise_task_error, error, NULL);
        Py_DECREF(error);
        error = made;
    }
    errors_throw(error);
    return NULL;
}

static PyObject *decode(const xr_item *item, int *held)
{
    const uint8_t *p = item->bytes;
    uint64_t n = item->length;
    if (n == 0) {
        return corrupt("a value is empty");
    }
    if ((p[0] == XR_TAG_INT || p[0] == XR_TAG_FLOAT) && n < 9) {
        return corrupt("a number is too short");
    }
    switch (p[0]) {
    case XR_TAG_NONE:
        return Py_NewRef(Py_None);
    case XR_TAG_TRUE:
        return Py_NewRef(Py_True);
    case XR_TAG_FALSE:
        return Py_NewRef(Py_False);
    case XR_TAG_INT: {
        int64_t number;
        memcpy(&number, p + 1, sizeof number);
        return PyLong_FromLongLong(number);
    }
    case XR_TAG_FLOAT: {
        double number;
        memcpy(&number, p + 1, sizeof number);
        return PyFloat_FromDouble(number);
    }
    case XR_TAG_STR:
        return PyUnicode_DecodeUTF8((const char *)p + 1, (Py_ssize_t)(n - 1), NULL);
    case XR_TAG_BYTES:
        return PyBytes_FromStringAndSize((const char *)p + 1, (Py_ssize_t)(n - 1));
    case XR_TAG_PICKLE:
        return loads_memory(p + 1, n - 1);
    case XR_TAG_BUFFERS:
        return decode_buffers(item, held);
    case XR_TAG_NDARRAY:
        return decode_ndarray(item, held);
    case XR_TAG_ARROW:
        return decode_arrow(item, held);
    case XR_TAG_ERROR:
    case XR_TAG_SYSERR:
        return decode_error(p, n);
    default:
        return corrupt("a value has an unknown tag");
    }
}

PyObject *decode_item(const xr_item *item)
{
    int held = item->held;
    PyObject *value = decode(item, &held);
    if (held) {
        S.engine->delta(item->handle, -1);
    }
    return value;
}

PyObject *decode_value(const xr_item *item)
{
    int is_error = decode_is_error(item->bytes, item->length); /* the bytes may go */
    PyObject *value = decode_item(item);
    if (value == NULL && !is_error && S.hooks.undecodable != NULL && PyErr_ExceptionMatches(PyExc_Exception)) {
        PyObject *cause = errors_take();
        errors_throw(PyObject_CallFunctionObjArgs(S.hooks.undecodable, cause, NULL));
        Py_XDECREF(cause);
    }
    return value;
}
