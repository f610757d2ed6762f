// Curvilinear grids to maps: a linear function of the place, given at the cells, has to come out at the pixels' own places,
// also at the seam, round the pole and beyond a fold; what lies outside the grid or where it is torn has no pixel.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "geo/regrid.h"

#define DEGREE (M_PI / 180)

typedef struct grid {
  ra_lattice lattice;
  ra_grid map;
  ra_regrid *regrid;
} grid;

typedef void place(double u, double v, double *lon, double *lat);  // u, v: 0 to 1 over the grid

static void from_vector(double x, double y, double z, double *lon, double *lat) {
  *lon = atan2(y, x) / DEGREE;
  *lat = asin(z / sqrt(x * x + y * y + z * z)) / DEGREE;
}

// A globe whose own pole lies at 60 E, 30 N.
static void turned_globe(double u, double v, double *lon, double *lat) {
  double a = 2 * M_PI * u, b = M_PI * (v - 0.5);
  double x = cos(b) * cos(a), y = cos(b) * sin(a), z = sin(b), tilt = 60 * DEGREE;
  double x2 = x * cos(tilt) + z * sin(tilt), z2 = z * cos(tilt) - x * sin(tilt);
  from_vector(x2 * 0.5 - y * sin(60 * DEGREE), x2 * sin(60 * DEGREE) + y * 0.5, z2, lon, lat);
}

// A square round the North Pole, 20 degrees to each side.
static void polar_square(double u, double v, double *lon, double *lat) {
  from_vector(0.364 * (2 * u - 1), 0.364 * (2 * v - 1), 1, lon, lat);
}

// A strip over the seam at 180 degrees, askew.
static void strip(double u, double v, double *lon, double *lat) {
  *lon = 170 + 20 * u + 4 * v;
  *lat = -10 + 12 * v - 3 * u;
}

// A cap of confocal ellipses: rows close on themselves; beyond the last one lies the same row again, folded.
static void folded_cap(double u, double v, double *lon, double *lat) {
  double m = 1.6 * (1 - v), n = 2 * M_PI * u;
  from_vector(0.2 * cosh(m) * cos(n), 0.2 * sinh(m) * sin(n), 1, lon, lat);
}

static grid make(place *where, int64_t width, int64_t height) {
  grid g = {.lattice = {.width = width, .height = height}};
  ra_err err = {0};
  size_t cells = (size_t)(width * height);
  g.lattice.lon = calloc(cells, sizeof *g.lattice.lon);
  g.lattice.lat = calloc(cells, sizeof *g.lattice.lat);
  for (size_t i = 0; i < cells; i++) {
    int64_t row = (int64_t)i / width, column = (int64_t)i % width;
    double lon, lat;
    where(((double)column + 0.5) / (double)width, ((double)row + 0.5) / (double)height, &lon, &lat);
    ra_lattice_put(&g.lattice, i, lon, lat);
  }
  assert_int_equal(ra_lattice_map(&g.lattice, &g.map, &err), RA_OK);
  assert_int_equal(ra_regrid_lattice(&g.lattice, &g.map, 0, NULL, &g.regrid, &err), RA_OK);
  return g;
}

static void done(grid *g) {
  ra_regrid_free(g->regrid);
  free(g->lattice.lon);
  free(g->lattice.lat);
}

static double field(double lon, double lat) {
  lon *= DEGREE;
  lat *= DEGREE;
  return cos(lat) * cos(lon) + 2 * cos(lat) * sin(lon) + 3 * sin(lat);
}

static double field_at(const grid *g, uint32_t cell) {
  return field(g->lattice.lon[cell] * RA_PLACE_UNIT, g->lattice.lat[cell] * RA_PLACE_UNIT);
}

static bool get(const ra_regrid *regrid, int64_t row, int64_t column, ra_regrid_pixel *out) {
  static ra_regrid_place room[1 << 14];
  ra_err err = {0};
  const ra_regrid_place *places = ra_regrid_row(regrid, row, room, &err);
  assert_non_null(places);
  return ra_regrid_pixel_of(regrid, &places[column], out);
}

// Whether a pixel is drawn, and how far its mean is from the field at its place.
static bool pixel(const grid *g, int64_t row, int64_t column, double *off) {
  ra_regrid_pixel p;
  double value = 0, weight = 0;
  if (!get(g->regrid, row, column, &p)) return false;
  for (int i = 0; i < 4; i++) {
    value += (double)p.weights[i] * field_at(g, p.cells[i]);
    weight += (double)p.weights[i];
    assert_true(p.weights[0] >= p.weights[i]);
  }
  assert_true(fabs(weight - 1) < 1e-6);
  double lon = g->map.gt[0] + g->map.gt[1] * ((double)column + 0.5);
  double lat = g->map.gt[3] + g->map.gt[5] * ((double)row + 0.5);
  *off = fabs(value - field(lon, lat));
  return true;
}

typedef struct count {
  int64_t drawn, rough, wrong;  // off by more than what bilinear errs by; by more than half a cell
} count;

static count compare(const grid *g, double fine, double coarse) {
  count c = {0};
  for (int64_t row = 0; row < g->map.height; row++) {
    for (int64_t column = 0; column < g->map.width; column++) {
      double off;
      if (!pixel(g, row, column, &off)) continue;
      c.drawn++;
      c.rough += off > fine;
      c.wrong += off > coarse;
    }
  }
  return c;
}

static void a_globe_has_no_hole_and_no_stripe(void **state) {
  (void)state;
  grid g = make(turned_globe, 90, 46);
  assert_true(g.lattice.cyclic && g.map.wraps);
  assert_true(g.map.gt[0] == -180 && g.map.gt[3] == 90);
  count c = compare(&g, 5e-3, 0.1);
  assert_int_equal(c.wrong, 0);
  // Round the grid's own two poles half a cell is missing by nature: 2 * pi * (1 - cos(1.96 degrees)) of 4 pi.
  assert_true((double)c.rough < 0.02 * (double)c.drawn);
  double hole = (double)(g.map.width * g.map.height - c.drawn);
  assert_true(hole < 0.002 * (double)(g.map.width * g.map.height));
  // The real poles and the seam are places like any other.
  double off;
  assert_true(pixel(&g, 0, 7, &off) && off < 5e-3);
  assert_true(pixel(&g, g.map.height - 1, 7, &off) && off < 5e-3);
  for (int64_t row = 0; row < g.map.height; row += 7)
    assert_true(!pixel(&g, row, 0, &off) || off < 5e-3);
  done(&g);
}

static void a_pole_may_lie_inside(void **state) {
  (void)state;
  grid g = make(polar_square, 40, 40);
  assert_true(!g.lattice.cyclic && g.map.wraps && g.map.gt[3] == 90);
  count c = compare(&g, 2e-3, 0.05);
  assert_int_equal(c.wrong, 0);
  double off;
  for (int64_t column = 0; column < g.map.width; column++)
    assert_true(pixel(&g, 0, column, &off) && off < 2e-3);
  for (int64_t i = 0; i < g.map.width * g.map.height; i++) {
    int64_t row = i / g.map.width, column = i % g.map.width;
    double lon = (g.map.gt[0] + g.map.gt[1] * ((double)column + 0.5)) * DEGREE;
    double far = tan((90 - g.map.gt[3] - g.map.gt[5] * ((double)row + 0.5)) * DEGREE);
    double side = far * fmax(fabs(cos(lon)), fabs(sin(lon)));
    if (side < 0.362) assert_true(pixel(&g, row, column, &off));
    if (side > 0.366) assert_false(pixel(&g, row, column, &off));
  }
  done(&g);
}

static void the_seam_is_no_edge(void **state) {
  (void)state;
  grid g = make(strip, 40, 24);
  assert_false(g.map.wraps);
  double west = g.map.gt[0], east = west + g.map.gt[1] * (double)g.map.width;
  assert_true(west > 169 && west < 171 && east > 193 && east < 195.5);
  count c = compare(&g, 1e-3, 0.02);
  assert_int_equal(c.wrong, 0);
  // The strip covers 20 x 12 of these degrees and no more.
  double area = (double)c.drawn * g.map.gt[1] * -g.map.gt[5];
  assert_true(fabs(area - 20 * 12 - 3 * 4) < 8);
  done(&g);
}

static void beyond_a_fold_the_grid_goes_on(void **state) {
  (void)state;
  grid g = make(folded_cap, 60, 20);
  assert_true(g.lattice.cyclic);
  count c = compare(&g, 5e-3, 0.1);
  assert_int_equal(c.wrong, 0);
  double off;
  int64_t cap = (int64_t)((90 - 70) / -g.map.gt[5]);  // the smallest ellipse drawn is wider than this
  for (int64_t row = 0; row < cap; row++) {
    for (int64_t column = 0; column < g.map.width; column++)
      assert_true(pixel(&g, row, column, &off));
  }
  done(&g);
}

// The same with two rows beyond the fold, which repeat others: the half cells at its end lie over the grid itself.
static void repeated_cap(double u, double v, double *lon, double *lat) {
  double m = 1.6 - 1.76 * v, n = 2 * M_PI * u;
  from_vector(0.2 * cosh(m) * cos(n), 0.2 * sinh(m) * sin(n), 1, lon, lat);
}

static void a_rim_never_lies_over_cells(void **state) {
  (void)state;
  grid g = make(repeated_cap, 60, 22);
  double off;
  for (int64_t row = 0; row < (int64_t)((90 - 78) / -g.map.gt[5]); row++) {
    for (int64_t column = 0; column < g.map.width; column++)
      assert_true(pixel(&g, row, column, &off) && off < 3e-3);
  }
  done(&g);
}

// The right half of a grid lies elsewhere; some cells have no place.
static void torn(double u, double v, double *lon, double *lat) {
  *lon = 40 * u + (u > 0.5 ? 60 : 0);
  *lat = u > 0.2 && u < 0.3 ? NAN : 20 * v;
}

static void nothing_is_drawn_over_tears(void **state) {
  (void)state;
  grid g = make(torn, 40, 20);
  count c = compare(&g, 2e-3, 0.05);
  assert_int_equal(c.wrong, 0);
  // 40 columns of a degree, less four without a place and the half cells beside them, the tear, and what the rim has at
  // the two outer sides only.
  double area = (double)c.drawn * g.map.gt[1] * -g.map.gt[5];
  assert_true(area > 30 * 19 && area < 35 * 21);
  done(&g);
}

// ---- strips

typedef struct kept {
  uint8_t *bytes;
  size_t size, appended, read;
  bool broken;
} kept;

static int append(void *ctx, const void *data, size_t size, uint64_t *offset, ra_err *err) {
  kept *k = ctx;
  k->bytes = realloc(k->bytes, k->size + size + 7);
  *offset = k->size + 7;  // others append to the same file
  memcpy(k->bytes + *offset, data, size);
  k->size = (size_t)*offset + size;
  k->appended++;
  return k->broken && k->appended == 3 ? ra_fail(err, RA_E_IO, "", "full") : RA_OK;
}

static int read_back(void *ctx, uint64_t offset, void *dst, size_t size, ra_err *err) {
  kept *k = ctx;
  k->read++;
  if (k->broken) return ra_fail(err, RA_E_IO, "", "gone");
  assert_true(offset + size <= k->size);
  memcpy(dst, k->bytes + offset, size);
  return RA_OK;
}

static void strips_make_the_very_same_map(void **state) {
  (void)state;
  place *const grids[] = {turned_globe, polar_square, strip, folded_cap};
  const int64_t rows[] = {1, 7, 50, 100000};
  for (size_t n = 0; n < 16; n++) {
    grid g = make(grids[n / 4], 61, 47);
    kept k = {0};
    const ra_regrid_keep keep = {&k, append, read_back};
    int64_t height = rows[n % 4] < g.map.height ? rows[n % 4] : g.map.height;
    ra_regrid *regrid;
    ra_err err = {0};
    assert_int_equal(ra_regrid_lattice(&g.lattice, &g.map, height, &keep, &regrid, &err), RA_OK);
    assert_int_equal(k.appended, (g.map.height + height - 1) / height);
    ra_regrid_place *room = calloc((size_t)g.map.width, sizeof *room);
    for (int64_t row = 0; row < g.map.height; row++) {
      const ra_regrid_place *whole = ra_regrid_row(g.regrid, row, NULL, &err);
      assert_ptr_equal(ra_regrid_row(regrid, row, room, &err), room);
      assert_memory_equal(room, whole, (size_t)g.map.width * sizeof *room);
    }
    ra_regrid_free(regrid);
    free(room);
    free(k.bytes);
    done(&g);
  }
}

static void strips_that_cannot_be_kept_are_no_map(void **state) {
  (void)state;
  grid g = make(strip, 40, 30);
  kept k = {.broken = true};
  const ra_regrid_keep keep = {&k, append, read_back};
  ra_regrid *regrid;
  ra_regrid_place room[1000];
  ra_err err = {0};
  assert_true(g.map.height > 4 && g.map.width <= 1000);
  assert_int_equal(ra_regrid_lattice(&g.lattice, &g.map, 1, &keep, &regrid, &err), RA_E_IO);
  assert_int_equal(k.appended, 3);
  k.appended = 10;
  assert_int_equal(ra_regrid_lattice(&g.lattice, &g.map, g.map.height, &keep, &regrid, &err), RA_OK);
  assert_null(ra_regrid_row(regrid, 2, room, &err));
  assert_string_equal(err.message, "gone");
  ra_regrid_free(regrid);
  free(k.bytes);
  done(&g);
}

static void axes_choose_the_cell_that_holds_the_pixel(void **state) {
  (void)state;
  const double xs[] = {0, 1, 3}, ys[] = {10, 8, 7};
  const ra_uneven x = {.centres = xs, .count = 3}, y = {.centres = ys, .count = 3};
  const ra_grid map = {.width = 9, .height = 5, .gt = {-0.5, 0.5, 0, 11, 0, -1}};
  static const uint32_t COLS[] = {0, 0, 1, 1, 1, 2, 2, 2, 2}, ROWS[] = {0, 0, 1, 2, 9};
  ra_regrid *regrid;
  ra_err err = {0};
  assert_int_equal(ra_regrid_axes(&x, &y, &map, &regrid, &err), RA_OK);
  for (int64_t row = 0; row < 5; row++) {
    for (int64_t column = 0; column < 9; column++) {
      ra_regrid_pixel p;
      bool there = get(regrid, row, column, &p);
      assert_int_equal(there, row < 4);
      if (!there) continue;
      assert_int_equal(p.cells[0], ROWS[row] * 3 + COLS[column]);
      assert_true(p.weights[0] == 1);
    }
  }
  ra_regrid_free(regrid);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(strips_make_the_very_same_map),
      cmocka_unit_test(strips_that_cannot_be_kept_are_no_map),
      cmocka_unit_test(a_globe_has_no_hole_and_no_stripe),
      cmocka_unit_test(a_pole_may_lie_inside),
      cmocka_unit_test(the_seam_is_no_edge),
      cmocka_unit_test(beyond_a_fold_the_grid_goes_on),
      cmocka_unit_test(a_rim_never_lies_over_cells),
      cmocka_unit_test(nothing_is_drawn_over_tears),
      cmocka_unit_test(axes_choose_the_cell_that_holds_the_pixel),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
