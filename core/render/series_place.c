// series_place.c - points to cells of the Zarr. Positions are found in the map layout's grid (geo/warp) and taken to the
// source's order of cells: rolled, reversed. The cell is the one that contains the point, along each axis.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "geo/warp.h"
#include "render/series_impl.h"

static uint64_t zarr_row(const ra_dataset_grid *grid, int64_t row) {
  return (uint64_t)(grid->y_reversed ? grid->native_height - 1 - row : row);
}

static uint64_t zarr_col(const ra_dataset_grid *grid, int64_t col) {
  int64_t at = (col + grid->roll) % grid->native_width;
  return (uint64_t)(grid->x_reversed ? grid->native_width - 1 - at : at);
}

static int64_t clamp(int64_t value, int64_t size) {
  return value < 0 ? 0 : value >= size ? size - 1 : value;
}

static void add(ra__series_places *self, unsigned point, int64_t row, int64_t col, double weight) {
  const ra_dataset_grid *grid = self->grid;
  bool even = grid->layout == RA_DATASET_EVEN;
  int64_t width = grid->native_width;
  row = clamp(row, grid->native_height);
  col = (even ? grid->grid.wraps : grid->x_axis.closed) ? (col % width + width) % width
                                                        : clamp(col, width);
  self->samples[self->sample_count++] = (ra__series_sample){
      .point = point, .row = zarr_row(grid, row), .col = zarr_col(grid, col), .weight = weight};
}

// The four centres round the place. Within half a cell of the grid's edge the edge's own cells are taken on.
static void add_four(ra__series_places *self, unsigned point, double x, double y) {
  double left = floor(x - 0.5), top = floor(y - 0.5);
  double wx = x - 0.5 - left, wy = y - 0.5 - top;
  int64_t col = (int64_t)left, row = (int64_t)top;
  const double weights[4] = {(1 - wx) * (1 - wy), wx * (1 - wy), (1 - wx) * wy, wx * wy};
  for (int i = 0; i < 4; i++) {
    if (weights[i] > 0) add(self, point, row + i / 2, col + i % 2, weights[i]);
  }
}

static void centre_of(const ra_dataset_grid *grid, int64_t row, int64_t col, double *x, double *y) {
  const double *gt = grid->grid.gt;
  double c = (double)col + 0.5, r = (double)row + 0.5;
  *x = gt[0] + c * gt[1] + r * gt[2];
  *y = gt[3] + c * gt[4] + r * gt[5];
  if (grid->layout != RA_DATASET_UNEVEN) return;
  *x = grid->x_axis.centres[clamp(col, grid->native_width)];
  *y = grid->y_axis.centres[clamp(row, grid->native_height)];
}

static int describe_cell(const ra_dataset_grid *grid, const ra_series_point *point, int64_t row,
                         int64_t col, ra__series_cell *out, ra_err *err) {
  ra_crs *degrees;
  ra_transform *transform;
  double x, y;
  centre_of(grid, row, col, &x, &y);
  int rc = ra_crs_new("EPSG:4326", &degrees, err);
  if (rc < 0) return rc;
  rc = ra_transform_get(grid->crs, degrees, &transform, err);
  ra_crs_unref(degrees);
  if (rc < 0) return rc;
  if (ra_transform_points(transform, 1, &x, &y)) {
    x = point->lon;
    y = point->lat;
  }
  x -= 360 * floor((x + 180) / 360);
  *out = (ra__series_cell){
      .known = true, .lon = x, .lat = y, .distance_m = ra_geo_distance(point->lon, point->lat, x, y)};
  return RA_OK;
}

// From cells of the even map to those along the axes.
static bool to_uneven(const ra_dataset_grid *grid, double *x, double *y) {
  const double *gt = grid->grid.gt;
  *x = ra_uneven_position(&grid->x_axis, gt[0] + gt[1] * *x);
  *y = ra_uneven_position(&grid->y_axis, gt[3] + gt[5] * *y);
  return isfinite(*x) && isfinite(*y);
}

static int locate_curved(ra__series *series, ra__series_places *self, unsigned point, ra_err *err) {
  const ra_dataset_grid *grid = self->grid;
  const ra_series_point *at = &series->request->points[point];
  ra_cell cell;
  bool found;
  if (series->request->bilinear) {
    return ra_fail(err, RA_E_INVALID, "method",
                   "cells of a curvilinear grid are not interpolated in series; right is nearest");
  }
  int rc = ra__series_nearest(series->context, self->dataset, grid, at, &cell, &found, err);
  if (rc < 0 || !found) return rc;
  int64_t row = (int64_t)cell.number / grid->native_width;
  add(self, point, row, (int64_t)cell.number % grid->native_width, 1);
  self->cells[point] =
      (ra__series_cell){.known = true,
                        .lon = cell.lon,
                        .lat = cell.lat,
                        .distance_m = ra_geo_distance(at->lon, at->lat, cell.lon, cell.lat)};
  return RA_OK;
}

static int locate_point(ra__series *series, ra__series_places *self, unsigned point, ra_err *err) {
  const ra_series_request *request = series->request;
  const ra_dataset_grid *grid = self->grid;
  if (grid->layout == RA_DATASET_CURVED) return locate_curved(series, self, point, err);
  const ra_series_point *at = &request->points[point];
  double x, y;
  bool inside;
  int rc = ra_warp_point(at->lon, at->lat, grid->crs, &grid->grid, &x, &y, &inside, err);
  if (rc < 0 || !inside) return rc;
  if (grid->layout == RA_DATASET_UNEVEN && !to_uneven(grid, &x, &y)) return RA_OK;
  int64_t col = (int64_t)floor(x), row = (int64_t)floor(y);
  if (request->bilinear) {
    add_four(self, point, x, y);
  } else {
    add(self, point, row, col, 1);
  }
  return describe_cell(grid, at, row, col, &self->cells[point], err);
}

static int by_chunk(const void *a, const void *b, void *ctx) {
  const ra__series_sample *x = a, *y = b;
  const ra__series_places *self = ctx;
  uint64_t xr = x->row / self->chunk_rows, yr = y->row / self->chunk_rows;
  uint64_t xc = x->col / self->chunk_cols, yc = y->col / self->chunk_cols;
  if (xr != yr) return xr < yr ? -1 : 1;
  if (xc != yc) return xc < yc ? -1 : 1;
  return (x->point > y->point) - (x->point < y->point);
}

static bool same_affine(const double a[6], const double b[6]) {
  for (int i = 0; i < 6; i++) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

static bool same_centres(const ra_uneven *a, const ra_uneven *b) {
  return a->count == b->count && a->closed == b->closed &&
         (a->count == 0 || !memcmp(a->centres, b->centres, a->count * sizeof *a->centres));
}

static bool same_cells(const ra_dataset_grid *a, const ra_dataset_grid *b) {
  if (a->layout != b->layout) return false;
  if (a->layout == RA_DATASET_CURVED) return !strcmp(a->places, b->places);
  return same_centres(&a->x_axis, &b->x_axis) && same_centres(&a->y_axis, &b->y_axis);
}

static bool same_grid(const ra_dataset_grid *a, const ra_dataset_grid *b) {
  return a == b ||
         (same_cells(a, b) && same_affine(a->grid.gt, b->grid.gt) &&
          a->grid.width == b->grid.width && a->grid.height == b->grid.height &&
          a->grid.wraps == b->grid.wraps && a->native_width == b->native_width &&
          a->native_height == b->native_height && a->x_reversed == b->x_reversed &&
          a->y_reversed == b->y_reversed && a->roll == b->roll && ra_crs_equal(a->crs, b->crs));
}

void ra__series_places_free(ra__series_places *self) {
  if (!self) return;
  free(self->samples);
  free(self->cells);
  free(self);
}

static int make_places(ra__series *series, const ra__series_places *like, ra__series_places **out,
                       ra_err *err) {
  size_t points = series->request->point_count;
  ra__series_places *self = malloc(sizeof *self);
  if (!self) return ra_fail(err, RA_E_NOMEM, "", "no memory for %zu points", points);
  *self = *like;
  self->samples = calloc(points ? 4 * points : 1, sizeof *self->samples);
  self->cells = calloc(points ? points : 1, sizeof *self->cells);
  if (!self->samples || !self->cells) {
    ra__series_places_free(self);
    return ra_fail(err, RA_E_NOMEM, "", "no memory for %zu points", points);
  }
  int rc = RA_OK;
  for (unsigned p = 0; p < points && rc == RA_OK; p++) rc = locate_point(series, self, p, err);
  if (rc < 0) {
    ra__series_places_free(self);
    return rc;
  }
  qsort_r(self->samples, self->sample_count, sizeof *self->samples, by_chunk, self);
  *out = self;
  return RA_OK;
}

static void chunk_of(const ra__series_store *store, uint64_t *rows, uint64_t *columns) {
  uint64_t bytes;
  if (store->map) {
    ra__series_map_block(store, rows, columns, &bytes);
    return;
  }
  const ra_zarr_info *info = ra_zarr_array_info(store->array);
  *rows = info->chunk[store->part->variable->y_dim];
  *columns = info->chunk[store->part->variable->x_dim];
}

int ra__series_locate(ra__series *self, ra__series_store *store, ra_err *err) {
  ra__series_places like = {.dataset = store->part->dataset, .grid = store->part->variable->grid};
  chunk_of(store, &like.chunk_rows, &like.chunk_cols);
  for (size_t i = self->place_count; i-- > 0;) {
    const ra__series_places *places = self->places[i];
    if (places->chunk_rows == like.chunk_rows && places->chunk_cols == like.chunk_cols &&
        same_grid(places->grid, like.grid)) {
      store->places = places;
      return RA_OK;
    }
  }
  // One entry a store at most: the table has room.
  int rc = make_places(self, &like, &self->places[self->place_count], err);
  if (rc == RA_OK) store->places = self->places[self->place_count++];
  return rc;
}

const ra__series_cell *ra__series_cell_of(const ra__series *self, unsigned v, unsigned point) {
  for (size_t i = 0; i < self->store_count; i++) {
    const ra__series_store *store = &self->stores[i];
    if (store->line == v && store->places && store->places->cells[point].known)
      return &store->places->cells[point];
  }
  return NULL;
}
