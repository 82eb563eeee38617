/* report.c - what a task gives back, as it goes to the node: values one after another behind the head of a message. */
#include "report.h"

#include "codec.h"
#include "encode.h"
#include "errors.h"
#include "state.h"
#include "store.h"
#include "worker.h"

#include <string.h>

#define XR_RESULT_SMALL 4096 /* results up to this stay inline, however many there are */

int report_init(xr_report *r, size_t head)
{
    buf_init(&r->bytes);
    words_init(&r->stored);
    words_init(&r->kept);
    r->head = head;
    return buf_add(&r->bytes, head) != NULL ? 0 : -1;
}

void report_reset(xr_report *r)
{
    for (size_t i = 0; i < r->stored.len; i++) {
        worker_free_space(r->stored.data[i]);
    }
    for (size_t i = 0; i < r->kept.len; i++) {
        Py_DECREF((PyObject *)(uintptr_t)r->kept.data[i]);
    }
    r->bytes.len = r->head;
    r->stored.len = r->kept.len = 0;
}

void report_free(xr_report *r)
{
    report_reset(r);
    buf_free(&r->bytes);
    words_free(&r->stored);
    words_free(&r->kept);
}

static int add_refs(xr_report *r, const xr_blob *b)
{
    size_t size = b->refs.len * sizeof(uint64_t);
    uint8_t *place = buf_add(&r->bytes, size);
    if (place == NULL) {
        return -1;
    }
    memcpy(place, b->refs.data, size);
    for (size_t i = 0; i < b->kept.len; i++) {
        if (words_add(&r->kept, b->kept.data[i]) < 0) {
            return -1;
        }
        Py_INCREF((PyObject *)(uintptr_t)b->kept.data[i]);
    }
    return 0;
}

static int add_blob(xr_report *r, xr_blob *b)
{
    xr_value v = {.where = XR_WHERE_INLINE, .refs = (uint32_t)b->refs.len, .length = b->size};
    int is_inline = b->size <= XR_RESULT_SMALL || r->bytes.len + b->size <= XR_INLINE_MAX;
    if (!is_inline && (store_write(b, &v) < 0 || words_add(&r->stored, v.offset) < 0)) {
        return -1;
    }
    size_t space = is_inline ? xr_pad8(b->size) : 0;
    uint8_t *place = buf_add(&r->bytes, sizeof v + space);
    if (place == NULL) {
        return -1;
    }
    memcpy(place, &v, sizeof v);
    if (is_inline) {
        memset(place + sizeof v + space - 8, 0, 8);
        if (blob_write(b, place + sizeof v) < 0) {
            return -1;
        }
    }
    return b->refs.len > 0 ? add_refs(r, b) : 0;
}

int report_add_result(xr_report *r, PyObject *value)
{
    uint8_t small[9];
    size_t size = encode_small(value, small);
    if (size > 0) {
        xr_value v = {.where = XR_WHERE_INLINE, .length = size};
        uint8_t *place = buf_add(&r->bytes, sizeof v + xr_pad8(size));
        if (place == NULL) {
            return -1;
        }
        memcpy(place, &v, sizeof v);
        memset(place + sizeof v + xr_pad8(size) - 8, 0, 8);
        memcpy(place + sizeof v, small, size);
        return 0;
    }
    xr_blob b;
    int rc = blob_prepare(&b, value, "result");
    if (rc == 0) {
        rc = add_blob(r, &b);
    }
    blob_clear(&b);
    return rc;
}

/* The items of the one object that a task with several results returns. */
static int add_several(xr_report *r, PyObject *result, uint32_t returns)
{
    Py_ssize_t n = PyObject_Size(result);
    if (n < 0) {
        return -1;
    }
    if ((size_t)n != returns) {
        PyErr_Format(PyExc_ValueError, "Task returned %zd objects, but num_returns=%u.", n, (unsigned)returns);
        return -1;
    }
    PyObject *items = PySequence_Tuple(result);
    int rc = items != NULL && PyTuple_Size(items) == n ? 0 : -1;
    if (items != NULL && rc < 0) {
        PyErr_Format(PyExc_ValueError, "Task returned %zd objects, but num_returns=%u.", PyTuple_Size(items),
                     (unsigned)returns);
    }
    for (Py_ssize_t i = 0; rc == 0 && i < n; i++) {
        rc = report_add_result(r, PyTuple_GetItem(items, i));
    }
    Py_XDECREF(items);
    return rc;
}

/* What goes out when the error itself can't. */
static int add_plain_error(xr_report *r, uint32_t returns)
{
    static const char text[] = "....{\"message\": \"the task failed, and its error could not be pickled\"}";
    uint8_t blob[4 + sizeof text - 1];
    uint32_t code = XR_SYSTEM_INTERNAL;
    memset(blob, 0, 4);
    blob[0] = XR_TAG_SYSERR;
    memcpy(blob + 4, text, sizeof text - 1);
    memcpy(blob + 4, &code, sizeof code);
    for (uint32_t i = 0; i < returns; i++) {
        xr_value v = {.where = XR_WHERE_INLINE, .length = sizeof blob};
        uint8_t *place = buf_add(&r->bytes, sizeof v + xr_pad8(sizeof blob));
        if (place == NULL) {
            return -1;
        }
        memset(place, 0, sizeof v + xr_pad8(sizeof blob));
        memcpy(place, &v, sizeof v);
        memcpy(place + sizeof v, blob, sizeof blob);
    }
    return 0;
}

/* An error, given, as the outcome of so many results. */
static int append_error(xr_report *r, PyObject *exception, uint32_t returns)
{
    xr_blob b;
    size_t before = r->bytes.len;
    int rc = blob_prepare_error(&b, exception);
    for (uint32_t i = 0; rc == 0 && i < returns; i++) {
        rc = add_blob(r, &b);
    }
    blob_clear(&b);
    if (rc < 0) {
        PyErr_WriteUnraisable(NULL); /* into the worker's log: the only place left */
        r->bytes.len = before;
        rc = add_plain_error(r, returns);
    }
    return rc;
}

int report_add_error(xr_report *r, uint32_t returns)
{
    PyObject *exception = errors_take();
    report_reset(r);
    int rc = append_error(r, exception, returns);
    Py_XDECREF(exception);
    return rc;
}

/* The first items of a generator that gives more than one object is asked for. What it gave before it failed counts; the rest
 * are the error. */
static int add_generated(xr_report *r, PyObject *generator, uint32_t returns)
{
    uint32_t given = 0;
    while (given < returns) {
        PyObject *item = PyIter_Next(generator);
        if (item == NULL && !PyErr_Occurred()) {
            PyErr_Format(PyExc_ValueError, "Task returned %u objects, but num_returns=%u.", (unsigned)given,
                         (unsigned)returns);
        }
        int rc = item != NULL ? report_add_result(r, item) : -1;
        Py_XDECREF(item);
        if (rc < 0) {
            break;
        }
        given++;
    }
    if (given == returns) {
        return 0;
    }
    if (given == 0 || PyErr_ExceptionMatches(PyExc_SystemExit)) {
        return -1; /* the error of all */
    }
    PyObject *exception = errors_take();
    int rc = append_error(r, exception, returns - given);
    Py_XDECREF(exception);
    return rc;
}

/* Whether what is reported is the call that makes its actor leave. */
static int leaves(void)
{
    return worker_running != NULL && worker_running->leaves;
}

int report_add_results(xr_report *r, PyObject *result, uint32_t returns, uint32_t type)
{
    if (returns == 0) {
        return 0;
    }
    if (Py_TYPE(result) == S.generator_type && type != XR_TASK_CREATE && !leaves()) {
        return add_generated(r, result, returns);
    }
    if (returns == 1) {
        return report_add_result(r, result);
    }
    if (type == XR_TASK_CREATE || leaves()) {
        for (uint32_t i = 0; i < returns; i++) {
            if (report_add_result(r, Py_None) < 0) {
                return -1;
            }
        }
        return 0;
    }
    return add_several(r, result, returns);
}
