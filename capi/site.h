/* site.h - where in the program objects are created, as numbers that the node knows texts of. */
#ifndef XR_SITE_H
#define XR_SITE_H
#include <stdint.h>

#define XR_SITE_UNKNOWN 0u
#define XR_SITE_PUT 1u      /* a small value that was put: to look further would cost as much as the put */
#define XR_SITE_ARGUMENT 2u /* a large argument of a call */

/* The calling function of the program, with what it submits: remembered by its code, which costs some
 * nanoseconds; its line would cost a hundred times that, and is found when the user asks for it by
 * RAY_record_ref_creation_sites=1. Never fails: 0 when it is not known.   GIL: held. */
uint32_t site_of_call(uint32_t tid);
/* The line that puts a value of so many bytes, when that is large or the user asks for it. */
uint32_t site_of_put(uint64_t bytes);

#endif
