// statistics.c - of decoded values: moments a step, merged in the order of steps, and one sketch of all values, which
// knows no order.
#include <pthread.h>
#include <stdlib.h>

#include "ingest/ingest_private.h"
#include "raster/sketch.h"

enum { FEW = 1 << 16 };

struct ra__tally {
  const ra_cf_variable *variable;
  size_t count;
  ra_stats *steps;
  pthread_mutex_t lock;
  ra_sketch *sketch;
};

int ra__tally_new(const ra__array *array, ra__tally **out, ra_err *err) {
  ra__tally *tally = calloc(1, sizeof *tally);
  if (!tally) return ra_fail(err, RA_E_NOMEM, array->zarr.name, "out of memory");
  pthread_mutex_init(&tally->lock, NULL);
  tally->variable = array->cf;
  tally->count = array->steps;
  tally->steps = calloc(array->steps, sizeof *tally->steps);
  int rc = tally->steps ? ra_sketch_new(&tally->sketch, err)
                        : ra_fail(err, RA_E_NOMEM, array->zarr.name, "out of memory");
  if (rc < 0) {
    ra__tally_free(tally);
    return rc;
  }
  for (size_t i = 0; i < tally->count; i++) ra_stats_init(&tally->steps[i]);
  *out = tally;
  return RA_OK;
}

void ra__tally_free(ra__tally *tally) {
  if (!tally) return;
  ra_sketch_free(tally->sketch);
  pthread_mutex_destroy(&tally->lock);
  free(tally->steps);
  free(tally);
}

// Unpacks row after row into the statistics or, where that is NULL, the sketch.
static void scan(const ra_cf_variable *variable, const uint8_t *cells, size_t rows, void *values,
                 ra_stats *stats, ra_sketch *sketch) {
  ra_dtype dtype = variable->source->dtype;
  bool narrow = ra_packing_value_dtype(dtype) == RA_DTYPE_F32;
  size_t width = (size_t)variable->grid->native_width;
  for (size_t row = 0; row < rows; row++) {
    const uint8_t *from = cells + row * width * ra_dtype_size(dtype);
    if (narrow) {
      ra_unpack_f32(dtype, from, width, &variable->packing, true, values);
    } else {
      ra_unpack_f64(dtype, from, width, &variable->packing, true, values);
    }
    if (stats && narrow) ra_stats_add_f32(stats, values, width);
    if (stats && !narrow) ra_stats_add_f64(stats, values, width);
    if (!stats && narrow) ra_sketch_add_f32(sketch, values, width);
    if (!stats && !narrow) ra_sketch_add_f64(sketch, values, width);
  }
}

// A sketch of their own, so that the common one is locked for the time of a merge only.
static int sketch_apart(ra__tally *tally, const ra_stats *stats, const void *cells, size_t rows,
                        void *values, ra_err *err) {
  ra_sketch *sketch;
  int rc = ra_sketch_new(&sketch, err);
  if (rc < 0) return rc;
  rc = ra_sketch_extend(sketch, stats->min, stats->max, err);
  if (rc >= 0) {
    scan(tally->variable, cells, rows, values, NULL, sketch);
    pthread_mutex_lock(&tally->lock);
    rc = ra_sketch_merge(tally->sketch, sketch, err);
    pthread_mutex_unlock(&tally->lock);
  }
  ra_sketch_free(sketch);
  return rc;
}

// Few cells are counted faster than a sketch is merged.
static int sketch_rows(ra__tally *tally, const ra_stats *stats, const void *cells, size_t rows,
                       void *values, ra_err *err) {
  if (rows * (size_t)tally->variable->grid->native_width >= FEW)
    return sketch_apart(tally, stats, cells, rows, values, err);
  pthread_mutex_lock(&tally->lock);
  int rc = ra_sketch_extend(tally->sketch, stats->min, stats->max, err);
  if (rc >= 0) scan(tally->variable, cells, rows, values, NULL, tally->sketch);
  pthread_mutex_unlock(&tally->lock);
  return rc;
}

int ra__tally_add(ra__tally *tally, size_t step, const void *cells, size_t rows, ra_err *err) {
  ra_stats *stats = &tally->steps[step];
  void *values = malloc((size_t)tally->variable->grid->native_width * sizeof(double));
  if (!values) return ra_fail(err, RA_E_NOMEM, tally->variable->source->name, "out of memory");
  scan(tally->variable, cells, rows, values, stats, NULL);
  int rc = stats->count ? sketch_rows(tally, stats, cells, rows, values, err) : RA_OK;
  free(values);
  return rc;
}

void ra__tally_finish(const ra__tally *tally, ra__array *array) {
  ra_stats_init(&array->stats);
  for (size_t i = 0; i < tally->count; i++) ra_stats_merge(&array->stats, &tally->steps[i]);
  if (array->stats.count) ra_sketch_histogram(tally->sketch, &array->histogram);
  array->has_stats = true;
}
