// checksums_private.h - what the checksums_*.c share: one array of any source, summed up slab by slab.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "ingest/checksums.h"
#include "raster/dtype.h"

enum { RA__SUM_DIMS = 16 };

typedef struct ra__sums {
  ra_str *out;
  const char *dump;  // NULL: no files
  size_t budget;
  unsigned count;  // arrays told so far
} ra__sums;

typedef struct ra__sum_array {
  const char *path;
  const char *type;                      // numpy's: "<f4"
  void (*more)(void *ctx, ra_str *out);  // adds members of its own, after the last read; NULL: none
  bool valid_told;                       // by `more`
  unsigned cell;                         // bytes
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

const char *ra__numpy_type(ra_dtype dtype);

// A mask of booleans, row after row, beside a band: counted, and written where `file` is set.
typedef struct ra__sum_mask {
  uint64_t width, height, valid;
  const char *file;
  void *stream;
} ra__sum_mask;
int ra__sum_mask_begin(ra__sum_mask *mask, ra_err *err);
int ra__sum_mask_add(ra__sum_mask *mask, const uint8_t *valid, size_t count, ra_err *err);
int ra__sum_mask_end(ra__sum_mask *mask, ra_err *err);  // a failure to write tells itself here at last

// Adds the members of the image to *head.
int ra__sums_tiff(ra__sums *sums, const char *path, ra_str *head, ra_err *err);
int ra__sums_zarr(ra__sums *sums, const char *path, ra_err *err);
int ra__sums_netcdf(ra__sums *sums, const char *path, const char **format, ra_err *err);
