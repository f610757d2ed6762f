// reads.c - what a tile and a series will read of a variable where nothing is cached: blocks of a COG, chunks of the Zarr
// array; bytes before compression. Of tiles, which differ, the dearest.
#include <math.h>

#include "ingest/ingest_private.h"

enum { TILE = 256, BLOCK = 256, PLACES = 5 };

// A level is drawn from while its cells are from half a pixel (less what render/tile_level allows) to a whole one.
static const double CELLS_A_PIXEL = 2 / 1.05;

// What one cell right and one cell down are on the map, in metres, at a share of the grid's width and height.
typedef struct step {
  double right[2], down[2];
} step;

static bool step_at(const ra_grid *grid, ra_transform *transform, double across, double down,
                    step *out) {
  const double *gt = grid->gt;
  double x[3], y[3];
  for (int i = 0; i < 3; i++) {
    double column = across * (double)grid->width + (i == 1),
           row = down * (double)grid->height + (i == 2);
    x[i] = gt[0] + column * gt[1] + row * gt[2];
    y[i] = gt[3] + column * gt[4] + row * gt[5];
  }
  if (ra_transform_points(transform, 3, x, y) > 0) return false;
  const double turn = 40075016.685578488;
  *out = (step){{remainder(x[1] - x[0], turn), y[1] - y[0]},
                {remainder(x[2] - x[0], turn), y[2] - y[0]}};
  return fabs(y[0]) < turn / 2;
}

// Columns and rows of the window of a square of this side, when it is laid over the cells here.
static void widen(const step *s, double side, double window[2]) {
  double area = fabs(s->right[0] * s->down[1] - s->right[1] * s->down[0]);
  double columns = side * (fabs(s->down[0]) + fabs(s->down[1])) / area;
  double rows = side * (fabs(s->right[0]) + fabs(s->right[1])) / area;
  if (columns > window[0]) window[0] = columns;
  if (rows > window[1]) window[1] = rows;
}

static double longer(const step *s) {
  return fmax(hypot(s->right[0], s->right[1]), hypot(s->down[0], s->down[1]));
}

// The largest window of a tile in cells of the level that it is drawn from. The level is chosen by the cell in the
// middle; others look smaller on the map, or lie aslant. false: the grid's middle is not on the map.
static bool largest_window(const ra_grid *grid, ra_transform *transform, double window[2]) {
  step s;
  window[0] = window[1] = 0;
  if (!step_at(grid, transform, 0.5, 0.5, &s)) return false;
  double side = TILE * CELLS_A_PIXEL * longer(&s);
  for (int i = 0; i < PLACES * PLACES; i++) {
    int column = i % PLACES, row = i / PLACES;
    double across = (column + 0.5) / PLACES, down = (row + 0.5) / PLACES;
    if (step_at(grid, transform, across, down, &s)) widen(&s, side, window);
  }
  return true;
}

static bool find_window(const ra_cf_grid *grid, double window[2]) {
  ra_crs *mercator;
  ra_transform *transform;
  if (ra_crs_new("EPSG:3857", &mercator, NULL) < 0) return false;
  bool known = ra_transform_new(grid->crs, mercator, &transform, NULL) >= 0;
  if (known) {
    known = largest_window(&grid->grid, transform, window);
    ra_transform_free(transform);
  }
  ra_crs_unref(mercator);
  return known;
}

// What is read of a map at once: a COG's block, or a chunk of the source's own array.
typedef struct piece {
  const char *unit;
  uint64_t columns, rows, bytes;
} piece;

static piece piece_of(const ra__array *array, uint64_t chunk) {
  uint64_t cell = ra_dtype_size(array->zarr.dtype);
  if (!array->direct) return (piece){"blocks", BLOCK, BLOCK, BLOCK * BLOCK * cell};
  return (piece){"chunks", array->zarr.chunk[array->cf->x_dim], array->zarr.chunk[array->cf->y_dim],
                 chunk};
}

// Pieces in a row that so many cells touch where they lie badly, with a cell at each end for the interpolation.
static uint64_t touched(double cells, uint64_t side, uint64_t all) {
  double pieces = floor(cells / (double)side) + 2;
  return pieces < (double)all ? (uint64_t)pieces : all;
}

// Without coarser levels a tile of the whole map reads all of it.
static uint64_t tile_pieces(const ra__array *array, const piece *one) {
  const ra_cf_grid *grid = array->cf->grid;
  uint64_t columns = ((uint64_t)grid->grid.width + one->columns - 1) / one->columns;
  uint64_t rows = ((uint64_t)grid->grid.height + one->rows - 1) / one->rows;
  double window[2];
  if (columns * rows == 1 || (array->direct && !array->level_count) || !find_window(grid, window))
    return columns * rows;
  return touched(window[0], one->columns, columns) * touched(window[1], one->rows, rows);
}

// Chunks along time at one place, and one of each other dimension.
static uint64_t series_chunks(const ra__array *array) {
  const ra_cf_variable *v = array->cf;
  uint64_t chunks = 1;
  for (int d = 0; d < (int)array->zarr.ndim; d++) {
    if (d != v->time_dim && d != v->run_dim) continue;
    chunks *= (array->zarr.shape[d] + array->zarr.chunk[d] - 1) / array->zarr.chunk[d];
  }
  return chunks;
}

static void add_read(const char *unit, uint64_t count, uint64_t bytes, ra_str *out) {
  ra_str_addf(out, "{\"%s\":%llu,\"bytes\":%llu}", unit, (unsigned long long)count,
              (unsigned long long)bytes);
}

void ra__reads_json(const ra__array *array, ra_str *out) {
  uint64_t cell = ra_dtype_size(array->zarr.dtype), chunk = cell, chunks = series_chunks(array);
  for (unsigned d = 0; d < array->zarr.ndim; d++) chunk *= array->zarr.chunk[d];
  ra_str_add(out, ",\"reads\":{\"tile\":");
  if (array->cf->mappable) {
    piece one = piece_of(array, chunk);
    uint64_t count = tile_pieces(array, &one);
    add_read(one.unit, count, count * one.bytes, out);
  } else {
    ra_str_add(out, "null");
  }
  ra_str_add(out, ",\"series\":");
  add_read("chunks", chunks, chunks * chunk, out);
  ra_str_add_char(out, '}');
}
