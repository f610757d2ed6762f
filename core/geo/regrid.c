// regrid.c - see regrid.h. A curvilinear grid is drawn cell by cell, not looked up pixel by pixel: each four neighbouring
// centres make a quad, whose pixels are found in a plane that touches the Earth at its middle, in which great circles are
// straight. So neighbouring quads have the very same edge, and neither the seam at 180 degrees nor a pole is special. Half
// a cell round the grid's edge belongs to the outermost centres; such pixels are only taken where no quad lies (beyond a
// tripolar fold another part of the grid does).
#include "geo/regrid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"

#define NONE UINT32_MAX
static const double DEGREE = M_PI / 180;
static const double FRACTION = 65535;

typedef ra_regrid_place place;

struct ra_regrid {
  int64_t width, height;  // of the map
  int64_t native_width;
  place *places;          // curvilinear, in memory; else NULL
  uint32_t *cols, *rows;  // uneven axes
  ra_regrid_keep keep;    // curvilinear, in strips
  int64_t strip;          // rows of one
  uint64_t *offsets;      // of the strips
};

void ra_regrid_free(ra_regrid *self) {
  if (!self) return;
  free(self->places);
  free(self->cols);
  free(self->rows);
  free(self->offsets);
  free(self);
}

size_t ra_regrid_memory(const ra_grid *map, int64_t rows) {
  size_t bytes;
  if (!ra_size_mul((size_t)map->width, (size_t)rows, &bytes)) return SIZE_MAX;
  return ra_size_mul(bytes, sizeof(place), &bytes) ? bytes : SIZE_MAX;
}

static int no_memory(ra_regrid *self, const ra_grid *map, ra_err *err) {
  ra_regrid_free(self);
  return ra_fail(err, RA_E_NOMEM, "", "no memory for a map of %lld x %lld pixels",
                 (long long)map->width, (long long)map->height);
}

// ---- uneven axes

static uint32_t *cells_along(const ra_uneven *axis, double first, double step, int64_t count) {
  uint32_t *cells = malloc((size_t)count * sizeof *cells);
  for (int64_t i = 0; cells && i < count; i++) {
    double at = ra_uneven_position(axis, first + ((double)i + 0.5) * step);
    cells[i] = isnan(at) ? NONE : (uint32_t)at;
  }
  return cells;
}

int ra_regrid_axes(const ra_uneven *x, const ra_uneven *y, const ra_grid *map, ra_regrid **out,
                   ra_err *err) {
  ra_regrid *self = calloc(1, sizeof *self);
  if (!self) return no_memory(NULL, map, err);
  *self = (ra_regrid){.width = map->width, .height = map->height, .native_width = (int64_t)x->count};
  self->cols = cells_along(x, map->gt[0], map->gt[1], map->width);
  self->rows = cells_along(y, map->gt[3], map->gt[5], map->height);
  if (!self->cols || !self->rows) return no_memory(self, map, err);
  *out = self;
  return RA_OK;
}

// ---- curvilinear

typedef struct vec {
  double x, y, z;
} vec;

typedef struct node {  // a centre, or the end of the rim
  vec at;
  bool there;
} node;

enum { LINES = 4 };  // of nodes: the quads between two rows ask for one more on either side

typedef struct span {  // of a map's rows
  double top, bottom;
} span;

typedef struct drawing {
  const ra_lattice *lattice;
  const ra_grid *map;
  place *places;              // of the strip
  int64_t first, end;         // its rows
  span *spans[2];             // what the quads between two rows reach, by row + 1; of the rim apart
  double period;              // pixels in 360 degrees
  double *lon_sin, *lon_cos;  // of the map's columns
  node *lines[LINES];         // of rows row - 1 … row + 2; node i + 1 is column i
  int64_t row;                // theirs
  bool rim;                   // now the quads of the rim
  bool spanned;               // the first strip has told the spans
} drawing;

static vec minus(vec a, vec b) { return (vec){a.x - b.x, a.y - b.y, a.z - b.z}; }
static vec plus(vec a, vec b) { return (vec){a.x + b.x, a.y + b.y, a.z + b.z}; }
static vec scaled(vec a, double by) { return (vec){a.x * by, a.y * by, a.z * by}; }
static double dot(vec a, vec b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
static vec cross(vec a, vec b) {
  return (vec){a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
static vec unit(vec a) { return scaled(a, 1 / sqrt(dot(a, a))); }
static double apart(const node *a, const node *b) {
  vec d = minus(a->at, b->at);
  return a->there && b->there ? dot(d, d) : NAN;
}

static node centre(const ra_lattice *lattice, int64_t row, int64_t column) {
  double v[3];
  if (!ra_lattice_vector(lattice, row, column, v)) return (node){.there = false};
  return (node){{v[0], v[1], v[2]}, true};
}

// Half a cell beyond `edge`, away from `inner`.
static node beyond(node edge, node inner) {
  if (!edge.there || !inner.there) return (node){.there = false};
  return (node){unit(plus(edge.at, scaled(minus(edge.at, inner.at), 0.5))), true};
}

// Row -1 and row `height` are the ends of the rim.
static node node_at(const ra_lattice *l, int64_t row, int64_t column) {
  if (row == -1) return beyond(centre(l, 0, column), centre(l, 1, column));
  if (row == l->height) return beyond(centre(l, row - 1, column), centre(l, row - 2, column));
  return centre(l, row, column);
}

static void fill_line(const drawing *self, int64_t row, node *line) {
  const ra_lattice *l = self->lattice;
  int64_t w = l->width;
  for (int64_t i = 0; i < w; i++) line[i + 1] = node_at(l, row, i);
  line[0] = l->cyclic ? line[w] : beyond(line[1], line[2]);
  line[w + 1] = l->cyclic ? line[1] : beyond(line[w], line[w - 1]);
}

// An edge that is much longer than those before and behind it on its line is none: the grid is torn there.
static bool torn(double edge, double before, double behind) {
  double most = fmax(before, behind);
  return most >= 0 && edge > 25 * most;
}

static bool row_torn(const node *line, int64_t i, int64_t last) {
  double before = i > 0 ? apart(&line[i - 1], &line[i]) : NAN;
  double behind = i + 2 <= last ? apart(&line[i + 1], &line[i + 2]) : NAN;
  return torn(apart(&line[i], &line[i + 1]), before, behind);
}

static bool column_torn(const drawing *self, int64_t i) {
  node *const *l = self->lines;
  return torn(apart(&l[1][i], &l[2][i]), apart(&l[0][i], &l[1][i]), apart(&l[2][i], &l[3][i]));
}

typedef struct quad {
  vec corner[4];         // (0,0) (1,0) (1,1) (0,1) in u, v
  vec middle, east, up;  // of the plane
  double px[4], py[4];   // corners in the plane
  uint32_t cell;
  bool clamp_u, clamp_v;  // of the rim: no next centre
} quad;

static bool to_plane(const quad *q, vec at, double *x, double *y) {
  double depth = dot(at, q->middle);
  if (depth < 0.2) return false;
  *x = dot(at, q->east) / depth;
  *y = dot(at, q->up) / depth;
  return true;
}

static bool lay_plane(quad *q) {
  vec sum = plus(plus(q->corner[0], q->corner[1]), plus(q->corner[2], q->corner[3]));
  if (dot(sum, sum) < 0.1) return false;
  q->middle = unit(sum);
  vec axis = fabs(q->middle.z) < 0.9 ? (vec){0, 0, 1} : (vec){1, 0, 0};
  q->east = unit(cross(axis, q->middle));
  q->up = cross(q->middle, q->east);
  for (int i = 0; i < 4; i++) {
    if (!to_plane(q, q->corner[i], &q->px[i], &q->py[i])) return false;
  }
  double area = 0, size = 0;
  for (int i = 0; i < 4; i++) {
    int j = (i + 1) % 4;
    area += q->px[i] * q->py[j] - q->px[j] * q->py[i];
    size += fabs(q->px[i] - q->px[j]) + fabs(q->py[i] - q->py[j]);
  }
  return fabs(area) > 1e-6 * size * size;
}

// Solves x, y = a + u b + v c + u v d by Newton's method; false: the place is not in the quad.
static bool solve(const quad *q, double x, double y, double *u, double *v) {
  const double *px = q->px, *py = q->py;
  double bx = px[1] - px[0], by = py[1] - py[0], cx = px[3] - px[0], cy = py[3] - py[0];
  double dx = px[0] - px[1] + px[2] - px[3], dy = py[0] - py[1] + py[2] - py[3];
  *u = *v = 0.5;
  for (int i = 0; i < 12; i++) {
    double fx = px[0] + *u * bx + *v * cx + *u * *v * dx - x;
    double fy = py[0] + *u * by + *v * cy + *u * *v * dy - y;
    double ux = bx + *v * dx, uy = by + *v * dy, vx = cx + *u * dx, vy = cy + *u * dy;
    double det = ux * vy - uy * vx;
    if (det == 0) return false;
    double du = (fx * vy - fy * vx) / det, dv = (ux * fy - uy * fx) / det;
    *u -= du;
    *v -= dv;
    if (fabs(du) + fabs(dv) < 1e-9) break;
    if (!(fabs(*u) < 50 && fabs(*v) < 50)) return false;
  }
  const double slack = 1e-6;
  return *u >= -slack && *u <= 1 + slack && *v >= -slack && *v <= 1 + slack;
}

static uint16_t fraction(double value) {
  return (uint16_t)lround(fmax(0, fmin(1, value)) * FRACTION);
}

// The pixels of one row between two columns, which may lie turns away.
static void draw_row(drawing *self, const quad *q, int64_t row, double from, double to) {
  const ra_grid *map = self->map;
  double lat = (map->gt[3] + map->gt[5] * ((double)row + 0.5)) * DEGREE;
  double c = cos(lat), z = sin(lat);
  for (int turn = -1; turn <= 1; turn++) {
    double first = ceil(fmax(from + turn * self->period, 0));
    double last = floor(fmin(to + turn * self->period, (double)map->width - 1));
    for (int64_t col = (int64_t)first; (double)col <= last; col++) {
      place *pixel = &self->places[(row - self->first) * map->width + col];
      vec at = {c * self->lon_cos[col], c * self->lon_sin[col], z};
      double x, y, u, v;
      if (pixel->cell != NONE || !to_plane(q, at, &x, &y) || !solve(q, x, y, &u, &v)) continue;
      *pixel = (place){q->cell, q->clamp_u ? 0 : fraction(u), q->clamp_v ? 0 : fraction(v)};
    }
  }
}

typedef struct box {
  double west, east, south, north;  // degrees
} box;

// What a quad covers. Its edges bulge towards the poles by a little; one round a pole has all longitudes.
static void bound(const quad *q, box *out) {
  double lon[4], longest = 0, turn = 0;
  *out = (box){0, 0, 90, -90};
  for (int i = 0; i < 4; i++) {
    const vec *c = &q->corner[i];
    double lat = asin(fmax(-1, fmin(1, c->z))) / DEGREE;
    lon[i] = atan2(c->y, c->x) / DEGREE;
    out->south = fmin(out->south, lat);
    out->north = fmax(out->north, lat);
  }
  double at = lon[0];
  out->west = out->east = at;
  bool wide = false;
  for (int i = 0; i < 4; i++) {
    double step = remainder(lon[(i + 1) % 4] - lon[i], 360);
    vec side = minus(q->corner[(i + 1) % 4], q->corner[i]);
    longest = fmax(longest, sqrt(dot(side, side)));
    wide |= fabs(step) > 90;
    turn += step;
    at += step;
    out->west = fmin(out->west, at);
    out->east = fmax(out->east, at);
  }
  double far = fmax(fabs(out->south), fabs(out->north)) * DEGREE;
  double bulge = fmin(longest / 2, longest * longest / 8 * tan(fmin(far, 1.57)) * 1.2) / DEGREE;
  out->south -= bulge + 1e-9;
  out->north += bulge + 1e-9;
  if (!wide && fabs(turn) < 180) return;
  out->west = -180;
  out->east = 180;
  if (out->north > 0) out->north = 90;
  if (out->south < 0) out->south = -90;
}

static void draw(drawing *self, const quad *q) {
  const double *gt = self->map->gt;
  box b;
  bound(q, &b);
  double top = ceil((b.north - gt[3]) / gt[5] - 0.5);
  double bottom = floor((b.south - gt[3]) / gt[5] - 0.5);
  span *all = &self->spans[self->rim][self->row + 1];
  *all = (span){fmin(all->top, top), fmax(all->bottom, bottom)};
  top = fmax(top, (double)self->first);
  bottom = fmin(bottom, (double)self->end - 1);
  double from = (b.west - gt[0]) / gt[1] - 0.5, to = (b.east - gt[0]) / gt[1] - 0.5;
  for (int64_t row = (int64_t)top; (double)row <= bottom; row++) draw_row(self, q, row, from, to);
}

// The quad between rows `row` and `row` + 1 that begins at column i - 1.
static void draw_quad(drawing *self, int64_t row, int64_t i) {
  const ra_lattice *l = self->lattice;
  const node *low = self->lines[1], *high = self->lines[2];
  bool below = row < 0, above = row == l->height - 1;
  bool left = i == 0, right = i == l->width && !l->cyclic;
  if (self->rim != (below || above || left || right)) return;
  if (!low[i].there || !low[i + 1].there || !high[i].there || !high[i + 1].there) return;
  if (row_torn(low, i, l->width + 1) || row_torn(high, i, l->width + 1)) return;
  if (!below && !above && (column_torn(self, i) || column_torn(self, i + 1))) return;
  quad q = {.corner = {low[i].at, low[i + 1].at, high[i + 1].at, high[i].at}};
  q.clamp_u = left || right;
  q.clamp_v = below || above;
  q.cell = (uint32_t)((below ? 0 : row) * l->width + (left ? 0 : i - 1));
  if (lay_plane(&q)) draw(self, &q);
}

// Lines of the rows round `row`: mostly the last ones and a new one.
static void bring_lines(drawing *self, int64_t row) {
  if (row != self->row + 1) {
    for (int i = 0; i < LINES; i++) fill_line(self, row - 1 + i, self->lines[i]);
  } else {
    node *line = self->lines[0];
    memmove(self->lines, self->lines + 1, (LINES - 1) * sizeof *self->lines);
    self->lines[LINES - 1] = line;
    fill_line(self, row + 2, line);
  }
  self->row = row;
}

static bool reaches(const drawing *self, int64_t row) {
  const span *rows = &self->spans[self->rim][row + 1];
  return !self->spanned || (rows->top < (double)self->end && rows->bottom >= (double)self->first);
}

// A cyclic lattice's first column comes as its last one's neighbour.
static void draw_all(drawing *self, bool rim) {
  const ra_lattice *l = self->lattice;
  self->rim = rim;
  self->row = -3;
  for (int64_t row = -1; row < l->height; row++) {
    if (!reaches(self, row)) continue;
    bring_lines(self, row);
    for (int64_t i = l->cyclic ? 1 : 0; i <= l->width; i++) draw_quad(self, row, i);
  }
}

static void draw_strip(drawing *self, int64_t first, int64_t rows) {
  self->first = first;
  self->end = first + rows;
  for (int64_t i = 0; i < rows * self->map->width; i++) self->places[i] = (place){NONE, 0, 0};
  draw_all(self, false);
  draw_all(self, true);
  self->spanned = true;
}

static bool prepare(drawing *self) {
  const ra_grid *map = self->map;
  size_t width = (size_t)map->width, nodes = (size_t)self->lattice->width + 2;
  size_t rows = (size_t)self->lattice->height + 1;
  self->period = 360 / map->gt[1];
  self->lon_sin = malloc(width * sizeof *self->lon_sin);
  self->lon_cos = malloc(width * sizeof *self->lon_cos);
  bool ok = self->lon_sin && self->lon_cos;
  for (int i = 0; i < LINES; i++) ok &= (self->lines[i] = malloc(nodes * sizeof(node))) != NULL;
  for (int k = 0; k < 2; k++) {
    self->spans[k] = malloc(rows * sizeof(span));
    ok &= self->spans[k] != NULL;
    for (size_t i = 0; i < rows && self->spans[k]; i++)
      self->spans[k][i] = (span){INFINITY, -INFINITY};
  }
  for (size_t i = 0; i < width && ok; i++) {
    double lon = (map->gt[0] + map->gt[1] * ((double)i + 0.5)) * DEGREE;
    self->lon_sin[i] = sin(lon);
    self->lon_cos[i] = cos(lon);
  }
  return ok;
}

static void drawing_deinit(drawing *self) {
  free(self->lon_sin);
  free(self->lon_cos);
  for (int i = 0; i < LINES; i++) free(self->lines[i]);
  for (int k = 0; k < 2; k++) free(self->spans[k]);
  free(self->places);
}

static int draw_kept(drawing *self, ra_regrid *regrid, ra_err *err) {
  int rc = RA_OK;
  for (int64_t row = 0; row < regrid->height && rc >= 0; row += regrid->strip) {
    int64_t left = regrid->height - row, rows = left < regrid->strip ? left : regrid->strip;
    draw_strip(self, row, rows);
    rc = regrid->keep.append(regrid->keep.ctx, self->places, ra_regrid_memory(self->map, rows),
                             &regrid->offsets[row / regrid->strip], err);
  }
  return rc;
}

int ra_regrid_lattice(const ra_lattice *lattice, const ra_grid *map, int64_t rows,
                      const ra_regrid_keep *keep, ra_regrid **out, ra_err *err) {
  int64_t strip = keep ? rows : map->height;
  size_t bytes = ra_regrid_memory(map, strip);
  ra_regrid *self = calloc(1, sizeof *self);
  if (!self || bytes == SIZE_MAX) return no_memory(self, map, err);
  *self = (ra_regrid){.width = map->width,
                      .height = map->height,
                      .native_width = lattice->width,
                      .strip = strip,
                      .offsets = calloc((size_t)(map->height / strip) + 1, sizeof(uint64_t))};
  drawing work = {.lattice = lattice, .map = map, .places = malloc(bytes)};
  bool ok = work.places && self->offsets && prepare(&work);
  int rc = RA_OK;
  if (ok && keep) {
    self->keep = *keep;
    rc = draw_kept(&work, self, err);
  } else if (ok) {
    draw_strip(&work, 0, map->height);
    self->places = work.places;
    work.places = NULL;
  }
  drawing_deinit(&work);
  if (!ok) return no_memory(self, map, err);
  if (rc < 0) {
    ra_regrid_free(self);
    return rc;
  }
  *out = self;
  return RA_OK;
}

// ---- pixels

static void row_of_axes(const ra_regrid *self, int64_t row, place *room) {
  for (int64_t i = 0; i < self->width; i++) {
    bool there = self->rows[row] != NONE && self->cols[i] != NONE;
    uint32_t cell = (uint32_t)(self->rows[row] * self->native_width + self->cols[i]);
    room[i] = (place){there ? cell : NONE, 0, 0};
  }
}

const ra_regrid_place *ra_regrid_row(const ra_regrid *self, int64_t row, ra_regrid_place *room,
                                     ra_err *err) {
  if (self->places) return self->places + row * self->width;
  if (self->rows) {
    row_of_axes(self, row, room);
    return room;
  }
  size_t bytes = (size_t)self->width * sizeof *room;
  uint64_t offset = self->offsets[row / self->strip] + (uint64_t)(row % self->strip) * bytes;
  return self->keep.read(self->keep.ctx, offset, room, bytes, err) < 0 ? NULL : room;
}

bool ra_regrid_pixel_of(const ra_regrid *self, const ra_regrid_place *at, ra_regrid_pixel *out) {
  place p = *at;
  if (p.cell == NONE) return false;
  int64_t w = self->native_width;
  // Behind a row's last cell comes its first.
  uint32_t next = p.cell % w == w - 1 ? p.cell + 1 - (uint32_t)w : p.cell + 1;
  uint32_t right = p.u ? next : p.cell, down = p.v ? (uint32_t)w : 0;
  float u = (float)(p.u / FRACTION), v = (float)(p.v / FRACTION);
  *out = (ra_regrid_pixel){{p.cell, right, p.cell + down, right + down},
                           {(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v}};
  int nearest = (u > 0.5f) + 2 * (v > 0.5f);
  if (nearest == 0) return true;
  uint32_t cell = out->cells[nearest];
  float weight = out->weights[nearest];
  out->cells[nearest] = out->cells[0];
  out->weights[nearest] = out->weights[0];
  out->cells[0] = cell;
  out->weights[0] = weight;
  return true;
}
