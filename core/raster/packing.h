// packing.h - the one place where stored cells become values: scale, offset, fill values, valid range.
// value = stored * scale + offset, computed in double and rounded once to the output type. What is missing is
// decided on stored values, before scaling (CF 1.11 §2.5.1, §8.1); NaN is always missing.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "raster/dtype.h"

enum { RA_MISSING_MAX = 8 };

typedef struct ra_packing {
  double scale, offset;  // 1, 0 when not packed
  unsigned missing_count;
  double missing[RA_MISSING_MAX];  // stored values that mean "no data"
  bool has_valid_min, has_valid_max;
  double valid_min, valid_max;  // stored values outside are missing
} ra_packing;

// scale 1, offset 0, nothing missing but NaN.
ra_packing ra_packing_none(void);
bool ra_packing_is_plain(const ra_packing *packing);  // scale 1 and offset 0
// n stored cells to values, NaN where missing. unscale false: stored numbers, masked all the same.
void ra_unpack_f32(ra_dtype dtype, const void *cells, size_t n, const ra_packing *packing,
                   bool unscale, float *out);
void ra_unpack_f64(ra_dtype dtype, const void *cells, size_t n, const ra_packing *packing,
                   bool unscale, double *out);
// The type that holds decoded values without a loss that matters: F32 for float32 and 8/16-bit
// integers, F64 for the rest.
ra_dtype ra_packing_value_dtype(ra_dtype stored);
