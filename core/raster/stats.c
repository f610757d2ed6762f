// stats.c - moments of short runs in eight lanes (a fixed order of additions, the same with and without vector
// instructions), merged by Chan, Golub and LeVeque's formula, which keeps its precision over billions of cells.
#include "raster/stats.h"

#include <math.h>

enum { RUN = 1024, LANES = 8 };

void ra_stats_init(ra_stats *stats) { *stats = (ra_stats){.min = NAN, .max = NAN}; }

void ra_stats_merge(ra_stats *stats, const ra_stats *part) {
  stats->total += part->total;
  if (part->count == 0) return;
  double a = (double)stats->count, b = (double)part->count;
  double delta = part->mean - stats->mean;
  stats->mean += delta * (b / (a + b));
  stats->m2 += part->m2 + delta * delta * (a * b / (a + b));
  stats->min = fmin(stats->min, part->min);
  stats->max = fmax(stats->max, part->max);
  stats->count += part->count;
}

double ra_stats_stddev(const ra_stats *stats) {
  return stats->count == 0 ? NAN : sqrt(stats->m2 / (double)stats->count);
}

static double sum_lanes(const double lanes[LANES]) {
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
         ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

// values: RUN of them or fewer, padded with zeros to whole lanes. valid: 1.0 where a value counts, else 0.0.
static void add_run(ra_stats *stats, const double *values, const double *valid, size_t n) {
  double sums[LANES] = {0}, counts[LANES] = {0}, squares[LANES] = {0};
  double least[LANES], most[LANES];
  for (size_t j = 0; j < LANES; j++) least[j] = INFINITY, most[j] = -INFINITY;
  for (size_t i = 0; i < n; i += LANES) {
    for (size_t j = 0; j < LANES; j++) {
      double v = values[i + j], is_valid = valid[i + j];
      double low = is_valid > 0 ? v : INFINITY, high = is_valid > 0 ? v : -INFINITY;
      sums[j] += v;
      counts[j] += is_valid;
      least[j] = low < least[j] ? low : least[j];
      most[j] = high > most[j] ? high : most[j];
    }
  }
  double count = sum_lanes(counts);
  if (count == 0) return;
  ra_stats part = {.count = (uint64_t)count, .mean = sum_lanes(sums) / count};
  for (size_t i = 0; i < n; i += LANES) {
    for (size_t j = 0; j < LANES; j++) {
      double d = (values[i + j] - part.mean) * valid[i + j];
      squares[j] += d * d;
    }
  }
  part.m2 = sum_lanes(squares);
  part.min = least[0], part.max = most[0];
  for (size_t j = 1; j < LANES; j++) {
    part.min = fmin(part.min, least[j]), part.max = fmax(part.max, most[j]);
  }
  ra_stats_merge(stats, &part);
}

#define STATS_ADD(NAME, TYPE)                                        \
  void NAME(ra_stats *stats, const TYPE *values, size_t n) {         \
    double run[RUN], valid[RUN];                                     \
    for (size_t at = 0; at < n; at += RUN) {                         \
      size_t count = n - at < RUN ? n - at : RUN;                    \
      size_t padded = (count + LANES - 1) / LANES * LANES;           \
      for (size_t i = 0; i < count; i++) {                           \
        double v = (double)values[at + i];                           \
        valid[i] = fabs(v) < (double)INFINITY ? 1.0 : 0.0;           \
        run[i] = fabs(v) < (double)INFINITY ? v : 0.0;               \
      }                                                              \
      for (size_t i = count; i < padded; i++) run[i] = valid[i] = 0; \
      add_run(stats, run, valid, padded);                            \
    }                                                                \
    stats->total += n;                                               \
  }

STATS_ADD(ra_stats_add_f32, float)
STATS_ADD(ra_stats_add_f64, double)

void ra_histogram_init(ra_histogram *histogram, double min, double max) {
  *histogram = (ra_histogram){.min = min, .max = max};
}

static double bins_a_unit(const ra_histogram *histogram) {
  double width = histogram->max - histogram->min;
  return width > 0 ? RA_HISTOGRAM_BINS / width : 0;
}

#define HISTOGRAM_ADD(NAME, TYPE)                                                   \
  void NAME(ra_histogram *histogram, const TYPE *values, size_t n) {                \
    const double min = histogram->min, max = histogram->max;                        \
    const double factor = bins_a_unit(histogram);                                   \
    for (size_t i = 0; i < n; i++) {                                                \
      double v = (double)values[i];                                                 \
      if (v >= min && v <= max) {                                                   \
        size_t bin = (size_t)((v - min) * factor);                                  \
        histogram->counts[bin < RA_HISTOGRAM_BINS ? bin : RA_HISTOGRAM_BINS - 1]++; \
      } else if (v < min) {                                                         \
        histogram->below += v > (double)-INFINITY;                                  \
      } else if (v > max) {                                                         \
        histogram->above += v < (double)INFINITY;                                   \
      }                                                                             \
    }                                                                               \
  }

HISTOGRAM_ADD(ra_histogram_add_f32, float)
HISTOGRAM_ADD(ra_histogram_add_f64, double)

bool ra_histogram_merge(ra_histogram *histogram, const ra_histogram *part) {
  if (histogram->min != part->min || histogram->max != part->max) return false;
  histogram->below += part->below;
  histogram->above += part->above;
  for (size_t i = 0; i < RA_HISTOGRAM_BINS; i++) histogram->counts[i] += part->counts[i];
  return true;
}

uint64_t ra_histogram_count(const ra_histogram *histogram) {
  uint64_t count = histogram->below + histogram->above;
  for (size_t i = 0; i < RA_HISTOGRAM_BINS; i++) count += histogram->counts[i];
  return count;
}

double ra_histogram_percentile(const ra_histogram *histogram, double percent) {
  uint64_t count = ra_histogram_count(histogram);
  if (count == 0) return NAN;
  double rank = percent / 100 * (double)count;
  double before = (double)histogram->below;
  if (rank < before) return histogram->min;
  double width = (histogram->max - histogram->min) / RA_HISTOGRAM_BINS;
  for (size_t i = 0; i < RA_HISTOGRAM_BINS; i++) {
    double here = (double)histogram->counts[i];
    if (here > 0 && rank <= before + here) {
      return histogram->min + width * ((double)i + (rank - before) / here);
    }
    before += here;
  }
  return histogram->max;
}
