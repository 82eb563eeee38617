/* crew.h - an actor's worker that runs several calls at a time: on threads (crew_threads.c), or as asyncio tasks in event
 * loops (crew_loop.c, async_call.c).
 *
 * Calls belong to concurrency groups. Whoever reads the task ring takes every call out of it, copied, and gives it to its
 * group, where it waits until fewer than `limit` of that group run: so a full group never holds back another's calls. The
 * node bounds how many calls of each group are here. All functions are called with the GIL held, which guards all state.
 */
#ifndef XR_CREW_H
#define XR_CREW_H
#include "task.h"

typedef struct xr_group xr_group;

typedef struct xr_job {            /* a call that is here, from its record to the report of its end */
    struct xr_job *next;           /* in its group's queue */
    struct xr_job *before, *after; /* among all that are here */
    xr_group *group;
    const uint8_t *payload; /* copied behind this struct, or in the arena */
    size_t length;
    int64_t start; /* xr_now() of the first step */
    int is_begun;
    PyObject *steps; /* its asyncio.Task, or NULL: not made yet, or on a thread */
    xr_task task;
} xr_job;

typedef struct xr_hand xr_hand; /* see crew_threads.c */

struct xr_group {
    uint32_t limit, running;
    xr_job *first, *last; /* wait for their turn */
    uint32_t hands;       /* threads: how many there are */
    int is_growing;       /* one more is on its way */
    xr_hand *idle;
    PyObject *begin; /* loops: makes a coroutine a task of the group's loop */
};

typedef struct xr_crew {
    uint32_t n;       /* groups; 0: this worker runs one task at a time */
    xr_group *groups; /* the default one first */
    xr_job *jobs;     /* all that are here */
    size_t running;
    int is_async;
    uint32_t woken;    /* futex-like flag: whoever pauses on the bell is to look up */
    PyObject *current; /* loops: ContextVar of the call that code belongs to */
    PyObject *construct;
    PyObject *end; /* the SystemExit, or the error, that ends this process */
} xr_crew;

extern xr_crew C;

/* Whether the payload of a TASK record is the creation of an actor that runs several calls at a time. */
static inline int crew_is_wanted(const uint8_t *payload, size_t length)
{
    return length >= sizeof(xr_msg_task) && (((const xr_msg_task *)payload)->flags & XR_TASKF_CONCURRENT) != 0;
}
/* Turns this worker into a crew and serves until told to leave. record: claimed, in the task ring.
 * Returns 0, or -1 with an exception. */
int crew_serve(const uint8_t *payload, size_t length, const xr_record *record);

/* The next call in the task ring. Returns NULL when there is none, or, with an exception, the ring is malformed. */
xr_job *crew_take(void);
/* Waits behind the others of its group. */
void crew_queue(xr_job *job);
/* The one that has waited longest, or NULL. */
xr_job *crew_unqueue(xr_group *group);
/* Counts a call as running. */
void crew_begun(xr_job *job);
/* Takes a call that was counted off the books and frees it. rc: of task_report; -1 ends the process with the exception set. */
void crew_ended(xr_job *job, int rc);
/* Cancels a call: one that waits fails at once, one in a loop gets asyncio's CancelledError.
 * Returns whether there was one of these; one on a thread is none. */
int crew_cancel(uint64_t task);
/* Whether no more calls are begun. */
int crew_stops(void);
/* Whether, beyond that, none runs. */
int crew_is_over(void);
/* Makes the main thread, and whoever pauses at the bell, look up. Needs no GIL. */
void crew_wake(void);

/* Serves with threads, until crew_is_over. Returns 0, or -1 with an exception. */
int crew_serve_threads(void);
/* Serves with event loops, the same way. first: the creation. */
int crew_serve_loops(xr_job *first, PyObject *names);
/* Warns, once, of a blocking get in an event loop. Returns 0, or -1 with what the warning raised. */
int crew_warn_blocking(void);
/* Begins a call in its group's loop. */
void crew_start(xr_job *job);
/* A coroutine that runs a call and reports its end. Takes over job. Returns: new reference, or NULL. */
PyObject *async_call_new(xr_job *job);
/* Notes the asyncio.Task that takes its steps; None: it is told later, as an attribute. NULL: there will be none. */
void async_call_steps(PyObject *call, PyObject *steps);
/* The call in whose context the calling code is, or NULL. */
xr_running *async_call_current(void);

extern PyType_Spec xr_async_call_spec;

/* ---- functions of the module; see _core.pyi ---- */
PyObject *crew_hand(PyObject *module, PyObject *args);
PyObject *loop_begin(PyObject *module, PyObject *args);
PyObject *loop_pump(PyObject *module, PyObject *arg);
PyObject *loop_wake(PyObject *module, PyObject *unused);
PyObject *loop_watch_bell(PyObject *module, PyObject *unused);

#endif
