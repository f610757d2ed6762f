// Any bytes as an HDF5 file with a chunked dataset: the first 8 say where its object header stands, the rest is the
// file. What it lists is checked, and its first chunk decoded.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "source/storage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode_first(const ra_source *source, const ra__storage *storage) {
  const ra__slot *slot = &storage->slots[0];
  uint8_t *packed = malloc(slot->size + 1), *cells = malloc(storage->format.bytes);
  if (packed && cells && ra__source_pread(source, packed, slot->size, slot->offset))
    (void)ra_chunk_decode(&storage->format, slot->mask, packed, slot->size, cells, NULL);
  free(packed);
  free(cells);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint64_t header;
  if (size < sizeof header) return 0;
  memcpy(&header, data, sizeof header);
  int fd = memfd_create("index", MFD_CLOEXEC);
  if (fd < 0) return 0;
  if (write(fd, data + 8, size - 8) == (ssize_t)(size - 8)) {
    ra_source source = {.name = "fuzz", .fd = fd, .bytes = size - 8};
    ra_source_var var = {.name = "v",
                         .ndim = 2,
                         .dtype = RA_DTYPE_I32,
                         .chunked = true,
                         .shape = {30, 40},
                         .chunk = {2, 2},
                         .block = {2, 2}};
    ra__storage storage = {
        .format = {.chain = {{.id = RA_CODEC_SHUFFLE, .element = 4}, {.id = RA_CODEC_DEFLATE}},
                   .bit = {0, 1},
                   .filters = 2,
                   .bytes = 16,
                   .cell = 4}};
    int rc = ra__btree_slots(&source, &var, 0, header, &storage.slots, &storage.slot_count, NULL);
    if (rc >= 0) rc = ra__slots_check(&source, &var, &storage, NULL);
    if (rc >= 0 && storage.slot_count) decode_first(&source, &storage);
    free(storage.slots);
  }
  close(fd);
  return 0;
}
