// packing.c - loops from stored cells to values, one a type, each branch-free inside so that compilers make vector
// code of it. A block is masked while it is still in the first-level cache.
#include "raster/packing.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "raster/vector.h"

enum { BLOCK = 1024 };

// What the loops need, with limits that hold for every number when the variable has none.
typedef struct unpack_plan {
  double scale, offset;
  double least, most;
  unsigned missing_count;
  double missing[RA_MISSING_MAX];
} unpack_plan;

ra_packing ra_packing_none(void) { return (ra_packing){.scale = 1}; }

bool ra_packing_is_plain(const ra_packing *packing) {
  return packing->scale == 1 && packing->offset == 0;
}

ra_dtype ra_packing_value_dtype(ra_dtype stored) {
  return stored == RA_DTYPE_F32 || ra_dtype_size(stored) <= 2 ? RA_DTYPE_F32 : RA_DTYPE_F64;
}

// Attributes of float32 data are compared as float32: 0.1 in a text means the cell that holds 0.1f.
static double as_stored(ra_dtype dtype, double value) {
  return dtype == RA_DTYPE_F32 ? (double)(float)value : value;
}

// Plain cells get the offset -0.0, which leaves every number as it is (0.0 would turn -0.0 into 0.0).
static unpack_plan make_plan(ra_dtype dtype, const ra_packing *packing, bool unscale) {
  bool plain = !unscale || ra_packing_is_plain(packing);
  unpack_plan plan = {
      .scale = plain ? 1 : packing->scale,
      .offset = plain ? -0.0 : packing->offset,
      .least = packing->has_valid_min ? as_stored(dtype, packing->valid_min) : -INFINITY,
      .most = packing->has_valid_max ? as_stored(dtype, packing->valid_max) : INFINITY,
  };
  for (unsigned i = 0; i < packing->missing_count; i++) {
    if (isnan(packing->missing[i])) continue;
    plan.missing[plan.missing_count++] = as_stored(dtype, packing->missing[i]);
  }
  return plan;
}

#define UNPACK(NAME, IN, OUT)                                                                  \
  RA_VECTOR static void NAME(const void *cells, size_t n, const unpack_plan *plan, OUT *out) { \
    const IN *src = cells;                                                                     \
    const double scale = plan->scale, offset = plan->offset;                                   \
    const double least = plan->least, most = plan->most;                                       \
    for (size_t i = 0; i < n; i++) {                                                           \
      double v = (double)src[i];                                                               \
      double value = v * scale + offset;                                                       \
      out[i] = (OUT)(((v >= least) & (v <= most)) ? value : (double)NAN);                      \
    }                                                                                          \
    for (unsigned k = 0; k < plan->missing_count; k++) {                                       \
      const double missing = plan->missing[k];                                                 \
      for (size_t i = 0; i < n; i++) out[i] = (double)src[i] == missing ? NAN : out[i];        \
    }                                                                                          \
  }

#define UNPACK_BOTH(NAME, IN)      \
  UNPACK(NAME##_to_f32, IN, float) \
  UNPACK(NAME##_to_f64, IN, double)

UNPACK_BOTH(u8, uint8_t)
UNPACK_BOTH(i8, int8_t)
UNPACK_BOTH(u16, uint16_t)
UNPACK_BOTH(i16, int16_t)
UNPACK_BOTH(u32, uint32_t)
UNPACK_BOTH(i32, int32_t)
UNPACK_BOTH(u64, uint64_t)
UNPACK_BOTH(i64, int64_t)
UNPACK_BOTH(f32, float)
UNPACK_BOTH(f64, double)

typedef void (*unpack_f32)(const void *cells, size_t n, const unpack_plan *plan, float *out);
typedef void (*unpack_f64)(const void *cells, size_t n, const unpack_plan *plan, double *out);

static const unpack_f32 TO_F32[RA_DTYPE_COUNT] = {u8_to_f32,  i8_to_f32,  u16_to_f32, i16_to_f32,
                                                  u32_to_f32, i32_to_f32, u64_to_f32, i64_to_f32,
                                                  f32_to_f32, f64_to_f32};
static const unpack_f64 TO_F64[RA_DTYPE_COUNT] = {u8_to_f64,  i8_to_f64,  u16_to_f64, i16_to_f64,
                                                  u32_to_f64, i32_to_f64, u64_to_f64, i64_to_f64,
                                                  f32_to_f64, f64_to_f64};

void ra_unpack_f32(ra_dtype dtype, const void *cells, size_t n, const ra_packing *packing,
                   bool unscale, float *out) {
  unpack_plan plan = make_plan(dtype, packing, unscale);
  size_t size = ra_dtype_size(dtype);
  for (size_t at = 0; at < n; at += BLOCK) {
    size_t count = n - at < BLOCK ? n - at : BLOCK;
    TO_F32[dtype]((const char *)cells + at * size, count, &plan, out + at);
  }
}

void ra_unpack_f64(ra_dtype dtype, const void *cells, size_t n, const ra_packing *packing,
                   bool unscale, double *out) {
  unpack_plan plan = make_plan(dtype, packing, unscale);
  size_t size = ra_dtype_size(dtype);
  for (size_t at = 0; at < n; at += BLOCK) {
    size_t count = n - at < BLOCK ? n - at : BLOCK;
    TO_F64[dtype]((const char *)cells + at * size, count, &plan, out + at);
  }
}
