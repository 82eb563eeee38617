/* worker.c - the life of a worker process: it maps what it shares with the node, and runs its tasks. */
#include "worker.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crew.h"
#include "errors.h"
#include "kill_point.h"
#include "state.h"
#include "task.h"

xr_worker W;
_Thread_local xr_running *worker_running;
_Thread_local int worker_is_main;

/* ---- the loop ---- */

int worker_open(const xr_record *record, const uint8_t **payload, size_t *length)
{
    uint32_t unclaimed = XR_CLAIM_FREE;
    *payload = (const uint8_t *)(record + 1);
    *length = record->size - sizeof *record;
    if (record->kind == XR_MSG_TASK &&
        !__atomic_compare_exchange_n((uint32_t *)&record->claim, &unclaimed, XR_CLAIM_WORKER, 0, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST)) {
        consumer_advance(&W.channel.task, record); /* the node has taken it back, and its arguments too */
        return 0;
    }
    if ((record->flags & XR_RECORD_INDIRECT) != 0) {
        xr_span span = {0};
        *payload = worker_span(*payload, *length, &span);
        *length = span.length;
        if (*payload == NULL) {
            return -1;
        }
    }
    if (record->kind == XR_MSG_TASK) {
        return 1;
    }
    int rc = record->kind == XR_MSG_DEFINE ? definitions_add(*payload, *length)
                                           : worker_corrupt("the node sent a record of unknown kind to the task ring");
    consumer_advance(&W.channel.task, record);
    return rc;
}

/* Acts on a record of the task ring.   Returns: 0, or -1 with an exception. */
static int take_record(xr_record *record)
{
    const uint8_t *payload;
    size_t length;
    int is_task = worker_open(record, &payload, &length);
    if (is_task <= 0) {
        return is_task;
    }
    return crew_is_wanted(payload, length) ? crew_serve(payload, length, record) : task_run(payload, length, record);
}

/* Sleeps until there is something to do. */
static void rest(void)
{
    worker_flush();
    PyThreadState *thread = PyEval_SaveThread();
    channel_pause(&W.channel, NULL, 1, 1, XR_NEVER);
    PyEval_RestoreThread(thread);
    if (PyErr_CheckSignals() < 0) {
        PyErr_WriteUnraisable(NULL); /* of a signal handler, outside any task */
    }
}

/* Runs tasks until told to leave.   Returns: 0, or -1 with an exception. */
static int serve(void)
{
    int corrupt;
    while (!W.exit_asked && !W.leaving) {
        if (consumer_has(&W.channel.reply)) {
            if (worker_poll() < 0) {
                return -1;
            }
            continue; /* it may have said EXIT */
        }
        xr_record *record = consumer_next(&W.channel.task, &corrupt);
        if (record == NULL && corrupt) {
            return worker_corrupt("the task ring is malformed");
        }
        if (record == NULL) {
            rest();
        } else if (take_record(record) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The status that a SystemExit asks for, as the interpreter understands it. */
static int exit_status(void)
{
    PyObject *exception = errors_take();
    PyObject *code = exception != NULL ? PyObject_GetAttrString(exception, "code") : NULL;
    int status = 1;
    if (code == Py_None) {
        status = 0;
    } else if (code != NULL && PyLong_Check(code)) {
        status = (int)(PyLong_AsLong(code) & 0xff);
    } else if (code != NULL) {
        PyObject *err = PySys_GetObject("stderr");
        if (err != NULL) {
            PyFile_WriteObject(code, err, Py_PRINT_RAW);
            PyFile_WriteString("\n", err);
        }
    }
    PyErr_Clear();
    Py_XDECREF(code);
    Py_XDECREF(exception);
    return status;
}

/* ---- set-up ---- */

/* Maps a whole memfd that must have so many bytes.   Returns: the address, or NULL with OSError. */
static void *map(int fd, size_t bytes, int protection)
{
    struct stat info;
    if (fstat(fd, &info) < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return NULL;
    }
    if ((uint64_t)info.st_size < bytes) {
        PyErr_Format(PyExc_OSError, "shared memory of %lld bytes, %zu expected", (long long)info.st_size, bytes);
        return NULL;
    }
    void *memory = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        PyErr_SetFromErrno(PyExc_OSError);
        return NULL;
    }
    return memory;
}

static int set_up(int channel_fd, int board_fd, int arena_fd, uint64_t arena_bytes, uint64_t session)
{
    xr_channel_ctl *ctl = map(channel_fd, XR_CHANNEL_BYTES, PROT_READ | PROT_WRITE);
    xr_board *board = ctl != NULL ? map(board_fd, sizeof *board, PROT_READ | PROT_WRITE) : NULL;
    void *arena = board != NULL ? map(arena_fd, arena_bytes, PROT_READ) : NULL;
    if (arena == NULL || session_watch_fork() < 0) {
        return -1;
    }
    if (channel_init(&W.channel, ctl, board) < 0) {
        PyErr_SetString(PyExc_RuntimeError, "the node speaks another version of the protocol");
        return -1;
    }
    W.arena_fd = arena_fd;
    __atomic_store_n(&ctl->output_errno, W.output_errno, __ATOMIC_RELAXED);
    worker_is_main = 1;
    S.board = board;
    S.arena = arena;
    S.arena_bytes = arena_bytes;
    S.session = session;
    S.engine = &xr_worker_engine;
    signal(SIGTERM, SIG_DFL);
    if (cancel_set_up() < 0) {
        return -1;
    }
    __atomic_fetch_add(&board->active, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&ctl->counted, 1, __ATOMIC_SEQ_CST);
    return 0;
}

static int say_ready(void)
{
    xr_msg_ready ready = {XR_WIRE_VERSION, (uint32_t)getpid()};
    xr_part part = {&ready, sizeof ready};
    return worker_send(XR_MSG_READY, &part, 1, XR_URGENTLY, 0);
}

/* worker_run(channel_fd, board_fd, arena_fd, arena_bytes, session) -> exit status.
 * GIL: released while there is nothing to do. */
PyObject *worker_run(PyObject *module, PyObject *args)
{
    (void)module;
    int channel_fd, board_fd, arena_fd;
    unsigned long long arena_bytes, session;
    if (!PyArg_ParseTuple(args, "iiiKK:worker_run", &channel_fd, &board_fd, &arena_fd, &arena_bytes, &session)) {
        return NULL;
    }
    if (session_running() || S.forked || S.hooks.load == NULL || session == 0) {
        PyErr_SetString(PyExc_RuntimeError, "this process can't become a worker");
        return NULL;
    }
    if (set_up(channel_fd, board_fd, arena_fd, arena_bytes, session) < 0) {
        return NULL;
    }
    kill_point("worker", "mapped");
    int rc = say_ready();
    if (rc == 0) {
        kill_point("worker", "ready");
        rc = serve();
    }
    kill_point("worker", "leaving");
    if (rc < 0 && !PyErr_ExceptionMatches(PyExc_SystemExit)) {
        return NULL;
    }
    int status = rc < 0 ? exit_status() : 0;
    worker_flush();
    return PyLong_FromLong(status);
}

/* ---- what tasks ask ---- */

xr_running *worker_here(void)
{
    return worker_running != NULL || C.current == NULL ? worker_running : async_call_current();
}

xr_running *worker_current(void)
{
    xr_running *r = worker_here();
    return r != NULL ? r : W.main;
}

PyObject *worker_current_task(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    xr_running *r = worker_current();
    if (r == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *name = r->name != NULL ? Py_NewRef(r->name) : PyUnicode_FromString("");
    return Py_BuildValue("KNKII", (unsigned long long)r->task, name, (unsigned long long)r->actor, r->attempt, r->tid);
}

PyObject *worker_current_object(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    xr_running *r = worker_current();
    return PyLong_FromUnsignedLongLong(r != NULL ? r->object : 0);
}

PyObject *worker_actor_instance(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return Py_NewRef(W.actor != NULL ? W.actor : Py_None);
}

PyObject *worker_actor_restarts(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromUnsignedLong(W.restarts);
}

PyObject *worker_exit_actor(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    xr_running *r = worker_current();
    if (r != NULL) {
        r->leaves = 1;
    }
    W.leaving = 1;
    Py_RETURN_NONE;
}

/* output_lost(errno): the node, which reads this with the worker's next message, tells the user. */
PyObject *worker_output_lost(PyObject *module, PyObject *args)
{
    (void)module;
    int reason;
    if (!PyArg_ParseTuple(args, "i:output_lost", &reason)) {
        return NULL;
    }
    W.output_errno = (uint32_t)reason;
    if (W.channel.ctl != NULL && !S.forked) {
        __atomic_store_n(&W.channel.ctl->output_errno, W.output_errno, __ATOMIC_RELAXED);
    }
    Py_RETURN_NONE;
}
