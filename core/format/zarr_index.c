// zarr_index.c - a shard's index: read once, checked, kept in a small cache inside the array (least recently used goes
// first). A miss reads without the lock; two threads that miss together both read, and one copy is kept.
#include <stdlib.h>
#include <string.h>

#include "format/zarr_impl.h"

void ra__zarr_index_unref(ra__zarr_index *index) {
  if (index && atomic_fetch_sub_explicit(&index->refs, 1, memory_order_acq_rel) == 1) free(index);
}

static ra__zarr_index *index_ref(ra__zarr_index *index) {
  atomic_fetch_add_explicit(&index->refs, 1, memory_order_relaxed);
  return index;
}

static size_t bytes_of(const ra__zarr_index *index) {
  return sizeof *index + index->count * sizeof *index->slots;
}

static int index_new(size_t count, uint64_t size, ra__zarr_index **out, ra_err *err) {
  ra__zarr_index *index = malloc(sizeof *index + count * sizeof *index->slots);
  if (!index) return ra_fail(err, RA_E_NOMEM, "", "no memory for a shard's index");
  atomic_init(&index->refs, 1);
  index->count = count;
  index->size = size;
  *out = index;
  return RA_OK;
}

static ra__zarr_index *find(ra_zarr_array *array, uint64_t shard) {
  for (size_t i = 0; i < array->cached; i++) {
    if (array->cache[i].shard != shard) continue;
    array->cache[i].used = ++array->tick;
    return index_ref(array->cache[i].index);
  }
  return NULL;
}

static void evict(ra_zarr_array *array) {
  size_t oldest = 0;
  for (size_t i = 1; i < array->cached; i++) {
    if (array->cache[i].used < array->cache[oldest].used) oldest = i;
  }
  atomic_fetch_sub_explicit(&array->cached_bytes, bytes_of(array->cache[oldest].index),
                            memory_order_relaxed);
  ra__zarr_index_unref(array->cache[oldest].index);
  array->cache[oldest] = array->cache[--array->cached];
}

// The newest stays whatever its size: a series reads one shard again and again.
static void keep(ra_zarr_array *array, uint64_t shard, ra__zarr_index *index) {
  for (size_t i = 0; i < array->cached; i++) {
    if (array->cache[i].shard == shard) return;
  }
  size_t bytes = bytes_of(index);
  while (array->cached && (array->cached == RA__ZARR_INDEXES ||
                           atomic_load_explicit(&array->cached_bytes, memory_order_relaxed) + bytes >
                               RA__ZARR_INDEX_BYTES)) {
    evict(array);
  }
  array->cache[array->cached++] = (ra__zarr_cached){shard, ++array->tick, index_ref(index)};
  atomic_fetch_add_explicit(&array->cached_bytes, bytes, memory_order_relaxed);
}

void ra__zarr_index_clear(ra_zarr_array *array) {
  while (array->cached) evict(array);
}

// Each chunk lies inside the shard, and is not larger than what can be in it.
static int check_slots(const ra__zarr_level *level, const ra__zarr_index *index, const char *key,
                       ra_err *err) {
  uint64_t most = 2 * (uint64_t)level->chunk_bytes + (64 << 10);
  for (size_t i = 0; i < index->count; i++) {
    const ra__zarr_slot *slot = &index->slots[i];
    if (slot->offset == RA__ZARR_MISSING && slot->size == RA__ZARR_MISSING) continue;
    if (slot->offset > index->size || slot->size > index->size - slot->offset || slot->size > most) {
      return ra_fail(err, RA_E_CORRUPT, key, "the shard's index puts chunk %zu outside the shard", i);
    }
  }
  return RA_OK;
}

static int decode_index(const ra__zarr_level *level, const uint8_t *packed, ra__zarr_index *index,
                        const char *key, ra_err *err) {
  size_t bytes = index->count * sizeof *index->slots;
  if (level->index_crc) {
    uint32_t stored;
    memcpy(&stored, packed + bytes, 4);
    if (stored != ra_crc32c(0, packed, bytes)) {
      return ra_fail(err, RA_E_CORRUPT, key, "the checksum of the shard's index does not match");
    }
  }
  memcpy(index->slots, packed, bytes);
  if (level->index_big_endian) {
    for (size_t i = 0; i < index->count; i++) {
      index->slots[i].offset = __builtin_bswap64(index->slots[i].offset);
      index->slots[i].size = __builtin_bswap64(index->slots[i].size);
    }
  }
  return check_slots(level, index, key, err);
}

int ra__zarr_index_read(const ra__zarr_level *level, const ra_reader *reader, const char *key,
                        uint64_t offset, uint64_t size, ra__zarr_index **out, ra_err *err) {
  size_t bytes = ra__zarr_index_bytes(level);
  if (size < bytes) {
    return ra_fail(err, RA_E_CORRUPT, key, "%llu bytes are too few for a shard's index of %zu",
                   (unsigned long long)size, bytes);
  }
  uint8_t *packed = malloc(bytes);
  if (!packed) return ra_fail(err, RA_E_NOMEM, key, "no memory for a shard's index");
  uint64_t at = offset + (level->index_at_start ? 0 : size - bytes);
  int rc = reader->read(reader->ctx, key, at, bytes, packed, err);
  if (rc == RA_OK) rc = index_new(level->inner_count, size, out, err);
  if (rc == RA_OK && *out) {
    rc = decode_index(level, packed, *out, key, err);
    if (rc < 0) ra__zarr_index_unref(*out);
  }
  free(packed);
  return rc;
}

static int read_index(const ra_zarr_array *array, const ra_reader *reader, const char *key,
                      ra__zarr_index **out, ra_err *err) {
  uint64_t size;
  int rc = reader->size(reader->ctx, key, &size, err);
  if (rc == RA_E_NOTFOUND) return index_new(0, 0, out, err);
  return rc < 0 ? rc : ra__zarr_index_read(&array->level[0], reader, key, 0, size, out, err);
}

int ra__zarr_index_get(ra_zarr_array *array, const ra_reader *reader, uint64_t shard,
                       const char *key, ra__zarr_index **out, ra_err *err) {
  pthread_mutex_lock(&array->lock);
  *out = find(array, shard);
  pthread_mutex_unlock(&array->lock);
  if (*out) return RA_OK;
  int rc = read_index(array, reader, key, out, err);
  if (rc < 0 || !*out) return rc;
  pthread_mutex_lock(&array->lock);
  keep(array, shard, *out);
  pthread_mutex_unlock(&array->lock);
  return RA_OK;
}
