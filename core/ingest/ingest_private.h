// ingest_private.h - what the files of ingest/ share.
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "format/dataset.h"
#include "format/zarr.h"
#include "ingest/ingest.h"
#include "ingest/pool.h"
#include "raster/stats.h"
#include "source/cf.h"

enum { RA__WRITER_FORMAT = 1 };  // raised when the same source would give other bytes

// One array of the Zarr store.
typedef struct ra__array {
  const ra_cf_variable *cf;
  ra_zarr_spec zarr;
  size_t raw;    // bytes
  size_t plane;  // bytes of one COG's pixels; 0: no COG
  size_t steps;  // COGs
  bool has_stats;
  ra_stats stats;
  ra_histogram histogram;
} ra__array;

struct ra_ingest {
  ra_arena arena;
  ra_source *source;
  ra_cf *cf;
  ra_ingest_options options;  // texts in the arena
  size_t count;
  ra__array *arrays;
  unsigned jobs;
  size_t need;  // bytes at the peak
  char fingerprint[65], version[17], sha256[65], created[32];
  _Atomic uint64_t bytes_done, bytes_written, objects, steps_done;
  uint64_t bytes_total, steps_total;
  atomic_bool keep;
};

// Chooses the arrays, their chunks, and the memory; RA_E_TOOBIG when it does not fit.
int ra__ingest_plan(ra_ingest *ingest, ra_err *err);

// A version being written: where to, and the list for the manifest.
typedef struct ra__output {
  ra_ingest *ingest;
  ra_store *store;
  ra_dataset *dataset;  // of the body without statistics: gives the keys that readers will use
  char prefix[700];     // "<collection>/<dataset>/<version>"
  pthread_mutex_t lock;
  ra_str objects;  // entries of the manifest
  ra_pool *pool;
  ra_cancel *cancel;
} ra__output;

// Puts an object below the version and notes it for the manifest. Any thread.
int ra__output_put(ra__output *output, const char *key, const void *data, size_t size, ra_err *err);
int ra__output_put_array(ra__output *output, const char *array, const char *part, const void *data,
                         size_t size, ra_err *err);

// A variable's cells in memory, C order.
typedef struct ra__block {
  ra__output *output;
  ra__array *array;
  const uint8_t *cells;
  int64_t strides[RA_ZARR_DIMS];  // in cells
} ra__block;

// Queue the COGs of steps [first, last), the shards, the statistics. Statistics wait for their own jobs.
int ra__cogs_submit(const ra__block *block, size_t first, size_t last, ra_err *err);
int ra__shards_submit(const ra__block *block, ra_err *err);
int ra__statistics(const ra__block *block, ra_err *err);

// Metadata of all arrays and groups, consolidated.
int ra__metadata_write(ra__output *output, ra_err *err);

// Inside of a JSON object: the attributes of an array (of the root: array NULL) as the Zarr store has them.
void ra__attributes(const ra_ingest *ingest, const ra__array *array, ra_str *out);
// Global attributes alone, for the body.
void ra__global_attributes(const ra_ingest *ingest, ra_str *out);
// The GeoZarr conventions of a grid, each member with a comma before it.
void ra__geozarr(const ra_cf_grid *grid, const ra_source *source, ra_str *out);

int ra__body(const ra_ingest *ingest, bool statistics, ra_str *out, ra_err *err);
void ra__json_number(ra_str *out, double value);  // NaN and infinities as texts
