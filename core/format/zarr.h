// zarr.h - Zarr: our own v3 with sharding, or v2 (metadata text, shard bytes), and a reader of arrays of v2 and v3 by whomever
// that fetches exactly the inner chunks it needs through a ra_reader. (contracts.md §7)
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/cancel.h"
#include "base/reader.h"
#include "base/str.h"
#include "base/timing.h"
#include "raster/dtype.h"

enum { RA_ZARR_DIMS = 16 };

typedef struct ra_zarr_spec {
  const char *name;  // path below the store's root ("group/t2m")
  unsigned format;   // 2: Zarr v2, which has no shards; else v3
  ra_dtype dtype;
  unsigned ndim;  // 0: a scalar
  uint64_t shape[RA_ZARR_DIMS];
  uint64_t chunk[RA_ZARR_DIMS];  // inner chunks (what is read at once)
  uint64_t shard[RA_ZARR_DIMS];  // multiples of chunk; without sharding equal to chunk
  bool sharded;
  const char *dimension_names[RA_ZARR_DIMS];
  bool has_fill;  // fill_value is `fill` (floats; NaN is fine) or fill_int (integers, exact); else 0 (v2: null)
  double fill;
  int64_t fill_int;
  const char *attributes;  // the inside of a JSON object ("\"units\":\"K\",…") or ""
  int level;               // blosc level (lz4 on shuffled bytes) of inner chunks; 0: 5
} ra_zarr_spec;

// Time-shaped chunks (data.md §1): up to 4,096 steps long, square in cells, about 96 KiB raw; shard ≤ 64 MiB raw. In v2,
// where each chunk is an object, the square is of 16 x 16 cells at least.
// time_dim -1: none. y_dim/x_dim -1: an array on no grid (chunks of rows up to 8 MiB, no sharding). Extra dimensions: 1 a chunk.
void ra_zarr_plan(ra_zarr_spec *spec, int time_dim, int y_dim, int x_dim);

// The array's zarr.json, or its .zarray.
int ra_zarr_array_json(const ra_zarr_spec *spec, ra_str *out, ra_err *err);
// The metadata of a store: each node's own documents, and a copy of all in the root's, which comes last. `put` gets the
// node's path ("" for the root) and the document's name. Attributes are the inside of a JSON object.
typedef int ra_zarr_put(void *ctx, const char *path, const char *name, const ra_str *text,
                        ra_err *err);
typedef struct ra_zarr_metadata {
  unsigned format;
  ra_zarr_put *put;
  void *ctx;
  ra_str all;
} ra_zarr_metadata;
void ra_zarr_metadata_init(ra_zarr_metadata *self, unsigned format, ra_zarr_put *put, void *ctx);
void ra_zarr_metadata_deinit(ra_zarr_metadata *self);
int ra_zarr_metadata_array(ra_zarr_metadata *self, const ra_zarr_spec *spec, ra_err *err);
int ra_zarr_metadata_group(ra_zarr_metadata *self, const char *path, const char *attributes,
                           ra_err *err);
int ra_zarr_metadata_root(ra_zarr_metadata *self, const char *attributes, ra_err *err);

// `"_FillValue":…` of an array's attributes in the form that xarray reads in Zarr v3 (base64 for floats). In v2 a number:
// most readers take the array's fill_value, netcdf-c the attribute.
void ra_zarr_fill_attribute(const ra_zarr_spec *spec, ra_str *out);

// Number of shards (or chunks) along each dimension; their product in *count.
int ra_zarr_shard_grid(const ra_zarr_spec *spec, uint64_t grid[RA_ZARR_DIMS], uint64_t *count,
                       ra_err *err);
// "c/0/1/2" of a shard, below the array's path; "0.1.2" in v2.
void ra_zarr_shard_key(const ra_zarr_spec *spec, const uint64_t *shard, ra_str *out);
// Encodes one shard. cells: the shard's part that lies inside the array, C order, with the given strides in *cells* a
// dimension (so that a shard can be cut out of a larger block without a copy). Chunks that are all fill are left out;
// a shard with none gives *out NULL. Any thread.
int ra_zarr_shard_encode(const ra_zarr_spec *spec, const uint64_t *shard, const void *cells,
                         const int64_t *strides, ra_buf **out, ra_err *err);
// The same part by part, for shards that are not to be in memory at once. A part is whole chunks (shorter only at the
// array's edge), `start` and `count` in cells inside the shard; parts come in the C order of their chunks. What a call
// encoded is the shard's until the next one; `end` gives the index, *size 0 where the shard has none or nothing was
// stored. One thread at a time; the spec must outlive it.
typedef struct ra_zarr_shard ra_zarr_shard;
int ra_zarr_shard_new(const ra_zarr_spec *spec, const uint64_t *shard, ra_zarr_shard **out,
                      ra_err *err);
void ra_zarr_shard_free(ra_zarr_shard *shard);  // NULL is fine
int ra_zarr_shard_add(ra_zarr_shard *shard, const uint64_t *start, const uint64_t *count,
                      const void *cells, const int64_t *strides, const void **bytes, size_t *size,
                      ra_err *err);
int ra_zarr_shard_end(ra_zarr_shard *shard, const void **bytes, size_t *size, ra_err *err);

typedef struct ra_zarr_array ra_zarr_array;  // parsed metadata and a few shard indexes: refcounted, any thread

typedef struct ra_zarr_info {
  unsigned format;  // 2 or 3
  bool numeric;     // cells are numbers of `dtype`; else they are bytes of another type
  ra_dtype dtype;
  unsigned cell;  // bytes a cell
  unsigned unit;  // bytes of it that byte order turns round; 1: none
  char type[24];  // numpy's name of the type, little-endian: "<i2", "|b1", "<f2", "<M8[ms]", "<U13"
  unsigned ndim;
  uint64_t shape[RA_ZARR_DIMS];
  uint64_t chunk[RA_ZARR_DIMS];  // innermost
  uint64_t shard[RA_ZARR_DIMS];  // outermost
} ra_zarr_info;

// The text of a zarr.json, or with format 2 of a .zarray. Of numbers only.
int ra_zarr_array_parse(const char *json, size_t size, ra_zarr_array **out, ra_err *err);
// The same of any type with a fixed size: booleans, half floats, complex numbers, dates, texts, bytes.
int ra_zarr_array_parse_any(const char *json, size_t size, unsigned format, ra_zarr_array **out,
                            ra_err *err);
// Whether the cells of an array are of a type that parse_any reads: not structures, nor texts of any length.
bool ra_zarr_type_is_known(const char *json, size_t size, unsigned format);
ra_zarr_array *ra_zarr_array_ref(ra_zarr_array *array);
void ra_zarr_array_unref(ra_zarr_array *array);
size_t ra_zarr_array_memory(const ra_zarr_array *array);
const ra_zarr_info *ra_zarr_array_info(const ra_zarr_array *array);
// How many inner chunks, and how many raw bytes of them, a region touches: the cost known before reading.
int ra_zarr_cost(const ra_zarr_array *array, const uint64_t *start, const uint64_t *count,
                 uint64_t *chunks, uint64_t *bytes, ra_err *err);
// Reads [start, start + count) into dst, C order, stored cells, native byte order. `path`: the array's key prefix in the reader. Missing
// shards and chunks give the fill value. Timing: fetch and decode are added.
int ra_zarr_read(ra_zarr_array *array, const ra_reader *reader, const char *path,
                 const uint64_t *start, const uint64_t *count, void *dst, ra_cancel *cancel,
                 ra_timing *timing, ra_err *err);
