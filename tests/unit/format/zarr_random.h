// zarr_random.h - random Zarr arrays for the tests: a spec, its cells, and their shards put somewhere.
#pragma once
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/zarr.h"
#include "random.h"

static inline uint64_t below(uint64_t *seed, uint64_t n) { return test_random(seed) % n; }

static inline void random_fill(uint64_t *seed, ra_zarr_spec *spec) {
  spec->has_fill = below(seed, 3) > 0;
  if (ra_dtype_is_float(spec->dtype)) {
    const double fills[] = {NAN, -9999, 0.1, INFINITY, -INFINITY, 1e20};
    spec->fill = fills[below(seed, 6)];
  } else {
    const unsigned bits = 8 * (unsigned)ra_dtype_size(spec->dtype);
    const int64_t fills[] = {0, 1, 100,
                             ra_dtype_is_signed(spec->dtype) ? (int64_t)(UINT64_MAX << (bits - 1))
                                                             : (int64_t)(UINT64_MAX >> (64 - bits))};
    spec->fill_int = fills[below(seed, 4)];
  }
}

static inline ra_zarr_spec random_spec(uint64_t *seed) {
  static const char *const names[] = {"time", "level", "lat", "lon", "member"};
  ra_zarr_spec spec = {.name = "a", .dtype = (ra_dtype)below(seed, RA_DTYPE_COUNT)};
  spec.ndim = (unsigned)below(seed, 5);
  spec.sharded = below(seed, 4) > 0;
  for (unsigned i = 0; i < spec.ndim; i++) {
    spec.shape[i] = 1 + below(seed, i == 0 ? 40 : 13);
    spec.chunk[i] = 1 + below(seed, spec.shape[i] + 2);
    spec.shard[i] = spec.sharded ? spec.chunk[i] * (1 + below(seed, 4)) : spec.chunk[i];
    spec.dimension_names[i] = below(seed, 5) ? names[i] : NULL;
  }
  random_fill(seed, &spec);
  spec.attributes = below(seed, 2) ? "\"units\":\"K\",\"note\":\"caf\xc3\xa9 \\\"x\\\"\"" : "";
  return spec;
}

static inline size_t spec_cells(const ra_zarr_spec *spec) {
  size_t n = 1;
  for (unsigned i = 0; i < spec->ndim; i++) n *= spec->shape[i];
  return n;
}

// Random bits (every pattern is a valid cell), with stretches of fill so that chunks are missing.
static inline uint8_t *random_cells(uint64_t *seed, const ra_zarr_spec *spec) {
  size_t size = ra_dtype_size(spec->dtype), n = spec_cells(spec);
  uint8_t *cells = malloc(n * size);
  bool empty = below(seed, 2);
  for (size_t i = 0; i < n; i++) {
    if (below(seed, 20) == 0) empty = !empty;
    uint64_t bits = test_random(seed);
    memcpy(cells + i * size, &bits, size);
    if (empty) {
      if (ra_dtype_is_float(spec->dtype)) {
        ra_dtype_store(spec->dtype, cells, i, spec->has_fill ? spec->fill : 0);
      } else {
        int64_t fill = spec->has_fill ? spec->fill_int : 0;
        memcpy(cells + i * size, &fill, size);
      }
    }
  }
  return cells;
}

// Encodes every shard of the array and hands it over: put(ctx, key below the array, bytes); it takes the reference.
static inline int encode_all(const ra_zarr_spec *spec, const uint8_t *cells,
                             void (*put)(void *ctx, const char *key, ra_buf *buf), void *ctx,
                             ra_err *err) {
  uint64_t grid[RA_ZARR_DIMS], count, shard[RA_ZARR_DIMS];
  int64_t strides[RA_ZARR_DIMS], stride = 1;
  for (unsigned i = spec->ndim; i-- > 0; stride *= (int64_t)spec->shape[i]) strides[i] = stride;
  int rc = ra_zarr_shard_grid(spec, grid, &count, err);
  for (uint64_t n = 0; n < count && rc == RA_OK; n++) {
    uint64_t rest = n, offset = 0;
    for (unsigned i = spec->ndim; i-- > 0; rest /= grid[i]) {
      shard[i] = rest % grid[i];
      offset += shard[i] * spec->shard[i] * (uint64_t)strides[i];
    }
    ra_buf *buf = NULL;
    rc = ra_zarr_shard_encode(spec, shard, cells + offset * ra_dtype_size(spec->dtype), strides,
                              &buf, err);
    if (rc < 0 || !buf) continue;
    ra_str key;
    ra_str_init(&key);
    ra_zarr_shard_key(spec, shard, &key);
    put(ctx, key.ptr, buf);
    ra_str_deinit(&key);
  }
  return rc;
}
