/* driver.h - the engine of a driver: the Go library in this process, and who reads the workers' output.
 *
 * Reading is done by one thread at a time, the reader: a thread in get or wait when there is one
 * (driver_wait.c), else the drainer (drainer.c). Other waiting threads follow: they sleep on their own
 * words, which the reader's xr_drain sets, and one of them takes over when the reader leaves.
 */
#ifndef XR_DRIVER_H
#define XR_DRIVER_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdatomic.h>
#include <stdint.h>

#include "spin.h"
#include "thornback.h"

typedef struct xr_library { /* the functions of thornback.h */
    int32_t (*open)(const char *, size_t, xr_session *, xr_error *);
    int32_t (*close)(void);
    int32_t (*define)(uint32_t, const char *, size_t, const void *, size_t, const uint8_t[16], uint32_t *, xr_error *);
    int32_t (*make_template)(const char *, size_t, uint32_t *, xr_error *);
    int32_t (*submit)(uint32_t, uint32_t, uint64_t, const void *, size_t, const uint64_t *, size_t, const uint64_t *,
                      size_t, uint64_t, uint64_t, size_t, uint64_t *, xr_error *);
    int32_t (*alloc)(uint64_t, uint64_t *, xr_error *);
    int32_t (*abort)(uint64_t);
    int32_t (*put)(const xr_value *, const void *, const uint64_t *, uint32_t, uint64_t *, xr_error *);
    int32_t (*refs)(const xr_ref_delta *, size_t);
    int32_t (*look)(const uint64_t *, size_t, size_t, uint8_t *, xr_value *);
    int32_t (*wait_begin)(const uint64_t *, size_t, size_t, int32_t, uint64_t, uint64_t *, uint32_t **, xr_error *);
    int32_t (*wait_end)(uint64_t);
    int32_t (*stream_next)(uint64_t, size_t, uint64_t *, uint64_t *, int32_t *, xr_error *);
    int32_t (*watch)(const uint64_t *, size_t);
    int32_t (*watched)(uint64_t *, size_t, uint32_t **);
    int32_t (*drain)(void);
    int32_t (*control)(const char *, size_t, const char *, size_t, char **, size_t *, xr_error *);
    void (*free)(void *);
} xr_library;

typedef struct xr_driver {
    xr_library library;
    xr_session session;
    xr_spin spin;
    _Atomic int closing;
    _Atomic int reader; /* 1: a thread in get or wait reads the workers' output */
} xr_driver;

extern xr_driver D;

/* open(library, options), close() of _core.pyi. */
PyObject *driver_open(PyObject *module, PyObject *args);
PyObject *driver_names(PyObject *module, PyObject *unused);
PyObject *driver_close(PyObject *module, PyObject *unused);

/* Blocks until `need` of the objects are ready, or, fail_fast, one has failed. Takes part in reading.
 * GIL: held at entry and exit, released between.
 * Returns XR_OK, XR_ETIMEOUT, or -1 (no code of the library's: XR_BLOCK_RAISED) with an exception. */
#define XR_BLOCK_RAISED 1
int32_t driver_block(const uint64_t *handles, size_t n, size_t need, int fail_fast, int64_t deadline);
/* The same, until a word of the library's is set. */
int32_t driver_wait_for(uint32_t *word, int64_t deadline);
/* Wakes all threads in driver_block, which see D.closing then. */
void driver_wake_waiters(void);

/* Whether a worker has written since the last drain. */
static inline int driver_has_output(const xr_board *board)
{
    uint64_t any = 0;
    for (size_t i = 0; i < XR_WORKERS_MAX / 64; i++) {
        any |= __atomic_load_n(&board->bits[i], __ATOMIC_RELAXED);
    }
    return any != 0;
}

#endif
