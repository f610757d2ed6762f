// filter.c - weights along the two axes are made once; a pixel is the sum over the cells that have one in both.
#include "raster/filter.h"

#include <math.h>
#include <string.h>

enum { MODES = 64 };  // different values that a pixel's mode is chosen from

// A pixel hardly wider than a cell takes the filter as it is, as in GDAL's warper.
#define WIDER (1 / 0.95)

static double widening(double step) { return step > WIDER ? step : 1; }

static bool covers(ra_filter filter) { return filter >= RA_FILTER_AVERAGE; }

static double radius_of(ra_filter filter) {
  switch (filter) {
    case RA_FILTER_LANCZOS: return 3;
    case RA_FILTER_GAUSS: return 1.5;
    default: return 2;
  }
}

// To each side of a position, in cells.
static double half_width(ra_filter filter, double step) {
  double half = covers(filter) ? step / 2 : radius_of(filter) * widening(step);
  return half < RA_FILTER_REACH ? half : RA_FILTER_REACH;
}

int ra_filter_reach(ra_filter filter, double step) { return (int)ceil(half_width(filter, step)); }

size_t ra_filter_most(ra_filter filter, double step) {
  return 2 * (size_t)ra_filter_reach(filter, step) + 2;
}

static double cubic(double x) {
  if (x <= 1) return x * x * (1.5 * x - 2.5) + 1;
  return x < 2 ? x * (x * (2.5 - 0.5 * x) - 4) + 2 : 0;
}

static double spline(double x) {
  if (x <= 1) return x * x * (0.5 * x - 1) + 2.0 / 3;
  return x < 2 ? (2 - x) * (2 - x) * (2 - x) / 6 : 0;
}

static double lanczos(double x) {
  if (x < 1e-9) return 1;
  double a = M_PI * x;
  return x < 3 ? 3 * sin(a) * sin(a / 3) / (a * a) : 0;
}

static double gauss(double x) { return x <= 1.5 ? exp(-2 * x * x) : 0; }

// Of a cell whose centre is `distance` cells off, for a filter that is widened.
static double weigh(ra_filter filter, double distance, double wider) {
  double x = fabs(distance) / wider;
  switch (filter) {
    case RA_FILTER_CUBIC: return cubic(x);
    case RA_FILTER_CUBIC_SPLINE: return spline(x);
    case RA_FILTER_LANCZOS: return lanczos(x);
    default: return gauss(x);
  }
}

// The share of a cell's width that lies between low and high.
static double overlap(double cell, double low, double high) {
  double left = cell > low ? cell : low, right = cell + 1 < high ? cell + 1 : high;
  return right > left ? right - left : 0;
}

static void fill_one(ra_filter_taps *taps, size_t i, ra_filter filter, double step, double at,
                     int64_t size) {
  const double half = half_width(filter, step), wider = widening(step);
  float *weights = taps->weights + i * taps->most;
  int64_t first = (int64_t)floor(covers(filter) ? at - half : at - half + 0.5);
  int64_t last = (int64_t)ceil(covers(filter) ? at + half : at + half - 0.5);  // one past it
  if (first < 0) first = 0;
  if (last > size) last = size;
  if (last - first > (int64_t)taps->most) last = first + (int64_t)taps->most;
  taps->first[i] = (int32_t)first;
  taps->count[i] = last > first ? (int32_t)(last - first) : 0;
  for (int32_t k = 0; k < taps->count[i]; k++) {
    double cell = (double)(first + k);
    double w = covers(filter) ? overlap(cell, at - half, at + half)
                              : weigh(filter, cell + 0.5 - at, wider);
    weights[k] = (float)w;
  }
}

void ra_filter_fill(ra_filter_taps *taps, ra_filter filter, double step, const ra_axis *axis,
                    int64_t size, const double *positions) {
  for (size_t i = 0; i < taps->pixels; i++) {
    double at = ra_axis_cell(axis, positions[i]);
    taps->count[i] = taps->first[i] = 0;
    taps->holds[i] = -1;
    if (isnan(at)) continue;
    double whole = floor(at + 1e-10);
    if (!axis->wraps && whole > (double)axis->extent - 1) whole = (double)axis->extent - 1;
    int64_t holds = (int64_t)whole - axis->origin;
    if (holds < 0 || holds >= size) continue;
    taps->holds[i] = (int32_t)holds;
    fill_one(taps, i, filter, step, at - (double)axis->origin, size);
  }
}

static double cell_at(const ra_window *window, int64_t row, int64_t column) {
  size_t at = (size_t)row * window->stride + (size_t)column;
  return window->is_double ? ((const double *)window->cells)[at]
                           : (double)((const float *)window->cells)[at];
}

typedef struct spot {  // a pixel's cells
  int32_t x, y, columns, rows;
  const float *x_weights, *y_weights;
} spot;

static double blend(const ra_window *window, const spot *s, bool squares) {
  double sum = 0, weight = 0;
  for (int32_t j = 0; j < s->rows; j++) {
    double row_sum = 0, row_weight = 0;
    for (int32_t i = 0; i < s->columns; i++) {
      double v = cell_at(window, s->y + j, s->x + i), w = (double)s->x_weights[i];
      if (isnan(v)) continue;
      row_sum += w * (squares ? v * v : v);
      row_weight += w;
    }
    sum += (double)s->y_weights[j] * row_sum;
    weight += (double)s->y_weights[j] * row_weight;
  }
  if (!(fabs(weight) > 1e-6)) return NAN;
  return squares ? sqrt(sum / weight) : sum / weight;
}

static double mode(const ra_window *window, const spot *s) {
  double values[MODES], weights[MODES], best = NAN, most = 0;
  int known = 0;
  for (int32_t j = 0; j < s->rows; j++) {
    for (int32_t i = 0; i < s->columns; i++) {
      double v = cell_at(window, s->y + j, s->x + i);
      double w = (double)s->x_weights[i] * (double)s->y_weights[j];
      if (isnan(v) || !(w > 0)) continue;
      int k = 0;
      while (k < known && values[k] != v) k++;
      if (k == MODES) continue;
      if (k == known) values[known] = v, weights[known++] = 0;
      weights[k] += w;
    }
  }
  for (int k = 0; k < known; k++) {
    if (weights[k] > most + 1e-6) best = values[k], most = weights[k];
  }
  return best;
}

static double pixel(const ra_window *window, ra_filter filter, const ra_filter_taps *x, size_t i,
                    const ra_filter_taps *y, size_t j) {
  if (x->holds[i] < 0 || y->holds[j] < 0) return NAN;
  if (!covers(filter) && isnan(cell_at(window, y->holds[j], x->holds[i]))) return NAN;
  spot s = {.x = x->first[i],
            .y = y->first[j],
            .columns = x->count[i],
            .rows = y->count[j],
            .x_weights = x->weights + i * x->most,
            .y_weights = y->weights + j * y->most};
  return filter == RA_FILTER_MODE ? mode(window, &s) : blend(window, &s, filter == RA_FILTER_RMS);
}

static void put(const ra_window *window, void *out, size_t at, double value) {
  if (window->is_double) {
    ((double *)out)[at] = value;
  } else {
    ((float *)out)[at] = (float)value;
  }
}

void ra_filter_run(const ra_window *window, ra_filter filter, const ra_filter_taps *x,
                   const ra_filter_taps *y, bool paired, void *out) {
  if (paired) {
    for (size_t i = 0; i < x->pixels; i++) put(window, out, i, pixel(window, filter, x, i, y, i));
    return;
  }
  for (size_t j = 0, at = 0; j < y->pixels; j++) {
    for (size_t i = 0; i < x->pixels; i++, at++) {
      put(window, out, at, pixel(window, filter, x, i, y, j));
    }
  }
}
