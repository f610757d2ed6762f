// segment_private.h - what the segment_*.c share while one segment is written. Everything is owned by ra__segment.
#pragma once
#include <jansson.h>
#include <pthread.h>

#include "base/arena.h"
#include "format/zarr.h"
#include "ingest/pool.h"
#include "ingest/segment.h"

// A store that is read, and what its root says of its arrays.
typedef struct ra__segment_store {
  ra_dataset *dataset;
  json_t *document;  // of the root's zarr.json; of a .zmetadata in the same form
  json_t *nodes;     // path -> zarr.json; borrowed from it
} ra__segment_store;

// Steps that stand behind each other both in a store and in the segment.
typedef struct ra__segment_run {
  size_t store;
  uint64_t first, count;  // in the store
  uint64_t at;            // in the segment
} ra__segment_run;

typedef struct ra__segment_axis {
  ra__segment_run *runs;
  size_t run_count;
  uint64_t total;
  int64_t *ms;   // all times
  bool recoded;  // its coordinate has units of its own, not the sources'
} ra__segment_axis;

typedef struct ra__segment_array {
  ra_zarr_spec zarr;  // of the segment
  int axis;           // -1: without time
  unsigned time_dim;
  int y_dim, x_dim;                          // -1: not on a grid
  ra_zarr_array **sources;                   // one a store; without time the newest's alone
  const ra_dataset_variable *const *decode;  // one a store: stored numbers become values; NULL: they are copied
  const void *cells;                         // ready, instead of sources
} ra__segment_array;

typedef struct ra__segment {
  ra_arena arena;
  ra_store *target;
  ra_reader reader;
  const ra_segment_options *options;
  const ra_segment_member *members;
  size_t member_count;
  ra_cancel *cancel;
  ra__segment_store *stores;
  size_t store_count, newest;  // newest: whose description is taken
  unsigned format;             // of Zarr, the same of all stores
  ra__segment_axis *axes;
  size_t axis_count;
  ra__segment_array *arrays;
  size_t array_count;
  ra_dataset *dataset;  // of the segment's body: gives its keys
  char prefix[512];
  size_t job_bytes;  // what one job may hold
  pthread_mutex_t lock;
  ra_str objects;  // entries of the manifest
  uint64_t bytes, object_count;
} ra__segment;

// The stores' metadata, and what is read of each along every axis.
int ra__segment_open(ra__segment *segment, ra_err *err);
void ra__segment_close(ra__segment *segment);
const json_t *ra__segment_node(const ra__segment *segment, size_t store, const char *path);  // NULL
// "units" and the like of an array; "" when absent.
const char *ra__segment_text(const json_t *node, const char *attribute);
// The root's document of a v3 store that says what this .zmetadata says; a new reference, NULL without memory. A node keeps
// the members of its .zarray, by which it is parsed.
json_t *ra__segment_from_v2(const json_t *consolidated);
// The array of a node, owned by the caller.
int ra__segment_parse(const json_t *node, const char *path, ra_zarr_array **out, ra_err *err);

// Which arrays the segment has, with their shapes, chunks and attributes.
int ra__segment_plan(ra__segment *segment, ra_err *err);
// The inside of a JSON object, without what `drop` lists.
const char *ra__segment_attributes(ra__segment *segment, const json_t *node,
                                   const char *const *drop, const char *more);
// A time coordinate, or another array of times along an axis, for stores that count their times differently: cells,
// units and attributes. `path` may be missing in some stores for a coordinate.
bool ra__segment_times_differ(const ra__segment *segment, const char *path, int axis);
int ra__segment_encode_times(ra__segment *segment, ra__segment_array *array, const char *path,
                             ra_err *err);

// Reads [start, start + count) of an array of the segment, as the segment has it.
int ra__segment_read(const ra__segment *segment, const ra__segment_array *array,
                     const uint64_t *start, const uint64_t *count, void *cells, ra_err *err);
// Queues all shards of an array.
int ra__segment_copy(ra__segment *segment, const ra__segment_array *array, ra_pool *pool,
                     ra_err *err);
// Copies the indexes of cells of curvilinear grids.
int ra__segment_cells(ra__segment *segment, ra_err *err);
// An object that has been put, for the manifest. Any thread.
void ra__segment_note(ra__segment *segment, const char *key, uint64_t size, uint32_t crc32c);
// Below the array's folder.
int ra__segment_put(ra__segment *segment, const char *array, const char *part, const void *data,
                    size_t size, ra_err *err);

int ra__segment_body(const ra__segment *segment, ra_str *out, ra_err *err);
void ra__segment_members(const ra__segment *segment, ra_str *out);
