// cache.h - decoded blocks and parsed headers, shared by all pool threads: sharded by key, bounded by bytes, least
// recently used out first, single-flight (two threads that miss the same key make it once). Values are refcounted by
// the functions given at creation.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct ra_cache ra_cache;

typedef struct ra_cache_key {
  uint64_t hi, lo;  // 128 bits of a hash of everything that identifies the value
} ra_cache_key;

typedef struct ra_cache_ops {
  void *(*ref)(void *value);
  void (*unref)(void *value);
} ra_cache_ops;

typedef struct ra_cache_stats {
  uint64_t hits, misses, evictions;
  size_t bytes, limit, entries;
} ra_cache_stats;

// name: in metrics ("blocks", "headers").
int ra_cache_new(const char *name, size_t limit_bytes, const ra_cache_ops *ops, ra_cache **out,
                 ra_err *err);
void ra_cache_free(ra_cache *cache);
// A new reference in *out: from the cache, or made by `make`, which gives a value (one reference, which the cache
// takes) and its size in bytes. An error is not cached; others that waited for it try themselves.
int ra_cache_get(ra_cache *cache, ra_cache_key key,
                 int (*make)(void *ctx, void **value, size_t *bytes, ra_err *err), void *ctx,
                 void **out, ra_err *err);
ra_cache_stats ra_cache_get_stats(ra_cache *cache);
// A key from a text and numbers (a store key, then level, band, block …); seeded 128-bit hash, not cryptographic.
ra_cache_key ra_cache_key_of(const char *text, const uint64_t *numbers, size_t count);
