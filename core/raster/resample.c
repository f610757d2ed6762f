// resample.c - positions to cells, and the choice of the loops in resample_kernels.h, made once for float and once
// for double.
#include "raster/resample.h"

#include <math.h>
#include <string.h>

#include "raster/vector.h"

// A position that misses a cell's edge by rounding counts as on it, as in GDAL's warper.
#define EDGE 1e-10

typedef struct tap {
  int32_t nearest, low, high;
  double share;
} tap;

static int64_t clamp(int64_t cell, int64_t extent) {
  return cell < 0 ? 0 : cell >= extent ? extent - 1 : cell;
}

static bool is_inside(const ra_axis *axis, double position) {
  double most = (double)axis->extent * (axis->wraps ? 2 : 1);
  return position >= 0 && position <= most;
}

// Positions are not negative here, so that cutting off is rounding down.
static inline tap tap_at(const ra_axis *axis, double position) {
  if (!is_inside(axis, position)) return (tap){-1, 0, 0, 0};
  int64_t nearest = (int64_t)(position + EDGE), low = (int64_t)(position + 0.5) - 1, high = low + 1;
  double share = position - 0.5 - (double)low;
  if (!axis->wraps) {
    nearest = clamp(nearest, axis->extent);
    low = clamp(low, axis->extent);
    high = clamp(high, axis->extent);
  }
  return (tap){(int32_t)(nearest - axis->origin), (int32_t)(low - axis->origin),
               (int32_t)(high - axis->origin), share};
}

void ra_axis_reach(const ra_axis *axis, bool bilinear, double least, double most, int64_t *first,
                   int64_t *last) {
  ra_axis whole = {.extent = axis->extent, .wraps = axis->wraps};
  tap from = tap_at(&whole, least), to = tap_at(&whole, most);
  *first = bilinear && from.low < from.nearest ? from.low : from.nearest;
  *last = (bilinear && to.high > to.nearest ? to.high : to.nearest) + 1;
}

void ra_taps_fill(ra_taps *taps, const ra_axis *axis, const double *positions) {
  taps->all_inside = true;
  for (size_t i = 0; i < taps->count; i++) {
    tap t = tap_at(axis, positions[i]);
    taps->nearest[i] = t.nearest;
    taps->low[i] = t.low;
    taps->high[i] = t.high;
    taps->share[i] = t.share;
    if (t.nearest < 0) {
      taps->nearest[i] = -1;
      taps->low[i] = taps->high[i] = 0;
      taps->all_inside = false;
    }
  }
}

#define REAL float
#define NAME(name) name##_f32
#include "raster/resample_kernels.h"
#undef REAL
#undef NAME
#define REAL double
#define NAME(name) name##_f64
#include "raster/resample_kernels.h"
#undef REAL
#undef NAME

// Two rows of values and two of weights, and the shares along x.
size_t ra_resample_scratch(const ra_window *window, size_t width) {
  return (5 * width + 64) * (window->is_double ? sizeof(double) : sizeof(float));
}

void ra_resample_grid(const ra_window *window, const ra_taps *x, const ra_taps *y, bool bilinear,
                      void *scratch, void *out) {
  if (window->is_double) {
    bilinear ? bilinear_grid_f64(window, x, y, scratch, out) : nearest_grid_f64(window, x, y, out);
  } else {
    bilinear ? bilinear_grid_f32(window, x, y, scratch, out) : nearest_grid_f32(window, x, y, out);
  }
}

void ra_resample_points(const ra_window *window, const ra_axis *x_axis, const ra_axis *y_axis,
                        const double *x, const double *y, size_t n, bool bilinear, void *out) {
  if (window->is_double) {
    points_f64(window, x_axis, y_axis, x, y, n, bilinear, out);
  } else {
    points_f32(window, x_axis, y_axis, x, y, n, bilinear, out);
  }
}
