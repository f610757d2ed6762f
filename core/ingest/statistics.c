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

static int take_row(const ra_cf_variable *variable, const uint8_t *cells, void *values,
                    ra_stats *stats, ra_sketch *sketch, ra_err *err) {
  ra_dtype dtype = variable->source->dtype;
  bool narrow = ra_packing_value_dtype(dtype) == RA_DTYPE_F32;
  size_t width = (size_t)variable->grid->native_width;
  ra_stats row;
  ra_stats_init(&row);
  if (narrow) {
    ra_unpack_f32(dtype, cells, width, &variable->packing, true, values);
    ra_stats_add_f32(&row, values, width);
  } else {
    ra_unpack_f64(dtype, cells, width, &variable->packing, true, values);
    ra_stats_add_f64(&row, values, width);
  }
  ra_stats_merge(stats, &row);
  if (!row.count) return RA_OK;
  int rc = ra_sketch_extend(sketch, row.min, row.max, err);
  if (rc < 0) return rc;
  if (narrow) {
    ra_sketch_add_f32(sketch, values, width);
  } else {
    ra_sketch_add_f64(sketch, values, width);
  }
  return RA_OK;
}

static int take_rows(const ra_cf_variable *variable, const uint8_t *cells, size_t rows,
                     ra_stats *stats, ra_sketch *sketch, ra_err *err) {
  size_t width = (size_t)variable->grid->native_width;
  size_t bytes = width * ra_dtype_size(variable->source->dtype);
  void *values = malloc(width * sizeof(double));
  int rc = values ? RA_OK : ra_fail(err, RA_E_NOMEM, variable->source->name, "out of memory");
  for (size_t row = 0; row < rows && rc >= 0; row++)
    rc = take_row(variable, cells + row * bytes, values, stats, sketch, err);
  free(values);
  return rc;
}

// A sketch of their own, so that the common one is locked for the time of a merge only.
static int take_apart(ra__tally *tally, const void *cells, size_t rows, ra_stats *stats, ra_err *err) {
  ra_sketch *sketch;
  int rc = ra_sketch_new(&sketch, err);
  if (rc < 0) return rc;
  rc = take_rows(tally->variable, cells, rows, stats, sketch, err);
  if (rc >= 0) {
    pthread_mutex_lock(&tally->lock);
    rc = ra_sketch_merge(tally->sketch, sketch, err);
    pthread_mutex_unlock(&tally->lock);
  }
  ra_sketch_free(sketch);
  return rc;
}

// Few cells are counted faster than a sketch is merged.
int ra__tally_add(ra__tally *tally, size_t step, const void *cells, size_t rows, ra_err *err) {
  ra_stats *stats = &tally->steps[step];
  if (rows * (size_t)tally->variable->grid->native_width >= FEW)
    return take_apart(tally, cells, rows, stats, err);
  pthread_mutex_lock(&tally->lock);
  int rc = take_rows(tally->variable, cells, rows, stats, tally->sketch, err);
  pthread_mutex_unlock(&tally->lock);
  return rc;
}

void ra__tally_finish(const ra__tally *tally, ra__array *array) {
  ra_stats_init(&array->stats);
  for (size_t i = 0; i < tally->count; i++) ra_stats_merge(&array->stats, &tally->steps[i]);
  if (array->stats.count) ra_sketch_histogram(tally->sketch, &array->histogram);
  array->has_stats = true;
}
