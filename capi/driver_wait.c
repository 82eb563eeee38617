/* driver_wait.c - how threads of the driver wait: one reads the workers' output, the others follow. */
#include "driver.h"

#include "drainer.h"
#include "errors.h"
#include "futex.h"
#include "scope.h"
#include "state.h"

#include <pthread.h>
#include <string.h>

#define XR_SLICE_NS 50000000 /* so often a waiting thread looks for Python's signals at least */

/* What a waiting thread's word holds. TURN says that the reader has left and this thread is to take over:
 * a value and not a mere wake, which would be lost on a thread that is about to sleep. */
#define XR_WORD_OPEN 0u
#define XR_WORD_DONE 1u   /* set by the library */
#define XR_WORD_TURN 2u   /* set by hand_over */
#define XR_WORD_ASLEEP 3u /* the library wakes only where it finds this */

typedef struct xr_follower {
    uint32_t *word;
    struct xr_follower *next;
} xr_follower;

static struct {
    pthread_mutex_t mu;
    xr_follower *first; /* guarded by mu */
} followers = {.mu = PTHREAD_MUTEX_INITIALIZER};

/* One waiting thread. */
typedef struct xr_waiting {
    uint32_t *word;
    int64_t until; /* end of the slice */
    int interrupted;
    int32_t error; /* of the library, 0 while none */
} xr_waiting;

static int is_over(const xr_waiting *w)
{
    return __atomic_load_n(w->word, __ATOMIC_ACQUIRE) == XR_WORD_DONE || w->interrupted || w->error < 0 ||
           atomic_load(&D.closing);
}

static int change(uint32_t *word, uint32_t from, uint32_t to)
{
    return __atomic_compare_exchange_n(word, &from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Gives the reader's role to a follower, if there is one and nobody has it. */
static void hand_over(void)
{
    pthread_mutex_lock(&followers.mu);
    if (followers.first != NULL && atomic_load(&D.reader) == 0) {
        uint32_t *word = followers.first->word;
        if (!change(word, XR_WORD_OPEN, XR_WORD_TURN)) {
            change(word, XR_WORD_ASLEEP, XR_WORD_TURN);
        }
        xr_futex_wake(word, 1);
    }
    pthread_mutex_unlock(&followers.mu);
}

static void forget(xr_follower *f)
{
    pthread_mutex_lock(&followers.mu);
    xr_follower **at = &followers.first;
    while (*at != NULL && *at != f) {
        at = &(*at)->next;
    }
    if (*at == f) {
        *at = f->next;
    }
    pthread_mutex_unlock(&followers.mu);
}

/* Sleeps until its word is set, or the slice is over. */
static void follow(xr_waiting *w)
{
    xr_follower self = {.word = w->word};
    pthread_mutex_lock(&followers.mu);
    self.next = followers.first;
    followers.first = &self;
    pthread_mutex_unlock(&followers.mu);
    /* The reader may have left before it could see us. */
    int64_t left = w->until - xr_now();
    if (atomic_load(&D.reader) != 0 && left > 0 && !atomic_load(&D.closing) &&
        change(w->word, XR_WORD_OPEN, XR_WORD_ASLEEP)) {
        w->interrupted = xr_futex_wait(w->word, XR_WORD_ASLEEP, left) == EINTR;
    }
    forget(&self);
    if (!change(w->word, XR_WORD_TURN, XR_WORD_OPEN)) {
        change(w->word, XR_WORD_ASLEEP, XR_WORD_OPEN);
    }
}

/* Reads what there is. Returns whether there was anything. */
static int read_output(xr_waiting *w, int32_t *drained)
{
    if (!driver_has_output(D.session.board)) {
        return 0;
    }
    *drained = D.library.drain();
    if (*drained < 0) {
        w->error = *drained;
    }
    return 1;
}

/* Spins while that is worth it. Returns whether something has come. */
static int spin(const xr_waiting *w)
{
    xr_board *board = D.session.board;
    int64_t budget = xr_spin_budget(&D.spin, board);
    if (budget == 0) {
        return 0;
    }
    int64_t start = xr_now();
    do {
        for (int i = 0; i < 16; i++) {
            if (driver_has_output(board) || is_over(w)) {
                xr_spin_learn(&D.spin, 1);
                return 1;
            }
            xr_relax();
        }
    } while (xr_spin_step(start, start + budget));
    xr_spin_learn(&D.spin, 0);
    return 0;
}

/* Sleeps until a worker has written, or the slice is over. */
static void sleep_as_reader(xr_waiting *w)
{
    xr_board *board = D.session.board;
    uint32_t seen = __atomic_load_n(&board->getter, __ATOMIC_SEQ_CST);
    __atomic_store_n(&board->mode, XR_MODE_GETTER, __ATOMIC_SEQ_CST);
    atomic_thread_fence(memory_order_seq_cst);
    int64_t left = w->until - xr_now();
    if (!driver_has_output(board) && !is_over(w) && left > 0) {
        __atomic_fetch_sub(&board->active, 1, __ATOMIC_SEQ_CST);
        w->interrupted = xr_futex_wait(&board->getter, seen, left) == EINTR;
        __atomic_fetch_add(&board->active, 1, __ATOMIC_SEQ_CST);
    }
    __atomic_store_n(&board->mode, XR_MODE_POLLED, __ATOMIC_SEQ_CST);
}

/* Reads until the own word is set or the slice is over. Preconditions: D.reader is ours. */
static void lead(xr_waiting *w)
{
    xr_board *board = D.session.board;
    int32_t drained = 0;
    __atomic_store_n(&board->mode, XR_MODE_POLLED, __ATOMIC_SEQ_CST);
    while (!is_over(w)) {
        if (read_output(w, &drained)) {
            /* A stream of results must not keep Python's signals waiting. */
            if (!is_over(w) && xr_now() >= w->until) {
                break;
            }
            continue;
        }
        if (xr_now() >= w->until) {
            break;
        }
        if (!spin(w)) {
            sleep_as_reader(w);
        }
    }
    __atomic_store_n(&board->mode, XR_MODE_LAZY, __ATOMIC_SEQ_CST);
    atomic_thread_fence(memory_order_seq_cst);
    read_output(w, &drained);
    atomic_store(&D.reader, 0);
    if (drained > 0 && (drained & XR_DRAIN_FLIGHT) != 0) {
        drainer_kick();
    }
}

/* One slice, without the GIL. */
static void wait_slice(xr_waiting *w)
{
    int nobody = 0;
    if (atomic_compare_exchange_strong(&D.reader, &nobody, 1)) {
        lead(w);
    } else {
        follow(w);
    }
}

/* Slices until it is over. GIL: released on entry and exit, taken between slices.
 * Returns XR_OK, an error code, or XR_BLOCK_RAISED. */
static int32_t wait_slices(xr_waiting *w, int64_t deadline, PyThreadState **thread)
{
    for (;;) {
        int64_t now = xr_now();
        w->until = deadline - now < XR_SLICE_NS ? deadline : now + XR_SLICE_NS;
        wait_slice(w);
        if (w->error < 0) {
            return w->error;
        }
        if (__atomic_load_n(w->word, __ATOMIC_ACQUIRE) == XR_WORD_DONE) {
            return XR_OK;
        }
        if (atomic_load(&D.closing)) {
            return XR_ECLOSED;
        }
        now = xr_now();
        if (now >= deadline) {
            return XR_ETIMEOUT;
        }
        if (w->interrupted || now >= w->until) {
            w->interrupted = 0;
            PyEval_RestoreThread(*thread);
            int raised = PyErr_CheckSignals();
            *thread = PyEval_SaveThread();
            if (raised < 0) {
                return XR_BLOCK_RAISED;
            }
        }
    }
}

int32_t driver_wait_for(uint32_t *word, int64_t deadline)
{
    xr_waiting w = {.word = word};
    int32_t rc = XR_OK;
    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != XR_WORD_DONE) {
        deltas_flush();
        PyThreadState *thread = session_release_gil();
        rc = wait_slices(&w, deadline, &thread);
        hand_over();
        session_take_gil(thread);
    }
    if (rc < 0 && rc != XR_ETIMEOUT) {
        errors_raise(rc, "waiting for the workers failed", 30);
        rc = XR_BLOCK_RAISED;
    }
    return rc;
}

int32_t driver_block(const uint64_t *handles, size_t n, size_t need, int fail_fast, int64_t deadline)
{
    xr_error err;
    err.text[0] = 0;
    uint32_t *word = NULL;
    uint64_t waiter, scope;
    if (scope_here(&scope) < 0) {
        return XR_BLOCK_RAISED;
    }
    deltas_flush();
    int32_t rc = D.library.wait_begin(handles, n, need, fail_fast, scope, &waiter, &word, &err);
    if (rc < 0) {
        errors_raise(rc, err.text, strnlen(err.text, sizeof err.text));
        return XR_BLOCK_RAISED;
    }
    if (word == NULL) {
        return XR_OK; /* fulfilled already */
    }
    rc = driver_wait_for(word, deadline);
    D.library.wait_end(waiter);
    return rc;
}

void driver_wake_waiters(void)
{
    uint32_t *getter = &D.session.board->getter;
    __atomic_fetch_add(getter, 1, __ATOMIC_SEQ_CST);
    xr_futex_wake(getter, INT_MAX);
    pthread_mutex_lock(&followers.mu);
    for (xr_follower *f = followers.first; f != NULL; f = f->next) {
        xr_futex_wake(f->word, INT_MAX);
    }
    pthread_mutex_unlock(&followers.mu);
}
