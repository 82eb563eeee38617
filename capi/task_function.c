#include "task_function.h"

#include "args.h"
#include "state.h"

typedef struct xr_function {
    PyObject_HEAD xr_target target;
} xr_function;

/* The arguments of a fast call as a new tuple and a new dict.   Returns: 0, or -1 with both NULL. */
static int pack(PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames, PyObject **tuple, PyObject **dict)
{
    Py_ssize_t nkw = kwnames != NULL ? PyTuple_Size(kwnames) : 0;
    *tuple = PyTuple_New(nargs);
    *dict = PyDict_New();
    if (*tuple == NULL || *dict == NULL) {
        goto fail;
    }
    for (Py_ssize_t i = 0; i < nargs; i++) {
        if (PyTuple_SetItem(*tuple, i, Py_NewRef(args[i])) < 0) {
            goto fail;
        }
    }
    for (Py_ssize_t i = 0; i < nkw; i++) {
        if (PyDict_SetItem(*dict, PyTuple_GetItem(kwnames, i), args[nargs + i]) < 0) {
            goto fail;
        }
    }
    return 0;
fail:
    Py_CLEAR(*tuple);
    Py_CLEAR(*dict);
    return -1;
}

/* Calls owner._check_arguments(tuple, dict). The path of wrong or unusual arguments. */
static int check_in_python(PyObject *owner, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *tuple, *dict;
    if (pack(args, nargs, kwnames, &tuple, &dict) < 0) {
        return -1;
    }
    PyObject *result = PyObject_CallMethod(owner, "_check_arguments", "OO", tuple, dict);
    Py_DECREF(tuple);
    Py_DECREF(dict);
    Py_XDECREF(result);
    return result != NULL ? 0 : -1;
}

/* Calls function(*args, **kwargs), which it takes over.   Returns: new reference or NULL. */
static PyObject *call_with(PyObject *function, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    PyObject *tuple, *dict, *result = NULL;
    if (pack(args, nargs, kwnames, &tuple, &dict) == 0) {
        result = PyObject_Call(function, tuple, dict);
        Py_DECREF(tuple);
        Py_DECREF(dict);
    }
    Py_DECREF(function);
    return result;
}

int target_check(const xr_target *t, PyObject *owner, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    if (kwnames == NULL && nargs >= t->minimum && nargs <= t->maximum) {
        return 0;
    }
    return check_in_python(owner, args, nargs, kwnames);
}

PyObject *target_set_arity(xr_target *t, PyObject *args)
{
    Py_ssize_t minimum, maximum;
    if (!PyArg_ParseTuple(args, "nn:set_arity", &minimum, &maximum)) {
        return NULL;
    }
    t->minimum = minimum;
    t->maximum = maximum;
    Py_RETURN_NONE;
}

PyObject *target_set_template(xr_target *t, PyObject *args)
{
    unsigned int tid, returns;
    unsigned long long timeout = 0, deadline = 0;
    if (!PyArg_ParseTuple(args, "II|KK:set_template", &tid, &returns, &timeout, &deadline)) {
        return NULL;
    }
    t->tid = tid;
    t->returns = returns;
    t->timeout = timeout;
    t->deadline = deadline;
    t->session = S.session;
    Py_RETURN_NONE;
}

/* Makes sure of a session and of a template in it.
 * Returns: 0 with *substitute NULL, or with what _export() gave to submit the call in place of a
 * template (new reference); -1 with an exception. */
static int function_export(xr_function *self, PyObject **substitute)
{
    *substitute = NULL;
    if (session_ensure() < 0) {
        return -1;
    }
    if (self->target.session == S.session) {
        return 0;
    }
    PyObject *result = PyObject_CallMethod((PyObject *)self, "_export", NULL);
    if (result == NULL) {
        return -1;
    }
    if (result != Py_None) {
        *substitute = result;
        return 0;
    }
    Py_DECREF(result);
    if (self->target.session != S.session) {
        PyErr_SetString(PyExc_RuntimeError, "_export() has not set a template");
        return -1;
    }
    return 0;
}

/* remote(*args, **kwargs).   Borrows: all.   Returns: new reference, see args_submit. */
static PyObject *function_remote(PyObject *o, PyObject *const *args, Py_ssize_t nargs, PyObject *kwnames)
{
    xr_function *self = (xr_function *)o;
    if (target_check(&self->target, o, args, nargs, kwnames) < 0) {
        return NULL;
    }
    if (self->target.session != S.session || S.session == 0) {
        PyObject *substitute;
        if (function_export(self, &substitute) < 0) {
            return NULL;
        }
        if (substitute != NULL) {
            return call_with(substitute, args, nargs, kwnames);
        }
    }
    return args_submit(self->target.tid, self->target.returns, 0, target_deadline(&self->target), args, nargs, kwnames);
}

static PyObject *function_set_arity(PyObject *o, PyObject *args)
{
    return target_set_arity(&((xr_function *)o)->target, args);
}

static PyObject *function_set_template(PyObject *o, PyObject *args)
{
    return target_set_template(&((xr_function *)o)->target, args);
}

/* Takes any arguments: they are those of the subclass's __init__. */
static PyObject *function_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    xr_function *self = (xr_function *)PyType_GenericAlloc(type, 0);
    if (self != NULL) {
        target_init(&self->target);
    }
    return (PyObject *)self;
}

static void function_dealloc(PyObject *o)
{
    PyTypeObject *type = Py_TYPE(o);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(o);
    Py_DECREF(type);
}

static PyMethodDef function_methods[] = {
    {"remote", (PyCFunction)(void (*)(void))function_remote, METH_FASTCALL | METH_KEYWORDS,
     "Submit a task and return references to its results."},
    {"set_arity", function_set_arity, METH_VARARGS, NULL},
    {"set_template", function_set_template, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot function_slots[] = {
    {Py_tp_new, function_new},
    {Py_tp_dealloc, function_dealloc},
    {Py_tp_methods, function_methods},
    {0, NULL},
};

PyType_Spec xr_function_spec = {
    .name = "thornback._core.TaskFunction",
    .basicsize = sizeof(xr_function),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = function_slots,
};
