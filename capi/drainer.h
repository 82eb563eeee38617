/* drainer.h - the thread that reads the workers' output, and lets references go, while nobody waits. */
#ifndef XR_DRAINER_H
#define XR_DRAINER_H
#include <stddef.h>
#include <stdint.h>

/* Starts the thread for the session in D. Returns 0, or an errno. */
int drainer_start(void);
/* Ends it and waits for it. Without the GIL. */
void drainer_stop(void);
/* Makes it look soon, without waking it more often than needed. Any thread. */
void drainer_kick(void);

/* References gained and lost by this process, told to the library in batches and in order.
 * Any thread, with the GIL or without. */
void deltas_add(uint64_t handle, int64_t delta);
/* Returns whether there was anything. */
int deltas_flush(void);
/* Forgets all: of no use to a session that ends. */
void deltas_clear(void);
/* How many wait; a hint. */
size_t deltas_waiting(void);

#endif
