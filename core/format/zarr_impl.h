// zarr_impl.h - what the zarr_*.c share: the parsed array and its cache of shard indexes.
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "codec/codec.h"
#include "format/zarr.h"

enum {
  RA__ZARR_CODECS = 6,
  RA__ZARR_INDEXES = 64,           // shard indexes kept by an array …
  RA__ZARR_INDEX_BYTES = 2 << 20,  // … and their bytes together
};
#define RA__ZARR_MISSING UINT64_MAX            // both fields of a chunk that is not stored
#define RA__ZARR_CHUNK_MOST ((size_t)1 << 30)  // raw bytes of an inner chunk
#define RA__ZARR_INDEX_MOST ((size_t)1 << 24)  // bytes of a shard's index

typedef struct ra__zarr_slot {
  uint64_t offset, size;
} ra__zarr_slot;

// The index of one shard: `size` is the object's; count 0: there is no such object.
typedef struct ra__zarr_index {
  atomic_uint refs;
  uint64_t size;
  size_t count;
  ra__zarr_slot slots[];
} ra__zarr_index;

typedef struct ra__zarr_cached {
  uint64_t shard;  // its number in C order
  uint64_t used;   // tick of last use
  ra__zarr_index *index;
} ra__zarr_cached;

struct ra_zarr_array {
  atomic_uint refs;
  ra_zarr_info info;
  bool sharded, big_endian, index_at_start, index_crc, index_big_endian;
  bool v2_keys;                     // "0.1" instead of "c/0/1"
  char separator;                   // between the parts of a chunk's key
  ra_codec chain[RA__ZARR_CODECS];  // bytes to bytes, of an inner chunk
  size_t chain_count;
  uint8_t fill[8];
  uint64_t grid[RA_ZARR_DIMS];   // shards along a dimension
  uint64_t inner[RA_ZARR_DIMS];  // inner chunks of a shard along a dimension
  size_t inner_count;            // of a shard
  size_t chunk_bytes;            // raw
  pthread_mutex_t lock;          // guards what follows
  ra__zarr_cached cache[RA__ZARR_INDEXES];
  size_t cached;
  uint64_t tick;
  atomic_size_t cached_bytes;
};

// Fills the derived members (grid, inner, chunk_bytes) after checking every product.
int ra__zarr_derive(ra_zarr_array *array, ra_err *err);
// A new reference to the shard's index, from the cache or from the end (or start) of its object.
int ra__zarr_index_get(ra_zarr_array *array, const ra_reader *reader, uint64_t shard,
                       const char *key, ra__zarr_index **out, ra_err *err);
void ra__zarr_index_unref(ra__zarr_index *index);
void ra__zarr_index_clear(ra_zarr_array *array);  // frees the cache

static inline size_t ra__zarr_index_bytes(const ra_zarr_array *array) {
  return 16 * array->inner_count + (array->index_crc ? 4 : 0);
}
// The blosc settings of the chunks that we write.
ra_codec ra__zarr_write_codec(ra_dtype dtype, int level);
// The cell that stands for "nothing stored".
void ra__zarr_fill_cell(const ra_zarr_spec *spec, uint8_t cell[8]);
