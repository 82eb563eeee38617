/* futex.h - sleeping and waking on a word of shared memory. The words are shared between processes,
 * so FUTEX_PRIVATE_FLAG is not used. */
#ifndef XR_FUTEX_H
#define XR_FUTEX_H
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Sleeps while *word == value, for at most timeout_ns (negative: without limit).
 * Returns 0 when woken or when the value differs, EINTR, or ETIMEDOUT. */
static inline int xr_futex_wait(const uint32_t *word, uint32_t value, int64_t timeout_ns)
{
    struct timespec t = {timeout_ns / 1000000000, timeout_ns % 1000000000};
    long rc = syscall(SYS_futex, word, FUTEX_WAIT, value, timeout_ns < 0 ? NULL : &t, NULL, 0);
    return rc == 0 || errno == EAGAIN ? 0 : errno;
}

static inline void xr_futex_wake(const uint32_t *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

#endif
