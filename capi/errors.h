/* errors.h - the one place where engine codes become exceptions. */
#ifndef XR_ERRORS_H
#define XR_ERRORS_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

/* Codes of hooks.system_error, as in _system_error.py. */
#define XR_SYSTEM_ACTOR_DIED 2
#define XR_SYSTEM_OBJECT_LOST 4
#define XR_SYSTEM_STORE_FULL 7
#define XR_SYSTEM_UNSCHEDULABLE 10
#define XR_SYSTEM_INTERNAL 12
#define XR_SYSTEM_GET_TIMEOUT 13
#define XR_SYSTEM_PENDING_CALLS 14
#define XR_SYSTEM_DEADLOCK 18
#define XR_SYSTEM_SCOPE 21
#define XR_SYSTEM_SCOPE_ENDED 22

/* Sets the exception for a code of thornback.h. text: UTF-8, the engine's words or a JSON object with
 * "message" and more fields. Returns -1 always. */
int errors_raise(int32_t code, const char *text, size_t len);
/* The same for control(): a RuntimeError with `code` and `text`. Returns NULL always. */
PyObject *errors_control(int32_t code, const char *text, size_t len);
/* Sets what hooks.system_error gives for a code of _system_error.py. Returns -1 always. */
int errors_system(uint32_t code, const char *json, size_t len);
/* Sets the ValueError about a reference of another session. Returns -1 always. */
int errors_session(uint64_t session);
/* Takes the current exception away. Returns: new reference, normalized, with its traceback. */
PyObject *errors_take(void);
/* Raises an exception object. Steals it; NULL keeps the exception that is set. Returns -1 always. */
int errors_throw(PyObject *exception);

#endif
