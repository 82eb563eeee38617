#include "store.h"

#include "state.h"

int store_write(xr_blob *b, xr_value *v)
{
    uint8_t *memory;
    if (S.engine->alloc(b->size, &v->offset, &memory) < 0) {
        return -1;
    }
    if (blob_write(b, memory) < 0) {
        S.engine->give_up(v->offset);
        return -1;
    }
    v->where = XR_WHERE_STORE;
    v->refs = (uint32_t)b->refs.len;
    v->length = b->size;
    return 0;
}

static int put_inline(xr_blob *b, uint32_t site, uint64_t *handle)
{
    xr_buf bytes;
    int rc = -1;
    buf_init(&bytes);
    uint8_t *place = buf_add(&bytes, b->size);
    if (place != NULL && blob_write(b, place) == 0) {
        xr_value v = {XR_WHERE_INLINE, (uint32_t)b->refs.len, b->size, 0};
        rc = S.engine->put(&v, bytes.data, b->refs.data, site, handle);
    }
    buf_free(&bytes);
    return rc;
}

int store_put(xr_blob *b, uint32_t site, uint64_t *handle)
{
    if (b->size <= XR_INLINE_MAX) {
        return put_inline(b, site, handle);
    }
    xr_value v;
    if (store_write(b, &v) < 0) {
        return -1;
    }
    int rc = S.engine->put(&v, NULL, b->refs.data, site, handle);
    if (rc < 0) {
        S.engine->give_up(v.offset);
    }
    return rc;
}
