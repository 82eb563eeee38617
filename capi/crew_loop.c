/* crew_loop.c - calls as tasks of asyncio's event loops. The default group's loop runs on the main thread, and its selector
 * waits at the bell (python/thornback/_concurrency.py): a call is begun by the thread that reads it, without a hand-over.
 * Other groups have loops and threads of their own.
 *
 * A loop with descriptors of the user's has to wait in the kernel for them. Then a helper, a C thread, waits at the bell and
 * writes to an eventfd that is among them.
 */
#include "crew.h"

#include "errors.h"
#include "state.h"
#include "watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "futex.h"

#define XR_BATCH 64 /* so many calls are begun before the loop gets its turn */
#define XR_STACK_BYTES (64u * 1024u)

#define XR_PUMP_STOP 1
#define XR_PUMP_READY 2 /* watched() would give something */

static struct {
    xr_job *first;  /* the creation, until the loop runs */
    int helper;     /* it is there */
    int fd;         /* the eventfd */
    uint32_t armed; /* futex: 1 while the helper waits at the bell */
} L;

/* ---- beginning calls ---- */

void crew_start(xr_job *job)
{
    xr_running *outer = worker_running, *r = &job->task.running;
    crew_begun(job);
    running_list(r);
    worker_running = r; /* for the errors' words */
    int rc = task_prepare(&job->task);
    if (rc == 0) {
        PyObject *call = async_call_new(job);
        PyObject *steps = call != NULL ? PyObject_CallFunctionObjArgs(job->group->begin, call, NULL) : NULL;
        rc = steps != NULL ? 0 : -1; /* no memory, or a task factory of the user's that fails */
        async_call_steps(call, steps);
        Py_XDECREF(call);
        Py_XDECREF(steps);
    }
    if (rc < 0) {
        rc = task_report_unrunnable(&job->task);
        running_unlist(r);
        crew_ended(job, rc);
    }
    worker_running = outer;
}

/* Begins what has come. Returns how many calls there were, or -1 with an exception. */
static int read_rings(void)
{
    int n = 0;
    xr_job *job;
    if (worker_poll() < 0) {
        return -1;
    }
    while (n < XR_BATCH && !crew_stops() && (job = crew_take()) != NULL) {
        n++;
        if (job->group->running < job->group->limit) {
            crew_start(job);
        } else {
            crew_queue(job);
        }
    }
    return PyErr_Occurred() ? -1 : n;
}

int crew_warn_blocking(void)
{
    static int warned = 0;
    if (warned || worker_running == NULL) { /* other threads may block */
        return 0;
    }
    warned = 1;
    PyObject *module = PyImport_ImportModule("thornback._concurrency");
    PyObject *result = module != NULL ? PyObject_CallMethod(module, "warn_blocking", NULL) : NULL;
    Py_XDECREF(module);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

/* ---- the selector's part ---- */

/* loop_pump(timeout): seconds, negative for no limit. Begins what has come; when nothing has, waits for it.
 * GIL: released while it waits. Returns: XR_PUMP_* flags. */
PyObject *loop_pump(PyObject *module, PyObject *arg)
{
    (void)module;
    double timeout = PyFloat_AsDouble(arg);
    if (timeout == -1.0 && PyErr_Occurred()) {
        return NULL;
    }
    int n = read_rings(), flags = 0;
    if (n == 0 && timeout != 0 && !watch_has_some() && !__atomic_load_n(&C.woken, __ATOMIC_ACQUIRE) &&
        !crew_is_over()) {
        int64_t until = timeout < 0 || timeout > 1e9 ? XR_NEVER : xr_now() + (int64_t)(timeout * 1e9);
        worker_flush();
        PyThreadState *thread = PyEval_SaveThread();
        channel_pause(&W.channel, &C.woken, 1, 1, until);
        PyEval_RestoreThread(thread);
        if (PyErr_CheckSignals() < 0) {
            return NULL;
        }
        n = read_rings();
    }
    if (n < 0) {
        return NULL;
    }
    __atomic_store_n(&C.woken, 0, __ATOMIC_SEQ_CST);
    flags |= crew_is_over() ? XR_PUMP_STOP : 0;
    flags |= watch_has_some() ? XR_PUMP_READY : 0;
    return PyLong_FromLong(flags);
}

/* loop_wake(): makes the main loop look at its calls from other threads. */
PyObject *loop_wake(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    crew_wake();
    Py_RETURN_NONE;
}

/* ---- the helper ---- */

static void *help(void *unused)
{
    (void)unused;
    for (;;) {
        while (__atomic_load_n(&L.armed, __ATOMIC_SEQ_CST) == 0) {
            xr_futex_wait(&L.armed, 0, -1);
        }
        channel_pause(&W.channel, &C.woken, 1, 0, XR_NEVER);
        __atomic_store_n(&L.armed, 0, __ATOMIC_SEQ_CST);
        uint64_t one = 1;
        if (write(L.fd, &one, sizeof one) < 0) {
            continue; /* it is readable already */
        }
    }
    return NULL;
}

static int start_helper(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    L.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (L.fd < 0) {
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    sigfillset(&all);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, XR_STACK_BYTES);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: signals are for Python's threads */
    int rc = pthread_create(&thread, &attr, help, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        close(L.fd);
        errno = rc;
        PyErr_SetFromErrno(PyExc_OSError);
        return -1;
    }
    L.helper = 1;
    return 0;
}

/* loop_watch_bell(): from now on, until it has happened once, the descriptor that is returned becomes readable when there is
 * something for loop_pump. */
PyObject *loop_watch_bell(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    uint64_t count;
    if (!L.helper && start_helper() < 0) {
        return NULL;
    }
    if (__atomic_load_n(&L.armed, __ATOMIC_SEQ_CST) == 0) {
        if (read(L.fd, &count, sizeof count) < 0 && errno != EAGAIN) {
            return PyErr_SetFromErrno(PyExc_OSError);
        }
        worker_flush();
        __atomic_store_n(&L.armed, 1, __ATOMIC_SEQ_CST);
        xr_futex_wake(&L.armed, 1);
    }
    return PyLong_FromLong(L.fd);
}

/* ---- set-up ---- */

/* loop_begin(begin_functions, current, construct): called in the main loop, once all loops run. */
PyObject *loop_begin(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *begin, *current, *construct;
    if (!PyArg_ParseTuple(args, "O!OO:loop_begin", &PyList_Type, &begin, &current, &construct)) {
        return NULL;
    }
    if (L.first == NULL || PyList_Size(begin) != (Py_ssize_t)C.n) {
        PyErr_SetString(PyExc_RuntimeError, "loop_begin is for the loop of an async actor");
        return NULL;
    }
    for (uint32_t i = 0; i < C.n; i++) {
        C.groups[i].begin = Py_NewRef(PyList_GetItem(begin, i));
    }
    C.current = Py_NewRef(current);
    C.construct = Py_NewRef(construct);
    xr_job *first = L.first;
    L.first = NULL;
    crew_start(first);
    Py_RETURN_NONE;
}

int crew_serve_loops(xr_job *first, PyObject *names)
{
    PyObject *module = PyImport_ImportModule("thornback._concurrency");
    L.first = first;
    PyObject *result = module != NULL ? PyObject_CallMethod(module, "serve", "O", names) : NULL;
    Py_XDECREF(module);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}
