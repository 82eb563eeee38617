/* module.c - the module itself: types, functions, hooks, and the process-wide state. */
#include "actor.h"
#include "api.h"
#include "crew.h"
#include "driver.h"
#include "encode.h"
#include "kill_point.h"
#include "object_ref.h"
#include "pin.h"
#include "produce.h"
#include "scope.h"
#include "state.h"
#include "stream.h"
#include "task_function.h"
#include "watch.h"
#include "worker.h"

#include <errno.h>
#include <sys/prctl.h>

xr_state S = {.engine = &xr_dead_engine};

int session_ensure(void)
{
    if (session_running()) {
        return 0;
    }
    if (!S.forked && S.hooks.auto_init != NULL) {
        PyObject *result = PyObject_CallFunctionObjArgs(S.hooks.auto_init, NULL);
        if (result == NULL) {
            return -1;
        }
        Py_DECREF(result);
        if (session_running()) {
            return 0;
        }
    }
    return S.engine->make_template(NULL, 0, NULL); /* sets the error of the engine that is none */
}

/* ---- functions ---- */

/* A subclass of base that the hooks give.   Returns: new reference, or NULL with an exception. */
static PyTypeObject *take_type(PyObject *hooks, const char *name, PyTypeObject *base)
{
    PyObject *type = PyObject_GetAttrString(hooks, name);
    if (type != NULL && (!PyType_Check(type) || !PyType_IsSubtype((PyTypeObject *)type, base))) {
        PyErr_Format(PyExc_TypeError, "hooks.%s must be a subclass of the extension's type", name);
        Py_CLEAR(type);
    }
    return (PyTypeObject *)type;
}

/* install(hooks).   All or nothing. */
static PyObject *module_install(PyObject *module, PyObject *hooks)
{
    (void)module;
    static const char *const names[] = {
        "auto_init",    "dumps", "arrow_write", "arrow_read",    "error_of", "raise_task_error",
        "system_error", "load",  "undecodable", "enter_context", "retryable"};
    enum { count = sizeof names / sizeof names[0] };
    PyObject *found[count] = {NULL};
    PyTypeObject *final_ref = take_type(hooks, "object_ref", S.ref_type);
    PyTypeObject *final_method = final_ref != NULL ? take_type(hooks, "actor_method", S.method_type) : NULL;
    PyTypeObject *final_stream = final_method != NULL ? take_type(hooks, "generator", S.stream_type) : NULL;
    int ok = final_stream != NULL;
    for (size_t i = 0; ok && i < count; i++) {
        ok = (found[i] = PyObject_GetAttrString(hooks, names[i])) != NULL;
    }
    if (ok) {
        xr_hooks *h = &S.hooks;
        PyObject **places[] = {
            &h->auto_init,    &h->dumps, &h->arrow_write, &h->arrow_read,    &h->error_of, &h->raise_task_error,
            &h->system_error, &h->load,  &h->undecodable, &h->enter_context, &h->retryable};
        for (size_t i = 0; i < count; i++) {
            PyObject *old = *places[i];
            *places[i] = Py_NewRef(found[i]);
            Py_XDECREF(old);
        }
        PyTypeObject *old[] = {S.final_ref, S.final_method, S.final_stream};
        S.final_ref = (PyTypeObject *)Py_NewRef((PyObject *)final_ref);
        S.final_method = (PyTypeObject *)Py_NewRef((PyObject *)final_method);
        S.final_stream = (PyTypeObject *)Py_NewRef((PyObject *)final_stream);
        for (size_t i = 0; i < sizeof old / sizeof old[0]; i++) {
            Py_XDECREF((PyObject *)old[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        Py_XDECREF(found[i]);
    }
    Py_XDECREF((PyObject *)final_ref);
    Py_XDECREF((PyObject *)final_method);
    Py_XDECREF((PyObject *)final_stream);
    return ok ? Py_NewRef(Py_None) : NULL;
}

static PyObject *module_session(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromUnsignedLongLong(session_running() ? S.session : 0);
}

/* set_pdeathsig(signal): sent to this process when its parent dies; 0: none. */
static PyObject *module_set_pdeathsig(PyObject *module, PyObject *args)
{
    (void)module;
    int number;
    if (!PyArg_ParseTuple(args, "i:set_pdeathsig", &number)) {
        return NULL;
    }
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)number, 0, 0, 0) < 0) {
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Py_RETURN_NONE;
}

static PyMethodDef module_methods[] = {
    {"install", module_install, METH_O, NULL},
    {"session", module_session, METH_NOARGS, NULL},
    {"names", driver_names, METH_NOARGS, NULL},
    {"open", driver_open, METH_VARARGS, NULL},
    {"close", driver_close, METH_NOARGS, NULL},
    {"worker_run", worker_run, METH_VARARGS, NULL},
    {"current_task", worker_current_task, METH_NOARGS, NULL},
    {"current_object", worker_current_object, METH_NOARGS, NULL},
    {"actor_instance", worker_actor_instance, METH_NOARGS, NULL},
    {"actor_restarts", worker_actor_restarts, METH_NOARGS, NULL},
    {"exit_actor", worker_exit_actor, METH_NOARGS, NULL},
    {"kill_point", kill_point_py, METH_VARARGS, NULL},
    {"is_canceled", worker_is_canceled, METH_NOARGS, NULL},
    {"output_lost", worker_output_lost, METH_VARARGS, NULL},
    {"crew_hand", crew_hand, METH_VARARGS, NULL},
    {"watch", watch_ref, METH_O, NULL},
    {"watched", watch_watched, METH_O, NULL},
    {"loop_begin", loop_begin, METH_VARARGS, NULL},
    {"loop_pump", loop_pump, METH_O, NULL},
    {"loop_wake", loop_wake, METH_NOARGS, NULL},
    {"loop_watch_bell", loop_watch_bell, METH_NOARGS, NULL},
    {"set_pdeathsig", module_set_pdeathsig, METH_VARARGS, NULL},
    {"set_scopes", scope_set, METH_O, NULL},
    {"adopt", scope_adopt, METH_O, NULL},
    {"_restore_ref", (PyCFunction)(void (*)(void))ref_restore, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

/* ---- set-up ---- */

static const struct {
    const char *name; /* NULL: not visible */
    PyType_Spec *spec;
    PyTypeObject **place;
} types[] = {
    {"ObjectRef", &xr_ref_spec, &S.ref_type},
    {"TaskFunction", &xr_function_spec, &S.function_type},
    {"ActorHandleBase", &xr_handle_spec, &S.handle_type},
    {"MethodSpec", &xr_spec_spec, &S.spec_type},
    {"ActorMethod", &xr_method_spec, &S.method_type},
    {"Stream", &xr_stream_spec, &S.stream_type},
    {"Items", &xr_out_spec, &S.out_type},
    {NULL, &xr_pin_spec, &S.pin_type},
    {NULL, &xr_async_call_spec, &S.call_type},
};
enum { ntypes = sizeof types / sizeof types[0] };

static PyMethodDef buffer_callback = {"buffer_callback", encode_buffer, METH_O, NULL};

static int import_pickle(void)
{
    PyObject *pickle = PyImport_ImportModule("_pickle");
    if (pickle == NULL) {
        return -1;
    }
    S.pickle_dumps = PyObject_GetAttrString(pickle, "dumps");
    S.pickle_loads = PyObject_GetAttrString(pickle, "loads");
    Py_DECREF(pickle);
    S.buffer_callback = PyCFunction_New(&buffer_callback, NULL);
    S.arrow_types = PyDict_New();
    if (S.pickle_dumps == NULL || S.pickle_loads == NULL || S.buffer_callback == NULL || S.arrow_types == NULL) {
        return -1;
    }
    S.pickle_options = Py_BuildValue("{sisO}", "protocol", 5, "buffer_callback", S.buffer_callback);
    return S.pickle_options != NULL ? 0 : -1;
}

static int find_types(void)
{
    PyObject *types_module = PyImport_ImportModule("types");
    if (types_module != NULL) {
        S.coroutine_type = (PyTypeObject *)PyObject_GetAttrString(types_module, "CoroutineType");
        S.generator_type = (PyTypeObject *)PyObject_GetAttrString(types_module, "GeneratorType");
        Py_DECREF(types_module);
    }
    return S.coroutine_type != NULL && S.generator_type != NULL ? 0 : -1;
}

static int set_up(PyObject *module)
{
    for (size_t i = 0; i < ntypes; i++) {
        *types[i].place = (PyTypeObject *)PyType_FromModuleAndSpec(module, types[i].spec, NULL);
        if (*types[i].place == NULL) {
            return -1;
        }
    }
    S.final_ref = (PyTypeObject *)Py_NewRef((PyObject *)S.ref_type);
    S.final_method = (PyTypeObject *)Py_NewRef((PyObject *)S.method_type);
    S.final_stream = (PyTypeObject *)Py_NewRef((PyObject *)S.stream_type);
    S.restore_ref = PyObject_GetAttrString(module, "_restore_ref");
    if (S.restore_ref == NULL || import_pickle() < 0 || find_types() < 0) {
        return -1;
    }
    S.ready = 1;
    return 0;
}

static int module_exec(PyObject *module)
{
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
        PyErr_SetString(PyExc_ImportError, "thornback works in the main interpreter only: one session per process");
        return -1;
    }
    /* Imported anew after it was taken out of sys.modules: the types stay the same. */
    if (!S.ready && set_up(module) < 0) {
        return -1;
    }
    for (size_t i = 0; i < ntypes; i++) {
        if (types[i].name != NULL && PyModule_AddObjectRef(module, types[i].name, (PyObject *)*types[i].place) < 0) {
            return -1;
        }
    }
    return PyModule_AddFunctions(module, xr_api_methods);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "thornback._core",
    .m_doc = "References, submission, waiting, codec, and the worker's loop.",
    .m_methods = module_methods,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__core(void)
{
    return PyModuleDef_Init(&module_def);
}
