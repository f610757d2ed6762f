// Any bytes as an array's zarr.json, and as its .zarray; what is accepted can be read from an empty store.
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

static void read_one(ra_zarr_array *array) {
  const ra_zarr_info *info = ra_zarr_array_info(array);
  uint64_t start[RA_ZARR_DIMS] = {0}, count[RA_ZARR_DIMS], chunks, bytes;
  for (unsigned i = 0; i < RA_ZARR_DIMS; i++) count[i] = i < info->ndim && info->shape[i] ? 1 : 0;
  uint8_t *cell = malloc(info->cell);
  const ra_reader reader = {none_read, none_size, NULL};
  if (ra_zarr_cost(array, start, count, &chunks, &bytes, NULL) < 0) abort();
  if (bytes <= 1 << 22 &&
      ra_zarr_read(array, &reader, "a", start, count, cell, NULL, NULL, NULL) < 0) {
    abort();
  }
  free(cell);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data;
  for (unsigned format = 2; format <= 3; format++) {
    ra_zarr_array *array;
    bool known = ra_zarr_type_is_known(text, size, format);
    if (ra_zarr_array_parse_any(text, size, format, &array, NULL) < 0) continue;
    if (!known) abort();
    read_one(array);
    ra_zarr_array_unref(array);
  }
  return 0;
}
