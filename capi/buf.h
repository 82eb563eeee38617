/* buf.h - growable bytes and words that start on the caller's stack, so that a small call allocates
 * nothing. Both are moved never: their small storage lies inside them. */
#ifndef XR_BUF_H
#define XR_BUF_H
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct xr_buf {
    uint8_t *data;
    size_t len, cap;
    uint64_t small[96];
} xr_buf;

typedef struct xr_words {
    uint64_t *data;
    size_t len, cap;
    uint64_t small[8];
} xr_words;

static inline size_t xr_pad8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static inline void buf_init(xr_buf *b)
{
    b->data = (uint8_t *)b->small;
    b->len = 0;
    b->cap = sizeof b->small;
}

static inline void buf_free(xr_buf *b)
{
    if (b->data != (uint8_t *)b->small) {
        free(b->data);
    }
}

static inline void words_init(xr_words *w)
{
    w->data = w->small;
    w->len = 0;
    w->cap = sizeof w->small / sizeof w->small[0];
}

static inline void words_free(xr_words *w)
{
    if (w->data != w->small) {
        free(w->data);
    }
}

/* Makes room beyond the small storage. Returns 0, or -1 with MemoryError. */
int buf_reserve(xr_buf *b, size_t n);
int words_reserve(xr_words *w, size_t n);

/* n more bytes at the end. Returns their place, valid until the next growth, or NULL with
 * MemoryError. */
static inline uint8_t *buf_add(xr_buf *b, size_t n)
{
    if (b->cap - b->len < n && buf_reserve(b, n) < 0) {
        return NULL;
    }
    uint8_t *place = b->data + b->len;
    b->len += n;
    return place;
}

/* Returns 0, or -1 with MemoryError. */
static inline int words_add(xr_words *w, uint64_t word)
{
    if (w->len == w->cap && words_reserve(w, 1) < 0) {
        return -1;
    }
    w->data[w->len++] = word;
    return 0;
}

#endif
