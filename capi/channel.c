#define _GNU_SOURCE /* clocks, in C11 */
#include "channel.h"

#include <limits.h>
#include <string.h>
#include <time.h>

#include "futex.h"

#define XR_ALIGN 16u
#define XR_FULL_FIRST_NS 20000
#define XR_FULL_LONGEST_NS 1000000

static uint64_t padded(uint64_t size)
{
    return (size + XR_ALIGN - 1) & ~(uint64_t)(XR_ALIGN - 1);
}

int channel_init(xr_channel *c, xr_channel_ctl *ctl, xr_board *board)
{
    uint8_t *base = (uint8_t *)ctl;
    if (ctl->version != XR_WIRE_VERSION || board->version != XR_WIRE_VERSION || ctl->worker >= XR_WORKERS_MAX) {
        return -1;
    }
    *c = (xr_channel){
        .ctl = ctl,
        .board = board,
        .task = {.ctl = &ctl->task, .data = base + XR_TASK_OFFSET},
        .reply = {.ctl = &ctl->reply, .data = base + XR_REPLY_OFFSET},
        .out = {.ctl = &ctl->out, .data = base + XR_OUT_OFFSET},
        .word = &board->bits[ctl->worker % XR_WORKERS_MAX / 64],
        .bit = (uint64_t)1 << (ctl->worker % 64),
        .spin = {XR_SPIN_MAX_NS, 0},
    };
    return 0;
}

/* ---- reading ---- */

/* The record at a position before the tail, checked: it lies within what is published, and in one
 * piece. Returns NULL when it does not. */
static xr_record *record_at(xr_consumer *r, uint64_t pos)
{
    uint64_t index = pos & (XR_RING_BYTES - 1);
    uint64_t available = r->tail - pos, rest = XR_RING_BYTES - index;
    xr_record *record = (xr_record *)(r->data + index);
    uint64_t size = __atomic_load_n(&record->size, __ATOMIC_RELAXED);
    uint64_t limit = record->kind == XR_MSG_PAD ? XR_RING_BYTES : XR_RECORD_MAX;
    if (available < sizeof *record || size < sizeof *record || size > limit || padded(size) > available ||
        padded(size) > rest) {
        return NULL;
    }
    return record;
}

/* The first record from pos on that is no PAD. */
static xr_record *find(xr_consumer *r, uint64_t *pos, int *corrupt)
{
    *corrupt = 0;
    for (;;) {
        if (*pos == r->tail) {
            uint64_t tail = __atomic_load_n(&r->ctl->tail, __ATOMIC_ACQUIRE);
            if (tail - r->pos > XR_RING_BYTES || tail % XR_ALIGN != 0) {
                *corrupt = 1;
                return NULL;
            }
            r->tail = tail;
            if (*pos == tail) {
                return NULL;
            }
        }
        xr_record *record = record_at(r, *pos);
        if (record == NULL || record->kind != XR_MSG_PAD) {
            *corrupt = record == NULL;
            return record;
        }
        *pos += padded(record->size);
    }
}

static void move_to(xr_consumer *r, uint64_t pos)
{
    __atomic_store_n(&r->pos, pos, __ATOMIC_RELAXED);
    __atomic_store_n(&r->ctl->head, pos, __ATOMIC_RELEASE);
}

xr_record *consumer_next(xr_consumer *r, int *corrupt)
{
    uint64_t pos = r->pos;
    xr_record *record = find(r, &pos, corrupt);
    if (pos != r->pos) {
        move_to(r, pos); /* over a PAD */
    }
    return record;
}

void consumer_advance(xr_consumer *r, const xr_record *record)
{
    move_to(r, r->pos + padded(record->size));
}

xr_record *consumer_after(xr_consumer *r, const xr_record *record, int *corrupt)
{
    uint64_t index = (uint64_t)((const uint8_t *)record - r->data);
    uint64_t ahead = (index - r->pos) & (XR_RING_BYTES - 1);
    uint64_t pos = r->pos + ahead + padded(record->size);
    return find(r, &pos, corrupt);
}

/* ---- writing ---- */

/* Whether want bytes fit now. */
static int has_room(xr_producer *r, uint64_t want)
{
    if (r->pos + want - r->head > XR_RING_BYTES) {
        uint64_t head = __atomic_load_n(&r->ctl->head, __ATOMIC_ACQUIRE);
        if (head >= r->head && head <= r->pos) { /* else nonsense: as if full */
            r->head = head;
        }
    }
    return r->pos + want - r->head <= XR_RING_BYTES;
}

/* The node reads without any help of ours, so holding the GIL meanwhile can't lock anything up. */
static void wait_for_room(xr_channel *c, uint64_t want)
{
    long pause = XR_FULL_FIRST_NS;
    while (!has_room(&c->out, want)) {
        channel_publish(c, XR_URGENTLY, 0);
        nanosleep(&(struct timespec){0, pause}, NULL);
        pause = pause * 2 > XR_FULL_LONGEST_NS ? XR_FULL_LONGEST_NS : pause * 2;
    }
}

uint8_t *channel_begin(xr_channel *c, uint16_t kind, uint16_t flags, size_t size)
{
    xr_producer *r = &c->out;
    uint64_t need = padded(sizeof(xr_record) + size);
    uint64_t rest = XR_RING_BYTES - (r->pos & (XR_RING_BYTES - 1));
    uint64_t want = rest < need ? rest + need : need;
    if (!has_room(r, want)) {
        wait_for_room(c, want);
    }
    if (rest < need) {
        xr_record *pad = (xr_record *)(r->data + (r->pos & (XR_RING_BYTES - 1)));
        *pad = (xr_record){.size = (uint32_t)rest, .kind = XR_MSG_PAD};
        r->pos += rest;
    }
    xr_record *record = (xr_record *)(r->data + (r->pos & (XR_RING_BYTES - 1)));
    *record = (xr_record){.size = (uint32_t)(sizeof *record + size), .kind = kind, .flags = flags};
    r->pos += need;
    return (uint8_t *)(record + 1);
}

/* Wakes the sleeper that mode names, if we are the one to change it. */
static void wake(xr_channel *c, uint32_t mode, uint32_t *word)
{
    if (__atomic_compare_exchange_n(&c->board->mode, &mode, XR_MODE_POLLED, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
        xr_futex_wake(word, 1);
    }
}

static void wake_lazily(xr_channel *c, int urgency, int64_t now)
{
    int half_full = c->out.pos - __atomic_load_n(&c->out.ctl->head, __ATOMIC_RELAXED) > XR_RING_BYTES / 2;
    now = now != 0 ? now : xr_now();
    int64_t last = __atomic_load_n(&c->woke_ns, __ATOMIC_RELAXED);
    if (urgency == XR_URGENTLY || half_full || now - last > XR_NOTIFY_NS) {
        __atomic_store_n(&c->woke_ns, now, __ATOMIC_RELAXED);
        wake(c, XR_MODE_LAZY, &c->board->drainer);
    }
}

void channel_publish(xr_channel *c, int urgency, int64_t now)
{
    if (__atomic_load_n(&c->out.ctl->tail, __ATOMIC_RELAXED) != c->out.pos) {
        __atomic_store_n(&c->out.ctl->tail, c->out.pos, __ATOMIC_RELEASE);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if ((__atomic_load_n(c->word, __ATOMIC_RELAXED) & c->bit) == 0) {
            __atomic_fetch_or(c->word, c->bit, __ATOMIC_SEQ_CST);
        }
    }
    uint32_t mode = __atomic_load_n(&c->board->mode, __ATOMIC_SEQ_CST);
    if (mode == XR_MODE_GETTER) {
        wake(c, XR_MODE_GETTER, &c->board->getter);
    } else if (mode == XR_MODE_LAZY) {
        wake_lazily(c, urgency, now);
    }
}

/* ---- waiting ---- */

static int has_work(const xr_channel *c, const uint32_t *done, int with_tasks)
{
    return consumer_has(&c->reply) || (with_tasks && consumer_has(&c->task)) ||
           (done != NULL && __atomic_load_n(done, __ATOMIC_ACQUIRE) != 0);
}

static int spin(xr_channel *c, const uint32_t *done, int with_tasks, int64_t deadline)
{
    int64_t budget = xr_spin_budget(&c->spin, c->board);
    if (budget == 0) { /* the cores are taken: whoever has work for us may be waiting for this one */
        for (int i = 0; i < XR_SPIN_YIELDS; i++) {
            sched_yield();
            if (has_work(c, done, with_tasks)) {
                return 1;
            }
        }
        return 0;
    }
    int64_t start = xr_now();
    int64_t end = start + budget > deadline ? deadline : start + budget;
    do {
        for (int i = 0; i < 32; i++) {
            if (has_work(c, done, with_tasks)) {
                xr_spin_learn(&c->spin, 1);
                return 1;
            }
            xr_relax();
        }
    } while (xr_spin_step(start, end));
    xr_spin_learn(&c->spin, 0);
    return 0;
}

void channel_offer(xr_channel *c)
{
    if ((__atomic_load_n(c->word, __ATOMIC_SEQ_CST) & c->bit) != 0 &&
        __atomic_load_n(&c->board->mode, __ATOMIC_SEQ_CST) == XR_MODE_LAZY) {
        wake(c, XR_MODE_LAZY, &c->board->drainer);
    }
}

static void sleep_on_bell(xr_channel *c, const uint32_t *done, int with_tasks, int64_t deadline)
{
    /* Never set back to 0 by us: another thread may be asleep on it. At worst the node wakes nobody,
     * once. */
    __atomic_store_n(&c->ctl->bell, 1, __ATOMIC_SEQ_CST);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    int64_t left = deadline == XR_NEVER ? -1 : deadline - xr_now();
    if (!has_work(c, done, with_tasks) && (deadline == XR_NEVER || left > 0)) {
        xr_futex_wait(&c->ctl->bell, 1, left);
    }
}

void channel_pause(xr_channel *c, const uint32_t *done, int with_tasks, int counted, int64_t deadline)
{
    if (has_work(c, done, with_tasks)) {
        return;
    }
    if (!spin(c, done, with_tasks, deadline)) {
        channel_offer(c);
        if (counted) {
            __atomic_store_n(&c->ctl->counted, 0, __ATOMIC_SEQ_CST);
            __atomic_fetch_sub(&c->board->active, 1, __ATOMIC_SEQ_CST);
        }
        sleep_on_bell(c, done, with_tasks, deadline);
        if (counted) {
            __atomic_fetch_add(&c->board->active, 1, __ATOMIC_SEQ_CST);
            __atomic_store_n(&c->ctl->counted, 1, __ATOMIC_SEQ_CST);
        }
    }
}

void channel_wake_pausing(xr_channel *c)
{
    if (__atomic_exchange_n(&c->ctl->bell, 0, __ATOMIC_SEQ_CST) != 0) {
        xr_futex_wake(&c->ctl->bell, INT_MAX);
    }
}
