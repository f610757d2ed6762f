// store_far.c - ranges of files of other servers: of requests for the same one at the same time one is made, and what was
// fetched last is kept for a while.
#include <string.h>

#include "net/store_internal.h"

static const size_t KEPT = (size_t)32 << 20, RANGE_MOST = (size_t)8 << 20;  // bytes

typedef struct fetch {
  const ra_store *store;
  const ra__far *far;
  uint64_t offset;
  size_t size;
} fetch;

static int make(void *ctx, void **value, size_t *bytes, ra_err *err) {
  const fetch *f = ctx;
  ra_buf *buf;
  int rc = ra_buf_new(f->size, &buf, err);
  if (rc < 0) return rc;
  rc = ra_remote_read(f->store->remote, f->far->url, &f->far->state, f->offset, f->size,
                      ra_buf_bytes(buf), NULL, err);
  if (rc < 0) {
    ra_buf_unref(buf);
    return rc;
  }
  *value = buf;
  *bytes = f->size;
  return RA_OK;
}

int ra__store_read_far(const ra_store *store, const ra__store_object *object, uint64_t offset,
                       size_t size, uint8_t *dst, ra_err *err) {
  fetch f = {store, object->far, object->offset + offset, size};
  const char *url = f.far->url;
  if (!store->ranges) return ra_fail(err, RA_E_UNSUPPORTED, url, "lies on another server");
  if (size == 0) return RA_OK;
  if (size > RANGE_MOST)
    return ra_remote_read(store->remote, url, &f.far->state, f.offset, size, dst, NULL, err);
  ra_str text;
  ra_str_init(&text);
  ra_str_addf(&text, "%s %s", url, f.far->state.tag);
  if (text.failed) return ra_fail(err, RA_E_NOMEM, url, "no memory for a URL");
  const uint64_t numbers[] = {f.far->state.size, f.offset, size};
  ra_cache_key key = ra_cache_key_of(text.ptr, numbers, 3);
  ra_str_deinit(&text);
  void *value;
  int rc = ra_cache_get(store->ranges, key, make, &f, &value, err);
  if (rc < 0) return rc;
  memcpy(dst, ra_buf_data(value), size);
  ra_buf_unref(value);
  return RA_OK;
}

static void *ref(void *value) { return ra_buf_ref(value); }
static void unref(void *value) { ra_buf_unref(value); }

int ra_store_set_remote(ra_store *store, ra_remote *remote, ra_err *err) {
  static const ra_cache_ops ops = {ref, unref};
  store->remote = remote;
  return ra_cache_new("ranges", KEPT, &ops, &store->ranges, err);
}
