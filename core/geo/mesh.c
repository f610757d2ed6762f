// mesh.c - positions by PROJ at the nodes of a mesh, second-degree polynomials between them. A block of pixels has 5 x 5
// nodes; it is accepted when the polynomial through every second node meets the others to within the tolerance, and is
// then filled from all of them; else it is split, down to a call of PROJ for every pixel, which is what happens along
// discontinuities and at the rim of a projection.
#include <math.h>
#include <string.h>

#include "geo/warp_internal.h"

enum { SMALLEST = 8, BLANK = 32, NODES = 25 };

// A square of pixels and its nodes, row by row.
typedef struct square {
  double u, v, size;          // destination pixels
  double x[NODES], y[NODES];  // source cells; NaN: no image
} square;

static void locate(const ra__mesh *self, size_t n, double *x, double *y) {
  const double *gt = self->gt;
  for (size_t i = 0; i < n; i++) {
    x[i] = gt[0] + x[i] * gt[1];
    y[i] = gt[3] + y[i] * gt[5];
  }
  ra_transform_points(self->transform, n, x, y);
  ra__source_cells(self->source, n, x, y);
}

static int count_images(const square *sq) {
  int n = 0;
  for (int i = 0; i < NODES; i++) n += isfinite(sq->x[i]) ? 1 : 0;
  return n;
}

// Longitudes of one square on the same turn, so that they can be interpolated.
static void unwrap(square *sq, double period) {
  if (!(period > 0) || !isfinite(sq->x[0])) return;
  for (int i = 1; i < NODES; i++) {
    sq->x[i] -= period * round((sq->x[i] - sq->x[0]) / period);
  }
}

// Through the values at 0, 2 and 4, at 1 and 3.
static double at_quarter(double near, double middle, double far) {
  return 0.375 * near + 0.75 * middle - 0.125 * far;
}

static double largest_error(const double at[NODES]) {
  double rows[3][5], error = 0;
  for (int r = 0; r < 3; r++) {
    const double *row = at + 10 * r;
    rows[r][0] = row[0];
    rows[r][1] = at_quarter(row[0], row[2], row[4]);
    rows[r][2] = row[2];
    rows[r][3] = at_quarter(row[4], row[2], row[0]);
    rows[r][4] = row[4];
    error = fmax(error, fmax(fabs(rows[r][1] - row[1]), fabs(rows[r][3] - row[3])));
  }
  for (int c = 0; c < 5; c++) {
    double upper = at_quarter(rows[0][c], rows[1][c], rows[2][c]);
    double lower = at_quarter(rows[2][c], rows[1][c], rows[0][c]);
    error = fmax(error, fmax(fabs(upper - at[5 + c]), fabs(lower - at[15 + c])));
  }
  return error;
}

// Source cells a pixel along five nodes: the second smallest of the four steps, which a jump leaves alone.
static double usual_step(const double *at, int stride, double size) {
  double small = INFINITY, second = INFINITY;
  for (int i = 0; i < 4; i++) {
    double step = fabs(at[(i + 1) * stride] - at[i * stride]);
    second = step < small ? small : fmin(second, step);
    small = fmin(small, step);
  }
  return second * 4 / size;
}

// Half the tolerance: between the nodes that were compared it may be a little worse.
static bool is_smooth(const double at[NODES], double size, double tolerance) {
  double across = fmax(usual_step(at, 1, size), usual_step(at + 20, 1, size));
  double down = fmax(usual_step(at, 5, size), usual_step(at + 4, 5, size));
  return largest_error(at) <= tolerance / 2 * fmax(across, down);
}

static double least(const double *at, int n) {
  double value = at[0];
  for (int i = 1; i < n; i++) value = at[i] < value ? at[i] : value;
  return value;
}

static double most(const double *at, int n) {
  double value = at[0];
  for (int i = 1; i < n; i++) value = at[i] > value ? at[i] : value;
  return value;
}

// Nowhere near the grid: where exactly does not matter.
static bool is_far(const ra__mesh *self, const square *sq) {
  if (self->source->period > 0) return false;
  double x0 = least(sq->x, NODES), x1 = most(sq->x, NODES);
  double y0 = least(sq->y, NODES), y1 = most(sq->y, NODES);
  double dx = x1 - x0 + 1, dy = y1 - y0 + 1;
  return x1 + dx < 0 || x0 - dx > (double)self->source->grid->width || y1 + dy < 0 ||
         y0 - dy > (double)self->source->grid->height;
}

// ---- filling --------------------------------------------------------------------------------------------------------

typedef struct box {
  uint32_t c0, c1, r0, r1;  // pixels
} box;

static box pixels_of(const ra__mesh *self, double u, double v, double size) {
  uint32_t c = (uint32_t)u, r = (uint32_t)v, n = (uint32_t)size;
  return (box){c, c + n < self->width ? c + n : self->width, r,
               r + n < self->height ? r + n : self->height};
}

static void reach_pixels(ra__mesh *self, const box *area) {
  double w = (double)self->source->grid->width, h = (double)self->source->grid->height;
  for (uint32_t r = area->r0; r < area->r1; r++) {
    const double *x = self->x + (size_t)r * self->width, *y = self->y + (size_t)r * self->width;
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (uint32_t c = area->c0; c < area->c1; c++) {
      if (!(x[c] >= 0 && x[c] < w && y[c] >= 0 && y[c] < h)) continue;
      x0 = x[c] < x0 ? x[c] : x0;
      x1 = x[c] > x1 ? x[c] : x1;
      y0 = y[c] < y0 ? y[c] : y0;
      y1 = y[c] > y1 ? y[c] : y1;
    }
    if (x0 <= x1) ra__reach_add(&self->reach, x0, x1, y0, y1);
  }
}

static void wrap_pixels(ra__mesh *self, const box *area) {
  for (uint32_t r = area->r0; r < area->r1; r++) {
    double *x = self->x + (size_t)r * self->width;
    for (uint32_t c = area->c0; c < area->c1; c++) x[c] = ra__source_wrap(self->source, x[c]);
  }
}

// a + b t + c t², through the values at t = 0, 1/2 and 1.
typedef struct curve {
  double a, b, c;
} curve;

static curve curve_of(double first, double middle, double last) {
  return (curve){first, -3 * first + 4 * middle - last, 2 * (first - 2 * middle + last)};
}

static double curve_at(curve f, double t) { return f.a + t * (f.b + t * f.c); }

typedef struct range {
  double low, high;
} range;

static void widen(range *all, double value) {
  all->low = value < all->low ? value : all->low;
  all->high = value > all->high ? value : all->high;
}

static void widen_by_row(range *all, curve f, double first, double last) {
  widen(all, curve_at(f, first));
  widen(all, curve_at(f, last));
  double turn = -f.b / (2 * f.c);
  if (turn > first && turn < last) widen(all, curve_at(f, turn));
}

// One quarter of a square: node[9] row by row, over `size` pixels from (u, v). Returns what values there are.
static range fill_plane(const double node[9], double u, double v, double size, const box *area,
                        uint32_t stride, double *out) {
  range all = {INFINITY, -INFINITY};
  curve column[3];
  for (int k = 0; k < 3; k++) column[k] = curve_of(node[k], node[k + 3], node[k + 6]);
  double first = (area->c0 + 0.5 - u) / size, last = (area->c1 - 0.5 - u) / size;
  for (uint32_t r = area->r0; r < area->r1; r++) {
    double t = (r + 0.5 - v) / size;
    curve f = curve_of(curve_at(column[0], t), curve_at(column[1], t), curve_at(column[2], t));
    widen_by_row(&all, f, first, last);
    double *row = out + (size_t)r * stride;
    for (uint32_t c = area->c0; c < area->c1; c++) row[c] = curve_at(f, (c + 0.5 - u) / size);
  }
  return all;
}

// Brings the nodes to the source's own turn. False: they lie on two, so that every pixel has to be looked at.
static bool shift_turn(const ra__source *source, double x[9]) {
  double low = least(x, 9), high = most(x, 9), margin = (high - low) / 8;
  double turn = floor((low - margin - source->low) / source->period);
  if (floor((high + margin - source->low) / source->period) != turn) return false;
  for (int i = 0; i < 9; i++) x[i] -= turn * source->period;
  return true;
}

static void fill_quarter(ra__mesh *self, const square *sq, int column, int row) {
  double x[9], y[9], size = sq->size / 2, u = sq->u + column * size, v = sq->v + row * size;
  for (int i = 0; i < 9; i++) {
    int at = (2 * row + i / 3) * 5 + 2 * column + i % 3;
    x[i] = sq->x[at];
    y[i] = sq->y[at];
  }
  box area = pixels_of(self, u, v, size);
  if (area.c0 >= area.c1 || area.r0 >= area.r1) return;
  bool together = !(self->source->period > 0) || shift_turn(self->source, x);
  range xs = fill_plane(x, u, v, size, &area, self->width, self->x);
  range ys = fill_plane(y, u, v, size, &area, self->width, self->y);
  if (!together) wrap_pixels(self, &area);
  double w = (double)self->source->grid->width, h = (double)self->source->grid->height;
  if (ys.high < 0 || ys.low >= h || (together && (xs.high < 0 || xs.low >= w))) return;
  if (together && xs.low >= 0 && xs.high < w && ys.low >= 0 && ys.high < h) {
    ra__reach_add(&self->reach, xs.low, xs.high, ys.low, ys.high);
  } else {
    reach_pixels(self, &area);
  }
}

static void fill_exact(ra__mesh *self, const square *sq) {
  double x[SMALLEST * SMALLEST], y[SMALLEST * SMALLEST];
  box area = pixels_of(self, sq->u, sq->v, sq->size);
  size_t n = 0, k = 0;
  for (uint32_t r = area.r0; r < area.r1; r++) {
    for (uint32_t c = area.c0; c < area.c1; c++, n++) {
      x[n] = c + 0.5;
      y[n] = r + 0.5;
    }
  }
  locate(self, n, x, y);
  for (uint32_t r = area.r0; r < area.r1; r++) {
    for (uint32_t c = area.c0; c < area.c1; c++, k++) {
      self->x[(size_t)r * self->width + c] = ra__source_wrap(self->source, x[k]);
      self->y[(size_t)r * self->width + c] = y[k];
    }
  }
  reach_pixels(self, &area);
}

static void fill_blank(ra__mesh *self, const square *sq) {
  box area = pixels_of(self, sq->u, sq->v, sq->size);
  for (uint32_t r = area.r0; r < area.r1; r++) {
    for (uint32_t c = area.c0; c < area.c1; c++) {
      self->x[(size_t)r * self->width + c] = self->y[(size_t)r * self->width + c] = NAN;
    }
  }
}

// ---- splitting ------------------------------------------------------------------------------------------------------

enum { SIDE = 9, NEW = SIDE * SIDE - NODES };

// 9 x 9 nodes over a square: the 5 x 5 it has, and PROJ for the ones between.
static void refine(const ra__mesh *self, const square *sq, double x[SIDE * SIDE],
                   double y[SIDE * SIDE]) {
  double new_x[NEW], new_y[NEW];
  size_t n = 0, k = 0;
  for (int i = 0; i < SIDE * SIDE; i++) {
    int c = i % SIDE, r = i / SIDE;
    if (c % 2 == 0 && r % 2 == 0) continue;
    new_x[n] = sq->u + sq->size / (SIDE - 1) * c;
    new_y[n++] = sq->v + sq->size / (SIDE - 1) * r;
  }
  locate(self, n, new_x, new_y);
  for (int i = 0; i < SIDE * SIDE; i++) {
    int c = i % SIDE, r = i / SIDE;
    bool known = c % 2 == 0 && r % 2 == 0;
    x[i] = known ? sq->x[r / 2 * 5 + c / 2] : new_x[k];
    y[i] = known ? sq->y[r / 2 * 5 + c / 2] : new_y[k];
    k += known ? 0 : 1;
  }
}

static square part_of(const square *sq, int column, int row, const double *x, const double *y) {
  square part = {
      .u = sq->u + column * sq->size / 2, .v = sq->v + row * sq->size / 2, .size = sq->size / 2};
  for (int i = 0; i < NODES; i++) {
    int at = (4 * row + i / 5) * SIDE + 4 * column + i % 5;
    part.x[i] = x[at];
    part.y[i] = y[at];
  }
  return part;
}

static bool is_good(ra__mesh *self, square *sq) {
  unwrap(sq, self->source->period);
  return (is_smooth(sq->x, sq->size, self->tolerance) && is_smooth(sq->y, sq->size, self->tolerance)) ||
         is_far(self, sq);
}

static void fill_square(ra__mesh *self, square *sq) {
  if (sq->u >= self->width || sq->v >= self->height) return;
  int images = count_images(sq);
  if (images == 0 && sq->size <= BLANK) {
    fill_blank(self, sq);
  } else if (images == NODES && is_good(self, sq)) {
    for (int i = 0; i < 4; i++) fill_quarter(self, sq, i % 2, i / 2);
  } else if (sq->size <= SMALLEST) {
    fill_exact(self, sq);
  } else {
    double x[SIDE * SIDE], y[SIDE * SIDE];
    refine(self, sq, x, y);
    for (int i = 0; i < 4; i++) {
      square part = part_of(sq, i % 2, i / 2, x, y);
      fill_square(self, &part);
    }
  }
}

static void note_step(ra__mesh *self, const square *sq) {
  const double *x = sq->x, *y = sq->y;
  if (!isfinite(x[0]) || !isfinite(x[4]) || !isfinite(x[20])) return;
  self->x_steps[self->step_count] = hypot(x[4] - x[0], x[20] - x[0]) / sq->size;
  self->y_steps[self->step_count++] = hypot(y[4] - y[0], y[20] - y[0]) / sq->size;
}

void ra__mesh_fill(ra__mesh *self) {
  for (uint32_t v = 0; v < self->height; v += RA__MESH_BLOCK) {
    for (uint32_t u = 0; u < self->width; u += RA__MESH_BLOCK) {
      square sq = {.u = u, .v = v, .size = RA__MESH_BLOCK};
      for (int i = 0; i < NODES; i++) {
        int row = i / 5;
        sq.x[i] = u + RA__MESH_BLOCK / 4.0 * (i % 5);
        sq.y[i] = v + RA__MESH_BLOCK / 4.0 * row;
      }
      locate(self, NODES, sq.x, sq.y);
      unwrap(&sq, self->source->period);
      note_step(self, &sq);
      fill_square(self, &sq);
    }
  }
}
