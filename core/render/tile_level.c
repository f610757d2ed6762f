// tile_level.c - the size of a source cell in Web Mercator, measured where the grid's middle lies (or, where that has
// no image, as with a pole, near its quarters).
#include "render/tile_level.h"

#include <math.h>
#include <pthread.h>

#define MERCATOR_EDGE 20037508.342789244

// Levels come in steps of two with rounded-up sizes, so that their ratios miss whole powers by a little.
#define SLACK 1.05

static ra_crs *mercator;
static ra_err mercator_err;
static pthread_once_t mercator_once = PTHREAD_ONCE_INIT;

static void make_mercator(void) {
  if (ra_crs_new("EPSG:3857", &mercator, &mercator_err) < 0) mercator = NULL;
}

const ra_crs *ra__mercator(ra_err *err) {
  pthread_once(&mercator_once, make_mercator);
  if (!mercator && err) *err = mercator_err;
  return mercator;
}

// The longer side of the cell at this share of the grid's width and height; NaN where it has no image.
static double cell_size(const ra_grid *grid, ra_transform *transform, double across, double down) {
  const double *gt = grid->gt;
  double x[3], y[3];
  for (int i = 0; i < 3; i++) {
    double column = across * (double)grid->width + (i == 1),
           row = down * (double)grid->height + (i == 2);
    x[i] = gt[0] + column * gt[1] + row * gt[2];
    y[i] = gt[3] + column * gt[4] + row * gt[5];
  }
  if (ra_transform_points(transform, 3, x, y) > 0) return NAN;
  for (int i = 0; i < 3; i++) {
    if (fabs(y[i]) > MERCATOR_EDGE) return NAN;
  }
  double turn = 2 * MERCATOR_EDGE;
  double width = hypot(remainder(x[1] - x[0], turn), y[1] - y[0]);
  double height = hypot(remainder(x[2] - x[0], turn), y[2] - y[0]);
  return fmax(width, height);
}

static double typical_cell(const ra_grid *grid, const ra_crs *crs) {
  static const double places[][2] = {
      {0.5, 0.5}, {0.25, 0.25}, {0.75, 0.75}, {0.25, 0.75}, {0.75, 0.25}};
  ra_transform *transform;
  const ra_crs *tiles = ra__mercator(NULL);
  if (!tiles || ra_transform_get(crs, tiles, &transform, NULL) < 0) return NAN;
  double size = NAN;
  for (size_t i = 0; i < sizeof places / sizeof *places && !(size > 0); i++) {
    size = cell_size(grid, transform, places[i][0], places[i][1]);
  }
  return size;
}

size_t ra__tile_level(const ra_cog *cog, const ra_grid *grid, const ra_crs *crs, double pixel) {
  size_t count = ra_cog_level_count(cog), level = 0;
  if (count < 2) return 0;
  double cells = pixel / typical_cell(grid, crs);
  for (size_t i = 1; i < count; i++) {
    const ra_cog_level *at = ra_cog_get_level(cog, i);
    double ratio = fmax((double)grid->width / at->width, (double)grid->height / at->height);
    if (ratio <= cells * SLACK) level = i;
  }
  return level;
}
