/* ndarray.h - numpy arrays as blobs, without pickle: shape and dtype, then the elements. */
#ifndef XR_NDARRAY_H
#define XR_NDARRAY_H
#include "decode.h"
#include "encode.h"

/* Prepares a blob for an exact numpy.ndarray of numbers, text or booleans in one piece.
 * Returns 1 when it is one, 0 when the value must go another way, -1 with an exception. */
int ndarray_prepare(xr_blob *b, PyObject *value);
void ndarray_write(xr_blob *b, uint8_t *target);
/* The array over the memory of `base`, which exports the whole blob and which the array keeps; read-only as base is.
 * Returns: new reference, or NULL with an exception. */
PyObject *ndarray_decode(const uint8_t *blob, uint64_t length, PyObject *base);

#endif
