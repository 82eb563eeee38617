/* dead.c - the engine where there is no session: before init, after shutdown, and in a process that was
 * forked from one with a session, whose threads, rings and Go runtime belong to the parent. All that
 * can be done is to say so, and to let references go without a word. */
#include "state.h"

#include <errno.h>
#include <pthread.h>

static int refuse(void)
{
    if (!S.forked) {
        PyErr_SetString(PyExc_RuntimeError, "no session is running: call init() first");
        return -1;
    }
    PyErr_SetString(PyExc_RuntimeError, "this process was forked from one that had called init(), and the engine does "
                                        "not survive a fork: start it by the 'spawn' method (for example "
                                        "multiprocessing.get_context('spawn')), or let the child call "
                                        "init(address=...) after an exec");
    return -1;
}

static int dead_submit(const xr_call *call, uint64_t *rets)
{
    (void)call, (void)rets;
    return refuse();
}

static int dead_alloc(uint64_t bytes, uint64_t *offset, uint8_t **memory)
{
    (void)bytes, (void)offset, (void)memory;
    return refuse();
}

static void dead_give_up(uint64_t offset)
{
    (void)offset;
}

static int dead_put(const xr_value *v, const void *bytes, const uint64_t *refs, uint32_t site, uint64_t *handle)
{
    (void)v, (void)bytes, (void)refs, (void)site, (void)handle;
    return refuse();
}

static int dead_get(const uint64_t *handles, size_t n, int64_t deadline, xr_got *got)
{
    (void)handles, (void)n, (void)deadline, (void)got;
    return refuse();
}

static int dead_wait(const uint64_t *handles, size_t n, size_t need, int64_t deadline, uint8_t *ready)
{
    (void)handles, (void)n, (void)need, (void)deadline, (void)ready;
    return refuse();
}

static int dead_next(uint64_t stream, size_t most, uint64_t *items, uint64_t *next, int *ended)
{
    (void)stream, (void)most, (void)items, (void)next, (void)ended;
    return refuse();
}

static int dead_watch(const uint64_t *handles, size_t n)
{
    (void)handles, (void)n;
    return refuse();
}

static int dead_watched(int64_t deadline, uint64_t *into)
{
    (void)deadline, (void)into;
    return refuse();
}

static void dead_delta(uint64_t handle, int64_t delta)
{
    (void)handle, (void)delta;
}

static int dead_define(uint32_t kind, const char *name, size_t name_len, const void *blob, size_t blob_len,
                       const uint8_t digest[16], uint32_t *fid)
{
    (void)kind, (void)name, (void)name_len, (void)blob, (void)blob_len, (void)digest, (void)fid;
    return refuse();
}

static int dead_template(const char *json, size_t len, uint32_t *tid)
{
    (void)json, (void)len, (void)tid;
    return refuse();
}

static PyObject *dead_control(const char *op, size_t op_len, const char *json, size_t len)
{
    (void)op, (void)op_len, (void)json, (void)len;
    refuse();
    return NULL;
}

const xr_engine xr_dead_engine = {
    .submit = dead_submit,
    .alloc = dead_alloc,
    .give_up = dead_give_up,
    .put = dead_put,
    .get = dead_get,
    .wait = dead_wait,
    .next = dead_next,
    .watch = dead_watch,
    .watched = dead_watched,
    .delta = dead_delta,
    .define = dead_define,
    .make_template = dead_template,
    .control = dead_control,
};

/* Runs in the child, before anything else of it. The session's number stays, so that references are
 * told from those of other sessions. */
static void after_fork_in_child(void)
{
    if (session_running()) {
        S.engine = &xr_dead_engine;
        S.forked = 1;
        atomic_store(&S.busy, 0);
    }
}

/* session_watch_fork.   GIL: held.   Returns: 0, or -1 with OSError. */
int session_watch_fork(void)
{
    static int watching = 0;
    if (!watching) {
        int rc = pthread_atfork(NULL, NULL, after_fork_in_child);
        if (rc != 0) {
            errno = rc;
            PyErr_SetFromErrno(PyExc_OSError);
            return -1;
        }
        watching = 1;
    }
    return 0;
}
