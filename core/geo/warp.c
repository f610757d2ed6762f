// warp.c - destination pixels to source cells: exact and separable where both axes are independent, else the mesh of
// mesh.c. All memory is the caller's arena.
#include "geo/warp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "geo/internal.h"
#include "geo/warp_internal.h"

#define MERCATOR_EDGE 20037508.342789244
#define MERCATOR_RADIUS 6378137.0

enum { SIZE_LIMIT = 16384, ZOOM_LIMIT = 30 };

int ra_mercator_tile(unsigned z, uint32_t x, uint32_t y, uint32_t size, double gt[6], ra_err *err) {
  if (z > ZOOM_LIMIT) return ra_fail(err, RA_E_INVALID, "z", "zoom %u is over %d", z, ZOOM_LIMIT);
  uint32_t count = 1u << z;
  if (x >= count || y >= count) {
    return ra_fail(err, RA_E_INVALID, x >= count ? "x" : "y",
                   "tile %u/%u/%u does not exist; at this zoom x and y are 0 to %u", z, x, y,
                   count - 1);
  }
  if (!size) return ra_fail(err, RA_E_INVALID, "size", "a tile has at least one pixel");
  // 2x/count - 1 is exact, so that neighbours have the very same common edge.
  gt[0] = MERCATOR_EDGE * (2.0 * x / count - 1);
  gt[1] = 2 * MERCATOR_EDGE / count / size;
  gt[2] = 0;
  gt[3] = MERCATOR_EDGE * (1 - 2.0 * y / count);
  gt[4] = 0;
  gt[5] = -gt[1];
  return RA_OK;
}

double ra_geo_distance(double lon1, double lat1, double lon2, double lat2) {
  const double degree = M_PI / 180;
  double a = sin((lat2 - lat1) * degree / 2), b = sin((lon2 - lon1) * degree / 2);
  double h = a * a + cos(lat1 * degree) * cos(lat2 * degree) * b * b;
  return 2 * 6371008.8 * asin(sqrt(h > 1 ? 1 : h));
}

int ra__source_init(ra__source *self, const ra_crs *crs, const ra_grid *grid, ra_err *err) {
  const double *gt = grid->gt;
  double det = gt[1] * gt[5] - gt[2] * gt[4];
  if (!isfinite(det) || det == 0 || !isfinite(gt[0]) || !isfinite(gt[3]) || grid->width < 1 ||
      grid->height < 1) {
    return ra_fail(err, RA_E_INVALID, "grid", "the grid has no cells or its affine has no inverse");
  }
  *self = (ra__source){.grid = grid, .upright = gt[2] == 0 && gt[4] == 0};
  double *inverse = self->inverse;
  inverse[1] = gt[5] / det;
  inverse[2] = -gt[2] / det;
  inverse[4] = -gt[4] / det;
  inverse[5] = gt[1] / det;
  inverse[0] = -(gt[0] * inverse[1] + gt[3] * inverse[2]);
  inverse[3] = -(gt[0] * inverse[4] + gt[3] * inverse[5]);
  if (grid->wraps) {
    self->period = (double)grid->width;
  } else if (self->upright && (ra_crs_is_geographic(crs) || ra_crs_is_rotated_pole(crs))) {
    self->period = 360 / fabs(gt[1]);
    self->low = ((double)grid->width - self->period) / 2;
  }
  return RA_OK;
}

double ra__source_wrap(const ra__source *self, double x) {
  if (self->period <= 0) return x;
  double wrapped = x - self->period * floor((x - self->low) / self->period);
  // A hair left of the seam rounds to the seam itself.
  return wrapped >= self->low + self->period ? self->low : wrapped;
}

void ra__source_cells(const ra__source *self, size_t n, double *x, double *y) {
  const double *gt = self->grid->gt, *inverse = self->inverse;
  for (size_t i = 0; i < n && self->upright; i++) {
    x[i] = (x[i] - gt[0]) / gt[1];
    y[i] = (y[i] - gt[3]) / gt[5];
  }
  for (size_t i = 0; i < n && !self->upright; i++) {
    double col = inverse[0] + x[i] * inverse[1] + y[i] * inverse[2];
    y[i] = inverse[3] + x[i] * inverse[4] + y[i] * inverse[5];
    x[i] = col;
  }
}

void ra__reach_init(ra__reach *self, const ra_grid *grid) {
  self->x0 = self->y0 = INT64_MAX;
  self->x1 = self->y1 = INT64_MIN;
  self->wraps = grid->wraps;
  self->width = grid->width;
  if (self->wraps) memset(self->ring, 0, sizeof self->ring);
}

static void mark_ring(ra__reach *self, int64_t first, int64_t last) {
  int64_t parts = (int64_t)sizeof self->ring;
  int64_t from = (int64_t)((double)first / (double)self->width * (double)parts);
  int64_t to = (int64_t)((double)(last + 1) / (double)self->width * (double)parts);
  for (int64_t i = from; i <= to && i < parts; i++) self->ring[i] = 1;
}

void ra__reach_add(ra__reach *self, double x_min, double x_max, double y_min, double y_max) {
  int64_t x0 = (int64_t)floor(x_min), x1 = (int64_t)floor(x_max);
  int64_t y0 = (int64_t)floor(y_min), y1 = (int64_t)floor(y_max);
  if (x0 < self->x0) self->x0 = x0;
  if (x1 >= self->x1) self->x1 = x1 + 1;
  if (y0 < self->y0) self->y0 = y0;
  if (y1 >= self->y1) self->y1 = y1 + 1;
  if (self->wraps) mark_ring(self, x0, x1);
}

// Of a ring of columns in use, the shortest arc: it begins behind the longest gap.
static void shorten_ring(const ra__reach *self, int64_t *x0, int64_t *x1) {
  int parts = (int)sizeof self->ring, best = 0, best_end = 0, run = 0;
  for (int i = 0; i < 2 * parts; i++) {
    run = self->ring[i % parts] ? 0 : run + 1;
    if (run > best && run <= parts) {
      best = run;
      best_end = i;
    }
  }
  int inner = (int)(*x0 * parts / self->width) + parts - (int)(*x1 * parts / self->width);
  if (best <= inner + 2) return;
  double part = (double)self->width / parts;
  int first = (best_end + 1) % parts;
  *x0 = (int64_t)floor(first * part);
  *x1 = (int64_t)ceil((first + parts - best) * part);
}

void ra__reach_end(ra__reach *self, ra_warp *warp) {
  warp->x0 = warp->y0 = warp->x1 = warp->y1 = 0;
  if (self->x0 >= self->x1) return;
  if (self->wraps) shorten_ring(self, &self->x0, &self->x1);
  warp->x0 = self->x0;
  warp->y0 = self->y0;
  warp->x1 = self->x1;
  warp->y1 = self->y1;
}

static int compare_doubles(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, size_t n) {
  if (!n) return 1;
  qsort(values, n, sizeof *values, compare_doubles);
  return values[n / 2];
}

// ---- separable ------------------------------------------------------------------------------------------------------

typedef enum formula { NO_FORMULA, SAME, MERCATOR_TO_DEGREES, DEGREES_TO_MERCATOR } formula;

static double mercator_lon(double x) { return x / MERCATOR_EDGE * 180; }
static double mercator_lat(double y) { return atan(sinh(y / MERCATOR_RADIUS)) * (180 / M_PI); }

static void apply(formula how, size_t nx, double *x, size_t ny, double *y) {
  for (size_t i = 0; i < nx && how == MERCATOR_TO_DEGREES; i++) x[i] = mercator_lon(x[i]);
  for (size_t i = 0; i < ny && how == MERCATOR_TO_DEGREES; i++) y[i] = mercator_lat(y[i]);
  for (size_t i = 0; i < nx && how == DEGREES_TO_MERCATOR; i++) x[i] = x[i] / 180 * MERCATOR_EDGE;
  for (size_t i = 0; i < ny && how == DEGREES_TO_MERCATOR; i++) {
    y[i] = MERCATOR_RADIUS * asinh(tan(y[i] * (M_PI / 180)));
  }
}

// Nine places of the destination in its own CRS.
static void probe(const double gt[6], uint32_t width, uint32_t height, double x[9], double y[9]) {
  for (int i = 0; i < 9; i++) {
    x[i] = gt[0] + gt[1] * width * (0.05 + 0.45 * (i % 3));
    int row = i / 3;
    y[i] = gt[3] + gt[5] * height * (0.05 + 0.45 * row);
  }
}

// Degrees on another figure of the Earth are taken as they are by PROJ where it knows no better; only then does the
// formula hold.
static bool formula_holds(formula how, const ra_crs *dst, const ra_crs *src, const double gt[6],
                          uint32_t width, uint32_t height) {
  ra_transform *transform;
  double x[9], y[9], fx[9], fy[9];
  probe(gt, width, height, x, y);
  memcpy(fx, x, sizeof x);
  memcpy(fy, y, sizeof y);
  apply(how, 9, fx, 9, fy);
  if (ra_transform_get(dst, src, &transform, NULL) < 0) return false;
  if (ra_transform_points(transform, 9, x, y)) return false;
  double unit = how == DEGREES_TO_MERCATOR ? 1e-4 : 1e-9;
  for (int i = 0; i < 9; i++) {
    double turn = how == DEGREES_TO_MERCATOR ? 2 * MERCATOR_EDGE : 360;
    if (fabs(remainder(fx[i] - x[i], turn)) > unit || fabs(fy[i] - y[i]) > unit) return false;
  }
  return true;
}

static formula choose_formula(const ra_crs *dst, const ra_crs *src, const double gt[6],
                              uint32_t width, uint32_t height) {
  if (ra_crs_equal(dst, src)) return SAME;
  formula how = NO_FORMULA;
  int from = ra_crs_epsg(dst), to = ra_crs_epsg(src);
  if (from == 3857 && to == 4326) return MERCATOR_TO_DEGREES;
  if (from == 4326 && to == 3857) return DEGREES_TO_MERCATOR;
  if (from == 3857 && ra_crs_is_geographic(src)) how = MERCATOR_TO_DEGREES;
  if (ra_crs_is_geographic(dst) && ra_crs_is_geographic(src)) how = SAME;
  return how && formula_holds(how, dst, src, gt, width, height) ? how : NO_FORMULA;
}

// Whether PROJ moves columns and rows independently here (one cylindrical projection to another).
static bool probe_separable(ra_transform *transform, const ra__source *source, const double gt[6],
                            uint32_t width, uint32_t height) {
  double x[9], y[9];
  if (!source->upright) return false;
  probe(gt, width, height, x, y);
  if (ra_transform_points(transform, 9, x, y)) return false;
  ra__source_cells(source, 9, x, y);
  double step_x = fabs(x[2] - x[0]) / width, step_y = fabs(y[6] - y[0]) / height;
  for (int i = 0; i < 9; i++) {
    if (fabs(x[i] - x[i % 3]) > 1e-6 * step_x) return false;
    if (fabs(y[i] - y[i / 3 * 3]) > 1e-6 * step_y) return false;
  }
  return true;
}

static void centres(double origin, double step, uint32_t n, double *out) {
  for (uint32_t i = 0; i < n; i++) out[i] = origin + (i + 0.5) * step;
}

// Both axes by PROJ, each along the middle of the other one. False: some place has no image, the mesh has to do it.
static bool axes_by_proj(ra_transform *transform, const double gt[6], ra_warp *warp, ra_arena *arena) {
  size_t longest = warp->width > warp->height ? warp->width : warp->height;
  double *other = ra_arena_calloc(arena, longest, sizeof *other);
  if (!other) return false;
  for (size_t i = 0; i < longest; i++) other[i] = gt[3] + gt[5] * warp->height * 0.5;
  if (ra_transform_points(transform, warp->width, warp->x, other)) return false;
  for (size_t i = 0; i < longest; i++) other[i] = gt[0] + gt[1] * warp->width * 0.5;
  return ra_transform_points(transform, warp->height, other, warp->y) == 0;
}

static double axis_step(const double *at, uint32_t n, double limit, ra_arena *arena) {
  double *steps = ra_arena_calloc(arena, n, sizeof *steps);
  size_t inside = 0, all = 0;
  if (!steps || n < 2) return 1;
  for (uint32_t i = 1; i < n; i++) {
    if (at[i] >= 0 && at[i] < limit) steps[inside++] = fabs(at[i] - at[i - 1]);
  }
  for (uint32_t i = 1; i < n && !inside; i++) steps[all++] = fabs(at[i] - at[i - 1]);
  return median(steps, inside ? inside : all);
}

static void axis_window(const double *at, uint32_t n, int64_t size, int64_t *from, int64_t *to) {
  *from = *to = 0;
  for (uint32_t i = 0; i < n; i++) {
    if (!(at[i] >= 0 && at[i] < (double)size)) continue;
    int64_t cell = (int64_t)at[i];
    if (*from >= *to) {
      *from = cell;
      *to = cell + 1;
    }
    if (cell < *from) *from = cell;
    if (cell >= *to) *to = cell + 1;
  }
}

// Columns of a wrapping source, from positions that are not wrapped yet.
static void wrapped_window(const double *at, uint32_t n, int64_t size, int64_t *from, int64_t *to) {
  double low = fmin(at[0], at[n - 1]), high = fmax(at[0], at[n - 1]);
  double turn = floor(low / (double)size) * (double)size;
  *from = (int64_t)floor(low - turn);
  *to = (int64_t)floor(high - turn) + 1;
  if (*to - *from >= size) {
    *from = 0;
    *to = size;
  }
}

static void finish_separable(const ra__source *source, ra_warp *warp, ra_arena *arena) {
  const ra_grid *grid = source->grid;
  warp->x_step = axis_step(warp->x, warp->width, grid->wraps ? INFINITY : (double)grid->width, arena);
  warp->y_step = axis_step(warp->y, warp->height, (double)grid->height, arena);
  if (grid->wraps) wrapped_window(warp->x, warp->width, grid->width, &warp->x0, &warp->x1);
  for (uint32_t i = 0; i < warp->width; i++) warp->x[i] = ra__source_wrap(source, warp->x[i]);
  if (!grid->wraps) axis_window(warp->x, warp->width, grid->width, &warp->x0, &warp->x1);
  axis_window(warp->y, warp->height, grid->height, &warp->y0, &warp->y1);
  if (warp->x0 >= warp->x1 || warp->y0 >= warp->y1) {
    warp->x0 = warp->x1 = warp->y0 = warp->y1 = 0;
  }
}

static bool make_separable(const ra_crs *dst, const double gt[6], const ra_crs *src,
                           const ra__source *source, ra_transform *transform, ra_arena *arena,
                           ra_warp *warp) {
  if (!source->upright) return false;
  formula how = choose_formula(dst, src, gt, warp->width, warp->height);
  if (!how && !probe_separable(transform, source, gt, warp->width, warp->height)) return false;
  warp->x = ra_arena_calloc(arena, warp->width, sizeof *warp->x);
  warp->y = ra_arena_calloc(arena, warp->height, sizeof *warp->y);
  if (!warp->x || !warp->y) return false;
  centres(gt[0], gt[1], warp->width, warp->x);
  centres(gt[3], gt[5], warp->height, warp->y);
  if (how) {
    apply(how, warp->width, warp->x, warp->height, warp->y);
  } else if (!axes_by_proj(transform, gt, warp, arena)) {
    return false;
  }
  const double *sgt = source->grid->gt;
  for (uint32_t i = 0; i < warp->width; i++) warp->x[i] = (warp->x[i] - sgt[0]) / sgt[1];
  for (uint32_t i = 0; i < warp->height; i++) warp->y[i] = (warp->y[i] - sgt[3]) / sgt[5];
  finish_separable(source, warp, arena);
  warp->separable = true;
  return true;
}

// ---- the rest -------------------------------------------------------------------------------------------------------

static int make_mesh(const double gt[6], double tolerance, const ra__source *source,
                     ra_transform *transform, ra_arena *arena, ra_warp *warp, ra_err *err) {
  size_t cells = (size_t)warp->width * warp->height;
  size_t across = warp->width / RA__MESH_BLOCK + 1, down = warp->height / RA__MESH_BLOCK + 1;
  ra__mesh mesh = {.transform = transform,
                   .source = source,
                   .gt = gt,
                   .width = warp->width,
                   .height = warp->height,
                   .tolerance = tolerance};
  // Every pixel is written; 16384² doubles fit a size_t.
  mesh.x = warp->x = ra_arena_alloc(arena, cells * sizeof *warp->x);
  mesh.y = warp->y = ra_arena_alloc(arena, cells * sizeof *warp->y);
  mesh.x_steps = ra_arena_calloc(arena, across * down, sizeof *mesh.x_steps);
  mesh.y_steps = ra_arena_calloc(arena, across * down, sizeof *mesh.y_steps);
  if (!warp->x || !warp->y || !mesh.x_steps || !mesh.y_steps) {
    return ra_fail(err, RA_E_NOMEM, "", "no memory for the positions of %zu pixels", cells);
  }
  ra__reach_init(&mesh.reach, source->grid);
  ra__mesh_fill(&mesh);
  ra__reach_end(&mesh.reach, warp);
  warp->x_step = median(mesh.x_steps, mesh.step_count);
  warp->y_step = median(mesh.y_steps, mesh.step_count);
  return RA_OK;
}

int ra_warp_new(const ra_crs *dst_crs, const double dst_gt[6], uint32_t width, uint32_t height,
                const ra_crs *src_crs, const ra_grid *src, double tolerance, ra_arena *arena,
                ra_warp *out, ra_err *err) {
  *out = (ra_warp){.width = width, .height = height};
  if (!width || !height || width > SIZE_LIMIT || height > SIZE_LIMIT || dst_gt[2] != 0 ||
      dst_gt[4] != 0) {
    return ra_fail(err, RA_E_INVALID, "size", "a raster of %u x %u pixels can't be filled", width,
                   height);
  }
  ra__source source = {.grid = src};
  ra_transform *transform = NULL;
  int rc = ra__source_init(&source, src_crs, src, err);
  if (rc == RA_OK) rc = ra_transform_get(dst_crs, src_crs, &transform, err);
  if (rc < 0) return rc;
  if (make_separable(dst_crs, dst_gt, src_crs, &source, transform, arena, out)) return RA_OK;
  return make_mesh(dst_gt, tolerance, &source, transform, arena, out, err);
}

// A place on the outer edge, or a rounding error beyond it, belongs to the cell inside.
static double hold_edge(double at, int64_t size) {
  double last = (double)size, slack = 1e-9 * last;
  if (at < 0 && at > -slack) return 0;
  return at >= last && at < last + slack ? nextafter(last, 0) : at;
}

int ra_warp_point(double lon, double lat, const ra_crs *crs, const ra_grid *grid, double *x,
                  double *y, bool *inside, ra_err *err) {
  ra_crs *degrees = NULL;
  ra_transform *transform = NULL;
  ra__source source = {.grid = grid};
  *inside = false;
  *x = lon;
  *y = lat;
  int rc = ra__source_init(&source, crs, grid, err);
  if (rc == RA_OK) rc = ra_crs_new("EPSG:4326", &degrees, err);
  if (rc == RA_OK) rc = ra_transform_get(degrees, crs, &transform, err);
  ra_crs_unref(degrees);
  if (rc < 0) return rc;
  if (ra_transform_points(transform, 1, x, y)) return RA_OK;
  ra__source_cells(&source, 1, x, y);
  *x = hold_edge(ra__source_wrap(&source, *x), grid->width);
  *y = hold_edge(*y, grid->height);
  *inside = *x >= 0 && *x < (double)grid->width && *y >= 0 && *y < (double)grid->height;
  return RA_OK;
}
