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
    PyObject *name; /* borrowed: the definition keeps it */
    uint32_t attempt, tid;
    struct xr_running *outer;
} xr_running;

typedef struct xr_worker {
    xr_channel channel;
    uint8_t *writable; /* the arena, mapped at the first object that this worker makes */
    int arena_fd;
    int exit_asked;   /* the node wants this process to end */
    int leaving;      /* exit_actor() was called */
    PyObject *actor;  /* the actor that lives here, or NULL */
    xr_running *main; /* what the main thread runs, or NULL */
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

/* ---- task.c ---- */

/* Runs a TASK record's payload. record: when it lies in the task ring, which is advanced past it as
 * soon as the arguments are decoded; else NULL.
 * Returns 0 when its end has been reported, or -1 with SystemExit (the process is to end), or with the
 * error that kept the report from being written. */
int task_run(const uint8_t *payload, size_t length, const xr_record *record);

/* ---- functions of the module; see _core.pyi ---- */
PyObject *worker_run(PyObject *module, PyObject *args);
PyObject *worker_current_task(PyObject *module, PyObject *unused);
PyObject *worker_actor_instance(PyObject *module, PyObject *unused);
PyObject *worker_exit_actor(PyObject *module, PyObject *unused);

/* Sets the exception for nonsense from the node. Returns -1. */
int worker_corrupt(const char *what);

#endif
