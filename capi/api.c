#include "api.h"

#include "args.h"
#include "decode.h"
#include "encode.h"
#include "object_ref.h"
#include "spin.h"
#include "site.h"
#include "store.h"

/* timeout: seconds or None. Returns 0, or -1 with TypeError. */
int api_deadline(PyObject *timeout, int64_t *deadline)
{
    if (timeout == Py_None) {
        *deadline = XR_NEVER;
        return 0;
    }
    double seconds = PyFloat_AsDouble(timeout);
    if (seconds == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    if (seconds >= 1e9) { /* 30 years */
        *deadline = XR_NEVER;
    } else {
        *deadline = seconds > 0 ? xr_now() + (int64_t)(seconds * 1e9) : 0;
    }
    return 0;
}

static PyObject *get_one(PyObject *ref, int64_t deadline)
{
    uint64_t handle;
    xr_got got;
    if (ref_handle(ref, &handle) < 0 || S.engine->get(&handle, 1, deadline, &got) < 0) {
        return NULL;
    }
    PyObject *value = decode_value(&got.items[0]);
    got_free(&got);
    return value;
}

/* The handles of a tuple of references. Returns 0, or -1 with TypeError or ValueError. */
static int collect_handles(PyObject *refs, xr_words *handles, const char *what)
{
    Py_ssize_t n = PyTuple_Size(refs);
    if (words_reserve(handles, (size_t)n) < 0) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *ref = PyTuple_GetItem(refs, i);
        if (!ref_check(ref)) {
            PyErr_Format(PyExc_TypeError, "Attempting to call `%s` on the value %R, which is not an ray.ObjectRef.",
                         what, ref);
            return -1;
        }
        if (ref_handle(ref, &handles->data[i]) < 0) {
            return -1;
        }
    }
    handles->len = (size_t)n;
    return 0;
}

/* Returns: new list of n values; NULL with the first error, and all holds let go. */
static PyObject *decode_all(xr_got *got, size_t n)
{
    PyObject *list = PyList_New((Py_ssize_t)n);
    size_t i = 0;
    while (list != NULL && i < got->count) {
        PyObject *value = decode_value(&got->items[i]);
        if (value == NULL || PyList_SetItem(list, (Py_ssize_t)i, value) < 0) {
            Py_CLEAR(list);
        }
        i++;
    }
    if (list != NULL && i < n) {
        errors_system(XR_SYSTEM_INTERNAL, "values are missing", 18);
        Py_CLEAR(list);
    }
    for (; list == NULL && i < got->count; i++) {
        if (got->items[i].held) {
            S.engine->delta(got->items[i].handle, -1);
        }
    }
    return list;
}

static PyObject *get_many(PyObject *refs, int64_t deadline)
{
    PyObject *tuple = PySequence_Tuple(refs); /* holds the objects, whatever becomes of the list */
    PyObject *list = NULL;
    xr_words handles;
    words_init(&handles);
    if (tuple != NULL && collect_handles(tuple, &handles, "get") == 0) {
        xr_got got;
        if (handles.len == 0) {
            list = PyList_New(0);
        } else if (S.engine->get(handles.data, handles.len, deadline, &got) == 0) {
            list = decode_all(&got, handles.len);
            got_free(&got);
        }
    }
    words_free(&handles);
    Py_XDECREF(tuple);
    return list;
}

/* get(refs, timeout).   GIL: released while it waits. */
static PyObject *api_get(PyObject *module, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    (void)module;
    int64_t deadline = XR_NEVER;
    Py_ssize_t nkw = kwnames != NULL ? PyTuple_Size(kwnames) : 0;
    if (nargs < 1 || nargs + nkw > 2 ||
        (nkw == 1 && PyUnicode_CompareWithASCIIString(PyTuple_GetItem(kwnames, 0), "timeout"))) {
        PyErr_SetString(PyExc_TypeError, "get takes refs and timeout");
        return NULL;
    }
    if (nargs + nkw == 2 && api_deadline(args[1], &deadline) < 0) {
        return NULL;
    }
    return ref_check(args[0]) ? get_one(args[0], deadline) : get_many(args[0], deadline);
}

/* put(value).   GIL: released while much is copied. */
static PyObject *api_put(PyObject *module, PyObject *value)
{
    (void)module;
    if (ref_check(value)) {
        PyErr_SetString(PyExc_TypeError, "Calling 'put' on an ray.ObjectRef is not allowed. If you really want to do "
                                         "this, you can wrap the ray.ObjectRef in a list and call 'put' on it.");
        return NULL;
    }
    if (session_ensure() < 0) {
        return NULL;
    }
    xr_blob b;
    uint64_t handle = 0;
    int rc = blob_prepare(&b, value, "value");
    if (rc == 0) {
        rc = store_put(&b, site_of_put(b.size), &handle);
    }
    blob_clear(&b);
    return rc == 0 ? ref_new(handle) : NULL;
}

/* Positional and keyword arguments as one array of borrowed pointers, and the keywords' names.
 * Returns 0, or -1 with an exception. */
static int flatten(PyObject *args, PyObject *kwargs, xr_words *values, PyObject **kwnames)
{
    PyObject *name, *value;
    Py_ssize_t n = PyTuple_Size(args), position = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (words_add(values, (uintptr_t)PyTuple_GetItem(args, i)) < 0) {
            return -1;
        }
    }
    if (kwargs == NULL || PyDict_Size(kwargs) == 0) {
        return 0;
    }
    PyObject *names = PyDict_Keys(kwargs);
    *kwnames = names != NULL ? PyList_AsTuple(names) : NULL;
    Py_XDECREF(names);
    if (*kwnames == NULL) {
        return -1;
    }
    while (PyDict_Next(kwargs, &position, &name, &value)) {
        if (words_add(values, (uintptr_t)value) < 0) {
            return -1;
        }
    }
    return 0;
}

/* submit(tid, returns, actor, args, kwargs, deadline=0).   Returns: see args_submit. */
static PyObject *api_submit(PyObject *module, PyObject *all, PyObject *keywords)
{
    static char *names[] = {"tid", "returns", "actor", "args", "kwargs", "deadline", NULL};
    (void)module;
    unsigned int tid, returns;
    PyObject *actor, *args, *kwargs, *kwnames = NULL, *result = NULL;
    uint64_t handle = 0;
    unsigned long long deadline = 0;
    if (!PyArg_ParseTupleAndKeywords(all, keywords, "IIOO!O|K:submit", names, &tid, &returns, &actor, &PyTuple_Type,
                                     &args, &kwargs, &deadline)) {
        return NULL;
    }
    if ((actor != Py_None && !ref_check(actor)) || (kwargs != Py_None && !PyDict_Check(kwargs))) {
        PyErr_SetString(PyExc_TypeError, "submit: actor must be an ObjectRef, kwargs a dict");
        return NULL;
    }
    if (actor != Py_None && ref_handle(actor, &handle) < 0) {
        return NULL;
    }
    /* Encoding runs Python code, which must not change the dict under our feet. */
    kwargs = kwargs != Py_None ? PyDict_Copy(kwargs) : NULL;
    xr_words values;
    words_init(&values);
    if (!PyErr_Occurred() && flatten(args, kwargs, &values, &kwnames) == 0) {
        PyObject **array = (PyObject **)(void *)values.data;
        result = args_submit(tid, returns, handle, deadline, array, PyTuple_Size(args), kwnames);
    }
    words_free(&values);
    Py_XDECREF(kwnames);
    Py_XDECREF(kwargs);
    return result;
}

/* define(kind, name, blob, digest) -> fid. */
static PyObject *api_define(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned int kind;
    const char *name, *blob, *digest;
    Py_ssize_t name_len, blob_len, digest_len;
    uint32_t fid;
    if (!PyArg_ParseTuple(args, "Is#y#y#:define", &kind, &name, &name_len, &blob, &blob_len, &digest, &digest_len)) {
        return NULL;
    }
    if (digest_len != 16) {
        PyErr_Format(PyExc_ValueError, "a digest has 16 bytes, this one has %zd", digest_len);
        return NULL;
    }
    if (S.engine->define(kind, name, (size_t)name_len, blob, (size_t)blob_len, (const uint8_t *)digest, &fid) < 0) {
        return NULL;
    }
    return PyLong_FromUnsignedLong(fid);
}

/* template(options) -> tid. */
static PyObject *api_template(PyObject *module, PyObject *args)
{
    (void)module;
    const char *json;
    Py_ssize_t len;
    uint32_t tid;
    if (!PyArg_ParseTuple(args, "y#:template", &json, &len) || S.engine->make_template(json, (size_t)len, &tid) < 0) {
        return NULL;
    }
    return PyLong_FromUnsignedLong(tid);
}

/* control(op, request) -> bytes. */
static PyObject *api_control(PyObject *module, PyObject *args)
{
    (void)module;
    const char *op, *json;
    Py_ssize_t op_len, len;
    if (!PyArg_ParseTuple(args, "s#y#:control", &op, &op_len, &json, &len)) {
        return NULL;
    }
    return S.engine->control(op, (size_t)op_len, json, (size_t)len);
}

/* encode(value) -> bytes. */
static PyObject *api_encode(PyObject *module, PyObject *value)
{
    (void)module;
    xr_blob b;
    PyObject *bytes = NULL;
    if (blob_prepare(&b, value, "value") == 0) {
        bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)b.size);
        if (bytes != NULL && blob_write(&b, (uint8_t *)PyBytes_AsString(bytes)) < 0) {
            Py_CLEAR(bytes);
        }
    }
    blob_clear(&b);
    return bytes;
}

/* decode(blob) -> value. */
static PyObject *api_decode(PyObject *module, PyObject *blob)
{
    (void)module;
    char *bytes;
    Py_ssize_t length;
    if (PyBytes_AsStringAndSize(blob, &bytes, &length) < 0) {
        return NULL;
    }
    xr_item item = {.bytes = (const uint8_t *)bytes, .length = (uint64_t)length};
    return decode_item(&item);
}

/* set_pickler(dumps or None, types or None). */
static PyObject *api_set_pickler(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *dumps, *types;
    if (!PyArg_ParseTuple(args, "OO:set_pickler", &dumps, &types)) {
        return NULL;
    }
    if (dumps != Py_None && !(PyCallable_Check(dumps) && PyDict_Check(types))) {
        PyErr_SetString(PyExc_TypeError, "set_pickler(dumps: callable or None, types: dict)");
        return NULL;
    }
    PyObject *old_dumps = S.own_dumps, *old_types = S.own_types;
    S.own_dumps = dumps == Py_None ? NULL : Py_NewRef(dumps);
    S.own_types = dumps == Py_None ? NULL : Py_NewRef(types);
    Py_XDECREF(old_dumps);
    Py_XDECREF(old_types);
    Py_RETURN_NONE;
}

PyMethodDef xr_api_methods[] = {
    {"set_pickler", api_set_pickler, METH_VARARGS, NULL},
    {"get", (PyCFunction)(void (*)(void))api_get, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"put", api_put, METH_O, NULL},
    {"wait", (PyCFunction)(void (*)(void))api_wait, METH_VARARGS | METH_KEYWORDS, NULL},
    {"submit", (PyCFunction)(void (*)(void))api_submit, METH_VARARGS | METH_KEYWORDS, NULL},
    {"define", api_define, METH_VARARGS, NULL},
    {"template", api_template, METH_VARARGS, NULL},
    {"control", api_control, METH_VARARGS, NULL},
    {"encode", api_encode, METH_O, NULL},
    {"decode", api_decode, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};
