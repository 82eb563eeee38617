/* The floors under the engine: what two processes on this machine can do at best.
 *
 * Prints one JSON object: lists of raw samples by name. Rings are single producer, single
 * consumer, in shared memory, 64-byte messages; the two ends are forked processes.
 *   ring_round_trip_s      one message there and one back, both ends spinning
 *   ring_one_way_per_s     messages pushed through one ring
 *   ring_echo_per_s        messages sent and answered, as many in flight as the ring holds
 *   futex_round_trip_s     the same as the first with both ends asleep in between
 *   memcpy_warm, memfd_warm, memfd_new, memfd_fallocate    GB/s, argv[1] MiB at a time
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <signal.h>

enum { SLOTS = 1024, SAMPLES = 5 };

/* A sample is as many operations as fit into this time, found by a short trial first: on a busy
 * machine a round trip takes a hundred times longer than on a quiet one. */
#define SAMPLE_S 0.15
enum { TRIAL = 2000, COUNT_MAX = 20000000 };

/* Spins before a look at the scheduler: on one core the other end could not run at all. */
enum { SPINS_BEFORE_YIELD = 20000 };

struct message {
    uint64_t number;
    uint8_t body[56];
};

struct ring {
    _Alignas(64) _Atomic uint64_t head; /* written by the producer */
    _Alignas(64) _Atomic uint64_t tail; /* written by the consumer */
    _Alignas(64) struct message slots[SLOTS];
};

struct shared {
    struct ring there, back;
    _Alignas(64) _Atomic uint32_t word;
    uint64_t count; /* operations to do, set before the fork */
};

static void die(const char *what)
{
    fprintf(stderr, "floors: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void relax(uint32_t *spins)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
    if (++*spins >= SPINS_BEFORE_YIELD) {
        *spins = 0;
        sched_yield();
    }
}

static int try_push(struct ring *r, const struct message *m)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (head - atomic_load_explicit(&r->tail, memory_order_acquire) == SLOTS)
        return 0;
    r->slots[head % SLOTS] = *m;
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
    return 1;
}

static int try_pop(struct ring *r, struct message *m)
{
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (atomic_load_explicit(&r->head, memory_order_acquire) == tail)
        return 0;
    *m = r->slots[tail % SLOTS];
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
    return 1;
}

static void push(struct ring *r, const struct message *m)
{
    uint32_t spins = 0;
    while (!try_push(r, m))
        relax(&spins);
}

static void pop(struct ring *r, struct message *m, uint64_t expected)
{
    uint32_t spins = 0;
    while (!try_pop(r, m))
        relax(&spins);
    if (m->number != expected) {
        fprintf(stderr, "floors: message %llu came as %llu\n", (unsigned long long)expected,
                (unsigned long long)m->number);
        exit(1);
    }
}

static struct shared *new_shared(void)
{
    struct shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        die("mmap");
    memset(s, 0, sizeof *s);
    return s;
}

/* Runs the child's end in a forked process and returns the parent's seconds per operation. */
static double both_ends(void (*parent)(struct shared *), void (*child)(struct shared *), uint64_t count)
{
    struct shared *s = new_shared();
    s->count = count;
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        child(s);
        _exit(0);
    }
    double start = now_s();
    parent(s);
    double elapsed = now_s() - start;
    int status;
    if (waitpid(pid, &status, 0) < 0 || status != 0)
        die("the other end failed");
    munmap(s, sizeof *s);
    return elapsed / (double)count;
}

static double seconds_per_operation(void (*parent)(struct shared *), void (*child)(struct shared *))
{
    double fits = SAMPLE_S / both_ends(parent, child, TRIAL);
    uint64_t count = fits < TRIAL ? TRIAL : fits > COUNT_MAX ? COUNT_MAX : (uint64_t)fits;
    return both_ends(parent, child, count);
}

static void ask(struct shared *s)
{
    struct message m = {0};
    for (uint64_t i = 0; i < s->count; i++) {
        m.number = i;
        push(&s->there, &m);
        pop(&s->back, &m, i);
    }
}

static void answer(struct shared *s)
{
    struct message m;
    for (uint64_t i = 0; i < s->count; i++) {
        pop(&s->there, &m, i);
        push(&s->back, &m);
    }
}

static void send_all(struct shared *s)
{
    struct message m = {0};
    for (uint64_t i = 0; i < s->count; i++) {
        m.number = i;
        push(&s->there, &m);
    }
    pop(&s->back, &m, s->count); /* the clock stops when the last one was read */
}

static void receive_all(struct shared *s)
{
    struct message m;
    for (uint64_t i = 0; i < s->count; i++)
        pop(&s->there, &m, i);
    m.number = s->count;
    push(&s->back, &m);
}

static void send_and_collect(struct shared *s)
{
    struct message m = {0}, got;
    uint64_t sent = 0, done = 0;
    uint32_t spins = 0;
    while (done < s->count) {
        int moved = 0;
        m.number = sent;
        if (sent < s->count && try_push(&s->there, &m)) {
            sent++;
            moved = 1;
        }
        if (try_pop(&s->back, &got)) {
            if (got.number != done)
                exit(1);
            done++;
            moved = 1;
        }
        if (!moved)
            relax(&spins);
    }
}

static void echo_all(struct shared *s)
{
    struct message m;
    for (uint64_t i = 0; i < s->count; i++) {
        pop(&s->there, &m, i);
        push(&s->back, &m);
    }
}

static void futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
    syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

/* Moves the word on from one value to the next and sleeps until the other end moved it too. */
static void turn(struct shared *s, uint32_t mine)
{
    for (uint32_t i = mine; i < 2 * s->count; i += 2) {
        uint32_t seen;
        while ((seen = atomic_load(&s->word)) != i)
            futex(&s->word, FUTEX_WAIT, seen);
        atomic_store(&s->word, i + 1);
        futex(&s->word, FUTEX_WAKE, 1);
    }
    uint32_t seen;
    while ((seen = atomic_load(&s->word)) < 2 * s->count)
        futex(&s->word, FUTEX_WAIT, seen);
}

static void futex_first(struct shared *s)
{
    turn(s, 0);
}
static void futex_second(struct shared *s)
{
    turn(s, 1);
}

static void *map(int fd, size_t bytes)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

static int new_memfd(size_t bytes)
{
    int fd = memfd_create("floors", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0)
        die("memfd");
    return fd;
}

static double copy_gb_per_s(void *to, const void *from, size_t bytes, double start)
{
    memcpy(to, from, bytes);
    __asm__ volatile("" : : "r"(to) : "memory");
    return (double)bytes / 1e9 / (now_s() - start);
}

static double copy_into_new(const void *from, size_t bytes, int reserve)
{
    int fd = new_memfd(bytes);
    void *to = map(fd, bytes);
    double start = now_s();
    if (reserve && fallocate(fd, 0, 0, (off_t)bytes) < 0)
        die("fallocate");
    double rate = copy_gb_per_s(to, from, bytes, start);
    munmap(to, bytes);
    close(fd);
    return rate;
}

static void print_samples(const char *name, const double *values, const char *end)
{
    printf("\"%s\": [", name);
    for (int i = 0; i < SAMPLES; i++)
        printf("%s%.9g", i ? ", " : "", values[i]);
    printf("]%s", end);
}

static void measure_rings(void)
{
    double round_trip[SAMPLES], one_way[SAMPLES], echo[SAMPLES], sleeping[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        round_trip[i] = seconds_per_operation(ask, answer);
        one_way[i] = 1 / seconds_per_operation(send_all, receive_all);
        echo[i] = 1 / seconds_per_operation(send_and_collect, echo_all);
        sleeping[i] = seconds_per_operation(futex_first, futex_second);
    }
    print_samples("ring_round_trip_s", round_trip, ", ");
    print_samples("ring_one_way_per_s", one_way, ", ");
    print_samples("ring_echo_per_s", echo, ", ");
    print_samples("futex_round_trip_s", sleeping, ", ");
}

static void measure_copies(size_t bytes)
{
    double warm[SAMPLES], memfd_warm[SAMPLES], fresh[SAMPLES], reserved[SAMPLES];
    int fd = new_memfd(bytes);
    uint8_t *from = map(-1, bytes), *to = map(-1, bytes), *shared = map(fd, bytes);
    for (size_t i = 0; i < bytes; i++)
        from[i] = (uint8_t)(i * 2654435761u >> 13);
    memcpy(to, from, bytes);
    memcpy(shared, from, bytes);
    for (int i = 0; i < SAMPLES; i++) {
        warm[i] = copy_gb_per_s(to, from, bytes, now_s());
        memfd_warm[i] = copy_gb_per_s(shared, from, bytes, now_s());
        fresh[i] = copy_into_new(from, bytes, 0);
        reserved[i] = copy_into_new(from, bytes, 1);
    }
    print_samples("memcpy_warm", warm, ", ");
    print_samples("memfd_warm", memfd_warm, ", ");
    print_samples("memfd_new", fresh, ", ");
    print_samples("memfd_fallocate", reserved, "");
}

int main(int argc, char **argv)
{
    long mib = argc > 1 ? strtol(argv[1], NULL, 10) : 100;
    if (mib < 1 || mib > 4096) {
        fprintf(stderr, "usage: floors [MiB to copy at a time, 1 to 4096]\n");
        return 2;
    }
    printf("{");
    fflush(stdout); /* a forked end must not print it again */
    measure_rings();
    measure_copies((size_t)mib << 20);
    printf("}\n");
    return 0;
}
