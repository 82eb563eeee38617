/* store.h - blobs become objects. */
#ifndef XR_STORE_H
#define XR_STORE_H
#include <stdint.h>

#include "encode.h"
#include "wire.h"

/* Space in the arena with the blob written into it, as a value that says so; give_up(value.offset) is
 * the caller's when nobody takes it. Returns 0, or -1 with ObjectStoreFullError or another. */
int store_write(xr_blob *b, xr_value *v);
/* A new object, held once. Returns 0, or -1 with an exception. */
int store_put(xr_blob *b, uint32_t site, uint64_t *handle);

#endif
