#include "produce.h"

#include "encode.h"
#include "errors.h"
#include "kill_point.h"
#include "object_ref.h"
#include "report.h"
#include "spin.h"
#include "state.h"
#include "site.h"
#include "store.h"
#include "worker.h"

#include <string.h>

#define XR_SLICE_NS 100000000 /* so often a paused generator looks for Python's signals at least */

/* A generator under way. */
typedef struct xr_producing {
    uint64_t task;
    int64_t taken;     /* items that its consumer has taken, or XR_ROOM_STOP */
    uint32_t told;     /* there is news of that */
    const void *owner; /* tells threads apart, as in xr_pending */
    PyObject *wake;    /* of one in an event loop: called when there is news; else NULL */
    struct xr_producing *next;
} xr_producing;

static xr_producing *producing; /* guarded by the GIL */

static void begin(xr_producing *p, uint64_t task)
{
    *p = (xr_producing){.task = task, .owner = &worker_is_main, .next = producing};
    producing = p;
}

static void end(xr_producing *p)
{
    xr_producing **at = &producing;
    while (*at != NULL && *at != p) {
        at = &(*at)->next;
    }
    if (*at == p) {
        *at = p->next;
    }
}

/* Tells a generator of news. Returns 0, or -1 with an exception. */
static int tell(xr_producing *p)
{
    __atomic_store_n(&p->told, 1, __ATOMIC_SEQ_CST);
    if (p->wake != NULL) {
        PyObject *wake = Py_NewRef(p->wake), *result = PyObject_CallFunctionObjArgs(wake, NULL);
        Py_DECREF(wake);
        Py_XDECREF(result);
        return result != NULL ? 0 : -1;
    }
    if (p->owner != &worker_is_main) {
        channel_wake_pausing(&W.channel);
    }
    return 0;
}

int produce_room(const uint8_t *payload, size_t length)
{
    xr_msg_room room;
    if (length < sizeof room) {
        return worker_corrupt("the node sent a ROOM that is too short");
    }
    memcpy(&room, payload, sizeof room);
    for (xr_producing *p = producing; p != NULL; p = p->next) {
        if (p->task == room.task && (int64_t)room.taken > p->taken) {
            p->taken = (int64_t)room.taken;
            return tell(p);
        }
    }
    return 0; /* of one that has ended meanwhile, or no news */
}

/* Waits until fewer than `window` of `made` items are unread. Nothing is lent meanwhile.
 * GIL: released while it waits.   Returns: 0, or -1 with an exception. */
static int wait_for_room(xr_producing *p, int64_t made, uint32_t window)
{
    for (;;) {
        if (consumer_has(&W.channel.reply) && worker_poll() < 0) {
            return -1;
        }
        if (window == 0 || made - p->taken < window) {
            return 0;
        }
        if (W.exit_asked) {
            p->taken = XR_ROOM_STOP;
            return 0;
        }
        if (PyErr_CheckSignals() < 0) {
            return -1;
        }
        kill_point("yield", "paused");
        worker_flush();
        __atomic_store_n(&p->told, 0, __ATOMIC_SEQ_CST);
        PyThreadState *thread = PyEval_SaveThread();
        channel_pause(&W.channel, &p->told, 0, worker_is_main, xr_now() + XR_SLICE_NS);
        PyEval_RestoreThread(thread);
    }
}

static int send_item(uint64_t task, uint64_t index, PyObject *item)
{
    xr_report r;
    xr_msg_yield head = {task, index};
    int rc = report_init(&r, sizeof head);
    kill_point("yield", "begun");
    if (rc == 0) {
        rc = report_add_result(&r, item);
    }
    if (rc == 0) {
        memcpy(r.bytes.data, &head, sizeof head);
        xr_part part = {r.bytes.data, r.bytes.len};
        rc = worker_send(XR_MSG_YIELD, &part, 1, XR_URGENTLY, 0);
    }
    if (rc == 0) {
        r.stored.len = 0; /* the node's now */
    }
    report_free(&r);
    kill_point("yield", "said");
    return rc;
}

/* Ends a generator that nobody wants more of, its `finally` clauses included.   Returns: None or NULL. */
static PyObject *close_generator(PyObject *generator)
{
    PyObject *result = PyObject_CallMethod(generator, "close", NULL);
    Py_XDECREF(result);
    kill_point("yield", "closed");
    return result != NULL ? Py_NewRef(Py_None) : NULL;
}

static PyObject *produce_stream(const xr_msg_task *task, PyObject *generator)
{
    xr_producing p;
    PyObject *result = NULL;
    begin(&p, task->task);
    for (int64_t made = 0; wait_for_room(&p, made, task->window) == 0; made++) {
        if (p.taken == XR_ROOM_STOP) {
            result = close_generator(generator);
            break;
        }
        PyObject *item = PyIter_Next(generator);
        if (item == NULL || S.forked) {
            Py_XDECREF(item);
            result = PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
            kill_point("yield", "ended");
            break;
        }
        int rc = send_item(task->task, (uint64_t)made, item);
        Py_DECREF(item);
        if (rc < 0) {
            break;
        }
    }
    end(&p);
    return result;
}

/* ---- in an event loop: Python takes the items, and waits (_generator.py) ---- */

typedef struct xr_out {
    PyObject_HEAD xr_producing p;
    int64_t made;
    uint32_t window;
} xr_out;

/* send(item) -> whether the next one may come. */
static PyObject *out_send(PyObject *o, PyObject *item)
{
    xr_out *self = (xr_out *)o;
    if (send_item(self->p.task, (uint64_t)self->made, item) < 0) {
        return NULL;
    }
    self->made++;
    /* A generator that never lets the loop read must hear of it all the same. */
    if (consumer_has(&W.channel.reply) && worker_poll() < 0) {
        return NULL;
    }
    return PyBool_FromLong(self->p.taken != XR_ROOM_STOP &&
                           (self->window == 0 || self->made - self->p.taken < self->window));
}

/* pause(wake) -> whether to wait until wake is called: there is no room. Only one waits at a time. */
static PyObject *out_pause(PyObject *o, PyObject *wake)
{
    xr_out *self = (xr_out *)o;
    int is_full = self->p.taken != XR_ROOM_STOP && self->window != 0 && self->made - self->p.taken >= self->window;
    PyObject *old = self->p.wake;
    self->p.wake = is_full ? Py_NewRef(wake) : NULL;
    Py_XDECREF(old);
    return PyBool_FromLong(is_full);
}

static PyObject *out_stopped(PyObject *o, PyObject *unused)
{
    (void)unused;
    return PyBool_FromLong(((xr_out *)o)->p.taken == XR_ROOM_STOP);
}

static void out_dealloc(PyObject *o)
{
    xr_out *self = (xr_out *)o;
    PyTypeObject *type = Py_TYPE(o);
    end(&self->p);
    Py_XDECREF(self->p.wake);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(o);
    Py_DECREF(type);
}

static PyMethodDef out_methods[] = {
    {"send", out_send, METH_O, NULL},
    {"pause", out_pause, METH_O, NULL},
    {"stopped", out_stopped, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot out_slots[] = {
    {Py_tp_dealloc, out_dealloc},
    {Py_tp_methods, out_methods},
    {0, NULL},
};

PyType_Spec xr_out_spec = {
    .name = "thornback._core.Items",
    .basicsize = sizeof(xr_out),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = out_slots,
};

PyObject *produce_in_loop(const xr_msg_task *task, PyObject *generator)
{
    if ((task->flags & XR_TASKF_STREAM) == 0 || (!PyIter_Check(generator) && !PyAIter_Check(generator))) {
        return produce(task, generator);
    }
    xr_out *out = (xr_out *)PyType_GenericAlloc(S.out_type, 0);
    if (out == NULL) {
        return NULL;
    }
    begin(&out->p, task->task);
    out->window = task->window;
    PyObject *module = PyImport_ImportModule("thornback._generator");
    PyObject *result = module != NULL ? PyObject_CallMethod(module, "produce", "OO", generator, out) : NULL;
    Py_XDECREF(module);
    Py_DECREF(out);
    return result;
}

/* ---- dynamic: the items are objects of their own, put one after another ---- */

/* Puts a value, or, where it is NULL, the error that is set; adds the reference to the list. Returns 0, or -1. */
static int put_item(PyObject *list, PyObject *value)
{
    xr_blob b;
    uint64_t handle;
    PyObject *exception = value == NULL ? errors_take() : NULL;
    int rc = value != NULL ? blob_prepare(&b, value, "result") : blob_prepare_error(&b, exception);
    if (rc == 0) {
        rc = store_put(&b, XR_SITE_UNKNOWN, &handle);
    }
    blob_clear(&b);
    Py_XDECREF(exception);
    PyObject *ref = rc == 0 ? ref_new(handle) : NULL;
    rc = ref != NULL ? PyList_Append(list, ref) : -1;
    Py_XDECREF(ref);
    return rc;
}

static PyObject *produce_dynamic(PyObject *generator)
{
    PyObject *list = PyList_New(0), *item, *result = NULL;
    if (list == NULL) {
        return NULL;
    }
    int rc = 0;
    while (rc == 0 && (item = PyIter_Next(generator)) != NULL) {
        rc = put_item(list, item);
        Py_DECREF(item);
    }
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_SystemExit)) {
        rc = put_item(list, NULL); /* the last item is the error */
    }
    PyObject *module = PyErr_Occurred() ? NULL : PyImport_ImportModule("thornback._generator");
    if (module != NULL) {
        result = PyObject_CallMethod(module, "DynamicObjectRefGenerator", "O", list);
        Py_DECREF(module);
    }
    Py_DECREF(list);
    return result;
}

PyObject *produce(const xr_msg_task *task, PyObject *generator)
{
    int is_stream = (task->flags & XR_TASKF_STREAM) != 0;
    if (!PyIter_Check(generator)) {
        PyErr_Format(PyExc_ValueError, "Functions with @ray.remote(num_returns=\"%s\" must return a generator",
                     is_stream ? "streaming" : "dynamic");
        return NULL;
    }
    return is_stream ? produce_stream(task, generator) : produce_dynamic(generator);
}
