// resample.c - positions to cells, and the choice of the loops in resample_kernels.h, made once for float and once
// for double.
#include "raster/resample.h"

#include <math.h>
#include <string.h>

#include "raster/vector.h"

// A position that misses a cell's edge by rounding counts as on it, as in GDAL's warper.
#define EDGE 1e-10

enum { RUN = 256 };  // single positions are worked on in runs of this many

ra_axis ra_axis_plain(int64_t extent, bool wraps) {
  return (ra_axis){.extent = extent, .wraps = wraps, .scale = 1, .seam = -(double)INFINITY};
}

static double last_position(const ra_axis *axis) {
  return (double)axis->extent * (axis->wraps ? 2 : 1);
}

double ra_axis_cell(const ra_axis *axis, double position) {
  double at = position * axis->scale + (position < axis->seam ? (double)axis->extent : 0.0);
  return at >= 0 && at <= last_position(axis) ? at : (double)NAN;
}

// Positions are not negative where they are cut off to whole cells, so that this is rounding down. No branches: vector
// code.
RA_VECTOR
static void find_taps(const ra_axis *axis, const double *positions, size_t n, int32_t *nearest,
                      int32_t *low, int32_t *high, double *share) {
  const double scale = axis->scale, seam = axis->seam, turn = (double)axis->extent;
  const double last = last_position(axis);
  const int32_t origin = (int32_t)axis->origin;
  const int32_t least = axis->wraps ? INT32_MIN : 0;
  const int32_t most = axis->wraps ? INT32_MAX : (int32_t)axis->extent - 1;
  for (size_t i = 0; i < n; i++) {
    double at = positions[i] * scale + (positions[i] < seam ? turn : 0.0);
    bool inside = (at >= 0) & (at <= last);
    at = inside ? at : 0;
    int32_t holds = (int32_t)(at + EDGE), before = (int32_t)(at + 0.5) - 1, after = before + 1;
    share[i] = at - 0.5 - (double)before;
    holds = holds < most ? holds : most;
    before = before > least ? before : least;
    after = after < most ? after : most;
    nearest[i] = inside ? holds - origin : -1;
    low[i] = inside ? before - origin : 0;
    high[i] = inside ? after - origin : 0;
  }
}

void ra_taps_fill(ra_taps *taps, const ra_axis *axis, const double *positions) {
  find_taps(axis, positions, taps->count, taps->nearest, taps->low, taps->high, taps->share);
  taps->all_inside = true;
  for (size_t i = 0; i < taps->count; i++) {
    if (taps->nearest[i] < 0) taps->all_inside = false;
  }
}

void ra_axis_reach(const ra_axis *axis, bool bilinear, double least, double most, int64_t *first,
                   int64_t *last) {
  const double ends[2] = {least, most};
  int32_t nearest[2], low[2], high[2];
  double share[2];
  ra_axis whole = ra_axis_plain(axis->extent, axis->wraps);
  find_taps(&whole, ends, 2, nearest, low, high, share);
  *first = bilinear && low[0] < nearest[0] ? low[0] : nearest[0];
  *last = (bilinear && high[1] > nearest[1] ? high[1] : nearest[1]) + 1;
}

// The taps of a run of single positions.
typedef struct run_taps {
  int32_t x_near[RUN], x_low[RUN], x_high[RUN], y_near[RUN], y_low[RUN], y_high[RUN];
  double x_share[RUN], y_share[RUN];
} run_taps;

// A position outside along one axis may have cells along the other that the window does not hold.
RA_VECTOR
static void drop_outside(run_taps *t, size_t n) {
  for (size_t i = 0; i < n; i++) {
    int32_t inside = ~((t->x_near[i] | t->y_near[i]) >> 31);
    t->x_near[i] |= ~inside;
    t->x_low[i] &= inside;
    t->x_high[i] &= inside;
    t->y_near[i] &= inside;
    t->y_low[i] &= inside;
    t->y_high[i] &= inside;
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
