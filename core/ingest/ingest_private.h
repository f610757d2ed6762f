// ingest_private.h - what the files of ingest/ share.
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "format/dataset.h"
#include "format/zarr.h"
#include "geo/regrid.h"
#include "ingest/ingest.h"
#include "ingest/pool.h"
#include "ingest/region.h"
#include "raster/stats.h"
#include "source/cf.h"
#include "source/zarr_tree.h"

enum { RA__WRITER_FORMAT = 3 };  // raised when the same source would give other bytes

enum { RA__SHARDS, RA__MAPS, RA__LAYOUTS };

struct ra__output;

// How an array is converted; chosen by budget.c.
typedef struct ra__plan {
  unsigned layouts;                 // 1: shards alone; 2: maps too
  ra__tiling blocks;                // what is decoded at once: whole source chunks
  ra__tiling targets[RA__LAYOUTS];  // objects of a layout
  ra__tiling parts[RA__LAYOUTS];    // of one object: what is assembled at once
  size_t block_bytes, buffers;      // blocks that may be held in memory
  unsigned workers, encoders;       // threads, and how many of them encode at the same time
  unsigned stream;                  // the layout whose objects the order of reading follows
  bool spills[RA__LAYOUTS];
  bool strips;  // a map does not fit: it is made of strips of rows, its bytes wait in the scratch file
  size_t memory;     // bytes at the peak, the process included
  uint64_t scratch;  // bytes at most
} ra__plan;

// A coarser copy of an array in the source's pyramid.
typedef struct ra__level {
  const ra_zarr_node *node;
  ra_zarr_info info;
  double x_ratio, y_ratio;  // cells of the array that one of it stands for
} ra__level;

// One array of the Zarr store.
typedef struct ra__array {
  const ra_cf_variable *cf;
  ra_zarr_spec zarr;
  size_t raw;               // bytes
  size_t plane;             // bytes of one step's cells; 0: no COG
  size_t map_plane;         // bytes of one COG's pixels: as many, unless the map is regridded
  const ra_regrid *regrid;  // NULL: the map has the source's own cells
  size_t steps;             // maps
  bool direct;              // they are made of the source's own levels: there are no COGs
  unsigned level_count;
  ra__level *levels;  // coarser copies, from fine to coarse
  ra__plan plan;
  bool has_stats;
  bool sampled;  // of some of its cells: good for a stretch, and for no more
  ra_stats stats;
  ra_histogram histogram;
} ra__array;

typedef struct ra__estimate {
  bool made;
  uint64_t objects, bytes, scratch;  // the manifest not counted
  double seconds;
} ra__estimate;

// What budget.c cuts the work into where there is room; tests choose less.
typedef struct ra__sizes {
  size_t block, part, maps;  // bytes: decoded at once, of a shard at once, of maps read back together
  size_t buffers;            // blocks held at most; 0: as many as fit
  bool strips;               // maps in strips, whatever their size
} ra__sizes;

// The map of a grid that is regridded.
typedef struct ra__map {
  const ra_cf_grid *grid;
  ra_regrid *regrid;
} ra__map;

struct ra_ingest {
  ra_arena arena;
  ra_source *source;
  ra_cf *cf;
  ra_ingest_options options;  // texts in the arena
  bool in_place;              // a COG: nothing is written but where the source lies
  const char *kept;  // a Zarr store that stays, as this kind ("folder", "zip"): no array of it is written
  const char *copied;  // why a Zarr store does not stay; NULL: it does, or the source is none
  size_t count;
  ra__array *arrays;
  ra__map *maps;
  size_t map_count;
  struct ra__scratch *map_scratch;  // of the places of maps that are made in strips
  unsigned jobs;
  ra__sizes sizes;
  ra__estimate estimate;
  size_t need;       // bytes at the peak
  uint64_t scratch;  // bytes at most
  char fingerprint[65], version[17], sha256[65], created[32];
  _Atomic uint64_t bytes_read, bytes_encoded, bytes_written, objects, steps_done, scratch_peak;
  uint64_t bytes_total, steps_total;
  atomic_bool keep;
};

// Chooses the arrays, their chunks, and how each is converted; RA_E_TOOBIG when it does not fit.
int ra__ingest_plan(ra_ingest *ingest, ra_err *err);
// Whether a COG or a Zarr store stays where it is, and what the version holds of it then (place.c).
int ra__place_decide(ra_ingest *ingest, ra_err *err);
int ra__place_write(struct ra__output *output, ra_err *err);
// Puts references in the source's place, where they are wanted.
int ra__place_refer(ra_ingest *ingest, ra_err *err);
int ra__place_references(struct ra__output *output, ra_err *err);  // what the version holds of them
bool ra__place_is_far(const ra_ingest *ingest);                    // some of them lead to servers
int ra__place_sample(ra_ingest *ingest, ra__array *array, ra_cancel *cancel, ra_err *err);
// Whether an array is read at all: of a store that stays, what has maps.
bool ra__place_reads(const ra_ingest *ingest, const ra__array *array);
// The Zarr version of a kept store's node.
unsigned ra__place_format(const ra_ingest *ingest, const char *path);
// Finds the coarser copies of a kept array, and whether maps can be made of them (place_levels.c).
int ra__place_levels(ra_ingest *ingest, ra__array *array, ra_err *err);

// The last of these steps, on its own: memory, for ingest->sizes.
int ra__ingest_fit(ra_ingest *ingest, ra_err *err);

// Bytes that the maps of regridded grids take while they are used, and at most beside those while they are made.
size_t ra__maps_memory(const ra_ingest *ingest, size_t *making);
// Bytes of the scratch file that they take.
uint64_t ra__maps_scratch(const ra_ingest *ingest);
// The map of a regridded grid is made this many rows at a time.
enum { RA__MAP_ROWS = 32 };
// Makes them for the arrays that need them, and writes the index of each curvilinear grid.
int ra__maps_open(struct ra__output *output, ra_err *err);
void ra__maps_close(ra_ingest *ingest);
// One band's rows [first, first + count) of the map, from all of its cells.
int ra__maps_rows(const ra__array *array, const uint8_t *cells, bool blank, int64_t first,
                  int64_t count, uint8_t *pixels, ra_err *err);
// A band of uneven cells that all hold NetCDF's default fill value, which the file says nothing of: readers differ on
// what it means, so the map keeps the numbers.
bool ra__maps_is_blank(const ra__array *array, const uint8_t *cells);

// What the COGs of an array are like, but for the texts.
ra_cog_spec ra__cog_spec(const ra_ingest *ingest, const ra__array *array);

// Fills array->plan for that much memory; RA_E_TOOBIG, with what is needed, when even the smallest plan does not fit.
int ra__budget(const ra_ingest *ingest, ra__array *array, ra_err *err);
// What the maps of curvilinear grids need at least, or RA_E_TOOBIG in the name of a variable.
int ra__budget_maps(const ra_ingest *ingest, size_t *need, ra_err *err);

// What samples say of the scratch file's size.
int ra__estimate_scratch(ra_ingest *ingest, ra_cancel *cancel, uint64_t *bytes, ra_err *err);

// A version being written: where to, and the list for the manifest.
typedef struct ra__output {
  ra_ingest *ingest;
  ra_store *store;
  ra_dataset *dataset;  // of the body without statistics: gives the keys that readers will use
  char prefix[700];     // "<collection>/<dataset>/<version>"
  pthread_mutex_t lock;
  struct ra__entry *entries;  // of the manifest, as they come
  size_t entry_count, entry_room;
  ra_pool *pool;
  ra_cancel *cancel;
} ra__output;

// An object that is written.
typedef struct ra__entry {
  char *key;  // below the version
  uint64_t size;
  uint32_t crc32c;
} ra__entry;

// The manifest's list, in the order of keys. No one puts meanwhile.
void ra__output_list(ra__output *output, ra_str *out);
void ra__output_deinit(ra__output *output);
// Puts an object below the version and notes it for the manifest. Any thread.
int ra__output_put(ra__output *output, const char *key, const void *data, size_t size, ra_err *err);
int ra__output_put_array(ra__output *output, const char *array, const char *part, const void *data,
                         size_t size, ra_err *err);
// The same of what `next` gives (ra_store_put_stream).
int ra__output_stream(ra__output *output, const char *key, ra_store_next *next, void *ctx,
                      ra_err *err);

// What the maps of one array tell of its values; merged in the order of steps, so that the same data give the same
// numbers whatever the memory and the number of threads.
typedef struct ra__tally ra__tally;
int ra__tally_new(const ra__array *array, ra__tally **out, ra_err *err);
void ra__tally_free(ra__tally *tally);  // NULL is fine
// Adds rows of stored cells to a step, in their order. One thread a step.
int ra__tally_add(ra__tally *tally, size_t step, const void *cells, size_t rows, ra_err *err);
void ra__tally_finish(const ra__tally *tally, ra__array *array);

// Metadata of all arrays and groups, consolidated.
int ra__metadata_write(ra__output *output, ra_err *err);

// Inside of a JSON object: the attributes of an array (of the root: array NULL) as the Zarr store has them.
void ra__attributes(const ra_ingest *ingest, const ra__array *array, ra_str *out);
// Sets the fill of an array's spec to the source's _FillValue, in its stored type, or to NaN where missing_value is that;
// false: there is none.
bool ra__fill_value(const ra_cf_variable *variable, ra_zarr_spec *spec);
// Global attributes alone, for the body.
void ra__global_attributes(const ra_ingest *ingest, ra_str *out);
// The GeoZarr conventions of a grid, each member with a comma before it.
void ra__geozarr(const ra_cf_grid *grid, const ra_source *source, ra_str *out);

// Seconds that hashing the source takes, by a part of it.
int ra__hash_seconds(const ra_ingest *ingest, double *seconds, ra_err *err);
int ra__body(const ra_ingest *ingest, bool statistics, ra_str *out, ra_err *err);
void ra__json_number(ra_str *out, double value);  // NaN and infinities as texts
// Inside of a JSON object: how the cells of a variable become values.
void ra__packing_json(const ra_cf_variable *variable, ra_str *out);
// The same: what a tile and a series read of it.
void ra__reads_json(const ra__array *array, ra_str *out);
