/* state.h - what the process has once: the types, the hooks, the running engine.
 *
 * A static struct and not the module's state, since the hot paths (deallocation of references above
 * all) have no module at hand. module.c refuses a second interpreter, so there is one at most.
 * All fields are read and written with the GIL held, but for those that say otherwise.
 */
#ifndef XR_STATE_H
#define XR_STATE_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdatomic.h>
#include <stdint.h>

#include "engine.h"

typedef struct xr_hooks { /* see install() in _core.pyi; NULL before it */
    PyObject *auto_init, *dumps, *arrow_write, *arrow_read, *error_of, *raise_task_error;
    PyObject *system_error, *load, *undecodable, *enter_context, *retryable;
} xr_hooks;

typedef struct xr_state {
    int ready; /* the types are made */
    PyTypeObject *ref_type, *function_type, *handle_type, *spec_type, *method_type, *pin_type, *stream_type, *out_type,
        *generator_type, *call_type;
    PyTypeObject *coroutine_type;                          /* of `async def` */
    PyTypeObject *final_ref, *final_method, *final_stream; /* the hooks' subclasses, or the bases before install */
    xr_hooks hooks;
    PyObject *pickle_dumps, *pickle_loads;
    PyObject *pickle_options; /* {"protocol": 5, "buffer_callback": buffer_callback} */
    PyObject *own_dumps,
        *own_types;            /* instead of pickle_dumps, and for which types; NULL: no serializer is registered */
    PyObject *buffer_callback; /* takes buffers for the encoding in progress */
    PyObject *restore_ref;
    PyObject *ndarray_type, *dtype_type, *dtypes; /* numpy's, NULL before they were needed; dtypes: by notation */
    PyObject *scope;       /* get of the ContextVar of the code's scope, NULL before there was one */
    PyObject *arrow_types; /* type -> bool: whether it exports Arrow; emptied when it gets large */

    const xr_engine *engine; /* never NULL: xr_dead_engine where there is no session */
    uint64_t session;        /* 0: no session */
    const xr_board *board;   /* NULL without a session */
    const uint8_t *arena;    /* readable by this process */
    uint64_t arena_bytes;
    int forked;           /* this process is the child of one with a session: xr_dead_engine for good */
    _Atomic int64_t busy; /* threads that use the session's memory without the GIL: close waits */
} xr_state;

extern xr_state S;

static inline int session_running(void)
{
    return S.engine != &xr_dead_engine;
}

/* A session is running, or made now by hooks.auto_init. Returns 0, or -1 with an exception. */
int session_ensure(void);
/* Registers, once, the handler that makes forked children safe. */
int session_watch_fork(void);

/* Around work on the session's memory without the GIL. Both are called with the GIL held. */
static inline PyThreadState *session_release_gil(void)
{
    atomic_fetch_add(&S.busy, 1);
    return PyEval_SaveThread();
}

static inline void session_take_gil(PyThreadState *thread)
{
    PyEval_RestoreThread(thread);
    atomic_fetch_sub(&S.busy, 1);
}

#endif
