/* channel.h - a worker's end of its rings (wire.h). What the node wrote is checked before it is used.
 *
 * All functions but channel_pause are called with the GIL held, which serves as the lock of both ends.
 */
#ifndef XR_CHANNEL_H
#define XR_CHANNEL_H
#include <stddef.h>
#include <stdint.h>

#include "spin.h"
#include "wire.h"

typedef struct xr_consumer {
    xr_ring_ctl *ctl;
    uint8_t *data;
    uint64_t pos;  /* our head; read without the GIL by channel_pause */
    uint64_t tail; /* our last knowledge of the producer's */
} xr_consumer;

typedef struct xr_producer {
    xr_ring_ctl *ctl;
    uint8_t *data;
    uint64_t pos, head; /* our tail; our last knowledge of the consumer's */
} xr_producer;

typedef struct xr_channel {
    xr_channel_ctl *ctl;
    xr_board *board;
    xr_consumer task, reply;
    xr_producer out;
    uint64_t *word, bit; /* of this worker on the board */
    xr_spin spin;
    int64_t woke_ns; /* when this worker last woke the drainer */
} xr_channel;

/* Maps nothing: ctl is the whole channel, mapped by the caller. Returns 0, -1 when it is malformed. */
int channel_init(xr_channel *c, xr_channel_ctl *ctl, xr_board *board);

/* The next record, or NULL when there is none (*corrupt 0) or the ring is malformed (*corrupt 1).
 * It stays valid until consumer_advance. */
xr_record *consumer_next(xr_consumer *r, int *corrupt);
/* Gives the record's space back to the node. */
void consumer_advance(xr_consumer *r, const xr_record *record);
/* The record after one that has not been consumed, for looking ahead; same rules as consumer_next. */
xr_record *consumer_after(xr_consumer *r, const xr_record *record, int *corrupt);

/* Room in the out ring for a record of this payload, header filled; waits for the node while the ring
 * is full. size: at most XR_RECORD_MAX less the header. The record goes out with channel_publish. */
uint8_t *channel_begin(xr_channel *c, uint16_t kind, uint16_t flags, size_t size);

#define XR_LAZILY 0   /* DONE and REFS: whoever waits for them polls or has said so */
#define XR_URGENTLY 1 /* somebody has to act on it */
/* Publishes what was begun and wakes whom the board names. now: xr_now(), or 0 when unknown. */
void channel_publish(xr_channel *c, int urgency, int64_t now);

/* Without the GIL: spins, then makes sure that what was published gets read, and sleeps until there is something in the reply ring (or, with_tasks, in
 * the task ring), until *done is set, the deadline has come, or a signal. counted: this is the thread
 * that stands for the process in board->active. */
void channel_pause(xr_channel *c, const uint32_t *done, int with_tasks, int counted, int64_t deadline);
/* Before a sleep: nobody but the drainer may be there to read what this worker has written, and it may not know yet. */
void channel_offer(xr_channel *c);
/* Wakes threads of this process out of channel_pause. */
void channel_wake_pausing(xr_channel *c);

static inline int consumer_has(const xr_consumer *r)
{
    return __atomic_load_n(&r->ctl->tail, __ATOMIC_ACQUIRE) != __atomic_load_n(&r->pos, __ATOMIC_RELAXED);
}

#endif
