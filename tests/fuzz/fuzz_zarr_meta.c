// Any bytes as an array's zarr.json; what is accepted can be read from an empty store.
#include <stdlib.h>

#include "format/zarr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int none_read(void *ctx, const char *key, uint64_t offset, size_t size, uint8_t *dst,
                     ra_err *err) {
  (void)ctx, (void)offset, (void)size, (void)dst;
  return ra_fail(err, RA_E_NOTFOUND, key, "no such object");
}

static int none_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  (void)ctx;
  *out = 0;
  return ra_fail(err, RA_E_NOTFOUND, key, "no such object");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ra_zarr_array *array;
  if (ra_zarr_array_parse((const char *)data, size, &array, NULL) < 0) return 0;
  const ra_zarr_info *info = ra_zarr_array_info(array);
  uint64_t start[RA_ZARR_DIMS] = {0}, count[RA_ZARR_DIMS], chunks, bytes;
  for (unsigned i = 0; i < RA_ZARR_DIMS; i++) count[i] = i < info->ndim && info->shape[i] ? 1 : 0;
  uint8_t cell[8];
  const ra_reader reader = {none_read, none_size, NULL};
  if (ra_zarr_cost(array, start, count, &chunks, &bytes, NULL) < 0) abort();
  if (bytes <= 1 << 22 &&
      ra_zarr_read(array, &reader, "a", start, count, cell, NULL, NULL, NULL) < 0) {
    abort();
  }
  ra_zarr_array_unref(array);
  return 0;
}
