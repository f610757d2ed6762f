// Filters: the weights that the literature gives for Catmull-Rom, the cubic B-spline, Lanczos' three lobes and Gauss;
// shares of cells by hand; what is missing; and properties that hold for any: a plane stays a plane, single and
// separable positions agree.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raster/filter.h"

enum { PIXELS = 64, MOST = 2 * RA_FILTER_REACH + 2 };

typedef struct room {
  int32_t first[PIXELS], count[PIXELS], holds[PIXELS];
  float weights[PIXELS * MOST];
} room;

static room rooms[2];

static ra_filter_taps taps(int which, ra_filter filter, double step, int64_t cells,
                           const double *at, size_t n) {
  room *r = &rooms[which];
  ra_filter_taps t = {n, ra_filter_most(filter, step), r->first, r->count, r->holds, r->weights};
  ra_axis axis = ra_axis_plain(cells, false);
  ra_filter_fill(&t, filter, step, &axis, cells, at);
  return t;
}

// One pixel of a row of cells, all rows being alike.
static double along(ra_filter filter, double step, const double *cells, int64_t n, double x) {
  enum { ROWS = 16 };
  static double plane[ROWS * PIXELS];
  for (int j = 0; j < ROWS; j++) memcpy(plane + j * n, cells, (size_t)n * sizeof *cells);
  ra_window window = {.cells = plane, .is_double = true, .stride = (size_t)n, .has_missing = true};
  const double y = ROWS / 2.0 + 0.5;
  ra_filter_taps tx = taps(0, filter, step, n, &x, 1), ty = taps(1, filter, step, ROWS, &y, 1);
  double out = -1;
  ra_filter_run(&window, filter, &tx, &ty, false, &out);
  return out;
}

static void expect(double got, double want, double within) {
  if (!(fabs(got - want) <= within)) fail_msg("%.9g, wanted %.9g", got, want);
}

// What a cell of 1 among zeros gives at a distance is its weight, made up to one with the others'.
static double weight(ra_filter filter, double distance) {
  double cells[16] = {0};
  cells[8] = 1;
  return along(filter, 1, cells, 16, 8.5 + distance);
}

// Keys 1981, a = -1/2: at a half (-1, 9, 9, -1) / 16; at a quarter (-9, 111, 29, -3) / 128.
static void catmull_rom(void **state) {
  (void)state;
  expect(weight(RA_FILTER_CUBIC, 0), 1, 1e-6);
  expect(weight(RA_FILTER_CUBIC, 1), 0, 1e-6);
  expect(weight(RA_FILTER_CUBIC, 0.5), 9.0 / 16, 1e-6);
  expect(weight(RA_FILTER_CUBIC, -1.5), -1.0 / 16, 1e-6);
  expect(weight(RA_FILTER_CUBIC, 1.25), -9.0 / 128, 1e-6);
  expect(weight(RA_FILTER_CUBIC, 0.25), 111.0 / 128, 1e-6);
  expect(weight(RA_FILTER_CUBIC, -0.75), 29.0 / 128, 1e-6);
  expect(weight(RA_FILTER_CUBIC, -1.75), -3.0 / 128, 1e-6);
}

// On a cell's centre (1, 4, 1) / 6; between two (1, 23, 23, 1) / 48.
static void b_spline(void **state) {
  (void)state;
  expect(weight(RA_FILTER_CUBIC_SPLINE, 0), 4.0 / 6, 1e-6);
  expect(weight(RA_FILTER_CUBIC_SPLINE, 1), 1.0 / 6, 1e-6);
  expect(weight(RA_FILTER_CUBIC_SPLINE, 0.5), 23.0 / 48, 1e-6);
  expect(weight(RA_FILTER_CUBIC_SPLINE, -1.5), 1.0 / 48, 1e-6);
}

// sinc(x) sinc(x / 3) at 0.5, 1.5 and 2.5, over their sum.
static void lanczos_of_three_lobes(void **state) {
  (void)state;
  const double w[] = {0.60792710185, -0.13509491152, 0.02431708407};
  const double sum = 2 * (w[0] + w[1] + w[2]);
  for (int i = 0; i < 3; i++) {
    expect(weight(RA_FILTER_LANCZOS, i + 0.5), w[i] / sum, 1e-6);
    expect(weight(RA_FILTER_LANCZOS, -i - 0.5), w[i] / sum, 1e-6);
  }
  expect(weight(RA_FILTER_LANCZOS, 0), 1, 1e-6);
}

// exp(-2 x²) at 0 and 1; at 1.5 it is cut off, so that at a half there are four cells.
static void gauss_of_half_a_pixel(void **state) {
  (void)state;
  const double e = 0.1353352832366127;  // exp(-2)
  expect(weight(RA_FILTER_GAUSS, 0), 1 / (1 + 2 * e), 1e-6);
  expect(weight(RA_FILTER_GAUSS, 1), e / (1 + 2 * e), 1e-6);
  expect(weight(RA_FILTER_GAUSS, 2), 0, 1e-9);
}

static void shares_of_cells(void **state) {
  (void)state;
  const double cells[] = {10, 20, 40, 80, 160, 320, 640, 1280};
  expect(along(RA_FILTER_AVERAGE, 2, cells, 8, 3), 60, 1e-9);
  expect(along(RA_FILTER_AVERAGE, 2, cells, 8, 2.5), (20 / 2.0 + 40 + 80 / 2.0) / 2, 1e-9);
  expect(along(RA_FILTER_AVERAGE, 4, cells, 8, 0), 15, 1e-9);  // half of it lies outside
  expect(along(RA_FILTER_RMS, 2, cells, 8, 3), sqrt((40 * 40 + 80 * 80) / 2.0), 1e-6);
  const double kinds[] = {1, 1, 2, 2, 2, 3, 3, 1};
  expect(along(RA_FILTER_MODE, 5, kinds, 8, 2.5), 2, 0);
  expect(along(RA_FILTER_MODE, 4, kinds, 8, 2), 1, 0);  // two of each: the first
  expect(along(RA_FILTER_MODE, 3, kinds, 8, 6.6), 3, 0);
}

static void a_missing_own_cell_gives_nothing(void **state) {
  (void)state;
  const double cells[] = {1, 2, NAN, 4, 5, 6, 7, 8};
  for (int f = RA_FILTER_CUBIC; f <= RA_FILTER_GAUSS; f++) {
    assert_true(isnan(along((ra_filter)f, 1, cells, 8, 2.5)));
    assert_true(isnan(along((ra_filter)f, 1, cells, 8, 2.05)));
    assert_false(isnan(along((ra_filter)f, 1, cells, 8, 1.95)));
    assert_false(isnan(along((ra_filter)f, 1, cells, 8, 3.05)));
    assert_true(isnan(along((ra_filter)f, 1, cells, 8, -0.5)));
    assert_true(isnan(along((ra_filter)f, 1, cells, 8, 8.5)));
    assert_true(isnan(along((ra_filter)f, 1, cells, 8, NAN)));
  }
}

static void other_missing_cells_do_not_count(void **state) {
  (void)state;
  const double cells[] = {8, 8, NAN, 8, 8, 3, NAN, NAN};
  for (int f = RA_FILTER_CUBIC; f <= RA_FILTER_LANCZOS; f++)
    expect(along((ra_filter)f, 1, cells, 4, 1.75), 8, 1e-6);
  // of Catmull-Rom's (-1, 9, 9, -1) / 16 between cells 4 and 5 the last is missing
  expect(along(RA_FILTER_CUBIC, 1, cells, 8, 5), (-8 + 9 * 8 + 9 * 3) / 17.0, 1e-6);
  expect(along(RA_FILTER_AVERAGE, 4, cells, 8, 2), 8, 1e-9);
  expect(along(RA_FILTER_AVERAGE, 2, cells, 8, 6), 3, 1e-9);
  assert_true(isnan(along(RA_FILTER_AVERAGE, 2, cells, 8, 7)));
  assert_true(isnan(along(RA_FILTER_MODE, 2, cells, 8, 7)));
  expect(along(RA_FILTER_MODE, 2, cells, 8, 5.5), 3, 0);
}

static void wider_pixels_take_more_cells(void **state) {
  (void)state;
  assert_int_equal(ra_filter_reach(RA_FILTER_CUBIC, 0.2), 2);
  assert_int_equal(ra_filter_reach(RA_FILTER_CUBIC, 1.05), 2);  // hardly wider: as it is
  assert_int_equal(ra_filter_reach(RA_FILTER_CUBIC, 4), 8);
  assert_int_equal(ra_filter_reach(RA_FILTER_LANCZOS, 4), 12);
  assert_int_equal(ra_filter_reach(RA_FILTER_AVERAGE, 5), 3);
  assert_int_equal(ra_filter_reach(RA_FILTER_GAUSS, 1e9), RA_FILTER_REACH);
  double cells[PIXELS];
  for (int i = 0; i < PIXELS; i++) cells[i] = i % 2 ? 1 : -1;
  // what changes from cell to cell is smoothed away where four cells make a pixel
  for (int f = RA_FILTER_CUBIC; f <= RA_FILTER_GAUSS; f++)
    expect(along((ra_filter)f, 4, cells, PIXELS, 32.5), 0, 0.02);
}

// Of the kernels here cubic, spline and (after its weights are made up to one, at symmetrical places) all keep a slope.
static void a_plane_stays_a_plane(void **state) {
  (void)state;
  double cells[PIXELS];
  for (int i = 0; i < PIXELS; i++) cells[i] = 3 * i - 7;
  for (int i = 0; i < 40; i++) {
    double x = 12 + 0.97 * i, want = 3 * (x - 0.5) - 7;
    expect(along(RA_FILTER_CUBIC, 1, cells, PIXELS, x), want, 1e-4);
    expect(along(RA_FILTER_CUBIC_SPLINE, 1, cells, PIXELS, x), want, 1e-4);
    expect(along(RA_FILTER_AVERAGE, 3, cells, PIXELS, x), want, 1e-4);
  }
}

static void pairs_and_grids_agree(void **state) {
  (void)state;
  enum { SIDE = 12, N = 9 };
  float cells[SIDE * SIDE];
  for (int i = 0; i < SIDE * SIDE; i++) cells[i] = i % 7 == 3 ? NAN : (float)((i * 37) % 101);
  ra_window window = {.cells = cells, .stride = SIDE, .has_missing = true};
  double x[N], y[N];
  for (int i = 0; i < N; i++) x[i] = 0.4 + 1.31 * i, y[i] = 11.3 - 1.27 * i;
  for (int f = RA_FILTER_CUBIC; f <= RA_FILTER_RMS; f++) {
    ra_filter_taps tx = taps(0, (ra_filter)f, 1.4, SIDE, x, N);
    ra_filter_taps ty = taps(1, (ra_filter)f, 1.4, SIDE, y, N);
    float grid[N * N], pairs[N];
    ra_filter_run(&window, (ra_filter)f, &tx, &ty, false, grid);
    ra_filter_run(&window, (ra_filter)f, &tx, &ty, true, pairs);
    for (int i = 0; i < N; i++) assert_memory_equal(&pairs[i], &grid[i * N + i], sizeof(float));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(catmull_rom),
      cmocka_unit_test(b_spline),
      cmocka_unit_test(lanczos_of_three_lobes),
      cmocka_unit_test(gauss_of_half_a_pixel),
      cmocka_unit_test(shares_of_cells),
      cmocka_unit_test(a_missing_own_cell_gives_nothing),
      cmocka_unit_test(other_missing_cells_do_not_count),
      cmocka_unit_test(wider_pixels_take_more_cells),
      cmocka_unit_test(a_plane_stays_a_plane),
      cmocka_unit_test(pairs_and_grids_agree),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
