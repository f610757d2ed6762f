// Any bytes as a zip archive; each entry is read whole and from its middle.
#include <stdlib.h>
#include <string.h>

#include "format/zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct object {
  const uint8_t *bytes;
  size_t size;
} object;

static int object_read(void *ctx, const char *key, uint64_t offset, size_t size, uint8_t *dst,
                       ra_err *err) {
  const object *o = ctx;
  if (offset > o->size || size > o->size - offset) abort();  // reads stay inside the archive
  (void)key, (void)err;
  if (size) memcpy(dst, o->bytes + offset, size);
  return RA_OK;
}

static int object_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  (void)key, (void)err;
  *out = ((const object *)ctx)->size;
  return RA_OK;
}

static void read_entry(const ra_reader *entries, const char *name) {
  uint64_t size;
  if (entries->size(entries->ctx, name, &size, NULL) < 0) abort();  // it is listed
  if (size > 1 << 20) return;
  uint8_t *bytes = malloc(size + 1);
  entries->read(entries->ctx, name, 0, size, bytes, NULL);
  entries->read(entries->ctx, name, size / 2, size - size / 2, bytes, NULL);
  if (entries->read(entries->ctx, name, 1, size, bytes, NULL) == RA_OK) abort();
  free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  object file = {data, size};
  const ra_reader reader = {object_read, object_size, &file};
  ra_zip *zip;
  if (ra_zip_open(&reader, "z", &zip, NULL) < 0) return 0;
  ra_reader entries = ra_zip_reader(zip);
  for (size_t i = 0; i < ra_zip_count(zip); i++) read_entry(&entries, ra_zip_name(zip, i));
  ra_zip_free(zip);
  return 0;
}
