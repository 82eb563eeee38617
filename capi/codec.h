/* codec.h - how Python values become blobs, and arguments become bytes.
 *
 * Only Python processes read blobs; Go copies them, looks at the first byte to tell errors from results, and writes
 * SYSERR blobs itself. A blob starts 8-aligned inline and 64-aligned in the arena.
 */
#ifndef XR_CODEC_H
#define XR_CODEC_H

/* First byte of a blob. */
#define XR_TAG_NONE 0    /* 1 byte */
#define XR_TAG_TRUE 1    /* 1 byte */
#define XR_TAG_FALSE 2   /* 1 byte */
#define XR_TAG_INT 3     /* tag, 8 bytes little-endian int64 (exact type int only) */
#define XR_TAG_FLOAT 4   /* tag, 8 bytes IEEE double (exact type float only) */
#define XR_TAG_STR 5     /* tag, UTF-8 to the end (exact type str, no lone surrogates) */
#define XR_TAG_BYTES 6   /* tag, bytes to the end (exact type bytes) */
#define XR_TAG_PICKLE 7  /* tag, pickle stream (protocol 5, no out-of-band buffers) to the end */
#define XR_TAG_BUFFERS 8 /* xr_buffers_head, nbuf x xr_span (offset from the blob's start, length), pickle stream, buffers,
                          * each buffer 64-aligned relative to the blob's start */
#define XR_TAG_ARROW 9   /* xr_arrow_head, padding to 64, Arrow IPC stream: Python restores it (hooks.arrow_read) */
#define XR_TAG_ERROR 10  /* tag, pickle stream of a RayTaskError */
#define XR_TAG_SYSERR 11 /* tag, 3 zero bytes, uint32 code (_exceptions.py), UTF-8 JSON object of strings ("message" among
                          * them) to the end: made by the node */

#define XR_TAG_NDARRAY 12 /* xr_ndarray_head, ndim x int64 shape, dtype in numpy's notation, elements from `data` on */

typedef struct xr_buffers_head {
    uint8_t tag, _0[3];
    uint32_t nbuf;
    uint64_t pickle_offset, pickle_len;
} xr_buffers_head;

typedef struct xr_arrow_head {
    uint8_t tag, kind, _0[6]; /* kind: chosen by hooks.arrow_write, given back to hooks.arrow_read */
    uint64_t stream_len;
} xr_arrow_head;

typedef struct xr_ndarray_head {
    uint8_t tag, order, ndim, dtype_len; /* order: 'C' or 'F' */
    uint32_t _0;
    uint64_t data; /* offset of the elements, a multiple of 64 */
} xr_ndarray_head;

/* Encoded arguments: xr_args_head, then npos positional, then nkw keyword arguments. Each: for a keyword first
 * {uint32 len, uint32 0, UTF-8 name padded to 8}; then xr_arg, then (VALUE) its blob padded to 8. */
typedef struct xr_args_head {
    uint32_t npos, nkw;
} xr_args_head;
#define XR_ARG_VALUE 0 /* length: bytes of the blob that follows */
#define XR_ARG_DEP 1   /* length: index among the task's deps; nothing follows */
typedef struct xr_arg {
    uint32_t kind, length;
} xr_arg;

#endif
