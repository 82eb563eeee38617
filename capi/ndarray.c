#include "ndarray.h"

#include <stdlib.h>
#include <string.h>

#include "copy.h"
#include "errors.h"
#include "state.h"

#define XR_NDIM_MAX 64 /* numpy's own limit */

/* numpy, when this process has it loaded; with_import loads it. Returns 1, 0, or -1 with an exception. */
static int have_numpy(int with_import)
{
    if (S.ndarray_type != NULL) {
        return 1;
    }
    PyObject *name = PyUnicode_FromString("numpy");
    PyObject *numpy = name == NULL ? NULL : with_import ? PyImport_Import(name) : PyImport_GetModule(name);
    Py_XDECREF(name);
    if (numpy == NULL) {
        return PyErr_Occurred() ? -1 : 0;
    }
    /* While numpy is being imported it may not have these yet. */
    PyObject *type = PyObject_GetAttrString(numpy, "ndarray");
    PyObject *dtype = type != NULL ? PyObject_GetAttrString(numpy, "dtype") : NULL;
    PyObject *cache = dtype != NULL ? PyDict_New() : NULL;
    Py_DECREF(numpy);
    if (cache == NULL) {
        Py_XDECREF(type);
        Py_XDECREF(dtype);
        if (!with_import) {
            PyErr_Clear();
        }
        return with_import ? -1 : 0;
    }
    S.dtype_type = dtype;
    S.dtypes = cache;
    S.ndarray_type = type;
    return 1;
}

/* The dtype in numpy's short notation ("<f8"), when that says all about it.
 * Returns: new reference; NULL without an exception when it does not. */
static PyObject *short_dtype(PyObject *value)
{
    PyObject *dtype = PyObject_GetAttrString(value, "dtype");
    PyObject *text = dtype != NULL ? PyObject_GetAttrString(dtype, "str") : NULL;
    Py_ssize_t length = 0;
    const char *s = text != NULL ? PyUnicode_AsUTF8AndSize(text, &length) : NULL;
    if (s == NULL || length < 3 || length > 255 || strchr("biufcSU", s[1]) == NULL) {
        PyErr_Clear();
        Py_CLEAR(text);
    }
    Py_XDECREF(dtype);
    return text;
}

/* Takes hold of the elements. Returns 1, or 0 when they are not in one piece, or there are none. */
static int take_elements(xr_blob *b, PyObject *value, char *order)
{
    b->views = malloc(sizeof *b->views);
    if (b->views == NULL || PyObject_GetBuffer(value, b->views, PyBUF_FULL_RO) < 0) {
        PyErr_Clear();
        return 0;
    }
    b->cap_views = b->nviews = 1;
    *order = PyBuffer_IsContiguous(b->views, 'C') ? 'C' : PyBuffer_IsContiguous(b->views, 'F') ? 'F' : 0;
    if (*order == 0 || b->views->len == 0 || b->views->ndim > XR_NDIM_MAX) {
        PyBuffer_Release(b->views);
        b->nviews = 0;
        return 0;
    }
    return 1;
}

int ndarray_prepare(xr_blob *b, PyObject *value)
{
    int have = have_numpy(0);
    if (have <= 0 || (PyObject *)Py_TYPE(value) != S.ndarray_type) {
        return have < 0 ? -1 : 0;
    }
    char order;
    PyObject *text = short_dtype(value);
    if (text == NULL || !take_elements(b, value, &order)) {
        Py_XDECREF(text);
        return 0;
    }
    Py_ssize_t length;
    const char *dtype = PyUnicode_AsUTF8AndSize(text, &length);
    int ndim = b->views->ndim;
    uint64_t shape_bytes = (uint64_t)ndim * sizeof(int64_t);
    xr_ndarray_head head = {
        .tag = XR_TAG_NDARRAY, .order = (uint8_t)order, .ndim = (uint8_t)ndim, .dtype_len = (uint8_t)length};
    uint64_t size = sizeof head + shape_bytes + (uint64_t)length;
    head.data = (size + XR_LINE - 1) & ~(uint64_t)(XR_LINE - 1);
    b->owner = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)head.data);
    if (b->owner != NULL) {
        char *p = PyBytes_AsString(b->owner);
        memset(p, 0, head.data);
        memcpy(p, &head, sizeof head);
        for (int i = 0; i < ndim; i++) {
            int64_t n = b->views->shape[i];
            memcpy(p + sizeof head + (size_t)i * sizeof n, &n, sizeof n);
        }
        memcpy(p + sizeof head + shape_bytes, dtype, (size_t)length);
        b->tag = XR_TAG_NDARRAY;
        b->body = (const uint8_t *)p;
        b->body_len = head.data;
        b->size = head.data + (uint64_t)b->views->len;
    }
    Py_DECREF(text);
    return b->owner != NULL ? 1 : -1;
}

void ndarray_write(xr_blob *b, uint8_t *target)
{
    memcpy(target, b->body, b->body_len);
    xr_copy(target + b->body_len, b->views->buf, (size_t)b->views->len, S.board);
}

/* Returns: borrowed reference, or NULL with an exception. */
static PyObject *find_dtype(const uint8_t *text, size_t length)
{
    PyObject *key = PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)length, NULL);
    PyObject *dtype = key != NULL ? PyDict_GetItemWithError(S.dtypes, key) : NULL;
    if (dtype == NULL && key != NULL && !PyErr_Occurred()) {
        PyObject *made = PyObject_CallFunctionObjArgs(S.dtype_type, key, NULL);
        if (made != NULL && PyDict_SetItem(S.dtypes, key, made) == 0) {
            dtype = made; /* the table has it now */
        }
        Py_XDECREF(made);
    }
    Py_XDECREF(key);
    return dtype;
}

static PyObject *shape_tuple(const uint8_t *p, int ndim)
{
    PyObject *shape = PyTuple_New(ndim);
    for (int i = 0; shape != NULL && i < ndim; i++) {
        int64_t n;
        memcpy(&n, p + (size_t)i * sizeof n, sizeof n);
        PyObject *number = PyLong_FromLongLong(n);
        if (number == NULL || PyTuple_SetItem(shape, i, number) < 0) {
            Py_CLEAR(shape);
        }
    }
    return shape;
}

PyObject *ndarray_decode(const uint8_t *blob, uint64_t length, PyObject *base)
{
    xr_ndarray_head head = {0};
    if (length >= sizeof head) {
        memcpy(&head, blob, sizeof head);
    }
    uint64_t shape_bytes = (uint64_t)head.ndim * sizeof(int64_t);
    if (length < sizeof head + shape_bytes + head.dtype_len || head.data > length ||
        (head.order != 'C' && head.order != 'F')) {
        errors_system(XR_SYSTEM_INTERNAL, "an array has a head that does not fit", 37);
        return NULL;
    }
    if (have_numpy(1) < 0) {
        return NULL;
    }
    PyObject *dtype = find_dtype(blob + sizeof head + shape_bytes, head.dtype_len);
    PyObject *shape = dtype != NULL ? shape_tuple(blob + sizeof head, head.ndim) : NULL;
    PyObject *array = NULL;
    if (shape != NULL) { /* numpy checks that the elements lie within base */
        array = PyObject_CallFunction(S.ndarray_type, "OOOKOC", shape, dtype, base, (unsigned long long)head.data,
                                      Py_None, (int)head.order);
    }
    Py_XDECREF(shape);
    return array;
}
