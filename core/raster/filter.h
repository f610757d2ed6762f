// filter.h - values from more cells than the nearest four: cubic, spline, Lanczos and Gauss filters, and average, mode
// and root mean square of the cells that a pixel covers. Filters give nothing where the cell that holds the position is
// missing, as GDAL's warper does; elsewhere missing cells and those outside the raster don't count, the weights of the
// others being made up to one. Where a pixel is wider than a cell, filters widen with it. No state, any thread.
#pragma once
#include "raster/resample.h"

typedef enum ra_filter {
  RA_FILTER_CUBIC,  // Catmull-Rom
  RA_FILTER_CUBIC_SPLINE,
  RA_FILTER_LANCZOS,  // of three lobes
  RA_FILTER_GAUSS,    // deviation of half a pixel, cut off at one and a half
  RA_FILTER_AVERAGE,  // by the share of the cell that the pixel covers, as the two below
  RA_FILTER_MODE,     // of equal ones the first, from the top left on
  RA_FILTER_RMS
} ra_filter;

enum { RA_FILTER_REACH = 128 };  // cells to a side of a position; a wider filter is cut off there

// How many cells to each side of a position are read where a pixel is `step` cells wide.
int ra_filter_reach(ra_filter filter, double step);

// Where runs of pixels fall along one axis: pixel i takes count[i] cells of the window from first[i] on (none: outside),
// with weights[i * most + k]; `holds` is the cell that the position is in.
typedef struct ra_filter_taps {
  size_t pixels;
  size_t most;  // 2 * reach + 2
  int32_t *first, *count, *holds;
  float *weights;  // pixels * most
} ra_filter_taps;

size_t ra_filter_most(ra_filter filter, double step);
// Its arrays are there already. size: the window's cells along the axis; what lies beyond does not count.
void ra_filter_fill(ra_filter_taps *taps, ra_filter filter, double step, const ra_axis *axis,
                    int64_t size, const double *positions);
// A grid of x->pixels by y->pixels pixels, or (`paired`) pixels that have an x and a y each. out: float or double as the
// window, NaN where there is nothing.
void ra_filter_run(const ra_window *window, ra_filter filter, const ra_filter_taps *x,
                   const ra_filter_taps *y, bool paired, void *out);
