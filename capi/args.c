#include "args.h"

#include <stdio.h>

#include "codec.h"
#include "decode.h"
#include "encode.h"
#include "object_ref.h"
#include "site.h"
#include "scope.h"
#include "store.h"
#include "stream.h"

#define XR_OWN_OBJECT (64u * 1024u) /* longer values become objects of their own */
#define XR_DEPS_SEARCH 16           /* so many dependencies are compared to find the same again */
#define XR_RETURNS_FAST 16

static void args_init(xr_args *a)
{
    buf_init(&a->bytes);
    words_init(&a->deps);
    words_init(&a->holds);
    words_init(&a->temps);
    words_init(&a->kept);
}

void args_clear(xr_args *a)
{
    for (size_t i = 0; i < a->temps.len; i++) {
        S.engine->delta(a->temps.data[i], -1);
    }
    for (size_t i = 0; i < a->kept.len; i++) {
        Py_DECREF((PyObject *)(uintptr_t)a->kept.data[i]);
    }
    buf_free(&a->bytes);
    words_free(&a->deps);
    words_free(&a->holds);
    words_free(&a->temps);
    words_free(&a->kept);
}

static int add_dep(xr_args *a, uint64_t handle)
{
    size_t index = 0, searched = a->deps.len < XR_DEPS_SEARCH ? a->deps.len : XR_DEPS_SEARCH;
    while (index < searched && a->deps.data[index] != handle) {
        index++;
    }
    if (index == searched) {
        index = a->deps.len;
        if (words_add(&a->deps, handle) < 0) {
            return -1;
        }
    }
    xr_arg *arg = (xr_arg *)buf_add(&a->bytes, sizeof *arg);
    if (arg == NULL) {
        return -1;
    }
    arg->kind = XR_ARG_DEP;
    arg->length = (uint32_t)index;
    return 0;
}

/* The blob becomes an object of its own, which the task gets as a dependency. */
static int add_object(xr_args *a, xr_blob *b)
{
    uint64_t handle;
    if (store_put(b, XR_SITE_ARGUMENT, &handle) < 0) {
        return -1;
    }
    if (words_add(&a->temps, handle) < 0) {
        S.engine->delta(handle, -1);
        return -1;
    }
    return add_dep(a, handle);
}

/* Moves a blob's references to the arguments as a whole. */
static int take_refs(xr_args *a, xr_blob *b)
{
    for (size_t i = 0; i < b->refs.len; i++) {
        PyObject *ref = (PyObject *)(uintptr_t)b->kept.data[i];
        if (words_add(&a->holds, b->refs.data[i]) < 0 || words_add(&a->kept, (uintptr_t)ref) < 0) {
            return -1;
        }
        Py_INCREF(ref);
    }
    return 0;
}

static int add_blob(xr_args *a, xr_blob *b)
{
    if (b->size > XR_OWN_OBJECT || a->bytes.len + b->size > XR_INLINE_MAX) {
        return add_object(a, b);
    }
    size_t space = xr_pad8(b->size);
    uint8_t *place = buf_add(&a->bytes, sizeof(xr_arg) + space);
    if (place == NULL) {
        return -1;
    }
    xr_arg arg = {XR_ARG_VALUE, (uint32_t)b->size};
    memcpy(place, &arg, sizeof arg);
    memset(place + sizeof arg + space - 8, 0, 8);
    if (blob_write(b, place + sizeof arg) < 0) {
        return -1;
    }
    return b->refs.len > 0 ? take_refs(a, b) : 0;
}

/* One argument. name: the keyword, or NULL; index: its place in the call, for error texts. */
static int add_value(xr_args *a, PyObject *value, const char *name, Py_ssize_t index)
{
    uint8_t small[9];
    size_t size = encode_small(value, small);
    if (size > 0) {
        uint64_t *place = (uint64_t *)buf_add(&a->bytes, sizeof(xr_arg) + xr_pad8(size));
        if (place == NULL) {
            return -1;
        }
        xr_arg arg = {XR_ARG_VALUE, (uint32_t)size};
        memcpy(place, &arg, sizeof arg);
        place[xr_pad8(size) / 8] = 0;
        memcpy(place + 1, small, size);
        return 0;
    }
    if (ref_check(value)) {
        uint64_t handle;
        return ref_handle(value, &handle) < 0 ? -1 : add_dep(a, handle);
    }
    char label[80];
    if (name != NULL) {
        snprintf(label, sizeof label, "kwargs['%s']", name);
    } else {
        snprintf(label, sizeof label, "args[%zd]", index);
    }
    xr_blob b;
    int rc = blob_prepare(&b, value, label);
    if (rc == 0) {
        rc = add_blob(a, &b);
    }
    blob_clear(&b);
    return rc;
}

static int add_keyword(xr_args *a, PyObject *name, PyObject *value)
{
    Py_ssize_t length;
    const char *text = PyUnicode_AsUTF8AndSize(name, &length);
    if (text == NULL) {
        return -1;
    }
    size_t space = xr_pad8((size_t)length);
    uint8_t *place = buf_add(&a->bytes, 8 + space);
    if (place == NULL) {
        return -1;
    }
    uint32_t head[2] = {(uint32_t)length, 0};
    memset(place, 0, 8 + space);
    memcpy(place, head, sizeof head);
    memcpy(place + 8, text, (size_t)length);
    return add_value(a, value, text, 0);
}

int args_encode(xr_args *a, PyObject *const *args, Py_ssize_t npos, PyObject *kwnames)
{
    args_init(a);
    Py_ssize_t nkw = kwnames != NULL ? PyTuple_Size(kwnames) : 0;
    xr_args_head *head = (xr_args_head *)buf_add(&a->bytes, sizeof *head);
    head->npos = (uint32_t)npos;
    head->nkw = (uint32_t)nkw;
    for (Py_ssize_t i = 0; i < npos; i++) {
        if (add_value(a, args[i], NULL, i) < 0) {
            return -1;
        }
    }
    for (Py_ssize_t i = 0; i < nkw; i++) {
        if (add_keyword(a, PyTuple_GetItem(kwnames, i), args[npos + i]) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Returns: new reference; the handles' holds go to the references, or are let go on failure. */
static PyObject *make_refs(const uint64_t *rets, uint32_t returns)
{
    if (returns == 0) {
        Py_RETURN_NONE;
    }
    if (returns == 1) {
        return ref_new(rets[0]);
    }
    PyObject *list = PyList_New((Py_ssize_t)returns);
    uint32_t i = 0;
    while (list != NULL && i < returns) {
        PyObject *ref = ref_new(rets[i]);
        if (ref == NULL || PyList_SetItem(list, (Py_ssize_t)i, ref) < 0) {
            Py_CLEAR(list);
        }
        i++;
    }
    for (; list == NULL && i < returns; i++) {
        S.engine->delta(rets[i], -1);
    }
    return list;
}

PyObject *args_submit(uint32_t tid, uint32_t returns, uint64_t actor, uint64_t deadline, PyObject *const *args,
                      Py_ssize_t npos, PyObject *kwnames)
{
    xr_args a;
    uint64_t few[XR_RETURNS_FAST], *rets = few;
    PyObject *result = NULL;
    int is_stream = returns == XR_RETURNS_STREAM;
    returns = is_stream ? XR_STREAM_RETURNS : returns;
    if (args_encode(&a, args, npos, kwnames) < 0) {
        goto end;
    }
    if (returns > XR_RETURNS_FAST && (rets = malloc(returns * sizeof *rets)) == NULL) {
        PyErr_NoMemory();
        goto end;
    }
    xr_call call = {.tid = tid,
                    .site = site_of_call(tid),
                    .actor = actor,
                    .args = a.bytes.data,
                    .args_len = a.bytes.len,
                    .deps = a.deps.data,
                    .ndeps = a.deps.len,
                    .holds = a.holds.data,
                    .nholds = a.holds.len,
                    .returns = returns,
                    .deadline = deadline};
    if (scope_here(&call.scope) < 0) {
        goto end;
    }
    if (S.engine->submit(&call, rets) == 0) {
        result = is_stream ? stream_new(rets[0], rets[1]) : make_refs(rets, returns);
    }
end:
    if (rets != few) {
        free(rets);
    }
    args_clear(&a);
    return result;
}

/* ---- decoding ---- */

typedef struct xr_reader {
    const uint8_t *at, *end;
} xr_reader;

/* The next n bytes, padded to 8. Returns NULL when there are fewer. */
static const uint8_t *take(xr_reader *r, size_t n)
{
    size_t space = xr_pad8(n);
    if (space < n || (size_t)(r->end - r->at) < space) {
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += space;
    return p;
}

static PyObject *malformed(void)
{
    const char text[] = "a task's arguments are malformed";
    errors_system(XR_SYSTEM_INTERNAL, text, sizeof text - 1);
    return NULL;
}

static PyObject *decode_arg(xr_reader *r, xr_item *deps, size_t ndeps)
{
    xr_arg arg;
    const uint8_t *p = take(r, sizeof arg);
    if (p == NULL) {
        return malformed();
    }
    memcpy(&arg, p, sizeof arg);
    if (arg.kind == XR_ARG_DEP) {
        if (arg.length >= ndeps) {
            return malformed();
        }
        PyObject *value = decode_value(&deps[arg.length]);
        deps[arg.length].held = 0;
        return value;
    }
    xr_item item = {.length = arg.length};
    item.bytes = arg.kind == XR_ARG_VALUE ? take(r, arg.length) : NULL;
    return item.bytes == NULL ? malformed() : decode_value(&item);
}

static int decode_keyword(xr_reader *r, xr_item *deps, size_t ndeps, PyObject *kwargs)
{
    uint32_t length;
    const uint8_t *p = take(r, 8), *text = NULL;
    if (p != NULL) {
        memcpy(&length, p, sizeof length);
        text = take(r, length);
    }
    if (text == NULL) {
        malformed();
        return -1;
    }
    PyObject *name = PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)length, NULL);
    PyObject *value = name != NULL ? decode_arg(r, deps, ndeps) : NULL;
    int rc = value != NULL ? PyDict_SetItem(kwargs, name, value) : -1;
    Py_XDECREF(value);
    Py_XDECREF(name);
    return rc;
}

int args_decode(const uint8_t *bytes, size_t length, xr_item *deps, size_t ndeps, PyObject **args, PyObject **kwargs)
{
    xr_reader r = {bytes, bytes + length};
    xr_args_head head;
    const uint8_t *p = take(&r, sizeof head);
    *args = *kwargs = NULL;
    if (p != NULL) {
        memcpy(&head, p, sizeof head);
    }
    /* Each argument takes 8 bytes at least: a false count must not make a huge tuple. */
    if (p == NULL || (uint64_t)head.npos + head.nkw > length / 8) {
        malformed();
        return -1;
    }
    int rc = -1;
    *args = PyTuple_New((Py_ssize_t)head.npos);
    if (*args == NULL) {
        goto end;
    }
    for (uint32_t i = 0; i < head.npos; i++) {
        PyObject *value = decode_arg(&r, deps, ndeps);
        if (value == NULL || PyTuple_SetItem(*args, (Py_ssize_t)i, value) < 0) {
            goto end;
        }
    }
    if (head.nkw > 0 && (*kwargs = PyDict_New()) == NULL) {
        goto end;
    }
    for (uint32_t i = 0; i < head.nkw; i++) {
        if (decode_keyword(&r, deps, ndeps, *kwargs) < 0) {
            goto end;
        }
    }
    rc = 0;
end:
    if (rc < 0) {
        Py_CLEAR(*args);
        Py_CLEAR(*kwargs);
    }
    return rc;
}
