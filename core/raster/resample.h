// resample.h - values at positions between cells: nearest and bilinear, of a window of a larger raster. A position
// counts cells from the left (top) edge of the raster: i + 0.5 is the centre of cell i. Bilinear gives what GDAL's
// warper gives: nothing where the cell that holds the position is missing, else the valid ones of the four nearest
// centres with their weights renormalised; at the raster's edges what lies outside does not count.
// Results do not depend on the instructions in use. No state, any thread; all memory is the caller's.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// One axis of the raster, how positions along it are given, and where the window begins on it.
typedef struct ra_axis {
  int64_t extent;  // cells, at most 2^29
  bool wraps;  // positions may lie in [0, 2 * extent), and cells -1 … 2 * extent are cells modulo extent
  double scale;  // cells a unit of position: 1, or less for an overview whose positions are those of the full raster
  double seam;     // positions below it lie one turn on; -INFINITY: none does
  int64_t origin;  // the window's first cell
} ra_axis;

// At most 2^31 cells from its first to its last.
typedef struct ra_window {
  const void *cells;  // NaN where missing
  bool is_double;     // else float
  size_t stride;      // cells from row to row
  bool has_missing;   // false: no cell is NaN
} ra_window;

// Where a run of destination pixels falls along one axis, in cells of the window.
typedef struct ra_taps {
  size_t count;
  int32_t *nearest;  // -1: outside the raster, or no such place
  int32_t *low, *high;
  double *share;  // of `high`; that of `low` is 1 - share
  bool all_inside;
} ra_taps;

// Positions in cells of the raster itself, the window being all of it.
ra_axis ra_axis_plain(int64_t extent, bool wraps);
// The cells of the whole raster, [*first, *last), that positions between least and most need. Both are cells already:
// scaled and unwrapped, inside the raster.
void ra_axis_reach(const ra_axis *axis, bool bilinear, double least, double most, int64_t *first,
                   int64_t *last);
// A position in cells; NaN when it lies outside.
double ra_axis_cell(const ra_axis *axis, double position);
// taps->count positions; its arrays are there already. NaN and positions outside get nearest -1, low and high 0.
void ra_taps_fill(ra_taps *taps, const ra_axis *axis, const double *positions);

// A grid of x->count by y->count pixels. scratch: ra_resample_scratch bytes, 64-byte aligned. out: float or double
// as the window, NaN where there is nothing.
size_t ra_resample_scratch(const ra_window *window, size_t width);
void ra_resample_grid(const ra_window *window, const ra_taps *x, const ra_taps *y, bool bilinear,
                      void *scratch, void *out);
// n pixels anywhere.
void ra_resample_points(const ra_window *window, const ra_axis *x_axis, const ra_axis *y_axis,
                        const double *x, const double *y, size_t n, bool bilinear, void *out);
