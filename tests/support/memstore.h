// memstore.h - objects in memory behind a ra_reader, for tests. Not thread-safe while objects are put.
#pragma once
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/reader.h"

typedef struct memstore {
  struct {
    char *key;
    ra_buf *buf;
  } objects[4096];
  size_t count;
  size_t reads, read_bytes;  // what was asked for
} memstore;

// Takes the reference.
static inline void memstore_put(memstore *store, const char *key, ra_buf *buf) {
  if (store->count == 4096) abort();
  store->objects[store->count].key = strdup(key);
  store->objects[store->count++].buf = buf;
}

static inline ra_buf *memstore_get(const memstore *store, const char *key) {
  for (size_t i = 0; i < store->count; i++) {
    if (strcmp(store->objects[i].key, key) == 0) return store->objects[i].buf;
  }
  return NULL;
}

static inline void memstore_clear(memstore *store) {
  for (size_t i = 0; i < store->count; i++) {
    free(store->objects[i].key);
    ra_buf_unref(store->objects[i].buf);
  }
  *store = (memstore){.count = 0};
}

static inline int memstore_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  ra_buf *buf = memstore_get(ctx, key);
  if (!buf) return ra_fail(err, RA_E_NOTFOUND, key, "no such object");
  *out = ra_buf_size(buf);
  return RA_OK;
}

static inline int memstore_read(void *ctx, const char *key, uint64_t offset, size_t size,
                                uint8_t *dst, ra_err *err) {
  memstore *store = ctx;
  ra_buf *buf = memstore_get(store, key);
  if (!buf) return ra_fail(err, RA_E_NOTFOUND, key, "no such object");
  if (offset > ra_buf_size(buf) || size > ra_buf_size(buf) - offset) {
    return ra_fail(err, RA_E_CORRUPT, key, "ends too soon");
  }
  memcpy(dst, ra_buf_data(buf) + offset, size);
  __atomic_fetch_add(&store->reads, 1, __ATOMIC_RELAXED);
  __atomic_fetch_add(&store->read_bytes, size, __ATOMIC_RELAXED);
  return RA_OK;
}

static inline ra_reader memstore_reader(memstore *store) {
  return (ra_reader){memstore_read, memstore_size, store};
}
