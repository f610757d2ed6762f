// reader.h - how layers without IO get bytes of an object: a pair of function pointers that whoever plans
// the work provides (a file store, memory in tests, a range cache). Blocking; called in pool jobs only.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct ra_reader {
  // Reads exactly `size` bytes at `offset` of object `key` into dst. RA_E_NOTFOUND when there is no such
  // object, RA_E_CORRUPT when it ends too soon. Thread-safe.
  int (*read)(void *ctx, const char *key, uint64_t offset, size_t size, uint8_t *dst, ra_err *err);
  // The object's size in bytes.
  int (*size)(void *ctx, const char *key, uint64_t *out, ra_err *err);
  void *ctx;
} ra_reader;
