// Any bytes as a shard. The first byte chooses the array that it belongs to; with 4 chunks, and the index's checksum
// put right in half of the cases, so that what is behind it is reached.
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "format/zarr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ARRAY(codecs)                                                                          \
  "{\"zarr_format\":3,\"node_type\":\"array\",\"shape\":[7,8],\"data_type\":\"int16\",\"fill_" \
  "value\":5,"                                                                                 \
  "\"chunk_grid\":{\"name\":\"regular\",\"configuration\":{\"chunk_shape\":[8,8]}},"           \
  "\"chunk_key_encoding\":{\"name\":\"default\"},\"codecs\":[{\"name\":\"sharding_indexed\","  \
  "\"configuration\":{\"chunk_shape\":[4,4],\"index_codecs\":[{\"name\":\"bytes\","            \
  "\"configuration\":"                                                                         \
  "{\"endian\":\"little\"}},{\"name\":\"crc32c\"}],\"codecs\":[{\"name\":\"bytes\","           \
  "\"configuration\":"                                                                         \
  "{\"endian\":\"big\"}}" codecs "]}}]}"

static const char *const arrays[] = {ARRAY(""), ARRAY(",{\"name\":\"zstd\"},{\"name\":\"crc32c\"}"),
                                     ARRAY(",{\"name\":\"blosc\"}"), ARRAY(",{\"name\":\"gzip\"}")};
enum { INDEX = 4 * 16 };

typedef struct object {
  uint8_t *bytes;
  size_t size;
} object;

static int object_read(void *ctx, const char *key, uint64_t offset, size_t size, uint8_t *dst,
                       ra_err *err) {
  const object *o = ctx;
  if (offset > o->size || size > o->size - offset) abort();  // reads stay inside the object
  (void)key, (void)err;
  memcpy(dst, o->bytes + offset, size);
  return RA_OK;
}

static int object_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  (void)key, (void)err;
  *out = ((const object *)ctx)->size;
  return RA_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1) return 0;
  object o = {malloc(size), size - 1};
  if (!o.bytes) return 0;
  memcpy(o.bytes, data + 1, o.size);
  if (data[0] & 4 && o.size >= INDEX + 4) {
    uint8_t *index = o.bytes + o.size - INDEX - 4;
    uint32_t sum = ra_crc32c(0, index, INDEX);
    memcpy(index + INDEX, &sum, 4);
  }
  const char *json = arrays[data[0] & 3];
  ra_zarr_array *array;
  if (ra_zarr_array_parse(json, strlen(json), &array, NULL) < 0) abort();
  const ra_reader reader = {object_read, object_size, &o};
  const uint64_t start[2] = {0, 0}, count[2] = {7, 8};
  int16_t cells[56];
  (void)ra_zarr_read(array, &reader, "a", start, count, cells, NULL, NULL, NULL);
  ra_zarr_array_unref(array);
  free(o.bytes);
  return 0;
}
