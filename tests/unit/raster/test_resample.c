// Resampling: values that GDAL 3.6's warper gave for the same raster, and properties that hold for any: a plane stays
// a plane, separable and single positions agree, windows and wrapping change nothing.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "raster/resample.h"

enum { MOST = 4096 };

typedef struct taps_room {
  int32_t nearest[MOST], low[MOST], high[MOST];
  double share[MOST];
} taps_room;

static taps_room rooms[2];
static double scratch_room[8 * MOST];

static ra_taps taps(int room, const ra_axis *axis, const double *positions, size_t n) {
  taps_room *r = &rooms[room];
  ra_taps t = {.count = n, .nearest = r->nearest, .low = r->low, .high = r->high, .share = r->share};
  ra_taps_fill(&t, axis, positions);
  return t;
}

static bool same(double a, double b, double within) {
  return (isnan(a) && isnan(b)) || fabs(a - b) <= within;
}

// 4 x 4 cells 0, 10 … 150 with cell (1,1) missing, on 16 x 16 pixels; rows 3 and 8 of gdal.Warp(…, "bilinear").
static void gdal_beside_a_missing_cell(void **state) {
  (void)state;
  static const double row3[] = {15,        15,        14.590164, 13.636364, 12.448979, 10.930233,
                                14.651163, 22.244898, 28.181818, 32.95082,  36.25,     38.75,
                                41.25,     43.75,     45,        45};
  static const double row8[] = {65,       65,       67.04918, 71.818184, 77.755104, 85.34884,
                                89.06977, 87.55102, 86.36364, 85.409836, 86.25,     88.75,
                                91.25,    93.75,    95,       95};
  float cells[16];
  for (int i = 0; i < 16; i++) cells[i] = (float)(10 * i);
  cells[5] = NAN;
  double at[16];
  for (int i = 0; i < 16; i++) at[i] = (i + 0.5) / 4;
  ra_axis axis = ra_axis_plain(4, false);
  ra_window window = {.cells = cells, .stride = 4, .has_missing = true};
  ra_taps x = taps(0, &axis, at, 16), y = taps(1, &axis, at, 16);
  float out[256];
  ra_resample_grid(&window, &x, &y, true, scratch_room, out);
  for (size_t i = 0; i < 16; i++) {
    assert_true(same(out[3 * 16 + i], row3[i], 1e-5));
    assert_true(same(out[8 * 16 + i], row8[i], 1e-5));
    for (size_t j = 0; j < 16; j++) {
      bool inside = i >= 4 && i < 8 && j >= 4 && j < 8;
      assert_int_equal(isnan(out[j * 16 + i]), inside);
    }
  }
}

static void nearest_is_the_cell_that_holds_it(void **state) {
  (void)state;
  const double cells[] = {1, 2, 3, 4, 5, 6};
  const double x_at[] = {0, 0.99, 1, 2.999, 3, -0.001, 3.001, NAN};
  const double y_at[] = {0.5, 1.5, 2, -1};
  ra_axis x_axis = ra_axis_plain(3, false), y_axis = ra_axis_plain(2, false);
  ra_window window = {.cells = cells, .is_double = true, .stride = 3};
  ra_taps x = taps(0, &x_axis, x_at, 8), y = taps(1, &y_axis, y_at, 4);
  double out[32];
  ra_resample_grid(&window, &x, &y, false, NULL, out);
  const double expected[] = {1, 1, 2, 3, 3, NAN, NAN, NAN};
  for (int i = 0; i < 8; i++) {
    assert_true(same(out[i], expected[i], 0));
    assert_true(same(out[8 + i], expected[i] + 3, 0));
    assert_true(same(out[16 + i], expected[i] + 3, 0));  // the very edge belongs to the last cell
    assert_true(isnan(out[24 + i]));
  }
}

static double random_share(void) { return rand() / (double)RAND_MAX; }

// Bilinear reproduces a + bx + cy between the outer centres, whatever the positions.
static void a_plane_stays_a_plane(void **state) {
  (void)state;
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  srand(seed);
  enum { W = 37, H = 23, N = 101 };
  double cells[W * H], x_at[N], y_at[N], out[N * N];
  for (int y = 0; y < H; y++) {
    for (int x = 0; x < W; x++) cells[y * W + x] = 3 + 0.5 * (x + 0.5) - 2 * (y + 0.5);
  }
  for (int i = 0; i < N; i++) x_at[i] = 0.5 + random_share() * (W - 1);
  for (int i = 0; i < N; i++) y_at[i] = 0.5 + random_share() * (H - 1);
  ra_axis x_axis = ra_axis_plain(W, false), y_axis = ra_axis_plain(H, false);
  for (int missing = 0; missing < 2; missing++) {  // both kinds of loops
    ra_window window = {.cells = cells, .is_double = true, .stride = W, .has_missing = missing != 0};
    ra_taps x = taps(0, &x_axis, x_at, N), y = taps(1, &y_axis, y_at, N);
    ra_resample_grid(&window, &x, &y, true, scratch_room, out);
    for (int i = 0; i < N * N; i++) {
      assert_true(same(out[i], 3 + 0.5 * x_at[i % N] - 2 * y_at[i / N], 1e-10));
    }
  }
}

// A random raster with holes, sampled whole, through a window, position by position, and shifted around its seam.
static void windows_points_and_seams_agree(void **state) {
  (void)state;
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  srand(seed);
  enum { W = 48, H = 31, N = 64 };
  for (int round = 0; round < 40; round++) {
    bool wraps = round % 2, bilinear = round / 2 % 2;
    float cells[W * H];
    for (int i = 0; i < W * H; i++) cells[i] = rand() % 5 == 0 ? NAN : (float)(rand() % 1000);
    double x0 = random_share() * W, y0 = random_share() * H * 0.8, step = 0.05 + random_share() * 0.4;
    double x_at[N], y_at[N];
    for (int i = 0; i < N; i++) x_at[i] = x0 + i * step, y_at[i] = y0 + i * step;
    double x_most = 0, y_most = 0;
    for (int i = 0; i < N; i++) {
      double x_end = wraps ? 2 * W : W;
      if (x_at[i] <= x_end) x_most = x_at[i];
      if (y_at[i] <= H) y_most = y_at[i];
    }
    ra_axis x_axis = ra_axis_plain(W, wraps), y_axis = ra_axis_plain(H, false);
    int64_t c0, c1, r0, r1;
    ra_axis_reach(&x_axis, bilinear, x0, x_most, &c0, &c1);
    ra_axis_reach(&y_axis, bilinear, y0, y_most, &r0, &r1);
    size_t width = (size_t)(c1 - c0), height = (size_t)(r1 - r0);
    float *part = malloc(width * height * sizeof *part);
    for (size_t r = 0; r < height; r++) {
      for (size_t c = 0; c < width; c++) {
        part[r * width + c] = cells[(r0 + (int64_t)r) * W + (c0 + (int64_t)c + W) % W];
      }
    }
    x_axis.origin = c0, y_axis.origin = r0;
    ra_window window = {.cells = part, .stride = width, .has_missing = true};
    ra_taps x = taps(0, &x_axis, x_at, N), y = taps(1, &y_axis, y_at, N);
    float grid[N * N], points[N * N];
    double xs[N * N], ys[N * N];
    for (int i = 0; i < N * N; i++) xs[i] = x_at[i % N], ys[i] = y_at[i / N];
    ra_resample_grid(&window, &x, &y, bilinear, scratch_room, grid);
    ra_resample_points(&window, &x_axis, &y_axis, xs, ys, N * N, bilinear, points);
    for (int i = 0; i < N * N; i++) {
      assert_true(same(grid[i], points[i], 0));
      if (ys[i] > H || (!wraps && xs[i] > W)) {
        assert_true(isnan(grid[i]));
        continue;
      }
      int column = (int)floor(xs[i]) % W, row = (int)floor(ys[i]);
      float cell = cells[row * W + column];
      if (!bilinear) assert_true(same(grid[i], cell, 0));
      assert_int_equal(isnan(grid[i]), isnan(cell));
    }
    free(part);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gdal_beside_a_missing_cell),
      cmocka_unit_test(nearest_is_the_cell_that_holds_it),
      cmocka_unit_test(a_plane_stays_a_plane),
      cmocka_unit_test(windows_points_and_seams_agree),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
