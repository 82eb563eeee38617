/* spin.h - time, and how long to spin before sleeping.
 *
 * A futex sleep and its wake cost 10 to 40 us; a spin that succeeds costs nothing but a core that is
 * idle anyway. The budget follows what waits have lasted: it grows while spinning would have been
 * enough, and shrinks to next to nothing while it would not.
 */
#ifndef XR_SPIN_H
#define XR_SPIN_H
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "wire.h"

#define XR_SPIN_START_NS 60000
#define XR_SPIN_MAX_NS   150000
#define XR_SPIN_MIN_NS   2000
#define XR_NEVER         INT64_MAX

typedef struct xr_spin {
    _Atomic int64_t budget_ns;
} xr_spin;

static inline void xr_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

/* Nanoseconds of the monotonic clock. */
static inline int64_t xr_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* What is left of the budget; 0 when more processes are awake than there are cores for. */
static inline int64_t xr_spin_budget(xr_spin *s, const xr_board *board)
{
    uint32_t active = __atomic_load_n(&board->active, __ATOMIC_RELAXED);
    return active <= board->cpus ? atomic_load_explicit(&s->budget_ns, memory_order_relaxed) : 0;
}

/* Learns from a wait that lasted so long in all. */
static inline void xr_spin_learn(xr_spin *s, int64_t waited_ns)
{
    int64_t budget = atomic_load_explicit(&s->budget_ns, memory_order_relaxed);
    if (waited_ns <= XR_SPIN_MAX_NS) {
        budget = budget * 2 > XR_SPIN_MAX_NS ? XR_SPIN_MAX_NS : budget * 2;
    } else {
        budget -= budget / 4;
        budget = budget < XR_SPIN_MIN_NS ? XR_SPIN_MIN_NS : budget;
    }
    atomic_store_explicit(&s->budget_ns, budget, memory_order_relaxed);
}

#endif
