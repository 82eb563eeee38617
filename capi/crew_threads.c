/* crew_threads.c - calls on threads, called hands. A group's calls run on that group's hands only, so that what belongs to a
 * thread (connections, thread-local values) stays usable where a group has one.
 *
 * One thread at a time waits at the bell. The one that comes back from it with a call of its own group sends another there,
 * and runs the call itself: so a call costs no hand-over from one thread to another. When no hand is free, the reserve does
 * it, a thread that runs no calls: the main thread, or, where that is the default group's only hand, as for actors that have
 * groups and no max_concurrency, one more.
 */
#include "crew.h"

#include "errors.h"
#include "futex.h"
#include "state.h"

#include <stdlib.h>

#define XR_RESERVE UINT32_MAX

struct xr_hand {
    uint32_t word;   /* futex: 1 when it was woken */
    int to_bell;     /* woken to wait at the bell */
    xr_group *group; /* NULL: the reserve */
    xr_hand *next;   /* in its group's idle */
};

static struct {
    xr_hand *bell; /* who waits there, or is on the way; NULL: nobody */
    xr_hand *reserve, *main;
    PyObject *start; /* _thread.start_new_thread */
    PyObject *work;  /* crew_hand */
} T;

/* ---- waking and sleeping ---- */

static void wake(xr_hand *h)
{
    __atomic_store_n(&h->word, 1, __ATOMIC_SEQ_CST);
    xr_futex_wake(&h->word, 1);
}

/* Without the GIL: waits until something is in a ring. */
static void pause_at_bell(void)
{
    channel_pause(&W.channel, &C.woken, 1, 1, XR_NEVER);
}

static void leave_bell(void)
{
    T.bell = NULL;
    __atomic_store_n(&C.woken, 0, __ATOMIC_SEQ_CST);
}

/* What the main thread owes to Python. */
static void check_signals(void)
{
    if (worker_is_main && PyErr_CheckSignals() < 0) {
        PyErr_WriteUnraisable(NULL); /* of a signal handler, outside any task */
    }
}

/* Sleeps until woken, and then, if that is what it was woken for, waits at the bell. */
static void rest(xr_hand *self)
{
    worker_flush();
    PyThreadState *thread = PyEval_SaveThread();
    channel_offer(&W.channel); /* whoever waits at the bell may have gone to sleep before this one's last report */
    while (__atomic_load_n(&self->word, __ATOMIC_SEQ_CST) == 0) {
        if (xr_futex_wait(&self->word, 0, -1) == EINTR && worker_is_main) {
            PyEval_RestoreThread(thread);
            check_signals();
            thread = PyEval_SaveThread();
        }
    }
    __atomic_store_n(&self->word, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&self->to_bell, __ATOMIC_SEQ_CST)) {
        pause_at_bell();
    }
    PyEval_RestoreThread(thread);
    if (self->to_bell) {
        self->to_bell = 0;
        leave_bell();
    }
    check_signals();
}

static void wait_at_bell(xr_hand *self)
{
    T.bell = self;
    worker_flush();
    PyThreadState *thread = PyEval_SaveThread();
    pause_at_bell();
    PyEval_RestoreThread(thread);
    leave_bell();
    check_signals();
}

static xr_hand *take_idle(xr_group *g)
{
    xr_hand *h = g->idle;
    if (h != NULL) {
        g->idle = h->next;
    }
    return h;
}

/* Sees to it that somebody waits at the bell, who is not the caller. */
static void send_to_bell(xr_group *first)
{
    if (T.bell != NULL || crew_stops()) {
        return;
    }
    xr_hand *h = first != NULL ? take_idle(first) : NULL;
    for (uint32_t i = 0; h == NULL && i < C.n; i++) {
        h = take_idle(&C.groups[i]);
    }
    h = h != NULL ? h : T.reserve;
    T.bell = h;
    __atomic_store_n(&h->to_bell, 1, __ATOMIC_SEQ_CST);
    wake(h);
}

static void call_from_bell(void)
{
    __atomic_store_n(&C.woken, 1, __ATOMIC_SEQ_CST);
    channel_wake_pausing(&W.channel);
}

void crew_wake(void)
{
    call_from_bell();
    if (T.main != NULL) {
        wake(T.main);
    }
}

/* ---- work ---- */

static void run(xr_job *job)
{
    xr_task *t = &job->task;
    crew_begun(job);
    running_enter(&t->running);
    int rc = task_prepare(t) == 0 ? task_finish(t) : task_report_unrunnable(t);
    running_leave(&t->running);
    crew_ended(job, rc);
}

/* One more thread. Returns 0, or -1 with an exception. */
static int add_hand(uint32_t group)
{
    PyObject *args = Py_BuildValue("(I)", group);
    PyObject *id = args != NULL ? PyObject_CallFunctionObjArgs(T.start, T.work, args, NULL) : NULL;
    Py_XDECREF(args);
    Py_XDECREF(id);
    if (id != NULL && group != XR_RESERVE) {
        C.groups[group].hands++;
    }
    return id != NULL ? 0 : -1;
}

/* Sees to it that a hand takes what waits: one that is free, or a new one. A new one at a time, which does the same when it
 * comes to run: so calls that block have as many hands as they may as fast as the system can, and short ones few. */
static void call_hand(xr_group *g)
{
    xr_hand *h = take_idle(g);
    if (h != NULL) {
        wake(h);
        return;
    }
    if (T.bell != NULL && T.bell->group == g) {
        call_from_bell(); /* what waits did not come by there */
        return;
    }
    if (g->hands == g->limit || g->is_growing) {
        return;
    }
    if (add_hand((uint32_t)(g - C.groups)) == 0) {
        g->is_growing = 1;
        return;
    }
    if (g->hands > 0) {
        PyErr_WriteUnraisable(NULL); /* those that there are do it */
        return;
    }
    xr_job *job = crew_unqueue(g); /* the only one there: others would have failed like it */
    crew_begun(job);
    crew_ended(job, task_report_unrunnable(&job->task));
}

static void pass(xr_job *job)
{
    crew_queue(job);
    call_hand(job->group);
}

/* The next call for a hand of the group; others' are passed on. NULL: none, or with the process to end. */
static xr_job *next_for(xr_group *g)
{
    xr_job *job = g != NULL ? crew_unqueue(g) : NULL;
    if (job == NULL && worker_poll() == 0) {
        while ((job = crew_take()) != NULL && job->group != g) {
            pass(job);
        }
    }
    if (PyErr_Occurred()) {
        PyObject *error = errors_take();
        if (C.end == NULL) {
            C.end = Py_NewRef(error);
        }
        Py_XDECREF(error);
        crew_wake();
    }
    return job;
}

/* A hand's work, until nothing more is begun. */
static void work(xr_hand *self)
{
    xr_group *g = self->group;
    while (!crew_stops()) {
        xr_job *job = next_for(g);
        g->is_growing = 0;
        if (job != NULL) {
            if (g->first != NULL) {
                call_hand(g);
            }
            send_to_bell(g);
            run(job);
        } else if (crew_stops()) {
            break;
        } else if (T.bell == NULL) {
            wait_at_bell(self);
        } else {
            self->next = g->idle;
            g->idle = self;
            rest(self);
        }
    }
    crew_wake(); /* the main thread, to see that this is the end; who waits at the bell too */
}

/* The reserve's: passes on what comes while no hand is free to see to it. */
static void stand_by(xr_hand *self)
{
    while (!crew_stops()) {
        rest(self);
        if (!crew_stops()) {
            next_for(NULL);
            send_to_bell(NULL); /* itself, when nobody is free */
        }
    }
    crew_wake();
}

/* crew_hand(group): the work of a new thread. */
PyObject *crew_hand(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned int group;
    if (!PyArg_ParseTuple(args, "I:crew_hand", &group)) {
        return NULL;
    }
    if (T.main == NULL || (group >= C.n && group != XR_RESERVE)) {
        PyErr_SetString(PyExc_RuntimeError, "crew_hand is for the threads of an actor");
        return NULL;
    }
    if (group == XR_RESERVE) {
        stand_by(T.reserve);
    } else {
        xr_hand self = {.group = &C.groups[group]};
        work(&self);
    }
    Py_RETURN_NONE;
}

/* The threads that are there from the start: two, where the default group may have them, so that one can run a call and one
 * wait at the bell. */
static int begin(void)
{
    PyObject *module = PyImport_ImportModule("_thread");
    PyObject *core = PyImport_ImportModule("thornback._core");
    T.start = module != NULL ? PyObject_GetAttrString(module, "start_new_thread") : NULL;
    T.work = core != NULL ? PyObject_GetAttrString(core, "crew_hand") : NULL;
    Py_XDECREF(module);
    Py_XDECREF(core);
    if (T.start == NULL || T.work == NULL) {
        return -1;
    }
    if (C.groups[0].limit == 1) {
        C.groups[0].hands = 1;
        return add_hand(XR_RESERVE);
    }
    return add_hand(0) < 0 || add_hand(0) < 0 ? -1 : 0;
}

int crew_serve_threads(void)
{
    static xr_hand main_thread, other;
    int is_hand = C.groups[0].limit == 1;
    main_thread.group = is_hand ? &C.groups[0] : NULL;
    T.main = &main_thread;
    T.reserve = is_hand ? &other : &main_thread;
    if (begin() < 0) {
        return -1;
    }
    if (is_hand) {
        work(&main_thread);
    } else {
        stand_by(&main_thread);
    }
    while (!crew_is_over()) {
        rest(&main_thread);
    }
    return 0;
}
