/* definitions.c - the functions, classes and methods that the node has told this worker of. */
#include "buf.h"
#include "errors.h"
#include "state.h"
#include "worker.h"

#include <stdlib.h>
#include <string.h>

#define XR_FID_MAX (1u << 20)

typedef struct xr_definition {
    uint32_t kind;    /* 0: not known */
    PyObject *name;   /* str */
    PyObject *blob;   /* bytes, until it is loaded */
    PyObject *object; /* what hooks.load gave, or NULL */
} xr_definition;

static struct {
    xr_definition *entries; /* by fid */
    size_t n;
} known;

static int make_room(uint32_t fid)
{
    if (fid < known.n) {
        return 0;
    }
    size_t n = known.n * 2 > fid + 64u ? known.n * 2 : fid + 64u;
    xr_definition *entries = realloc(known.entries, n * sizeof *entries);
    if (entries == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memset(entries + known.n, 0, (n - known.n) * sizeof *entries);
    known.entries = entries;
    known.n = n;
    return 0;
}

int definitions_add(const uint8_t *payload, size_t length)
{
    xr_msg_define m;
    if (length < sizeof m) {
        return worker_corrupt("the node sent a definition that is too short");
    }
    memcpy(&m, payload, sizeof m);
    /* The blob, if there is one, starts at a multiple of 8. */
    size_t left = length - sizeof m;
    size_t name_space = m.blob_len > 0 ? xr_pad8(m.name_len) : m.name_len;
    if (name_space > left || m.blob_len > left - name_space || m.fid >= XR_FID_MAX || m.kind < XR_DEF_FUNCTION ||
        m.kind > XR_DEF_METHOD) {
        return worker_corrupt("the node sent a malformed definition");
    }
    if (make_room(m.fid) < 0) {
        return -1;
    }
    xr_definition *d = &known.entries[m.fid];
    if (d->kind != 0) {
        return 0; /* the same fid is the same definition */
    }
    const char *name = (const char *)payload + sizeof m;
    d->name = PyUnicode_DecodeUTF8(name, (Py_ssize_t)m.name_len, "replace");
    d->blob = PyBytes_FromStringAndSize(name + name_space, (Py_ssize_t)m.blob_len);
    if (d->name == NULL || d->blob == NULL) {
        Py_CLEAR(d->name);
        Py_CLEAR(d->blob);
        return -1;
    }
    d->kind = m.kind;
    return 0;
}

/* While this worker waits inside a task, its task ring is not read; a task that comes by the reply ring
 * may need what is defined there. Takes note of it without consuming anything. */
static int look_ahead(void)
{
    int corrupt, rc = 0;
    xr_consumer *ring = &W.channel.task;
    xr_record *record = consumer_next(ring, &corrupt);
    while (record != NULL && rc == 0) {
        if (record->kind == XR_MSG_DEFINE) {
            const uint8_t *payload = (const uint8_t *)(record + 1);
            size_t length = record->size - sizeof *record;
            xr_span span = {0};
            if ((record->flags & XR_RECORD_INDIRECT) != 0) {
                payload = worker_span(payload, length, &span);
                length = span.length;
            }
            rc = payload != NULL ? definitions_add(payload, length) : -1;
        }
        record = consumer_after(ring, record, &corrupt);
    }
    return rc == 0 && corrupt ? worker_corrupt("the task ring is malformed") : rc;
}

static int load(uint32_t fid)
{
    xr_definition *d = &known.entries[fid];
    PyObject *object = PyObject_CallFunction(S.hooks.load, "IOO", d->kind, d->name, d->blob);
    d = &known.entries[fid]; /* loading may have run tasks, which may have moved the table */
    if (object != NULL && d->object == NULL) {
        d->object = Py_NewRef(object);
        Py_CLEAR(d->blob);
    }
    Py_XDECREF(object);
    return object != NULL ? 0 : -1;
}

int definitions_get(uint32_t fid, PyObject **object, PyObject **name)
{
    if ((fid >= known.n || known.entries[fid].kind == 0) && look_ahead() < 0) {
        return -1;
    }
    if (fid >= known.n || known.entries[fid].kind == 0) {
        return worker_corrupt("the node sent a task before its definition");
    }
    *name = known.entries[fid].name;
    if (known.entries[fid].object == NULL && load(fid) < 0) {
        return -1;
    }
    *object = Py_NewRef(known.entries[fid].object);
    return 0;
}
