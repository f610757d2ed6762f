// output.c - objects of the version being written, each noted for the manifest with its size and checksum.
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "ingest/ingest_private.h"

static int add_entry(ra__output *output, const char *key, uint64_t size, uint32_t crc32c) {
  if (output->entry_count == output->entry_room) {
    size_t room = output->entry_room ? 2 * output->entry_room : 256;
    ra__entry *entries = realloc(output->entries, room * sizeof *entries);
    if (!entries) return RA_E_NOMEM;
    output->entries = entries;
    output->entry_room = room;
  }
  char *copy = strdup(key);
  if (!copy) return RA_E_NOMEM;
  output->entries[output->entry_count++] = (ra__entry){copy, size, crc32c};
  return RA_OK;
}

static int note(ra__output *output, const char *key, uint64_t size, uint32_t crc32c, ra_err *err) {
  pthread_mutex_lock(&output->lock);
  int rc = add_entry(output, key + strlen(output->prefix) + 1, size, crc32c);
  pthread_mutex_unlock(&output->lock);
  output->ingest->bytes_written += size;
  output->ingest->objects++;
  return rc < 0 ? ra_fail(err, rc, key, "out of memory") : RA_OK;
}

int ra__output_put(ra__output *output, const char *key, const void *data, size_t size, ra_err *err) {
  if (output->ingest->in_place) return RA_OK;
  int rc = ra_store_put(output->store, key, data, size, err);
  return rc < 0 ? rc : note(output, key, size, ra_crc32c(0, data, size), err);
}

typedef struct counted {
  ra_store_next *next;
  void *ctx;
  uint64_t size;
  uint32_t crc32c;
} counted;

static int next_counted(void *ctx, const void **data, size_t *size, ra_err *err) {
  counted *c = ctx;
  int rc = c->next(c->ctx, data, size, err);
  if (rc < 0 || *size == 0) return rc;
  c->size += *size;
  c->crc32c = ra_crc32c(c->crc32c, *data, *size);
  return RA_OK;
}

// What is in place already is encoded for its statistics alone.
static int drain(counted *c, ra_err *err) {
  const void *data;
  size_t size = 1;
  int rc = RA_OK;
  while (rc >= 0 && size > 0) rc = next_counted(c, &data, &size, err);
  return rc;
}

int ra__output_stream(ra__output *output, const char *key, ra_store_next *next, void *ctx,
                      ra_err *err) {
  counted c = {.next = next, .ctx = ctx};
  if (output->ingest->in_place) return drain(&c, err);
  int rc = ra_store_put_stream(output->store, key, next_counted, &c, err);
  return rc < 0 ? rc : note(output, key, c.size, c.crc32c, err);
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const ra__entry *)a)->key, ((const ra__entry *)b)->key);
}

// Sorted, so that the manifest does not tell in which order the threads came to an end.
void ra__output_list(ra__output *output, ra_str *out) {
  if (output->entry_count)
    qsort(output->entries, output->entry_count, sizeof *output->entries, by_key);
  for (size_t i = 0; i < output->entry_count; i++) {
    const ra__entry *entry = &output->entries[i];
    ra_str_add(out, i ? ",\n{\"key\":" : "\n{\"key\":");
    ra_str_add_json(out, entry->key);
    ra_str_addf(out, ",\"size\":%llu,\"crc32c\":\"%08x\"}", (unsigned long long)entry->size,
                entry->crc32c);
  }
}

void ra__output_deinit(ra__output *output) {
  for (size_t i = 0; i < output->entry_count; i++) free(output->entries[i].key);
  free(output->entries);
}

int ra__output_put_array(ra__output *output, const char *array, const char *part, const void *data,
                         size_t size, ra_err *err) {
  ra_str key;
  ra_str_init(&key);
  ra_dataset_zarr_key(output->dataset, array, &key);
  ra_str_add_char(&key, '/');
  ra_str_add(&key, part);
  int rc = key.failed ? ra_fail(err, RA_E_NOMEM, array, "out of memory")
                      : ra__output_put(output, key.ptr, data, size, err);
  ra_str_deinit(&key);
  return rc;
}
