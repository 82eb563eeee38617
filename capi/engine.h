/* engine.h - the operations that the rest of the extension needs, with two makers: driver.c calls the
 * Go library, worker_client.c speaks over the worker's rings. dead.c answers where there is no session.
 *
 * All are called with the GIL held and may release it where they wait. Those that return int give 0,
 * or -1 with a Python exception. Pointers given in are borrowed for the call.
 */
#ifndef XR_ENGINE_H
#define XR_ENGINE_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>

#include "thornback.h"

typedef struct xr_call {
    uint32_t tid, site; /* site: see site.h */
    uint64_t actor;     /* 0 unless the template is a method's */
    const void *args;
    size_t args_len;
    const uint64_t *deps, *holds;
    size_t ndeps, nholds, returns;
    uint64_t deadline; /* when it is cancelled, as xr_now(), or 0 */
    uint64_t scope;    /* object of the scope that it belongs to, or 0 */
} xr_call;

/* The value of a ready object as it lies somewhere: decode_item makes it a Python object. */
typedef struct xr_item {
    const uint8_t *bytes;
    uint64_t length;
    uint64_t handle; /* the object; 0 when it is not known, and then nothing may be pinned */
    uint8_t stored;  /* in the arena, which a pin keeps in place; else gone after got_free */
    uint8_t held;    /* comes with a reference that decode_item takes over */
} xr_item;

#define XR_GOT_SMALL 16
typedef struct xr_got {
    size_t count;   /* values that are there: all, or only the first one that failed */
    xr_item *items; /* == &one when count <= 1 */
    xr_item one;
    void *keep_items, *keep_bytes; /* malloc'ed memory that they lie in, or NULL */
    uint64_t small[XR_GOT_SMALL];  /* the bytes, when they are few */
} xr_got;

typedef struct xr_engine {
    int (*submit)(const xr_call *call, uint64_t *rets);
    /* Space in the arena; *memory is its address, writable by this process. */
    int (*alloc)(uint64_t bytes, uint64_t *offset, uint8_t **memory);
    void (*give_up)(uint64_t offset);
    int (*put)(const xr_value *v, const void *bytes, const uint64_t *refs, uint32_t site, uint64_t *handle);
    /* Waits until all are ready or one has failed. deadline: xr_now() at which to give up with
     * GetTimeoutError; 0 only looks. On success the caller calls got_free. */
    int (*get)(const uint64_t *handles, size_t n, int64_t deadline, xr_got *got);
    /* Waits until `need` are ready or the deadline has come; ready: n bytes, 1 where ready. */
    int (*wait)(const uint64_t *handles, size_t n, size_t need, int64_t deadline, uint8_t *ready);
    /* Items of a generator that are there, at most `most`, each held once for the caller. Returns their number; when it
     * is 0, *next is what comes next, held once too; *ended: none comes after these. */
    int (*next)(uint64_t stream, size_t most, uint64_t *items, uint64_t *next, int *ended);
    /* Has watched() tell, once, of each object that is ready, now or later. */
    int (*watch)(const uint64_t *handles, size_t n);
    /* Waits for some of them. into: XR_WATCHED_MOST. Returns their number, 0 when the deadline has come, or -1. */
    int (*watched)(int64_t deadline, uint64_t *into);
    void (*delta)(uint64_t handle, int64_t delta);
    int (*define)(uint32_t kind, const char *name, size_t name_len, const void *blob, size_t blob_len,
                  const uint8_t digest[16], uint32_t *fid);
    int (*make_template)(const char *json, size_t len, uint32_t *tid);
    PyObject *(*control)(const char *op, size_t op_len, const char *json, size_t len);
} xr_engine;

extern const xr_engine xr_driver_engine, xr_worker_engine, xr_dead_engine;

/* Room for n items. Returns 0, or -1 with MemoryError. */
int got_init(xr_got *got, size_t n);
/* Frees what a get has left. The items' bytes are gone then, unless they are stored. */
void got_free(xr_got *got);

#endif
