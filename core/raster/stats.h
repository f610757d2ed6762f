// stats.h - statistics and histograms of values that can be taken in parts, on any thread, and merged. NaN and
// infinities are not counted as valid. Plain values: nothing to free; one thread at a time each.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ra_stats {
  uint64_t total;   // cells seen
  uint64_t count;   // finite ones
  double min, max;  // NaN while count is 0
  double mean;      // 0 while count is 0
  double m2;        // sum of squared differences from the mean
} ra_stats;

void ra_stats_init(ra_stats *stats);
void ra_stats_add_f32(ra_stats *stats, const float *values, size_t n);
void ra_stats_add_f64(ra_stats *stats, const double *values, size_t n);
void ra_stats_merge(ra_stats *stats, const ra_stats *part);
double ra_stats_stddev(const ra_stats *stats);  // of the population, as numpy's; NaN while count is 0

enum { RA_HISTOGRAM_BINS = 256 };

// Equal bins over [min, max]; a value equal to max is in the last bin.
typedef struct ra_histogram {
  double min, max;
  uint64_t below, above;
  uint64_t counts[RA_HISTOGRAM_BINS];
} ra_histogram;

// min <= max, both finite.
void ra_histogram_init(ra_histogram *histogram, double min, double max);
void ra_histogram_add_f32(ra_histogram *histogram, const float *values, size_t n);
void ra_histogram_add_f64(ra_histogram *histogram, const double *values, size_t n);
// false, and nothing changed, when the bounds differ.
bool ra_histogram_merge(ra_histogram *histogram, const ra_histogram *part);
uint64_t ra_histogram_count(const ra_histogram *histogram);  // below and above too
// The value below which `percent` (0..100) of the counted ones lie, linear inside its bin; min or max when it falls
// below or above the bins; NaN when nothing was counted.
double ra_histogram_percentile(const ra_histogram *histogram, double percent);
