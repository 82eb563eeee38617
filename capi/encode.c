#include "encode.h"

#include "copy.h"
#include "ndarray.h"
#include "state.h"

#define XR_COPY_WITHOUT_GIL (256u * 1024u) /* shorter copies take less time than giving the GIL up */
#define XR_ARROW_TYPES_MAX 512

/* The encoding in progress, innermost first: __reduce__ methods may encode values of their own. */
static _Thread_local xr_blob *encoding;

static void blob_init(xr_blob *b)
{
    b->tag = XR_TAG_NONE;
    b->arrow_kind = 0;
    b->size = 1;
    b->owner = NULL;
    b->views = NULL;
    b->nviews = b->cap_views = 0;
    words_init(&b->refs);
    words_init(&b->kept);
}

/* Forgets what an attempt has collected, so that another can begin. */
static void forget(xr_blob *b)
{
    for (size_t i = 0; i < b->nviews; i++) {
        PyBuffer_Release(&b->views[i]);
    }
    for (size_t i = 0; i < b->kept.len; i++) {
        Py_DECREF((PyObject *)(uintptr_t)b->kept.data[i]);
    }
    b->nviews = b->kept.len = b->refs.len = 0;
}

void blob_clear(xr_blob *b)
{
    forget(b);
    free(b->views);
    Py_XDECREF(b->owner);
    words_free(&b->refs);
    words_free(&b->kept);
}

int encode_note_ref(PyObject *ref, uint64_t handle)
{
    xr_blob *b = encoding;
    if (b == NULL) {
        return 0;
    }
    if (words_add(&b->refs, handle) < 0 || words_add(&b->kept, (uintptr_t)ref) < 0) {
        return -1;
    }
    Py_INCREF(ref);
    return 1;
}

/* encode_buffer(PickleBuffer) -> None to keep it out of the stream, True to leave it inside.
 * All contiguous buffers stay outside, however small: only so do they come back read-only. */
PyObject *encode_buffer(PyObject *module, PyObject *buffer)
{
    (void)module;
    xr_blob *b = encoding;
    if (b == NULL) {
        Py_RETURN_TRUE;
    }
    if (b->nviews == b->cap_views) {
        size_t cap = b->cap_views == 0 ? 4 : b->cap_views * 2;
        Py_buffer *views = realloc(b->views, cap * sizeof *views);
        if (views == NULL) {
            return PyErr_NoMemory();
        }
        b->views = views;
        b->cap_views = cap;
    }
    Py_buffer *view = &b->views[b->nviews];
    if (PyObject_GetBuffer(buffer, view, PyBUF_FULL_RO) < 0) {
        return NULL;
    }
    if (!PyBuffer_IsContiguous(view, 'A')) {
        PyBuffer_Release(view);
        Py_RETURN_TRUE;
    }
    b->nviews++;
    Py_RETURN_NONE;
}

/* Whether values of a type should be offered to hooks.arrow_write. Returns 1, 0, or -1. */
static int is_arrow_type(PyTypeObject *type)
{
    if (type == &PyList_Type || type == &PyDict_Type || type == &PyTuple_Type || type == &PySet_Type ||
        S.hooks.arrow_write == NULL) {
        return 0;
    }
    PyObject *known = PyDict_GetItemWithError(S.arrow_types, (PyObject *)type);
    if (known != NULL || PyErr_Occurred()) {
        return known != NULL ? known == Py_True : -1;
    }
    int answer = PyObject_HasAttrString((PyObject *)type, "__arrow_c_stream__") ||
                 PyObject_HasAttrString((PyObject *)type, "__arrow_c_array__");
    /* The table keeps the types alive, so that no address is used twice. Programs that make types
     * without end must not fill it for ever. */
    if (PyDict_Size(S.arrow_types) >= XR_ARROW_TYPES_MAX) {
        PyDict_Clear(S.arrow_types);
    }
    if (PyDict_SetItem(S.arrow_types, (PyObject *)type, answer ? Py_True : Py_False) < 0) {
        return -1;
    }
    return answer;
}

/* Returns 1 when the value goes as Arrow, 0 when it does not, -1 on error. */
static int prepare_arrow(xr_blob *b, PyObject *value)
{
    PyObject *answer = PyObject_CallFunctionObjArgs(S.hooks.arrow_write, value, NULL);
    int rc = -1;
    if (answer == Py_None) {
        rc = 0;
    } else if (answer != NULL) {
        unsigned char kind;
        unsigned long long length;
        PyObject *writer;
        if (PyArg_ParseTuple(answer, "bKO:arrow_write", &kind, &length, &writer)) {
            b->tag = XR_TAG_ARROW;
            b->arrow_kind = kind;
            b->arrow_len = length;
            b->owner = Py_NewRef(writer);
            b->size = XR_LINE + length;
            rc = 1;
        }
    }
    Py_XDECREF(answer);
    return rc;
}

/* Classes and functions of __main__ are in the C pickler's stream by name only, and the worker has
 * another __main__. The word may also stand in user data: then cloudpickle does no harm. */
static int mentions_main(PyObject *stream)
{
    return memmem(PyBytes_AsString(stream), (size_t)PyBytes_Size(stream), "__main__", 8) != NULL;
}

/* Returns: new reference to the pickle stream by C pickle, or by cloudpickle where it must. */
static PyObject *pickle(xr_blob *b, PyObject *value, const char *label)
{
    PyObject *args = PyTuple_Pack(1, value);
    if (args == NULL) {
        return NULL;
    }
    PyObject *stream = PyObject_Call(S.own_dumps != NULL ? S.own_dumps : S.pickle_dumps, args, S.pickle_options);
    Py_DECREF(args);
    if (S.hooks.dumps == NULL) {
        return stream;
    }
    if (stream == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_Exception)) {
            return NULL; /* KeyboardInterrupt and the like are not the pickler's */
        }
        PyErr_Clear();
    } else if (!mentions_main(stream)) {
        return stream;
    }
    Py_CLEAR(stream);
    forget(b);
    return PyObject_CallFunction(S.hooks.dumps, "OOs", value, S.buffer_callback, label);
}

/* Takes over the stream. Returns 0, or -1 when it is none. */
static int lay_out(xr_blob *b, PyObject *stream, uint8_t tag)
{
    char *data;
    Py_ssize_t length;
    b->owner = stream;
    if (stream == NULL || PyBytes_AsStringAndSize(stream, &data, &length) < 0) {
        return -1;
    }
    b->tag = tag;
    b->body = (const uint8_t *)data;
    b->body_len = (uint64_t)length;
    b->size = 1 + b->body_len;
    if (b->nviews > 0) {
        b->tag = XR_TAG_BUFFERS;
        b->size = sizeof(xr_buffers_head) + b->nviews * sizeof(xr_span) + b->body_len;
        for (size_t i = 0; i < b->nviews; i++) {
            b->size = ((b->size + XR_LINE - 1) & ~(uint64_t)(XR_LINE - 1)) + (uint64_t)b->views[i].len;
        }
    }
    return 0;
}

static int prepare_pickle(xr_blob *b, PyObject *value, const char *label)
{
    b->outer = encoding;
    encoding = b;
    PyObject *stream = pickle(b, value, label);
    encoding = b->outer;
    return lay_out(b, stream, XR_TAG_PICKLE);
}

int blob_prepare_error(xr_blob *b, PyObject *exception)
{
    blob_init(b);
    b->outer = encoding;
    encoding = b;
    PyObject *stream = PyObject_CallFunctionObjArgs(S.hooks.error_of, exception, NULL);
    encoding = b->outer;
    return lay_out(b, stream, XR_TAG_ERROR);
}

/* Text and bytes. Returns 1 when the value was one of them, else 0. */
static int prepare_plain(xr_blob *b, PyObject *value)
{
    Py_ssize_t length;
    if (PyUnicode_CheckExact(value)) {
        b->body = (const uint8_t *)PyUnicode_AsUTF8AndSize(value, &length);
        if (b->body == NULL) {
            PyErr_Clear(); /* lone surrogates: pickle knows how */
            return 0;
        }
        b->tag = XR_TAG_STR;
    } else if (PyBytes_CheckExact(value)) {
        b->body = (const uint8_t *)PyBytes_AsString(value);
        length = PyBytes_Size(value);
        b->tag = XR_TAG_BYTES;
    } else {
        return 0;
    }
    b->owner = Py_NewRef(value);
    b->body_len = (uint64_t)length;
    b->size = 1 + b->body_len;
    return 1;
}

int blob_prepare(xr_blob *b, PyObject *value, const char *label)
{
    uint8_t small[9] = {0};
    blob_init(b);
    size_t size = encode_small(value, small);
    if (size > 0) {
        b->tag = small[0];
        b->size = size;
        memcpy(&b->scalar, small + 1, 8);
        return 0;
    }
    if (prepare_plain(b, value)) {
        return 0;
    }
    if (S.own_types != NULL) { /* before encodings of our own */
        int own = PyDict_Contains(S.own_types, (PyObject *)Py_TYPE(value));
        if (own != 0) {
            return own < 0 ? -1 : prepare_pickle(b, value, label);
        }
    }
    int array = ndarray_prepare(b, value);
    if (array != 0) {
        return array < 0 ? -1 : 0;
    }
    int arrow = is_arrow_type(Py_TYPE(value));
    if (arrow > 0) {
        arrow = prepare_arrow(b, value);
    }
    if (arrow != 0) {
        return arrow < 0 ? -1 : 0;
    }
    return prepare_pickle(b, value, label);
}

static void write_buffers(xr_blob *b, uint8_t *target)
{
    xr_buffers_head head = {.tag = XR_TAG_BUFFERS, .nbuf = (uint32_t)b->nviews};
    xr_span span;
    head.pickle_offset = sizeof head + b->nviews * sizeof span;
    head.pickle_len = b->body_len;
    memcpy(target, &head, sizeof head);
    memcpy(target + head.pickle_offset, b->body, b->body_len);
    uint64_t end = head.pickle_offset + b->body_len;
    for (size_t i = 0; i < b->nviews; i++) {
        span.offset = (end + XR_LINE - 1) & ~(uint64_t)(XR_LINE - 1);
        span.length = (uint64_t)b->views[i].len;
        memcpy(target + sizeof head + i * sizeof span, &span, sizeof span);
        memset(target + end, 0, span.offset - end); /* what lay here is not the reader's business */
        xr_copy(target + span.offset, b->views[i].buf, span.length, S.board);
        end = span.offset + span.length;
    }
}

static int write_arrow(xr_blob *b, uint8_t *target)
{
    xr_arrow_head head = {.tag = XR_TAG_ARROW, .kind = b->arrow_kind, .stream_len = b->arrow_len};
    memset(target, 0, XR_LINE);
    memcpy(target, &head, sizeof head);
    PyObject *view = PyMemoryView_FromMemory((char *)target + XR_LINE, (Py_ssize_t)b->arrow_len, PyBUF_WRITE);
    if (view == NULL) {
        return -1;
    }
    /* Python code runs here and may give the GIL up; the session stays mapped meanwhile. */
    atomic_fetch_add(&S.busy, 1);
    PyObject *result = PyObject_CallFunctionObjArgs(b->owner, view, NULL);
    atomic_fetch_sub(&S.busy, 1);
    PyObject *released = NULL;
    if (result != NULL) {
        /* Fails when the writer has kept a view: it would look at memory that becomes others'. */
        released = PyObject_CallMethod(view, "release", NULL);
    }
    int rc = released != NULL ? 0 : -1;
    Py_XDECREF(released);
    Py_XDECREF(result);
    Py_DECREF(view);
    return rc;
}

int blob_write(xr_blob *b, uint8_t *target)
{
    switch (b->tag) {
    case XR_TAG_ARROW:
        return write_arrow(b, target);
    case XR_TAG_NONE:
    case XR_TAG_TRUE:
    case XR_TAG_FALSE:
    case XR_TAG_INT:
    case XR_TAG_FLOAT:
        target[0] = b->tag;
        memcpy(target + 1, &b->scalar, b->size - 1);
        return 0;
    default:
        break;
    }
    PyThreadState *thread = b->size > XR_COPY_WITHOUT_GIL ? session_release_gil() : NULL;
    if (b->tag == XR_TAG_BUFFERS) {
        write_buffers(b, target);
    } else if (b->tag == XR_TAG_NDARRAY) {
        ndarray_write(b, target);
    } else {
        target[0] = b->tag;
        xr_copy(target + 1, b->body, b->body_len, S.board);
    }
    if (thread != NULL) {
        session_take_gil(thread);
    }
    return 0;
}
