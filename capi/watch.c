#include "watch.h"

#include "api.h"
#include "errors.h"
#include "object_ref.h"
#include "state.h"

/* watch(ref). */
PyObject *watch_ref(PyObject *module, PyObject *ref)
{
    (void)module;
    uint64_t handle;
    if (!ref_check(ref)) {
        PyErr_Format(PyExc_TypeError, "expected an ObjectRef, got %R", (PyObject *)Py_TYPE(ref));
        return NULL;
    }
    if (ref_handle(ref, &handle) < 0 || S.engine->watch(&handle, 1) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* watched(timeout).   GIL: released while it waits.   Returns: list of int. */
PyObject *watch_watched(PyObject *module, PyObject *timeout)
{
    (void)module;
    uint64_t handles[XR_WATCHED_MOST];
    int64_t deadline;
    if (api_deadline(timeout, &deadline) < 0) {
        return NULL;
    }
    int n = S.engine->watched(deadline, handles);
    PyObject *list = n >= 0 ? PyList_New(n) : NULL;
    for (int i = 0; list != NULL && i < n; i++) {
        PyObject *handle = PyLong_FromUnsignedLongLong(handles[i]);
        if (handle == NULL || PyList_SetItem(list, i, handle) < 0) {
            Py_CLEAR(list);
        }
    }
    return list;
}

/* ---- the driver's part of the engine; the worker's is in worker_watch.c ---- */

#include "driver.h"

int driver_watch(const uint64_t *handles, size_t n)
{
    int32_t rc = D.library.watch(handles, n);
    return rc < 0 ? errors_raise(rc, "", 0) : 0;
}

int driver_watched(int64_t deadline, uint64_t *into)
{
    for (;;) {
        uint32_t *word = NULL;
        int32_t n = D.library.watched(into, XR_WATCHED_MOST, &word);
        if (n < 0) {
            return errors_raise(n, "", 0);
        }
        if (n > 0 || deadline <= 0) {
            return n;
        }
        int32_t rc = driver_wait_for(word, deadline);
        if (rc == XR_BLOCK_RAISED) {
            return -1;
        }
        deadline = rc == XR_ETIMEOUT ? 0 : deadline; /* what there is by now */
    }
}
