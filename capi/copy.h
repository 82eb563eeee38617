/* copy.h - copies of many megabytes. */
#ifndef XR_COPY_H
#define XR_COPY_H
#include <stddef.h>

#include "wire.h"

/* memcpy, by two threads when it is worth it and a core is idle. Called without the GIL when n is large. */
void xr_copy(void *target, const void *source, size_t n, const xr_board *board);

#endif
