// buf.c - see buf.h
#include "base/buf.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

struct ra_buf {
  atomic_uint refs;
  uint8_t *data;
  size_t size;
  size_t counted;  // what was added to live_bytes
  ra_buf *parent;  // a view's; data points into it
};

static atomic_size_t live_bytes;
static atomic_size_t live_count;

static int wrap(void *data, size_t size, size_t counted, ra_buf *parent, ra_buf **out, ra_err *err) {
  ra_buf *buf = malloc(sizeof *buf);
  if (!buf) return ra_fail(err, RA_E_NOMEM, "", "no memory for a buffer");
  atomic_init(&buf->refs, 1);
  buf->data = data;
  buf->size = size;
  buf->counted = counted;
  buf->parent = parent;
  atomic_fetch_add_explicit(&live_bytes, counted, memory_order_relaxed);
  atomic_fetch_add_explicit(&live_count, 1, memory_order_relaxed);
  *out = buf;
  return RA_OK;
}

int ra_buf_new(size_t size, ra_buf **out, ra_err *err) {
  size_t padded;
  if (!ra_size_add(size, 64, &padded)) {
    return ra_fail(err, RA_E_NOMEM, "", "a buffer of %zu bytes is too large", size);
  }
  padded &= ~(size_t)63;
  void *data = aligned_alloc(64, padded ? padded : 64);
  if (!data) return ra_fail(err, RA_E_NOMEM, "", "no memory for a buffer of %zu bytes", size);
  int rc = wrap(data, size, size, NULL, out, err);
  if (rc < 0) free(data);
  return rc;
}

int ra_buf_copy(const void *data, size_t size, ra_buf **out, ra_err *err) {
  int rc = ra_buf_new(size, out, err);
  if (rc == RA_OK && size) memcpy((*out)->data, data, size);
  return rc;
}

int ra_buf_adopt(void *data, size_t size, ra_buf **out, ra_err *err) {
  return wrap(data, size, size, NULL, out, err);
}

int ra_buf_view(ra_buf *parent, size_t offset, size_t size, ra_buf **out, ra_err *err) {
  if (offset > parent->size || size > parent->size - offset) {
    return ra_fail(err, RA_E_INTERNAL, "", "a view of %zu bytes at %zu leaves its buffer of %zu",
                   size, offset, parent->size);
  }
  int rc = wrap(parent->data + offset, size, 0, parent, out, err);
  if (rc == RA_OK) ra_buf_ref(parent);
  return rc;
}

ra_buf *ra_buf_ref(ra_buf *buf) {
  atomic_fetch_add_explicit(&buf->refs, 1, memory_order_relaxed);
  return buf;
}

void ra_buf_unref(ra_buf *buf) {
  if (!buf || atomic_fetch_sub_explicit(&buf->refs, 1, memory_order_acq_rel) != 1) return;
  if (buf->parent) {
    ra_buf_unref(buf->parent);
  } else {
    free(buf->data);
  }
  atomic_fetch_sub_explicit(&live_bytes, buf->counted, memory_order_relaxed);
  atomic_fetch_sub_explicit(&live_count, 1, memory_order_relaxed);
  free(buf);
}

const uint8_t *ra_buf_data(const ra_buf *buf) { return buf->data; }
size_t ra_buf_size(const ra_buf *buf) { return buf->size; }
uint8_t *ra_buf_bytes(ra_buf *buf) { return buf->data; }

void ra_buf_truncate(ra_buf *buf, size_t size) {
  if (size < buf->size) buf->size = size;
}

size_t ra_buf_live_bytes(void) { return atomic_load_explicit(&live_bytes, memory_order_relaxed); }
size_t ra_buf_live_count(void) { return atomic_load_explicit(&live_count, memory_order_relaxed); }
