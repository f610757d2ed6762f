// series_impl.h - what the series_*.c share while one request is answered. Everything is owned by ra__series and freed
// with it; one pool thread.
#pragma once
#include "format/cell_index.h"
#include "format/zarr.h"
#include "render/series.h"

// One cell that a point needs. Rows and columns are those of the Zarr.
typedef struct ra__series_sample {
  unsigned point;
  uint64_t row, col;
  double weight;  // 1, or the bilinear one
} ra__series_sample;

typedef struct ra__series_cell {
  bool known;  // the grid holds the point
  double lon, lat, distance_m;
} ra__series_cell;

// All points of the request on one grid, cut into one chunk shape; shared by the segments that have both.
typedef struct ra__series_places {
  const ra_dataset *dataset;  // that the grid is of
  const ra_dataset_grid *grid;
  uint64_t chunk_rows, chunk_cols;
  ra__series_sample *samples;  // ordered by chunk
  size_t sample_count;
  ra__series_cell *cells;  // one a point
} ra__series_places;

// One step to read: its index in the store, and where its value stands in the line.
typedef struct ra__series_entry {
  size_t step, at;
} ra__series_entry;

// One variable in one store: everything that the parts which lie in it read, however the plan has cut them.
typedef struct ra__series_store {
  const ra_series_part *part;  // the first of them
  unsigned line;
  ra_zarr_array *array;  // NULL: a map
  char *path;
  struct ra__map_source *map;  // of an image that was ingested in place
  const ra__series_places *places;
  ra__series_entry *entries;  // by step
  size_t entry_count;
} ra__series_store;

// One variable through all segments.
typedef struct ra__series_line {
  const ra_series_part *first;  // its first part
  size_t count;                 // steps
  bool single;                  // all values are float32
} ra__series_line;

typedef struct ra__series {
  ra_render_context *context;
  const ra_series_request *request;
  ra_cancel *cancel;
  ra_timing *timing;
  ra__series_line *lines;
  ra__series_store *stores;  // in the order of lines
  size_t store_count;
  uint32_t *slots;            // hash table of the stores, index + 1
  size_t slot_count;          // a power of two
  ra__series_entry *entries;  // of all stores
  bool shared;                // all lines have the same times
  ra__series_places **places;
  size_t place_count;
  uint64_t filled_bytes;  // what fallbacks have read
  double *values;         // [point][step] of the line at hand
  double *weights;        // bilinear: what the values' weights add up to
} ra__series;

static inline size_t ra__series_step(const ra_series_part *part, size_t i) {
  return part->steps ? part->steps[i] : i;
}

// The part that gives line v its times in segment s: its own, or where all lines share them any line's. NULL: none.
const ra_series_part *ra__series_clock(const ra__series *self, unsigned v, unsigned s);

// The places of an opened store: those made before for its grid and chunks, or new ones.
int ra__series_locate(ra__series *self, ra__series_store *store, ra_err *err);
void ra__series_places_free(ra__series_places *places);
// The cell of a curvilinear grid that is nearest to the point, by the dataset's index of cells.
int ra__series_nearest(ra_render_context *context, const ra_dataset *dataset,
                       const ra_dataset_grid *grid, const ra_series_point *point, ra_cell *out,
                       bool *found, ra_err *err);
// Where a point's cell lies: in the first segment whose grid holds it; NULL: in none.
const ra__series_cell *ra__series_cell_of(const ra__series *self, unsigned v, unsigned point);

// The part of line v in segment s; NULL: it lacks the variable.
const ra_series_part *ra__series_part_at(const ra__series *self, unsigned v, unsigned s);

// Lists the stores of all lines and the steps that are read of each. Parts have been checked.
int ra__series_list_stores(ra__series *self, ra_err *err);
void ra__series_free_stores(ra__series *self);
// The array of a store: from the header cache, or from its zarr.json. Or its map.
int ra__series_open(ra__series *self, ra__series_store *store, ra_err *err);
void ra__series_close(ra__series_store *store);
// Adds what is read of a store.
void ra__series_add_cost(const ra__series_store *store, uint64_t *chunks, uint64_t *bytes);
void ra__series_sort_entries(ra__series_store *store);
// Reads the entries of an opened store into values (and weights).
int ra__series_read_store(ra__series *self, const ra__series_store *store, ra_err *err);
// One value of a sample: into values, or with its weight.
void ra__series_put(ra__series *self, const ra__series_store *store,
                    const ra__series_sample *sample, size_t at, double value);
// series_map.c: the same of an image, which has one step; the cells that one block of it has, its bytes.
int ra__series_map_open(ra__series *self, ra__series_store *store, ra_err *err);
void ra__series_map_close(ra__series_store *store);
void ra__series_map_block(const ra__series_store *store, uint64_t *rows, uint64_t *columns,
                          uint64_t *bytes);
int ra__series_map_read(ra__series *self, const ra__series_store *store, ra_err *err);
// Asks the request's fallbacks for what line v lacks.
int ra__series_fill(ra__series *self, unsigned v, ra_err *err);
// Reads line v of all points into values (and weights).
int ra__series_read(ra__series *self, unsigned v, ra_err *err);

int ra__series_json(ra__series *self, ra_str *out, ra_err *err);
int ra__series_csv(ra__series *self, ra_str *out, ra_err *err);
int ra__series_covjson(ra__series *self, ra_str *out, ra_err *err);

// What the texts share: line v's times as a JSON list, its values at a point as `"values":[…]`; the dimension that
// `level` speaks of and its value (NULL: it has none); reading a line between two parts of the text.
void ra__series_add_times(const ra__series *self, unsigned v, ra_str *out);
void ra__series_add_values(const ra__series *self, unsigned v, unsigned point, ra_str *out);
const ra_dataset_extra *ra__series_level(const ra_series_part *part, double *out);
int ra__series_read_timed(ra__series *self, unsigned v, uint64_t *encode_start, ra_err *err);
