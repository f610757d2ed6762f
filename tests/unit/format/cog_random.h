// cog_random.h - random COG specs and cells for the tests.
#pragma once
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/cog.h"
#include "random.h"

static inline uint64_t cog_below(uint64_t *seed, uint64_t n) { return test_random(seed) % n; }

static inline size_t cog_cells(const ra_cog_spec *spec) {
  return (size_t)spec->grid.width * (size_t)spec->grid.height * spec->bands;
}

static inline ra_cog_spec random_cog(uint64_t *seed) {
  const uint64_t most = cog_below(seed, 3) ? 700 : 90;
  ra_cog_spec spec = {.dtype = (ra_dtype)cog_below(seed, RA_DTYPE_COUNT), .scale = 1};
  spec.grid.width = 2 + (int64_t)cog_below(seed, most);
  spec.grid.height = 1 + (int64_t)cog_below(seed, most);
  const double gt[6] = {-20 + (double)cog_below(seed, 40), 0.05, 0, 60, 0, -0.04};
  memcpy(spec.grid.gt, gt, sizeof gt);
  spec.bands = 1 + (unsigned)cog_below(seed, 4);
  spec.compress = (ra_cog_compress)cog_below(seed, 3);
  spec.has_nodata = cog_below(seed, 3) > 0;
  spec.nodata = ra_dtype_is_float(spec.dtype) ? (cog_below(seed, 2) ? NAN : -9999) : 7;
  spec.categorical = cog_below(seed, 4) == 0;
  if (cog_below(seed, 2)) {
    spec.scale = 0.01;
    spec.offset = 273.15;
    spec.unit = "K & <\"C\">";
  }
  return spec;
}

// Smooth fields with holes of nodata; few distinct values, so that modes and means are interesting.
static inline void *random_pixels(uint64_t *seed, const ra_cog_spec *spec) {
  size_t n = cog_cells(spec), size = ra_dtype_size(spec->dtype);
  uint8_t *cells = malloc(n * size);
  bool hole = false;
  for (size_t i = 0; i < n; i++) {
    if (cog_below(seed, 40) == 0) hole = !hole;
    double value = (double)(i % 97) + (double)cog_below(seed, 5);
    if (ra_dtype_is_float(spec->dtype)) value += (double)cog_below(seed, 1000) / 1000;
    ra_dtype_store(spec->dtype, cells, i, hole && spec->has_nodata ? spec->nodata : value);
  }
  return cells;
}

// Parses a whole file in memory, in the steps that *need asks for.
static inline int parse_cog(const uint8_t *bytes, size_t size, ra_cog **out, ra_err *err) {
  size_t head = size < 64 ? size : 64, need;
  for (int i = 0; i < 200; i++) {
    uint8_t *exact = malloc(head ? head : 1);  // so that a sanitizer sees the first byte past the head
    memcpy(exact, bytes, head);
    int rc = ra_cog_parse(exact, head, size, out, &need, err);
    free(exact);
    if (rc < 0 || *out) return rc;
    if (need <= head || need > size) abort();
    head = need;
  }
  abort();
}
