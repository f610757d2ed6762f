// shared.h - what outlives a reload: texts, numbers and booleans by key, each perhaps with an end, bounded in number and
// bytes. One object a process, made before its VMs and freed after them. Any thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { RA_SHARED_KEY_MOST = 256, RA_SHARED_TEXT_MOST = 1 << 20, RA_SHARED_KEYS_MOST = 10000 };

typedef enum ra_shared_type {
  RA_SHARED_NONE,
  RA_SHARED_NUMBER,
  RA_SHARED_BOOLEAN,
  RA_SHARED_TEXT
} ra_shared_type;

typedef struct ra_shared_value {
  ra_shared_type type;
  double number;     // or a boolean: 0 or 1
  const char *text;  // set: borrowed; get: the caller frees it (it may hold zero bytes)
  size_t size;
} ra_shared_value;

typedef struct ra_shared ra_shared;

// most: bytes of all keys and values.
int ra_shared_new(size_t most, ra_shared **out, ra_err *err);
void ra_shared_free(ra_shared *shared);

// A copy of the value; type NONE when there is none. RA_E_NOMEM.
int ra_shared_get(ra_shared *shared, const char *key, size_t n, ra_shared_value *out, ra_err *err);
// Type NONE deletes. ttl_ms 0: no end. RA_E_TOOBIG for a key or a text that is too long, RA_E_NOMEM when it is full (what has
// ended makes room first).
int ra_shared_set(ra_shared *shared, const char *key, size_t n, const ra_shared_value *value,
                  uint64_t ttl_ms, ra_err *err);
// Adds to a number; an absent one counts as 0 and gets the end. RA_E_CONFLICT when the value is no number or the sum not
// finite.
int ra_shared_incr(ra_shared *shared, const char *key, size_t n, double by, uint64_t ttl_ms,
                   double *out, ra_err *err);

typedef struct ra_shared_stats {
  size_t keys, bytes;
} ra_shared_stats;
ra_shared_stats ra_shared_get_stats(ra_shared *shared);
