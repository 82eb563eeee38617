/* worker.h - what the parts of a worker share: its channel, its requests, the task that runs. */
#ifndef XR_WORKER_H
#define XR_WORKER_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>

#include "channel.h"
#include "thornback.h"

/* The task that runs in a thread; tasks taken while it waits stack up on it. */
typedef struct xr_running {
    uint64_t task, actor;
    uint64_t object; /* its first result, 0 without results */
    PyObject *name;  /* borrowed: the definition keeps it */
    uint32_t attempt, tid;
    int leaves;                      /* it called exit_actor() */
    struct xr_running *outer, *next; /* below it in its thread; in W.running */
    unsigned long thread;
    /* cancel.c: it is cancelled; an exception is due in it; one was raised; the user's code runs, so that one may be;
     * its thread waits for the node */
    uint8_t is_cancelled, is_due, is_raised, is_open, waits;
} xr_running;

typedef struct xr_worker {
    xr_channel channel;
    uint8_t *writable; /* the arena, mapped at the first object that this worker makes */
    int arena_fd;
    int exit_asked;      /* the node wants this process to end */
    int leaving;         /* exit_actor() was called */
    PyObject *actor;     /* the actor that lives here, or NULL */
    uint32_t restarts;   /* how often that actor was made again */
    xr_running *main;    /* what the main thread runs, or NULL */
    xr_running *running; /* all that run, in all threads */
    unsigned long main_thread;
    uint32_t output_errno; /* why what is printed cannot be written, also before the node is known; 0: it can */
} xr_worker;

extern xr_worker W;
extern _Thread_local xr_running *worker_running; /* what this thread runs, or NULL */
extern _Thread_local int worker_is_main;

/* ---- worker_send.c: records to the node; GIL held ---- */

typedef struct xr_part {
    const void *data;
    size_t length; /* padded with zeros to 8 in the record, but for the last part */
} xr_part;

/* Writes one record, the pending references first, and publishes it. A record that is too large for the
 * ring goes through the arena. Returns 0, or -1 with an exception. */
int worker_send(uint16_t kind, const xr_part *parts, size_t n, int urgency, int64_t now);
/* References gained and lost. */
void worker_delta(uint64_t handle, int64_t delta);
/* Tells the node of all that are pending. */
void worker_flush(void);
/* Frees arena space that the node handed out. */
void worker_free_space(uint64_t offset);

/* ---- worker_request.c: questions to the node ---- */

typedef struct xr_pending {
    uint32_t number, done;
    int32_t status;
    size_t length;
    uint8_t *data; /* the reply's payload: in small, or malloc'ed */
    uint64_t small[16];
    const uint64_t *handles; /* of a GET, whose reply may carry holds; else NULL */
    size_t nhandles;
    int is_next;       /* a NEXT, whose reply carries holds too */
    const void *owner; /* tells threads apart: the address of a variable of its own */
    struct xr_pending *next;
} xr_pending;

/* Sends a request and waits for its reply, running tasks that the node sends meanwhile.
 * handles: see xr_pending. GIL: released while it waits.
 * Returns 0 with status and data filled (status XR_ETIMEOUT at the deadline), or -1 with an exception.
 * pending_clear is due either way. */
int worker_request(xr_pending *p, uint16_t kind, const xr_part *parts, size_t n, int64_t deadline);
void pending_clear(xr_pending *p);
/* Acts on all that is in the reply ring. Returns 0, or -1 with an exception (a task that was run
 * inside wants the process to exit, or the ring is malformed). */
int worker_poll(void);
/* The same up to the first task, for a thread that must not run one. Returns 1 when there is one. */
int worker_poll_replies(void);
/* Takes n handles for new objects. Returns 0, or -1 with an exception. */
int worker_take_handles(size_t n, uint64_t *handles);
/* The bytes that a span of the arena covers, or NULL with an exception when it is malformed. */
const uint8_t *worker_span(const void *payload, size_t length, xr_span *span);

/* ---- definitions.c ---- */

/* Notes a DEFINE record's payload. Returns 0, or -1 with an exception. */
int definitions_add(const uint8_t *payload, size_t length);
/* The object and the name of a definition, loaded at its first use. Returns 0 with a new reference in
 * *object and a borrowed one in *name, or -1 with an exception. */
int definitions_get(uint32_t fid, PyObject **object, PyObject **name);

/* ---- cancel.c; GIL held ---- */

/* A task begins and ends in this thread. */
void running_enter(xr_running *r);
void running_leave(xr_running *r);
/* The same for one that takes turns with others on its thread: being among all that run alone. */
void running_list(xr_running *r);
void running_unlist(xr_running *r);
/* The user's code is over: from now on no exception is raised in the task. */
void running_close(xr_running *r);
/* Acts on a CANCEL record, once. */
void cancel_take(xr_record *record);
/* Raises what is due in this thread's task. Returns 0, or -1 with KeyboardInterrupt. */
int cancel_raise(void);
/* Sets the handler of SIGINT. Returns 0, or -1 with an exception. */
int cancel_set_up(void);

/* ---- worker.c ---- */

/* Claims a record of the task ring and opens it. Returns 1 when it is a TASK, which is the caller's to advance over; 0 when
 * it was something else, or taken back, and is dealt with; -1 with an exception. */
int worker_open(const xr_record *record, const uint8_t **payload, size_t *length);
/* What the calling code belongs to, or NULL: what its thread runs, else the asyncio call in whose context it is. */
xr_running *worker_here(void);
/* The same, else what the main thread runs (threads that a task has started). */
xr_running *worker_current(void);

/* ---- functions of the module; see _core.pyi ---- */
PyObject *worker_run(PyObject *module, PyObject *args);
PyObject *worker_current_task(PyObject *module, PyObject *unused);
PyObject *worker_current_object(PyObject *module, PyObject *unused);
PyObject *worker_actor_instance(PyObject *module, PyObject *unused);
PyObject *worker_exit_actor(PyObject *module, PyObject *unused);
PyObject *worker_actor_restarts(PyObject *module, PyObject *unused);
PyObject *worker_is_canceled(PyObject *module, PyObject *unused);
PyObject *worker_output_lost(PyObject *module, PyObject *args);

/* Sets the exception for nonsense from the node. Returns -1. */
int worker_corrupt(const char *what);

#endif
