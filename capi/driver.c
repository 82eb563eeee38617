#include "driver.h"

#include "drainer.h"
#include "errors.h"
#include "pin.h"
#include "state.h"
#include "watch.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define XR_LOOK_FAST 8     /* so many objects are looked at without malloc */
#define XR_FLUSH_BEFORE 32 /* a submission takes so many deltas along */

xr_driver D = {.spin = {XR_SPIN_MAX_NS, 0}};

static int fail(int32_t code, const xr_error *err)
{
    return errors_raise(code, err->text, strnlen(err->text, sizeof err->text));
}

/* ---- operations; contracts in engine.h ---- */

static int driver_submit(const xr_call *c, uint64_t *rets)
{
    xr_error err;
    err.text[0] = 0;
    if (deltas_waiting() >= XR_FLUSH_BEFORE) {
        deltas_flush();
    }
    int32_t rc = D.library.submit(c->tid, c->site, c->actor, c->args, c->args_len, c->deps, c->ndeps, c->holds,
                                  c->nholds, c->deadline, c->scope, c->returns, rets, &err);
    if (rc < 0) {
        return fail(rc, &err);
    }
    if ((rc & XR_DRAIN_FLIGHT) != 0) {
        drainer_kick();
    }
    return 0;
}

static int driver_alloc(uint64_t bytes, uint64_t *offset, uint8_t **memory)
{
    xr_error err;
    err.text[0] = 0;
    deltas_flush(); /* what is let go may be what makes room */
    int32_t rc = D.library.alloc(bytes, offset, &err);
    if (rc < 0) {
        return fail(rc, &err);
    }
    *memory = D.session.arena + *offset;
    return 0;
}

static void driver_give_up(uint64_t offset)
{
    D.library.abort(offset);
}

static int driver_put(const xr_value *v, const void *bytes, const uint64_t *refs, uint32_t site, uint64_t *handle)
{
    xr_error err;
    err.text[0] = 0;
    if (deltas_waiting() >= XR_FLUSH_BEFORE) {
        deltas_flush();
    }
    int32_t rc = D.library.put(v, bytes, refs, site, handle, &err);
    return rc < 0 ? fail(rc, &err) : 0;
}

static void fill_item(xr_item *item, uint64_t handle, const xr_value *v)
{
    item->handle = handle;
    item->length = v->length;
    item->held = 0;
    item->stored = v->where == XR_WHERE_STORE;
    /* Inline values lie in the library's memory while the caller holds the object. */
    item->bytes = item->stored ? D.session.arena + v->offset : (uint8_t *)(uintptr_t)v->offset;
}

/* What a look has found.
 * Returns 1 with the items filled (of all, or of the first failed one), 0 when more must be awaited,
 * -1 with an exception. */
static int judge(const uint64_t *handles, size_t n, const uint8_t *states, const xr_value *values, xr_got *got)
{
    size_t ready = 0;
    for (size_t i = 0; i < n; i++) {
        if (states[i] == XR_STATE_UNKNOWN) {
            return errors_raise(XR_EBADHANDLE, "", 0);
        }
        if (states[i] == XR_STATE_ERROR) {
            got->items = &got->one;
            got->count = 1;
            fill_item(&got->one, handles[i], &values[i]);
            return 1;
        }
        ready += states[i] == XR_STATE_READY;
    }
    if (ready < n) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        fill_item(&got->items[i], handles[i], &values[i]);
    }
    got->count = n;
    return 1;
}

/* Looks, waits, looks again. The buffers have n entries each. */
static int get_into(const uint64_t *handles, size_t n, int64_t deadline, uint8_t *states, xr_value *values, xr_got *got)
{
    for (;;) {
        int32_t rc = D.library.look(handles, n, n, states, values);
        if (rc < 0) {
            return errors_raise(rc, "", 0);
        }
        int found = judge(handles, n, states, values, got);
        if (found != 0) {
            return found < 0 ? -1 : 0;
        }
        rc = deadline > 0 ? driver_block(handles, n, n, 1, deadline) : XR_ETIMEOUT;
        if (rc == XR_ETIMEOUT) {
            return errors_raise(rc, "", 0);
        }
        if (rc != XR_OK) {
            return -1;
        }
    }
}

static int driver_get(const uint64_t *handles, size_t n, int64_t deadline, xr_got *got)
{
    uint8_t few_states[XR_LOOK_FAST], *states = few_states;
    xr_value few_values[XR_LOOK_FAST], *values = few_values;
    if (got_init(got, n) < 0) {
        return -1;
    }
    if (n > XR_LOOK_FAST) {
        values = malloc(n * (sizeof(xr_value) + 1));
        states = (uint8_t *)(values + n);
    }
    int rc = -1;
    if (values == NULL) {
        PyErr_NoMemory();
    } else {
        rc = get_into(handles, n, deadline, states, values, got);
    }
    if (values != few_values) {
        free(values);
    }
    if (rc < 0) {
        got_free(got);
    }
    return rc;
}

static int driver_wait(const uint64_t *handles, size_t n, size_t need, int64_t deadline, uint8_t *ready)
{
    for (;;) {
        int32_t rc = D.library.look(handles, n, need, ready, NULL);
        if (rc < 0) {
            return errors_raise(rc, "", 0);
        }
        size_t found = 0;
        for (size_t i = 0; i < n; i++) {
            if (ready[i] == XR_STATE_UNKNOWN) {
                return errors_raise(XR_EBADHANDLE, "", 0);
            }
            ready[i] = ready[i] != XR_STATE_PENDING;
            found += ready[i];
        }
        if (found >= need || deadline <= 0) {
            return 0;
        }
        rc = driver_block(handles, n, need, 0, deadline);
        if (rc == XR_BLOCK_RAISED) {
            return -1;
        }
        deadline = rc == XR_ETIMEOUT ? 0 : deadline;
    }
}

static int driver_next(uint64_t stream, size_t most, uint64_t *items, uint64_t *next, int *ended)
{
    xr_error err;
    err.text[0] = 0;
    int32_t rc = D.library.stream_next(stream, most, items, next, ended, &err);
    return rc < 0 ? fail(rc, &err) : rc;
}

static int driver_define(uint32_t kind, const char *name, size_t name_len, const void *blob, size_t blob_len,
                         const uint8_t digest[16], uint32_t *fid)
{
    xr_error err;
    err.text[0] = 0;
    int32_t rc = D.library.define(kind, name, name_len, blob, blob_len, digest, fid, &err);
    return rc < 0 ? fail(rc, &err) : 0;
}

static int driver_template(const char *json, size_t len, uint32_t *tid)
{
    xr_error err;
    err.text[0] = 0;
    int32_t rc = D.library.make_template(json, len, tid, &err);
    return rc < 0 ? fail(rc, &err) : 0;
}

static PyObject *driver_control(const char *op, size_t op_len, const char *json, size_t len)
{
    xr_error err;
    err.text[0] = 0;
    char *out = NULL;
    size_t out_len = 0;
    deltas_flush(); /* so that the answer counts what Python has let go */
    PyThreadState *thread = session_release_gil();
    int32_t rc = D.library.control(op, op_len, json, len, &out, &out_len, &err);
    session_take_gil(thread);
    if (rc < 0) {
        return errors_control(rc, err.text, strnlen(err.text, sizeof err.text));
    }
    PyObject *result = PyBytes_FromStringAndSize(out, (Py_ssize_t)out_len);
    D.library.free(out);
    return result;
}

const xr_engine xr_driver_engine = {
    .submit = driver_submit,
    .alloc = driver_alloc,
    .give_up = driver_give_up,
    .put = driver_put,
    .get = driver_get,
    .wait = driver_wait,
    .next = driver_next,
    .watch = driver_watch,
    .watched = driver_watched,
    .delta = deltas_add,
    .define = driver_define,
    .make_template = driver_template,
    .control = driver_control,
};

/* ---- open and close ---- */

/* Loads the library, once: it can't be unloaded (a Go runtime never ends).
 * RTLD_LAZY: GPU functions in it are resolved at use, on machines that have them.
 * Returns 0, or -1 with OSError. */
static int load_library(const char *path)
{
    static int loaded = 0;
    void *so = dlopen(path, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
    if (so == NULL) {
        PyErr_Format(PyExc_OSError, "cannot load the engine's library: %s", dlerror());
        return -1;
    }
    if (loaded) {
        return 0;
    }
    xr_library *l = &D.library;
    const struct {
        const char *name;
        void *place;
    } symbols[] = {
        {"xr_open", &l->open},
        {"xr_close", &l->close},
        {"xr_define", &l->define},
        {"xr_template", &l->make_template},
        {"xr_submit", &l->submit},
        {"xr_alloc", &l->alloc},
        {"xr_abort", &l->abort},
        {"xr_put", &l->put},
        {"xr_refs", &l->refs},
        {"xr_look", &l->look},
        {"xr_wait_begin", &l->wait_begin},
        {"xr_wait_end", &l->wait_end},
        {"xr_stream_next", &l->stream_next},
        {"xr_watch", &l->watch},
        {"xr_watched", &l->watched},
        {"xr_drain", &l->drain},
        {"xr_control", &l->control},
        {"xr_free", &l->free},
    };
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        void *address = dlsym(so, symbols[i].name);
        if (address == NULL) {
            PyErr_Format(PyExc_OSError, "%s is not the engine's library: it has no %s", path, symbols[i].name);
            return -1;
        }
        memcpy(symbols[i].place, &address, sizeof address);
    }
    loaded = 1;
    return 0;
}

/* Ends the library's session.   GIL: held, released where it waits. */
PyObject *driver_names(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    if (D.session.board == NULL || !session_running()) {
        Py_RETURN_NONE;
    }
    return PyLong_FromUnsignedLong(__atomic_load_n(&D.session.board->names, __ATOMIC_ACQUIRE));
}

static void end_session(void)
{
    atomic_store(&D.closing, 1);
    PyThreadState *thread;
    /* Threads in get and wait leave as soon as they are woken. Seen with the GIL held, 0 means that
     * none is between its wait and the end of its operation either. */
    while (atomic_load(&S.busy) > 0) {
        thread = PyEval_SaveThread();
        driver_wake_waiters();
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        PyEval_RestoreThread(thread);
    }
    thread = PyEval_SaveThread();
    drainer_stop();
    D.library.close();
    PyEval_RestoreThread(thread);
}

PyObject *driver_open(PyObject *module, PyObject *args)
{
    (void)module;
    const char *path, *options;
    Py_ssize_t len;
    xr_error err = {0};
    if (!PyArg_ParseTuple(args, "sy#:open", &path, &options, &len)) {
        return NULL;
    }
    if (session_running() || S.forked) {
        PyErr_SetString(PyExc_RuntimeError, S.forked ? "this process was forked from one that had called init()"
                                                     : "a session is running already");
        return NULL;
    }
    if (load_library(path) < 0 || session_watch_fork() < 0) {
        return NULL;
    }
    PyThreadState *thread = PyEval_SaveThread();
    int32_t rc = D.library.open(options, (size_t)len, &D.session, &err);
    PyEval_RestoreThread(thread);
    if (rc < 0) {
        fail(rc, &err);
        return NULL;
    }
    if (D.session.version != XR_ABI_VERSION) {
        D.library.close();
        PyErr_SetString(PyExc_OSError, "libthornback.so and the extension are of different versions; install again");
        return NULL;
    }
    atomic_store(&D.closing, 0);
    atomic_store(&D.reader, 0);
    deltas_clear();
    __atomic_fetch_add(&D.session.board->active, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&D.session.board->mode, XR_MODE_LAZY, __ATOMIC_SEQ_CST);
    rc = drainer_start();
    if (rc != 0) {
        D.library.close();
        errno = rc;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    S.board = D.session.board;
    S.arena = D.session.arena;
    S.arena_bytes = D.session.arena_bytes;
    S.session = D.session.session;
    S.engine = &xr_driver_engine;
    return PyLong_FromUnsignedLongLong(S.session);
}

PyObject *driver_close(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    if (S.engine == &xr_driver_engine) {
        /* First, so that no thread begins anything while we wait for those that have. */
        S.engine = &xr_dead_engine;
        S.session = 0;
        end_session();
        S.board = NULL;
        deltas_clear();
        pins_leave_arena(D.session.session, D.session.arena, D.session.arena_bytes);
    }
    Py_RETURN_NONE;
}
