// buf.h - refcounted byte buffers: the one way in which pixels, bodies and objects travel between layers
// and threads. References are atomic; the bytes are written by one owner before they are shared and never
// after. Every live byte is counted, so that a leak shows as a number.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct ra_buf ra_buf;

// A new buffer of `size` uninitialised bytes, 64-byte aligned, with one reference.
int ra_buf_new(size_t size, ra_buf **out, ra_err *err);
// A copy of `size` bytes.
int ra_buf_copy(const void *data, size_t size, ra_buf **out, ra_err *err);
// Takes malloc'd memory (released with free). On failure the memory stays the caller's.
int ra_buf_adopt(void *data, size_t size, ra_buf **out, ra_err *err);
// A view of [offset, offset + size) of a buffer; holds a reference to it. Counts no bytes of its own.
int ra_buf_view(ra_buf *parent, size_t offset, size_t size, ra_buf **out, ra_err *err);

ra_buf *ra_buf_ref(ra_buf *buf);  // returns buf
void ra_buf_unref(ra_buf *buf);   // NULL is fine; any thread

const uint8_t *ra_buf_data(const ra_buf *buf);
size_t ra_buf_size(const ra_buf *buf);
// Writable bytes; only by the owner, before the buffer is shared.
uint8_t *ra_buf_bytes(ra_buf *buf);
// Makes the buffer shorter (size ≤ the present one); owner only. The allocation stays.
void ra_buf_truncate(ra_buf *buf, size_t size);

// Bytes held by all live buffers, and their number; for metrics and leak tests.
size_t ra_buf_live_bytes(void);
size_t ra_buf_live_count(void);
