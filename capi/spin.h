/* spin.h - time, and how long to spin before sleeping.
 *
 * A futex sleep and its wake cost 10 to 40 us; a spin that succeeds costs nothing but a core that is idle anyway. The
 * budget follows success: what helps is not how long a wait lasts, but whether the other side can run while we spin. On a
 * machine that others use too it shrinks to nothing; a full try now and then finds out when that has changed.
 */
#ifndef XR_SPIN_H
#define XR_SPIN_H
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

#include "wire.h"

#define XR_SPIN_MAX_NS 100000
#define XR_SPIN_MIN_NS 2000
#define XR_SPIN_QUIET_NS 5000 /* so long without a system call; then the core is offered to others in between */
#define XR_SPIN_EXPLORE 32    /* every so many waits the whole budget is tried, whatever was learnt */
#define XR_SPIN_YIELDS 3      /* where spinning would be in vain, the core is offered so often before a sleep */
#define XR_NEVER INT64_MAX

typedef struct xr_spin {
    _Atomic int64_t budget_ns;
    _Atomic uint32_t waits;
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

/* How long to spin now; 0 when more processes are awake than there are cores for. */
static inline int64_t xr_spin_budget(xr_spin *s, const xr_board *board)
{
    if (__atomic_load_n(&board->active, __ATOMIC_RELAXED) > board->cpus) {
        return 0;
    }
    uint32_t waits = atomic_fetch_add_explicit(&s->waits, 1, memory_order_relaxed);
    return waits % XR_SPIN_EXPLORE == 0 ? XR_SPIN_MAX_NS : atomic_load_explicit(&s->budget_ns, memory_order_relaxed);
}

/* Learns from a spin: one that was enough makes later ones longer, one in vain shorter, down to none. */
static inline void xr_spin_learn(xr_spin *s, int enough)
{
    int64_t budget = atomic_load_explicit(&s->budget_ns, memory_order_relaxed);
    if (enough) {
        budget = budget * 2 > XR_SPIN_MAX_NS ? XR_SPIN_MAX_NS : budget * 2 + XR_SPIN_MIN_NS;
    } else {
        budget = budget / 2 < XR_SPIN_MIN_NS ? 0 : budget / 2;
    }
    atomic_store_explicit(&s->budget_ns, budget, memory_order_relaxed);
}

/* One step of a spin that began at `start` and may last to `end`; 0 when it is over. */
static inline int xr_spin_step(int64_t start, int64_t end)
{
    int64_t now = xr_now();
    if (now - start > XR_SPIN_QUIET_NS) {
        sched_yield(); /* whoever we wait for may be waiting for this core */
    }
    return now < end;
}

#endif
