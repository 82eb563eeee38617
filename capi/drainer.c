#define _GNU_SOURCE
#include "drainer.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "driver.h"
#include "futex.h"

#define XR_DELTAS_MAX 64
#define XR_TICK_FIRST_NS 1000000
#define XR_TICK_LONGEST_NS 8000000    /* objects go within about 10 ms of their last reference */
#define XR_QUIET_TICKS 4              /* so many ticks with nothing to do, then sleep without limit */
#define XR_STACK_BYTES (256u * 1024u) /* Go's exports run on the system's stack */

static struct {
    pthread_mutex_t mu;
    _Atomic size_t n;                    /* written under mu */
    xr_ref_delta entries[XR_DELTAS_MAX]; /* guarded by mu */
} deltas = {.mu = PTHREAD_MUTEX_INITIALIZER};

static struct {
    pthread_t thread;
    _Atomic int asleep; /* 1: sleeps without limit, and has to be woken to tick */
    _Atomic int stop;
    int running;
} drainer;

/* ---- references ---- */

/* Preconditions: deltas.mu held. It stays held over the call, so that batches keep their order. */
static void flush_locked(void)
{
    D.library.refs(deltas.entries, atomic_load_explicit(&deltas.n, memory_order_relaxed));
    atomic_store_explicit(&deltas.n, 0, memory_order_relaxed);
}

void deltas_add(uint64_t handle, int64_t delta)
{
    pthread_mutex_lock(&deltas.mu);
    size_t n = atomic_load_explicit(&deltas.n, memory_order_relaxed);
    deltas.entries[n] = (xr_ref_delta){handle, delta};
    atomic_store_explicit(&deltas.n, n + 1, memory_order_relaxed);
    if (n + 1 == XR_DELTAS_MAX) {
        flush_locked();
    }
    pthread_mutex_unlock(&deltas.mu);
    if (n == 0) {
        drainer_kick();
    }
}

int deltas_flush(void)
{
    if (deltas_waiting() == 0) {
        return 0;
    }
    pthread_mutex_lock(&deltas.mu);
    int any = atomic_load_explicit(&deltas.n, memory_order_relaxed) > 0;
    if (any) {
        flush_locked();
    }
    pthread_mutex_unlock(&deltas.mu);
    return any;
}

void deltas_clear(void)
{
    pthread_mutex_lock(&deltas.mu);
    atomic_store(&deltas.n, 0);
    pthread_mutex_unlock(&deltas.mu);
}

size_t deltas_waiting(void)
{
    return atomic_load_explicit(&deltas.n, memory_order_relaxed);
}

/* ---- the thread ---- */

static void wake(void)
{
    uint32_t *word = &D.session.board->drainer;
    __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
    xr_futex_wake(word, 1);
}

void drainer_kick(void)
{
    /* Pairs with the fence in sleep_until_needed: either the thread sees what we have written before
     * this, or we see that it sleeps. */
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&drainer.asleep, memory_order_relaxed) && atomic_exchange(&drainer.asleep, 0)) {
        wake();
    }
}

/* One look. Returns whether there was something to do or will be soon. */
static int tick(void)
{
    int busy = deltas_flush();
    if (atomic_load(&D.reader) == 0) {
        int32_t drained = D.library.drain();
        busy |= drained > 0; /* SOME or FLIGHT; after an error there is nothing to hurry for */
    }
    return busy;
}

/* Says to the workers whom to wake, but never in place of a reader, who has said GETTER. */
static void announce(xr_board *board)
{
    uint32_t polled = XR_MODE_POLLED;
    if (atomic_load(&D.reader) == 0) {
        __atomic_compare_exchange_n(&board->mode, &polled, XR_MODE_LAZY, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    atomic_thread_fence(memory_order_seq_cst);
}

static void sleep_until_needed(xr_board *board, uint32_t seen, int64_t timeout)
{
    if (timeout < 0) {
        atomic_store(&drainer.asleep, 1);
        atomic_thread_fence(memory_order_seq_cst);
    }
    int has_output = atomic_load(&D.reader) == 0 && driver_has_output(board);
    /* With a limit, what there is may wait for the next tick. */
    if (timeout >= 0 || (!has_output && deltas_waiting() == 0)) {
        xr_futex_wait(&board->drainer, seen, timeout);
    }
    atomic_store(&drainer.asleep, 0);
}

static void *drain_until_stopped(void *unused)
{
    (void)unused;
    xr_board *board = D.session.board;
    int64_t timeout = XR_TICK_FIRST_NS;
    int quiet = 0;
    while (!atomic_load(&drainer.stop)) {
        uint32_t seen = __atomic_load_n(&board->drainer, __ATOMIC_SEQ_CST);
        announce(board);
        quiet = tick() ? 0 : quiet + 1;
        sleep_until_needed(board, seen, quiet >= XR_QUIET_TICKS ? -1 : timeout);
        int woken = __atomic_load_n(&board->drainer, __ATOMIC_SEQ_CST) != seen;
        timeout = woken ? XR_TICK_FIRST_NS : timeout * 2;
        timeout = timeout > XR_TICK_LONGEST_NS ? XR_TICK_LONGEST_NS : timeout;
        if (woken) {
            quiet = 0;
        }
    }
    return NULL;
}

int drainer_start(void)
{
    pthread_attr_t attr;
    sigset_t all, before;
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP};
    atomic_store(&drainer.stop, 0);
    atomic_store(&drainer.asleep, 0);
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        sigdelset(&all, own[i]);
    }
    int rc = pthread_attr_init(&attr);
    if (rc != 0) {
        return rc;
    }
    pthread_attr_setstacksize(&attr, XR_STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: signals are for Python's threads */
    rc = pthread_create(&drainer.thread, &attr, drain_until_stopped, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc == 0) {
        drainer.running = 1;
        pthread_setname_np(drainer.thread, "tb-drainer");
    }
    return rc;
}

void drainer_stop(void)
{
    if (drainer.running) {
        atomic_store(&drainer.stop, 1);
        wake();
        pthread_join(drainer.thread, NULL);
        drainer.running = 0;
    }
}
