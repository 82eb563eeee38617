/* worker_send.c - records from a worker to the node, and the references that go before them. */
#include "buf.h"
#include "engine.h"
#include "worker.h"

#include <string.h>

#define XR_DELTAS_MAX 128
#define XR_DELTAS_SEARCH 16 /* so many, the last ones, are compared to cancel out */
#define XR_PAYLOAD_MAX (XR_RECORD_MAX - sizeof(xr_record))

static struct {
    size_t n;
    xr_ref_delta entries[XR_DELTAS_MAX];
} deltas;

void worker_delta(uint64_t handle, int64_t delta)
{
    size_t first = deltas.n > XR_DELTAS_SEARCH ? deltas.n - XR_DELTAS_SEARCH : 0;
    for (size_t i = deltas.n; i > first; i--) {
        xr_ref_delta *d = &deltas.entries[i - 1];
        if (d->handle == handle) {
            d->delta += delta;
            if (d->delta == 0) {
                /* The order among different handles carries no meaning within one record. */
                *d = deltas.entries[--deltas.n];
            }
            return;
        }
    }
    deltas.entries[deltas.n++] = (xr_ref_delta){handle, delta};
    if (deltas.n == XR_DELTAS_MAX) {
        worker_flush();
    }
}

/* Writes the REFS record without publishing it. */
static void write_deltas(void)
{
    if (deltas.n > 0) {
        size_t size = deltas.n * sizeof deltas.entries[0];
        memcpy(channel_begin(&W.channel, XR_MSG_REFS, 0, size), deltas.entries, size);
        deltas.n = 0;
    }
}

void worker_flush(void)
{
    if (deltas.n > 0) {
        write_deltas();
        channel_publish(&W.channel, XR_LAZILY, 0);
    }
}

/* Bytes that a part takes: the last one has no padding, its length may tell the reader something. */
static size_t space_of(const xr_part *parts, size_t n, size_t i)
{
    return i + 1 < n ? xr_pad8(parts[i].length) : parts[i].length;
}

static void gather(uint8_t *target, const xr_part *parts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t length = parts[i].length, space = space_of(parts, n, i);
        if (length > 0) {
            memcpy(target, parts[i].data, length);
            memset(target + length, 0, space - length);
        }
        target += space;
    }
}

/* The record's payload goes through the arena, where the node frees it.   GIL: released meanwhile. */
static int send_indirect(uint16_t kind, const xr_part *parts, size_t n, size_t size, int urgency)
{
    xr_span span = {.length = size};
    uint8_t *memory;
    if (xr_worker_engine.alloc(size, &span.offset, &memory) < 0) {
        return -1;
    }
    gather(memory, parts, n);
    write_deltas();
    memcpy(channel_begin(&W.channel, kind, XR_RECORD_INDIRECT, sizeof span), &span, sizeof span);
    channel_publish(&W.channel, urgency, 0);
    return 0;
}

int worker_send(uint16_t kind, const xr_part *parts, size_t n, int urgency, int64_t now)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        size += space_of(parts, n, i);
    }
    if (size > XR_PAYLOAD_MAX) {
        return send_indirect(kind, parts, n, size, urgency);
    }
    write_deltas();
    gather(channel_begin(&W.channel, kind, 0, size), parts, n);
    channel_publish(&W.channel, urgency, now);
    return 0;
}

void worker_free_space(uint64_t offset)
{
    memcpy(channel_begin(&W.channel, XR_MSG_FREE, 0, sizeof offset), &offset, sizeof offset);
    channel_publish(&W.channel, XR_LAZILY, 0);
}
