// zarr_impl.h - what the zarr_*.c share: the parsed array and its cache of shard indexes.
#pragma once
#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

#include "codec/codec.h"
#include "format/zarr.h"

enum {
  RA__ZARR_CODECS = 6,
  RA__ZARR_LEVELS = 3,             // shards in shards
  RA__ZARR_FILTERS = 8,            // of cells, an array
  RA__ZARR_CELL = 64 << 10,        // bytes a cell
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

// How a shard is divided; inside one, its chunks may be shards again.
typedef struct ra__zarr_level {
  uint64_t chunk[RA_ZARR_DIMS];  // its inner chunks
  uint64_t inner[RA_ZARR_DIMS];  // how many of them along a dimension
  size_t inner_count;
  size_t chunk_bytes;           // raw
  uint8_t order[RA_ZARR_DIMS];  // of the dimensions in its index, slowest first
  bool index_at_start, index_crc, index_big_endian;
} ra__zarr_level;

// What undoes a filter of cells: another type; that and sums of differences; that and a scale and an offset.
typedef enum ra__zarr_undo { RA__ZARR_CAST, RA__ZARR_ADD_UP, RA__ZARR_UNSCALE } ra__zarr_undo;

// A filter that makes cells of `from` out of those of `to`.
typedef struct ra__zarr_filter {
  ra__zarr_undo undo;
  ra_dtype to, from;
  double scale, offset;
} ra__zarr_filter;

struct ra_zarr_array {
  atomic_uint refs;
  ra_zarr_info info;
  bool big_endian;
  bool v2_keys;                     // "0.1" instead of "c/0/1"
  char separator;                   // between the parts of a chunk's key
  uint8_t order[RA_ZARR_DIMS];      // of the dimensions in a chunk's bytes, slowest first
  ra_codec chain[RA__ZARR_CODECS];  // bytes to bytes, of an inner chunk
  size_t chain_count;
  ra__zarr_filter filters[RA__ZARR_FILTERS];  // in the order of encoding
  size_t filter_count;
  unsigned stored;              // bytes of a cell as the filters leave it
  uint8_t *fill;                // a cell
  uint64_t grid[RA_ZARR_DIMS];  // shards along a dimension
  ra__zarr_level level[RA__ZARR_LEVELS];
  size_t levels;         // 0: no sharding
  size_t chunk_bytes;    // raw, of an inner chunk
  pthread_mutex_t lock;  // guards what follows
  ra__zarr_cached cache[RA__ZARR_INDEXES];
  size_t cached;
  uint64_t tick;
  atomic_size_t cached_bytes;
};

// ---- metadata (zarr_type.c, zarr_codecs.c, zarr_filters.c, zarr_v2.c)

int ra__zarr_corrupt(ra_err *err, const char *member, const char *wanted);
int ra__zarr_unsupported(ra_err *err, const char *what, const char *name);
// An extension point: {"name": …, "configuration": {…}}, or its name alone. *configuration may be NULL.
int ra__zarr_named(const json_t *value, const char *member, const char **name,
                   const json_t **configuration, ra_err *err);
// A list of `ndim` whole numbers from `least` to 2^48.
int ra__zarr_list(const json_t *list, const char *member, unsigned ndim, json_int_t least,
                  uint64_t *out, ra_err *err);
// Sets the type's members of info. v2 also says which end comes first.
int ra__zarr_type_v2(const json_t *dtype, ra_zarr_info *info, bool *big, ra_err *err);
int ra__zarr_type_v3(const json_t *data_type, ra_zarr_info *info, ra_err *err);
// Allocates array->fill (zeros) and sets it from a fill_value; null is zero in v2.
int ra__zarr_fill(ra_zarr_array *array, const json_t *fill, ra_err *err);
int ra__zarr_codecs_v3(ra_zarr_array *array, const json_t *codecs, ra_err *err);
// Adds a bytes-to-bytes codec by its name without "numcodecs.", configured by the members of `configuration`.
int ra__zarr_bytes_codec(ra_zarr_array *array, const char *name, const json_t *configuration,
                         ra_err *err);
// A filter of cells by that name: 1 when it is one (rounding needs nothing); 0 when it is not.
int ra__zarr_cell_filter(ra_zarr_array *array, const char *name, const json_t *configuration,
                         ra_err *err);
// Undoes them all on the `count` cells of a chunk, in place, where there is room for 8 bytes each.
void ra__zarr_undo_filters(const ra_zarr_array *array, void *raw, size_t count);
int ra__zarr_parse_v2(ra_zarr_array *array, const json_t *root, ra_err *err);

// Fills the derived members (grid, inner, chunk_bytes) after checking every product.
int ra__zarr_derive(ra_zarr_array *array, ra_err *err);
// A new reference to the shard's index, from the cache or from the end (or start) of its object.
int ra__zarr_index_get(ra_zarr_array *array, const ra_reader *reader, uint64_t shard,
                       const char *key, ra__zarr_index **out, ra_err *err);
// The same of a shard inside another: `size` bytes of the object at `offset`. Slots count from `offset`.
int ra__zarr_index_read(const ra__zarr_level *level, const ra_reader *reader, const char *key,
                        uint64_t offset, uint64_t size, ra__zarr_index **out, ra_err *err);
void ra__zarr_index_unref(ra__zarr_index *index);
void ra__zarr_index_clear(ra_zarr_array *array);  // frees the cache

static inline size_t ra__zarr_index_bytes(const ra__zarr_level *level) {
  return 16 * level->inner_count + (level->index_crc ? 4 : 0);
}
// The blosc settings of the chunks that we write.
ra_codec ra__zarr_write_codec(ra_dtype dtype, int level);
// The cell that stands for "nothing stored".
void ra__zarr_fill_cell(const ra_zarr_spec *spec, uint8_t cell[8]);
