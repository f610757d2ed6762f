// output.c - objects of the version being written, each noted for the manifest with its size and checksum.
#include <string.h>

#include "codec/codec.h"
#include "ingest/ingest_private.h"

int ra__output_put(ra__output *output, const char *key, const void *data, size_t size, ra_err *err) {
  int rc = ra_store_put(output->store, key, data, size, err);
  if (rc < 0) return rc;
  uint32_t crc = ra_crc32c(0, data, size);
  pthread_mutex_lock(&output->lock);
  if (output->objects.len) ra_str_add_char(&output->objects, ',');
  ra_str_add(&output->objects, "\n{\"key\":");
  ra_str_add_json(&output->objects, key + strlen(output->prefix) + 1);
  ra_str_addf(&output->objects, ",\"size\":%zu,\"crc32c\":\"%08x\"}", size, crc);
  pthread_mutex_unlock(&output->lock);
  output->ingest->bytes_written += size;
  output->ingest->objects++;
  return RA_OK;
}

int ra__output_put_array(ra__output *output, const char *array, const char *part, const void *data,
                         size_t size, ra_err *err) {
  ra_str key;
  ra_str_init(&key);
  ra_dataset_zarr_key(output->dataset, array, &key);
  ra_str_add(&key, part);
  int rc = key.failed ? ra_fail(err, RA_E_NOMEM, array, "out of memory")
                      : ra__output_put(output, key.ptr, data, size, err);
  ra_str_deinit(&key);
  return rc;
}
