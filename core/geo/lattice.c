// lattice.c - see lattice.h
#include "geo/lattice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 65536, ROWS_ASKED = 64, BINS = 3600, PIXELS_A_CELL = 16 };
#define PIXELS_MOST ((double)(1 << 30))
static const double DEGREE = M_PI / 180;

void ra_lattice_put(ra_lattice *lattice, size_t cell, double lon, double lat) {
  bool place = fabs(lat) <= 90.0001 && fabs(lon) < 7200;
  lon -= 360 * floor((lon + 180) / 360);
  lattice->lon[cell] = place ? (int32_t)lround(lon / RA_PLACE_UNIT) : 0;
  lattice->lat[cell] =
      place ? (int32_t)lround(fmax(-90, fmin(90, lat)) / RA_PLACE_UNIT) : RA_NO_PLACE;
}

bool ra_lattice_vector(const ra_lattice *lattice, int64_t row, int64_t column, double out[3]) {
  if (lattice->cyclic && (column < 0 || column >= lattice->width))
    column = (column + lattice->width) % lattice->width;
  if (row < 0 || row >= lattice->height || column < 0 || column >= lattice->width) return false;
  size_t cell = (size_t)(row * lattice->width + column);
  if (lattice->lat[cell] == RA_NO_PLACE) return false;
  double lon = lattice->lon[cell] * (RA_PLACE_UNIT * DEGREE);
  double lat = lattice->lat[cell] * (RA_PLACE_UNIT * DEGREE);
  out[0] = cos(lat) * cos(lon);
  out[1] = cos(lat) * sin(lon);
  out[2] = sin(lat);
  return true;
}

// Degrees of arc between two cells; NaN where one has no place.
static double arc(const ra_lattice *lattice, int64_t row, int64_t column, int64_t to_row,
                  int64_t to_column) {
  double a[3], b[3];
  if (!ra_lattice_vector(lattice, row, column, a) ||
      !ra_lattice_vector(lattice, to_row, to_column, b)) {
    return NAN;
  }
  double chord = hypot(hypot(a[0] - b[0], a[1] - b[1]), a[2] - b[2]);
  return 2 * asin(fmin(1, chord / 2)) / DEGREE;
}

void ra_lattice_reach(const ra_lattice *lattice, int64_t row, int64_t column, double *along,
                      double *across) {
  *along = fmax(
      fmax(arc(lattice, row, column, row, column - 1), arc(lattice, row, column, row, column + 1)),
      0);
  *across = fmax(
      fmax(arc(lattice, row, column, row - 1, column), arc(lattice, row, column, row + 1, column)),
      0);
}

// Most rows end about a cell before they begin.
static bool is_cyclic(const ra_lattice *lattice) {
  int64_t step = lattice->height / ROWS_ASKED + 1, last = lattice->width - 1;
  int yes = 0, asked = 0;
  for (int64_t row = 0; row < lattice->height && last >= 3; row += step) {
    double gap = arc(lattice, row, last, row, 0);
    double cell = fmax(arc(lattice, row, 0, row, 1), arc(lattice, row, last - 1, row, last));
    if (!(gap >= 0 && cell > 0)) continue;
    asked++;
    yes += gap > 0.3 * cell && gap < 2.2 * cell;
  }
  return asked > 0 && 2 * yes > asked;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

typedef struct extent {
  double south, north;
  double dx, dy;  // fine cells, degrees
  double edge;    // of a typical cell, degrees of arc
  bool globe;     // all longitudes
  double west, east;
} extent;

// The sides of some cells: how fine the map has to be.
static int measure(const ra_lattice *lattice, extent *e, ra_err *err) {
  size_t cells = (size_t)(lattice->width * lattice->height), n = 0;
  // A stride that does not divide the width comes through all columns.
  size_t stride = (cells / SAMPLES + 1) | 1;
  if (stride > 1 && (size_t)lattice->width % stride == 0) stride += 2;
  double *dx = malloc((cells / stride + 1) * sizeof *dx);
  double *dy = malloc((cells / stride + 1) * sizeof *dy);
  if (!dx || !dy) {
    free(dx);
    free(dy);
    return ra_fail(err, RA_E_NOMEM, "", "no memory for the sides of cells");
  }
  for (size_t i = 0; i < cells; i += stride) {
    int64_t row = (int64_t)i / lattice->width, column = (int64_t)i % lattice->width;
    double side =
        fmin(arc(lattice, row, column, row, column + 1), arc(lattice, row, column, row + 1, column));
    if (!(side > 1e-6)) continue;
    dy[n] = side;
    dx[n++] = side / fmax(cos(lattice->lat[i] * (RA_PLACE_UNIT * DEGREE)), 0.01);
  }
  if (n) {
    qsort(dx, n, sizeof *dx, compare);
    qsort(dy, n, sizeof *dy, compare);
    e->dx = dx[n / 20];
    e->dy = dy[n / 20];
    e->edge = dy[n / 2];
  }
  free(dx);
  free(dy);
  return n ? RA_OK : ra_fail(err, RA_E_INVALID, "", "no two neighbouring cells have a place");
}

// Degrees that the outline turns round the axis of the Earth: 360 when a pole is inside.
static double turn(const ra_lattice *lattice) {
  const int64_t w = lattice->width - 1, h = lattice->height - 1;
  double sum = 0, last = NAN, first = NAN;
  for (int64_t i = 0; i < 2 * (w + h); i++) {
    int64_t row = i < w ? 0 : i < w + h ? i - w : i < 2 * w + h ? h : 2 * (w + h) - i;
    int64_t column = i < w ? i : i < w + h ? w : i < 2 * w + h ? 2 * w + h - i : 0;
    size_t cell = (size_t)(row * lattice->width + column);
    if (lattice->lat[cell] == RA_NO_PLACE) continue;
    double lon = lattice->lon[cell] * RA_PLACE_UNIT;
    if (isnan(first)) first = lon;
    if (!isnan(last)) sum += remainder(lon - last, 360);
    last = lon;
  }
  return isnan(first) ? 0 : sum + remainder(first - last, 360);
}

void ra_lattice_arc(const ra_lattice *lattice, double *west, double *east) {
  static const double BIN = 360.0 / BINS;
  bool used[BINS] = {false};
  size_t cells = (size_t)(lattice->width * lattice->height);
  for (size_t i = 0; i < cells; i++) {
    if (lattice->lat[i] == RA_NO_PLACE) continue;
    int bin = (int)((lattice->lon[i] * RA_PLACE_UNIT + 180) / BIN);
    used[bin < BINS ? bin : BINS - 1] = true;
  }
  int best = 0, end = BINS - 1, run = 0;
  for (int i = 0; i < 2 * BINS; i++) {
    run = used[i % BINS] ? 0 : run + 1;
    if (run > best && run <= BINS) {
      best = run;
      end = i;
    }
  }
  *west = -180 + BIN * ((end + 1) % BINS);
  *east = *west + 360 - best * BIN;
}

static void bounds(const ra_lattice *lattice, extent *e) {
  size_t cells = (size_t)(lattice->width * lattice->height);
  e->south = 90;
  e->north = -90;
  for (size_t i = 0; i < cells; i++) {
    if (lattice->lat[i] == RA_NO_PLACE) continue;
    e->south = fmin(e->south, lattice->lat[i] * RA_PLACE_UNIT);
    e->north = fmax(e->north, lattice->lat[i] * RA_PLACE_UNIT);
  }
  ra_lattice_arc(lattice, &e->west, &e->east);
  double gap = 360 - (e->east - e->west);
  e->globe = lattice->cyclic || fabs(turn(lattice)) > 180 || gap < 3 * e->dx;
}

// A unit fraction of a degree, or quarters of degrees: equal for the files of one product, and its multiples meet the
// poles.
static double neat(double side) {
  if (side >= 1) return floor(side * 4) / 4;
  return 1 / ceil(1 / side - 1e-6);
}

static void lay(const extent *e, double dx, double dy, ra_grid *map) {
  double half = e->edge / 2, south = e->south - half, north = e->north + half;
  bool polar = e->globe;
  if (north > 90 || (polar && north + 2 * e->edge > 90)) north = 90;
  if (south < -90 || (polar && south - 2 * e->edge < -90)) south = -90;
  double top = fmin(90, ceil(north / dy - 1e-6) * dy);
  double west = e->globe ? -180 : floor((e->west - half) / dx + 1e-6) * dx;
  *map = (ra_grid){.wraps = e->globe};
  map->width = (int64_t)ceil((e->globe ? 360 : e->east + half - west) / dx - 1e-6);
  map->height = (int64_t)ceil((top - south) / dy - 1e-6);
  map->gt[0] = west;
  map->gt[1] = e->globe ? 360 / (double)map->width : dx;
  map->gt[3] = top;
  map->gt[5] = -dy;
  // The last row may not reach past the pole.
  if (top - dy * (double)map->height < -90) map->gt[5] = -(top + 90) / (double)map->height;
}

int ra_lattice_map(ra_lattice *lattice, ra_grid *map, ra_err *err) {
  extent e = {0};
  lattice->cyclic = false;
  lattice->cyclic = is_cyclic(lattice);
  int rc = measure(lattice, &e, err);
  if (rc < 0) return rc;
  bounds(lattice, &e);
  double cells = (double)lattice->width * (double)lattice->height;
  double most = fmin(PIXELS_A_CELL * fmax(cells, 64), PIXELS_MOST);
  double coarser = 1;
  do {
    lay(&e, neat(e.dx * coarser), neat(e.dy * coarser), map);
    coarser *= 1.1;
  } while ((double)map->width * (double)map->height > most);
  return RA_OK;
}
