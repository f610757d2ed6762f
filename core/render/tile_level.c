// tile_level.c - the size of a source cell in the CRS of the tiles, measured where the grid's middle lies (or, where that has
// no image, as with a pole, near its quarters).
#include "render/tile_level.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "render/tile.h"

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
static double cell_size(const ra_grid *grid, ra_transform *transform, const ra_crs *tiles,
                        double across, double down) {
  const double *gt = grid->gt;
  double x[3], y[3];
  for (int i = 0; i < 3; i++) {
    double column = across * (double)grid->width + (i == 1),
           row = down * (double)grid->height + (i == 2);
    x[i] = gt[0] + column * gt[1] + row * gt[2];
    y[i] = gt[3] + column * gt[4] + row * gt[5];
  }
  if (ra_transform_points(transform, 3, x, y) > 0) return NAN;
  bool is_mercator = tiles == mercator;
  for (int i = 0; i < 3 && is_mercator; i++) {
    if (fabs(y[i]) > MERCATOR_EDGE) return NAN;
  }
  double turn = is_mercator                   ? 2 * MERCATOR_EDGE
                : ra_crs_is_geographic(tiles) ? 360
                                              : (double)INFINITY;
  double width = hypot(remainder(x[1] - x[0], turn), y[1] - y[0]);
  double height = hypot(remainder(x[2] - x[0], turn), y[2] - y[0]);
  return fmax(width, height);
}

static double typical_cell(const ra_grid *grid, const ra_crs *crs, const ra_crs *tiles) {
  static const double places[][2] = {
      {0.5, 0.5}, {0.25, 0.25}, {0.75, 0.75}, {0.25, 0.75}, {0.75, 0.25}};
  ra_transform *transform;
  if (ra_transform_get(crs, tiles, &transform, NULL) < 0) return NAN;
  double size = NAN;
  for (size_t i = 0; i < sizeof places / sizeof *places && !(size > 0); i++) {
    size = cell_size(grid, transform, tiles, places[i][0], places[i][1]);
  }
  return size;
}

size_t ra__tile_level(const double *ratios, size_t count, const ra_grid *grid, const ra_crs *crs,
                      const ra_crs *tiles, double pixel) {
  size_t level = 0;
  if (count < 2) return 0;
  double cells = pixel / typical_cell(grid, crs, tiles);
  for (size_t i = 1; i < count; i++) {
    if (ratios[i] <= cells * SLACK) level = i;
  }
  return level;
}

// ---- CRSs of tile matrix sets: an operator's files name few, and each is kept

enum { KEPT = 64 };

static struct {
  pthread_mutex_t lock;
  char *definitions[KEPT];
  ra_crs *crs[KEPT];
  unsigned count;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int keep(const char *definition, const ra_crs **out, ra_err *err) {
  if (kept.count == KEPT) {
    return ra_fail(err, RA_E_TOOBIG, "tms", "tile matrix sets of more than %d CRSs", KEPT);
  }
  char *copy = strdup(definition);
  if (!copy) return ra_fail(err, RA_E_NOMEM, "tms", "out of memory for a CRS");
  int rc = ra_crs_new(definition, &kept.crs[kept.count], err);
  if (rc < 0) {
    free(copy);
    return rc;
  }
  kept.definitions[kept.count] = copy;
  *out = kept.crs[kept.count++];
  return RA_OK;
}

int ra_tile_crs(const char *definition, const ra_crs **out, ra_err *err) {
  int rc = RA_OK;
  *out = NULL;
  pthread_mutex_lock(&kept.lock);
  for (unsigned i = 0; i < kept.count && !*out; i++) {
    if (strcmp(kept.definitions[i], definition) == 0) *out = kept.crs[i];
  }
  if (!*out) rc = keep(definition, out, err);
  pthread_mutex_unlock(&kept.lock);
  return rc;
}
