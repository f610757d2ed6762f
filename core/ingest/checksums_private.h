// checksums_private.h - what the checksums_*.c share: one array of any source, summed up slab by slab.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "ingest/checksums.h"

enum { RA__SUM_DIMS = 16 };

typedef struct ra__sums {
  ra_str *out;
  const char *dump;  // NULL: no files
  size_t budget;
  unsigned count;  // arrays told so far
} ra__sums;

typedef struct ra__sum_array {
  const char *path;
  const char *type;  // numpy's: "<f4"
  const char *more;  // members of its own for the JSON object, each with a comma in front; or ""
  unsigned cell;     // bytes
  unsigned ndim;
  uint64_t shape[RA__SUM_DIMS], chunk[RA__SUM_DIMS];
  // Stored cells in C order, little-endian.
  int (*read)(void *ctx, const uint64_t *start, const uint64_t *count, void *dst, ra_err *err);
  void *ctx;
} ra__sum_array;

// Reads the whole array once, in C order, and appends its object.
int ra__sum(ra__sums *sums, const ra__sum_array *array, ra_err *err);
// Appends {"path":…,"skipped":…}.
void ra__sum_skipped(ra__sums *sums, const char *path, const char *why);

int ra__sums_zarr(ra__sums *sums, const char *path, ra_err *err);
int ra__sums_netcdf(ra__sums *sums, const char *path, const char **format, ra_err *err);
