/* wait.c - wait(): which of many references are ready. Programs call it once for each of thousands, with all that are
 * left, so each reference may cost a few nanoseconds only. */
#include "api.h"

#include "buf.h"
#include "engine.h"
#include "object_ref.h"
#include "state.h"
#include "stream.h"

#include <stdlib.h>
#include <string.h>

/* Whether no handle stands twice. Returns 1 or 0, or -1 with MemoryError. */
static int are_unique(const uint64_t *handles, size_t n)
{
    size_t size = 16;
    while (size < 2 * n) {
        size *= 2;
    }
    uint64_t few[256], *table = few; /* open addressing; 0 is no handle */
    if (size > sizeof few / sizeof *few) {
        table = malloc(size * sizeof *table);
    }
    if (table == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memset(table, 0, size * sizeof *table);
    int unique = 1;
    for (size_t i = 0; i < n && unique; i++) {
        size_t at = (size_t)(handles[i] * 0x9E3779B97F4A7C15u >> 32) & (size - 1);
        while (table[at] != 0 && table[at] != handles[i]) {
            at = (at + 1) & (size - 1);
        }
        unique = table[at] == 0;
        table[at] = handles[i];
    }
    if (table != few) {
        free(table);
    }
    return unique;
}

/* The handles of a list of references. A generator stands for what it gives next, whose handle is held once and added to
 * `peeked`. Returns 0, or -1 with TypeError or ValueError. */
static int read_handles(PyObject *refs, Py_ssize_t n, uint64_t *handles, xr_words *peeked)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        PyObject *ref = PyList_GetItem(refs, i);
        if (ref == NULL) {
            return -1;
        }
        if (!ref_check(ref) && stream_check(ref)) {
            if (words_reserve(peeked, 1) < 0 || stream_peek(ref, &handles[i]) < 0) {
                return -1;
            }
            words_add(peeked, handles[i]);
            continue;
        }
        if (!ref_check(ref)) {
            PyErr_Format(PyExc_TypeError,
                         "wait() expected a list of ray.ObjectRef or ray.ObjectRefGenerator, got list containing %R",
                         (PyObject *)Py_TYPE(ref));
            return -1;
        }
        if (ref_handle(ref, &handles[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Returns 0, or -1 with ValueError. */
static int check_need(const uint64_t *handles, Py_ssize_t n, Py_ssize_t need)
{
    int unique = are_unique(handles, (size_t)n);
    if (unique < 0) {
        return -1;
    }
    if (!unique) {
        PyErr_SetString(PyExc_ValueError, "Wait requires a list of unique ray_waitables.");
        return -1;
    }
    if (need <= 0) {
        PyErr_Format(PyExc_ValueError, "Invalid number of objects to return %zd.", need);
        return -1;
    }
    if (need > n) {
        PyErr_SetString(PyExc_ValueError,
                        "num_returns cannot be greater than the number of ray_waitables provided to ray.wait.");
        return -1;
    }
    return 0;
}

/* Appends refs[from:to] to a list at one go. Returns 0, or -1 with an exception. */
static int append_piece(PyObject *list, PyObject *refs, Py_ssize_t from, Py_ssize_t to)
{
    PyObject *piece = PyList_GetSlice(refs, from, to);
    Py_ssize_t end = PyList_Size(list);
    int rc = piece == NULL ? -1 : PyList_SetSlice(list, end, end, piece);
    Py_XDECREF(piece);
    return rc;
}

/* The first `most` ready ones and the rest, both in the order of refs. Returns: new tuple of lists, or NULL. */
static PyObject *split(PyObject *refs, const uint8_t *ready, Py_ssize_t n, Py_ssize_t most)
{
    PyObject *done = PyList_New(0), *rest = NULL, *result = NULL;
    Py_ssize_t found = 0, i = 0, from = 0;
    if (done == NULL) {
        return NULL;
    }
    for (; i < n && found < most; i++) {
        if (!ready[i]) {
            continue;
        }
        if (rest == NULL) {
            rest = PyList_GetSlice(refs, 0, i);
        } else if (append_piece(rest, refs, from, i) < 0) {
            goto end;
        }
        if (rest == NULL || PyList_Append(done, PyList_GetItem(refs, i)) < 0) {
            goto end;
        }
        found++;
        from = i + 1;
    }
    if (rest == NULL) { /* nothing is ready */
        rest = PyList_GetSlice(refs, 0, n);
    } else if (PyList_Size(rest) == 0) { /* the usual case: the first ones are */
        Py_DECREF(rest);
        rest = PyList_GetSlice(refs, from, n);
    } else if (append_piece(rest, refs, from, n) < 0) {
        goto end;
    }
    if (rest != NULL) {
        result = PyTuple_Pack(2, done, rest);
    }
end:
    Py_DECREF(done);
    Py_XDECREF(rest);
    return result;
}

/* wait(refs, num_returns, timeout, fetch_local).   GIL: released while it waits. */
PyObject *api_wait(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"refs", "num_returns", "timeout", "fetch_local", NULL};
    (void)module;
    PyObject *given, *timeout, *result = NULL;
    Py_ssize_t need;
    int fetch_local;
    int64_t deadline;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!nOp:wait", names, &PyList_Type, &given, &need, &timeout,
                                     &fetch_local) ||
        api_deadline(timeout, &deadline) < 0) {
        return NULL;
    }
    Py_ssize_t n = PyList_Size(given);
    xr_words peeked;
    words_init(&peeked);
    PyObject *refs = PyList_GetSlice(given, 0, n); /* ours: holds the objects, whatever becomes of the list */
    uint64_t *handles = malloc(((size_t)n + 1) * (sizeof *handles + 1));
    if (refs == NULL || handles == NULL) {
        if (refs != NULL) {
            PyErr_NoMemory();
        }
        goto end;
    }
    uint8_t *ready = (uint8_t *)(handles + n + 1);
    memset(ready, 0, (size_t)n + 1);
    if (read_handles(refs, n, handles, &peeked) < 0 || check_need(handles, n, need) < 0) {
        goto end;
    }
    if (S.engine->wait(handles, (size_t)n, (size_t)need, deadline, ready) == 0) {
        result = split(refs, ready, n, need);
    }
end:
    for (size_t i = 0; i < peeked.len; i++) {
        S.engine->delta(peeked.data[i], -1);
    }
    words_free(&peeked);
    free(handles);
    Py_XDECREF(refs);
    return result;
}
