/* pin.h - keeps an object of the arena in place while Python looks at its bytes. */
#ifndef XR_PIN_H
#define XR_PIN_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

extern PyType_Spec xr_pin_spec;

/* An exporter of a read-only buffer. It takes over one hold on the handle, and lets it go when the last
 * view has gone. Returns: new reference, or NULL (then the hold is still the caller's). */
PyObject *pin_new(uint64_t handle, const uint8_t *bytes, uint64_t length);

/* The session is over: its arena is unmapped as soon as no pin of it is left. Called with S.session still set or already 0,
 * before another session begins.   GIL: held. */
void pins_leave_arena(uint64_t session, void *memory, size_t bytes);

#endif
