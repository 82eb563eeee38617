/* async_call.c - a coroutine, made in C, that runs one call of an async actor: asyncio's task sends to it, it passes on to the
 * method's own coroutine, and reports the end. So errors of whatever kind, and a cancellation before the first step, all come
 * by here, and none of them stops the loop. Methods without `async` run in the first step.
 */
#include "crew.h"

#include "errors.h"
#include "produce.h"
#include "state.h"

#include <structmember.h>

typedef struct xr_async_call {
    PyObject_HEAD xr_job *job; /* NULL once its end is reported */
    PyObject *inner;           /* the method's coroutine, or NULL: not begun, or none */
} xr_async_call;

PyObject *async_call_new(xr_job *job)
{
    xr_async_call *self = (xr_async_call *)PyType_GenericAlloc(S.call_type, 0);
    if (self != NULL) {
        self->job = job;
    }
    return (PyObject *)self;
}

void async_call_steps(PyObject *o, PyObject *steps)
{
    xr_async_call *self = (xr_async_call *)o;
    if (self == NULL) {
        return;
    }
    if (steps == NULL) {
        self->job = NULL; /* the caller's again */
    } else if (self->job != NULL && steps != Py_None && self->job->steps == NULL) {
        self->job->steps = Py_NewRef(steps);
    }
}

xr_running *async_call_current(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback); /* errors are told in the name of the call */
    PyObject *found = PyObject_CallMethod(C.current, "get", NULL);
    xr_running *r = NULL;
    if (found != NULL && Py_TYPE(found) == S.call_type && ((xr_async_call *)found)->job != NULL) {
        r = &((xr_async_call *)found)->job->task.running; /* the context keeps it */
    }
    Py_XDECREF(found);
    PyErr_Restore(type, value, traceback);
    return r;
}

/* ---- steps ---- */

/* The constructor: it may be a coroutine. */
static PyObject *construct(xr_task *t)
{
    return PyObject_CallFunctionObjArgs(C.construct, t->object, t->positional, t->keywords, NULL);
}

/* Calls the method, in the context of the asyncio task. */
static PyObject *begin(xr_async_call *self)
{
    xr_job *job = self->job;
    PyObject *token = PyObject_CallMethod(C.current, "set", "O", self);
    if (token == NULL) {
        return NULL;
    }
    Py_DECREF(token);
    job->start = xr_now();
    if (job->task.running.is_cancelled) {
        PyErr_SetNone(PyExc_KeyboardInterrupt); /* what a cancelled task ends by */
        return NULL;
    }
    PyObject *value = job->task.m.type == XR_TASK_CREATE ? construct(&job->task) : task_call(&job->task);
    if (value != NULL && (job->task.m.flags & (XR_TASKF_STREAM | XR_TASKF_DYNAMIC)) != 0) {
        PyObject *generator = value;
        value = produce_in_loop(&job->task.m, generator);
        Py_DECREF(generator);
    }
    return value;
}

/* Whether the exception that is set is what exit_actor() raised. */
static int is_exit(void)
{
    PyObject *error = errors_take();
    PyObject *module = PyImport_ImportModule("thornback.exceptions");
    PyObject *type = module != NULL ? PyObject_GetAttrString(module, "AsyncioActorExit") : NULL;
    int matches = type != NULL && PyErr_GivenExceptionMatches(error, type);
    Py_XDECREF(module);
    Py_XDECREF(type);
    PyErr_Clear();
    errors_throw(error);
    return matches;
}

/* The end. Steals value; NULL: the exception that is set. */
static void finish(xr_async_call *self, PyObject *value)
{
    xr_job *job = self->job;
    self->job = NULL;
    if (value == NULL && job->task.running.leaves && is_exit()) {
        PyErr_Clear();
        value = Py_NewRef(Py_None);
    }
    if (value != NULL && job->task.m.type == XR_TASK_CREATE) {
        value = task_created(value);
    }
    int rc = task_report(&job->task, value, job->start, xr_now());
    Py_XDECREF(value);
    Py_CLEAR(self->inner);
    worker_running = job->task.running.outer;
    running_unlist(&job->task.running);
    xr_group *group = job->group;
    crew_ended(job, rc);
    xr_job *next = crew_stops() ? NULL : crew_unqueue(group);
    if (next != NULL) {
        crew_start(next);
    }
}

/* What a step has led to. */
static PySendResult settle(xr_async_call *self, PySendResult how, PyObject *value, PyObject **result)
{
    if (how == PYGEN_NEXT) {
        worker_running = self->job->task.running.outer;
        *result = value;
        return PYGEN_NEXT;
    }
    finish(self, value);
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

/* Whether the call is still to run; with worker_running set then. */
static int enter(xr_async_call *self)
{
    if (self->job == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
        return 0;
    }
    self->job->task.running.outer = worker_running;
    worker_running = &self->job->task.running;
    return 1;
}

static PySendResult call_send(PyObject *o, PyObject *arg, PyObject **result)
{
    xr_async_call *self = (xr_async_call *)o;
    PyObject *value = NULL;
    if (!enter(self)) {
        *result = NULL;
        return PYGEN_ERROR;
    }
    if (self->inner == NULL) {
        value = begin(self);
        if (value == NULL || Py_TYPE(value) != S.coroutine_type) {
            return settle(self, value != NULL ? PYGEN_RETURN : PYGEN_ERROR, value, result);
        }
        self->inner = value;
        value = NULL;
    }
    PySendResult how = PyIter_Send(self->inner, arg, &value);
    return settle(self, how, value, result);
}

/* For those who know no PyIter_Send. */
static PyObject *as_method(PySendResult how, PyObject *value)
{
    if (how == PYGEN_RETURN) {
        PyErr_SetNone(PyExc_StopIteration); /* finish gives None always */
        Py_DECREF(value);
        return NULL;
    }
    return value;
}

static PyObject *call_send_method(PyObject *o, PyObject *arg)
{
    PyObject *value;
    PySendResult how = call_send(o, arg, &value);
    return as_method(how, value);
}

static PyObject *call_next(PyObject *o)
{
    return call_send_method(o, Py_None);
}

/* The value that a StopIteration carries, which is set. Returns: new reference or NULL. */
static PyObject *stop_value(void)
{
    PyObject *stop = errors_take();
    PyObject *value = stop != NULL ? PyObject_GetAttrString(stop, "value") : NULL;
    Py_XDECREF(stop);
    return value;
}

/* throw(type, value, traceback) or throw(exception): a cancellation, mostly. */
static PyObject *call_throw(PyObject *o, PyObject *args)
{
    xr_async_call *self = (xr_async_call *)o;
    PyObject *value = NULL, *result;
    PySendResult how = PYGEN_ERROR;
    if (!enter(self)) {
        return NULL;
    }
    if (self->inner != NULL) {
        PyObject *method = PyObject_GetAttrString(self->inner, "throw");
        value = method != NULL ? PyObject_CallObject(method, args) : NULL;
        Py_XDECREF(method);
        how = value != NULL ? PYGEN_NEXT : PYGEN_ERROR;
        if (value == NULL && PyErr_ExceptionMatches(PyExc_StopIteration)) {
            value = stop_value();
            how = PYGEN_RETURN;
        }
    } else { /* before the first step */
        self->job->start = xr_now();
        PyObject *what = PyTuple_GetItem(args, PyTuple_Size(args) > 1 && PyTuple_GetItem(args, 1) != Py_None ? 1 : 0);
        if (what != NULL && PyExceptionInstance_Check(what)) {
            PyErr_SetObject((PyObject *)Py_TYPE(what), what);
        } else if (what != NULL) {
            PyErr_SetObject(what, NULL);
        }
    }
    how = settle(self, how, value, &result);
    return as_method(how, result);
}

static PyObject *call_close(PyObject *o, PyObject *unused)
{
    (void)unused;
    PyObject *inner = ((xr_async_call *)o)->inner;
    return inner != NULL ? PyObject_CallMethod(inner, "close", NULL) : Py_NewRef(Py_None);
}

/* ---- the object ---- */

static PyObject *call_self(PyObject *o)
{
    return Py_NewRef(o);
}

/* cr_frame and the like, which asyncio and debuggers look at: the method's own. */
static PyObject *call_inner_attribute(PyObject *o, void *name)
{
    PyObject *inner = ((xr_async_call *)o)->inner;
    return inner != NULL ? PyObject_GetAttrString(inner, name) : Py_NewRef(Py_None);
}

static PyObject *call_name(PyObject *o, void *unused)
{
    (void)unused;
    xr_job *job = ((xr_async_call *)o)->job;
    PyObject *name = job != NULL ? job->task.running.name : NULL;
    return name != NULL ? Py_NewRef(name) : PyUnicode_FromString("ended");
}

/* task = the asyncio.Task: for loops on other threads, where it is made later. */
static int call_set_task(PyObject *o, PyObject *task, void *unused)
{
    (void)unused;
    if (task == NULL) {
        PyErr_SetString(PyExc_TypeError, "the task of a call can't be deleted");
        return -1;
    }
    async_call_steps(o, task);
    return 0;
}

static PyObject *call_repr(PyObject *o)
{
    PyObject *name = call_name(o, NULL);
    PyObject *repr = name != NULL ? PyUnicode_FromFormat("<actor call %U>", name) : NULL;
    Py_XDECREF(name);
    return repr;
}

static int call_traverse(PyObject *o, visitproc visit, void *arg)
{
    xr_async_call *self = (xr_async_call *)o;
    Py_VISIT(Py_TYPE(o));
    Py_VISIT(self->inner);
    return 0;
}

static int call_clear(PyObject *o)
{
    Py_CLEAR(((xr_async_call *)o)->inner);
    return 0;
}

static void call_dealloc(PyObject *o)
{
    PyTypeObject *type = Py_TYPE(o);
    PyObject_GC_UnTrack(o);
    call_clear(o);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(o);
    Py_DECREF(type);
}

static PyMethodDef call_methods[] = {
    {"send", call_send_method, METH_O, NULL},
    {"throw", call_throw, METH_VARARGS, NULL},
    {"close", call_close, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef call_getset[] = {
    {"cr_frame", call_inner_attribute, NULL, NULL, "cr_frame"},
    {"cr_await", call_inner_attribute, NULL, NULL, "cr_await"},
    {"cr_code", call_inner_attribute, NULL, NULL, "cr_code"},
    {"cr_running", call_inner_attribute, NULL, NULL, "cr_running"},
    {"task", NULL, call_set_task, NULL, NULL},
    {"__name__", call_name, NULL, NULL, NULL},
    {"__qualname__", call_name, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot call_slots[] = {
    {Py_am_await, call_self},
    {Py_am_send, call_send},
    {Py_tp_iter, call_self},
    {Py_tp_iternext, call_next},
    {Py_tp_methods, call_methods},
    {Py_tp_getset, call_getset},
    {Py_tp_repr, call_repr},
    {Py_tp_traverse, call_traverse},
    {Py_tp_clear, call_clear},
    {Py_tp_dealloc, call_dealloc},
    {0, NULL},
};

PyType_Spec xr_async_call_spec = {
    .name = "thornback._core.AsyncCall",
    .basicsize = sizeof(xr_async_call),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .slots = call_slots,
};
