#include "buf.h"

/* buf_reserve: room for n more bytes.   GIL: held.   Returns: 0, or -1 with MemoryError. */
int buf_reserve(xr_buf *b, size_t n)
{
    size_t cap = b->cap * 2 > b->len + n ? b->cap * 2 : b->len + n;
    int is_small = b->data == (uint8_t *)b->small;
    uint8_t *data = realloc(is_small ? NULL : b->data, cap);
    if (data == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (is_small) {
        memcpy(data, b->small, b->len);
    }
    b->data = data;
    b->cap = cap;
    return 0;
}

/* words_reserve: room for n more words.   GIL: held.   Returns: 0, or -1 with MemoryError. */
int words_reserve(xr_words *w, size_t n)
{
    size_t cap = w->cap * 2 > w->len + n ? w->cap * 2 : w->len + n;
    int is_small = w->data == w->small;
    uint64_t *data = realloc(is_small ? NULL : w->data, cap * sizeof *data);
    if (data == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    if (is_small) {
        memcpy(data, w->small, w->len * sizeof *data);
    }
    w->data = data;
    w->cap = cap;
    return 0;
}
