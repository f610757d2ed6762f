// sketch.h - the distribution of values that come in parts, in any order: counts over bins of one power of two's width,
// which doubles (neighbours are added) whenever the range outgrows the bins. What comes out depends on the values alone,
// never on how they were cut or merged. One thread at a time.
#pragma once
#include "base/err.h"
#include "raster/stats.h"

typedef struct ra_sketch ra_sketch;

int ra_sketch_new(ra_sketch **out, ra_err *err);
void ra_sketch_free(ra_sketch *sketch);  // NULL is fine
// Makes room for values of [min, max], both finite.
int ra_sketch_extend(ra_sketch *sketch, double min, double max, ra_err *err);
// Counts the values that lie in the range made so far; others and NaN are passed over.
void ra_sketch_add_f32(ra_sketch *sketch, const float *values, size_t n);
void ra_sketch_add_f64(ra_sketch *sketch, const double *values, size_t n);
int ra_sketch_merge(ra_sketch *sketch, const ra_sketch *part, ra_err *err);
// The same as a histogram over the whole range; a bin here is less than 1/128 of one there.
void ra_sketch_histogram(const ra_sketch *sketch, ra_histogram *out);
