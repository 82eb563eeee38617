#include "errors.h"

#include "state.h"

#include <stdio.h>
#include <string.h>

static PyObject *text_of(const char *text, size_t len)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)len, "replace");
}

/* Returns: new reference, `{"message": text}` as JSON text, or the text itself when it is JSON. */
static PyObject *as_json(const char *text, size_t len)
{
    PyObject *message = text_of(text, len), *json = NULL, *fields = NULL, *result = NULL;
    if (len > 0 && text[0] == '{') {
        return message;
    }
    if (message != NULL && (json = PyImport_ImportModule("json")) != NULL &&
        (fields = Py_BuildValue("{sO}", "message", message)) != NULL) {
        result = PyObject_CallMethod(json, "dumps", "O", fields);
    }
    Py_XDECREF(message);
    Py_XDECREF(json);
    Py_XDECREF(fields);
    return result;
}

/* Returns: new reference, the message in a JSON object, or the text itself when it is none. */
static PyObject *message_of(const char *text, size_t len)
{
    PyObject *whole = text_of(text, len), *json = NULL, *fields = NULL, *message = NULL;
    if (whole == NULL || len == 0 || text[0] != '{') {
        return whole;
    }
    if ((json = PyImport_ImportModule("json")) != NULL &&
        (fields = PyObject_CallMethod(json, "loads", "O", whole)) != NULL) {
        message = PyMapping_GetItemString(fields, "message");
    }
    if (message == NULL) {
        PyErr_Clear();
        message = Py_NewRef(whole);
    }
    Py_DECREF(whole);
    Py_XDECREF(json);
    Py_XDECREF(fields);
    return message;
}

int errors_throw(PyObject *exception)
{
    if (exception != NULL) {
        if (PyExceptionInstance_Check(exception)) {
            PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        } else {
            PyErr_Format(PyExc_TypeError, "a hook gave %R instead of an exception", exception);
        }
        Py_DECREF(exception);
    }
    return -1;
}

PyObject *errors_take(void)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
        Py_DECREF(traceback);
    }
    Py_XDECREF(type);
    return value;
}

int errors_system(uint32_t code, const char *json, size_t len)
{
    PyObject *text = as_json(json, len);
    if (text == NULL) {
        return -1;
    }
    if (S.hooks.system_error == NULL) {
        PyErr_Format(PyExc_RuntimeError, "engine error %u: %U", code, text);
    } else {
        errors_throw(PyObject_CallFunction(S.hooks.system_error, "IO", code, text));
    }
    Py_DECREF(text);
    return -1;
}

int errors_session(uint64_t session)
{
    char of[24], running[24]; /* PyErr_Format knows %llx since 3.12 only */
    snprintf(of, sizeof of, "%llx", (unsigned long long)session);
    snprintf(running, sizeof running, "%llx", (unsigned long long)S.session);
    if (!session_running()) {
        PyErr_Format(PyExc_ValueError, "the ObjectRef belongs to session %s, which has ended; no session is running",
                     of);
    } else {
        PyErr_Format(PyExc_ValueError, "the ObjectRef belongs to session %s, but the session running is %s", of,
                     running);
    }
    return -1;
}

static int raise_message(PyObject *type, const char *text, size_t len)
{
    PyObject *message = message_of(text, len);
    if (message != NULL) {
        PyErr_SetObject(type, message);
        Py_DECREF(message);
    }
    return -1;
}

int errors_raise(int32_t code, const char *text, size_t len)
{
    switch (code) {
    case XR_ETIMEOUT:
        return errors_system(XR_SYSTEM_GET_TIMEOUT, text, len);
    case XR_EFULL:
        return errors_system(XR_SYSTEM_STORE_FULL, text, len);
    case XR_EDEAD:
        return errors_system(XR_SYSTEM_ACTOR_DIED, text, len);
    case XR_EPENDING:
        return errors_system(XR_SYSTEM_PENDING_CALLS, text, len);
    case XR_EDEADLOCK:
        return errors_system(XR_SYSTEM_DEADLOCK, text, len);
    case XR_ESCOPE:
        return errors_system(XR_SYSTEM_SCOPE, text, len);
    case XR_ESCOPEENDED:
        return errors_system(XR_SYSTEM_SCOPE_ENDED, text, len);
    case XR_EINFEASIBLE:
        return errors_system(XR_SYSTEM_UNSCHEDULABLE, text, len);
    case XR_EBADHANDLE:
        return errors_system(XR_SYSTEM_OBJECT_LOST, text, len);
    case XR_EINVAL:
        return raise_message(PyExc_ValueError, text, len);
    case XR_EPOISONED:
        PyErr_SetString(PyExc_RuntimeError, "the engine had an internal error before, reported on standard error; "
                                            "start a new process");
        return -1;
    case XR_ECLOSED:
        PyErr_SetString(PyExc_RuntimeError, "the session has been closed");
        return -1;
    default:
        return errors_system(XR_SYSTEM_INTERNAL, text, len);
    }
}

PyObject *errors_control(int32_t code, const char *text, size_t len)
{
    if (code == XR_EPOISONED) {
        errors_raise(code, text, len);
        return NULL;
    }
    PyObject *whole = text_of(text, len);
    PyObject *message = message_of(text, len);
    PyObject *number = PyLong_FromLong(code);
    PyObject *error = NULL;
    if (whole != NULL && message != NULL && number != NULL) {
        error = PyObject_CallFunctionObjArgs(PyExc_RuntimeError, message, NULL);
    }
    if (error != NULL && PyObject_SetAttrString(error, "code", number) == 0 &&
        PyObject_SetAttrString(error, "text", whole) == 0) {
        PyErr_SetObject(PyExc_RuntimeError, error);
    }
    Py_XDECREF(error);
    Py_XDECREF(number);
    Py_XDECREF(message);
    Py_XDECREF(whole);
    return NULL;
}
