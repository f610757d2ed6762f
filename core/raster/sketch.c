// sketch.c - bins are numbered by floor(value / width) and stored modulo their count, so that a range that grows moves
// nothing; see sketch.h
#include "raster/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 16, BINS = 1 << BITS, LEAST = -1000 };

struct ra_sketch {
  double min, max;  // NaN while there is none
  int exponent;     // a bin is 2^exponent wide
  uint64_t *counts;
};

int ra_sketch_new(ra_sketch **out, ra_err *err) {
  ra_sketch *sketch = calloc(1, sizeof *sketch);
  if (sketch) sketch->counts = calloc(BINS, sizeof *sketch->counts);
  if (!sketch || !sketch->counts) {
    ra_sketch_free(sketch);
    return ra_fail(err, RA_E_NOMEM, "", "no memory for a histogram");
  }
  sketch->min = sketch->max = (double)NAN;
  sketch->exponent = LEAST;
  *out = sketch;
  return RA_OK;
}

void ra_sketch_free(ra_sketch *sketch) {
  if (!sketch) return;
  free(sketch->counts);
  free(sketch);
}

static int64_t bin_of(double value, double factor) {
  double x = value * factor;
  int64_t whole = (int64_t)x;
  return whole - (x < (double)whole);
}

// The narrowest width at which the range fits the bins, and at which a bin's number is exact.
static int exponent_of(double min, double max) {
  double most = fmax(fabs(min), fabs(max)), half = max / 2 - min / 2;
  int least = most > 0 ? ilogb(most) - 52 : LEAST;
  int exponent = half > 0 ? ilogb(half) + 1 - (BITS - 1) : LEAST;
  if (exponent < least) exponent = least;
  if (exponent < LEAST) exponent = LEAST;
  double factor = ldexp(1, -exponent);
  return exponent + (bin_of(max, factor) - bin_of(min, factor) >= BINS);
}

// Adds what `from` counts to `counts`, whose bins are 2^shift times as wide.
static void add_bins(const ra_sketch *from, int shift, uint64_t *counts) {
  if (isnan(from->min)) return;
  double factor = ldexp(1, -from->exponent);
  int64_t last = bin_of(from->max, factor);
  for (int64_t bin = bin_of(from->min, factor); bin <= last; bin++) {
    int64_t wide = shift < 63 ? bin >> shift : -(bin < 0);
    counts[(uint64_t)wide % BINS] += from->counts[(uint64_t)bin % BINS];
  }
}

int ra_sketch_extend(ra_sketch *sketch, double min, double max, ra_err *err) {
  min = fmin(min, sketch->min);
  max = fmax(max, sketch->max);
  int exponent = exponent_of(min, max);
  if (exponent > sketch->exponent && !isnan(sketch->min)) {
    uint64_t *counts = calloc(BINS, sizeof *counts);
    if (!counts) return ra_fail(err, RA_E_NOMEM, "", "no memory for a histogram");
    add_bins(sketch, exponent - sketch->exponent, counts);
    free(sketch->counts);
    sketch->counts = counts;
  }
  sketch->exponent = exponent;
  sketch->min = min;
  sketch->max = max;
  return RA_OK;
}

#define SKETCH_ADD(NAME, TYPE)                                 \
  void NAME(ra_sketch *sketch, const TYPE *values, size_t n) { \
    const double min = sketch->min, max = sketch->max;         \
    const double factor = ldexp(1, -sketch->exponent);         \
    uint64_t *counts = sketch->counts;                         \
    for (size_t i = 0; i < n; i++) {                           \
      double v = (double)values[i];                            \
      if (!(v >= min && v <= max)) continue;                   \
      counts[(uint64_t)bin_of(v, factor) % BINS]++;            \
    }                                                          \
  }

SKETCH_ADD(ra_sketch_add_f32, float)
SKETCH_ADD(ra_sketch_add_f64, double)

int ra_sketch_merge(ra_sketch *sketch, const ra_sketch *part, ra_err *err) {
  if (isnan(part->min)) return RA_OK;
  int rc = ra_sketch_extend(sketch, part->min, part->max, err);
  if (rc < 0) return rc;
  add_bins(part, sketch->exponent - part->exponent, sketch->counts);
  return RA_OK;
}

void ra_sketch_histogram(const ra_sketch *sketch, ra_histogram *out) {
  double min = sketch->min, max = sketch->max;
  ra_histogram_init(out, min, max);
  if (isnan(min)) return;
  double width = ldexp(1, sketch->exponent), range = max - min;
  int64_t last = bin_of(max, 1 / width);
  for (int64_t bin = bin_of(min, 1 / width); bin <= last; bin++) {
    double at = ((double)bin + 0.5) * width - min;
    double share = range > 0 ? at / range * RA_HISTOGRAM_BINS : 0;
    size_t to = share > 0 ? (size_t)share : 0;
    out->counts[to < RA_HISTOGRAM_BINS ? to : RA_HISTOGRAM_BINS - 1] +=
        sketch->counts[(uint64_t)bin % BINS];
  }
}
