/* watch.h - being told that objects are ready, without a thread that waits for each.
 *
 * watch(ref) has the node tell, once, when the object is ready; watched() takes the handles of those that are. In a driver and in
 * most workers one Python thread is in watched() (python/thornback/_futures.py), in an async actor's worker the main event
 * loop is. In a worker the node sends the value along, so that get() finds it there.
 */
#ifndef XR_WATCH_H
#define XR_WATCH_H
#include "engine.h"

#define XR_WATCHED_MOST 256 /* handles taken at a time */

/* Engine operations, see engine.h. */
int driver_watch(const uint64_t *handles, size_t n);
int driver_watched(int64_t deadline, uint64_t *into);
int worker_watch(const uint64_t *handles, size_t n);
int worker_watched(int64_t deadline, uint64_t *into);

/* ---- worker_watch.c; GIL held ---- */

/* Acts on a READYREF record. Returns 0, or -1 with an exception. */
int watch_take(const uint8_t *payload, size_t length);
/* Whether there is something that watched() would take. */
int watch_has_some(void);
/* The value of an object that was taken by watched(), and not been asked for since: got becomes that of a get. Returns whether
 * there is one. */
int watch_get(uint64_t handle, xr_got *got);

/* ---- functions of the module; see _core.pyi ---- */
PyObject *watch_ref(PyObject *module, PyObject *ref);
PyObject *watch_watched(PyObject *module, PyObject *timeout);

#endif
