/* scope.c - which scope a submission belongs to. Python keeps that in a ContextVar, so that each thread and each asyncio task has
 * its own; it is only asked in processes that have had a scope. Code that outlives its block is found out so too. */
#include "scope.h"

#include "object_ref.h"

int scope_ask(uint64_t *scope)
{
    PyObject *value = PyObject_CallNoArgs(S.scope);
    *scope = value != NULL ? PyLong_AsUnsignedLongLong(value) : 0;
    Py_XDECREF(value);
    return PyErr_Occurred() ? -1 : 0;
}

/* set_scopes(variable): the ContextVar of the current scope's handle. */
PyObject *scope_set(PyObject *module, PyObject *variable)
{
    (void)module;
    PyObject *get = PyObject_GetAttrString(variable, "get"), *old = S.scope;
    if (get == NULL) {
        return NULL;
    }
    S.scope = get;
    Py_XDECREF(old);
    Py_RETURN_NONE;
}

/* adopt(handle) -> reference that takes over one hold. */
PyObject *scope_adopt(PyObject *module, PyObject *handle)
{
    (void)module;
    uint64_t h = PyLong_AsUnsignedLongLong(handle);
    return PyErr_Occurred() ? NULL : ref_new(h);
}
