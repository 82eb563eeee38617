/* decode.h - from blobs (codec.h) to Python values. */
#ifndef XR_DECODE_H
#define XR_DECODE_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

#include "codec.h"
#include "engine.h"

/* The value of an item, whose hold it takes over whether it succeeds or not. The bytes may go after
 * this, but for a stored item with a handle, whose bytes a pin keeps as long as the value looks at them.
 * Returns: new reference; NULL with the exception that the blob holds, or that says what is wrong. */
PyObject *decode_item(const xr_item *item);
/* The same, where what its unpickling raises is told as an error of the system: it is none of the task's. */
PyObject *decode_value(const xr_item *item);

static inline int decode_is_error(const uint8_t *bytes, uint64_t length)
{
    return length > 0 && (bytes[0] == XR_TAG_ERROR || bytes[0] == XR_TAG_SYSERR);
}

#endif
