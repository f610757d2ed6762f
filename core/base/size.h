// size.h - sizes are checked before they are multiplied, added or allocated.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// false if a * b (a + b) does not fit; else *out holds it.
static inline bool ra_size_mul(size_t a, size_t b, size_t *out) {
  return !__builtin_mul_overflow(a, b, out);
}
static inline bool ra_size_add(size_t a, size_t b, size_t *out) {
  return !__builtin_add_overflow(a, b, out);
}
