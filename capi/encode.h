/* encode.h - from Python values to blobs (codec.h).
 *
 * blob_prepare decides the form and the size, blob_write puts the bytes where the caller has room for
 * them, so that large buffers are copied once, straight into the arena.
 */
#ifndef XR_ENCODE_H
#define XR_ENCODE_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "buf.h"
#include "codec.h"

typedef struct xr_blob {
    uint8_t tag, arrow_kind;
    uint64_t size;       /* of the whole blob */
    uint64_t scalar;     /* INT, FLOAT */
    const uint8_t *body; /* STR, BYTES, PICKLE, BUFFERS: what follows the tag or the spans */
    uint64_t body_len;
    PyObject *owner;  /* keeps body, or is the Arrow writer */
    Py_buffer *views; /* BUFFERS */
    size_t nviews, cap_views;
    uint64_t arrow_len;
    xr_words refs;         /* handles of the references inside */
    xr_words kept;         /* those references themselves: they live until the blob has been sent */
    struct xr_blob *outer; /* encoding around this one, in the same thread */
} xr_blob;

/* label: what the value is to the user ("args[0]", "result"), for the error that names the culprit.
 * Borrows value until blob_clear. Returns 0, or -1 with an exception. blob_clear is due either way. */
int blob_prepare(xr_blob *b, PyObject *value, const char *label);
/* Writes b->size bytes, without the GIL when they are many. Returns 0, or -1 with an exception. */
int blob_write(xr_blob *b, uint8_t *target);
void blob_clear(xr_blob *b);
/* An ERROR blob of a live exception, by hooks.error_of. Same rules as blob_prepare. */
int blob_prepare_error(xr_blob *b, PyObject *exception);

/* For ObjectRef.__reduce__. Returns 1 when noted, 0 when nothing is being encoded, -1 on error. */
int encode_note_ref(PyObject *ref, uint64_t handle);
/* The buffer_callback of pickle: METH_O. */
PyObject *encode_buffer(PyObject *module, PyObject *buffer);

/* The short forms, written in full. Returns their size, or 0 when value needs more than that. */
static inline size_t encode_small(PyObject *value, uint8_t out[9])
{
    if (PyLong_CheckExact(value)) {
        int overflow;
        long long n = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow) {
            return 0;
        }
        out[0] = XR_TAG_INT;
        memcpy(out + 1, &n, 8);
        return 9;
    }
    if (PyFloat_CheckExact(value)) {
        double x = PyFloat_AsDouble(value);
        out[0] = XR_TAG_FLOAT;
        memcpy(out + 1, &x, 8);
        return 9;
    }
    if (value == Py_None || value == Py_True || value == Py_False) {
        out[0] = value == Py_None ? XR_TAG_NONE : value == Py_True ? XR_TAG_TRUE : XR_TAG_FALSE;
        return 1;
    }
    return 0;
}

#endif
