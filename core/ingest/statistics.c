// statistics.c - of decoded values, in parts of a fixed size merged in order, so that the same data give the same numbers
// whatever the number of threads. Two passes over memory: the extremes first, then the histogram between them.
#include <math.h>
#include <stdlib.h>

#include "ingest/ingest_private.h"

enum { PART = 1 << 20, PIECE = 1 << 14 };

typedef struct part {
  const ra__block *block;
  size_t first, count;
  ra_stats stats;
  ra_histogram *histogram;  // NULL in the first pass
} part;

static void add_f32(part *p, const float *values, size_t n) {
  if (p->histogram) {
    ra_histogram_add_f32(p->histogram, values, n);
  } else {
    ra_stats_add_f32(&p->stats, values, n);
  }
}

static void add_f64(part *p, const double *values, size_t n) {
  if (p->histogram) {
    ra_histogram_add_f64(p->histogram, values, n);
  } else {
    ra_stats_add_f64(&p->stats, values, n);
  }
}

static int run_part(void *ctx, ra_err *err) {
  part *p = ctx;
  const ra_cf_variable *variable = p->block->array->cf;
  ra_dtype dtype = variable->source->dtype;
  bool narrow = ra_packing_value_dtype(dtype) == RA_DTYPE_F32;
  void *values = malloc(PIECE * sizeof(double));
  if (!values) return ra_fail(err, RA_E_NOMEM, variable->source->name, "out of memory");
  for (size_t done = 0; done < p->count; done += PIECE) {
    size_t n = p->count - done < PIECE ? p->count - done : PIECE;
    const uint8_t *cells = p->block->cells + (p->first + done) * ra_dtype_size(dtype);
    if (narrow) {
      ra_unpack_f32(dtype, cells, n, &variable->packing, true, values);
      add_f32(p, values, n);
    } else {
      ra_unpack_f64(dtype, cells, n, &variable->packing, true, values);
      add_f64(p, values, n);
    }
  }
  free(values);
  return RA_OK;
}

static int run_all(const ra__block *block, part *parts, size_t count, ra_err *err) {
  int rc = RA_OK, waited;
  for (size_t i = 0; i < count && rc >= 0; i++) {
    rc = ra_pool_submit(block->output->pool, run_part, NULL, &parts[i], err);
  }
  ra_err later = {0};
  waited = ra_pool_wait(block->output->pool, rc < 0 ? &later : err);
  return rc < 0 ? rc : waited;
}

static int histogram_pass(const ra__block *block, part *parts, size_t count, ra_err *err) {
  ra__array *array = block->array;
  ra_histogram *histograms = calloc(count + 1, sizeof *histograms);
  if (!histograms) return ra_fail(err, RA_E_NOMEM, array->zarr.name, "out of memory");
  ra_histogram_init(&array->histogram, array->stats.min, array->stats.max);
  for (size_t i = 0; i < count; i++) {
    parts[i].histogram = &histograms[i];
    ra_histogram_init(&histograms[i], array->stats.min, array->stats.max);
  }
  int rc = run_all(block, parts, count, err);
  for (size_t i = 0; i < count; i++) ra_histogram_merge(&array->histogram, &histograms[i]);
  free(histograms);
  return rc;
}

int ra__statistics(const ra__block *block, ra_err *err) {
  ra__array *array = block->array;
  size_t cells = (size_t)ra_source_var_cells(array->cf->source), count = (cells + PART - 1) / PART;
  part *parts = calloc(count ? count : 1, sizeof *parts);
  if (!parts) return ra_fail(err, RA_E_NOMEM, array->zarr.name, "out of memory");
  for (size_t i = 0; i < count; i++) {
    size_t first = i * PART;
    parts[i] =
        (part){.block = block, .first = first, .count = cells - first < PART ? cells - first : PART};
    ra_stats_init(&parts[i].stats);
  }
  ra_stats_init(&array->stats);
  int rc = run_all(block, parts, count, err);
  for (size_t i = 0; i < count; i++) ra_stats_merge(&array->stats, &parts[i].stats);
  if (rc >= 0 && array->stats.count) rc = histogram_pass(block, parts, count, err);
  array->has_stats = rc >= 0;
  free(parts);
  return rc;
}
