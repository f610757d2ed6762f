// Where pixels fall in a source grid: against the formula of Web Mercator, and against PROJ asked for every pixel.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "geo/warp.h"
#include "random.h"

static ra_crs *crs_of(const char *definition) {
  ra_crs *crs;
  ra_err err = {0};
  if (ra_crs_new(definition, &crs, &err) < 0) fail_msg("%s: %s", definition, err.message);
  return crs;
}

static ra_grid grid_of(int64_t width, int64_t height, double west, double north, double dx,
                       double dy, bool wraps) {
  return (ra_grid){width, height, {west, dx, 0, north, 0, -dy}, wraps};
}

static void warp_tile(unsigned z, uint32_t x, uint32_t y, uint32_t size, const char *src,
                      const ra_grid *grid, ra_arena *arena, ra_warp *warp) {
  ra_crs *mercator = crs_of("EPSG:3857"), *crs = crs_of(src);
  double gt[6];
  ra_err err = {0};
  assert_int_equal(ra_mercator_tile(z, x, y, size, gt, &err), RA_OK);
  if (ra_warp_new(mercator, gt, size, size, crs, grid, 0.125, arena, warp, &err) < 0) {
    fail_msg("%s", err.message);
  }
  ra_crs_unref(mercator);
  ra_crs_unref(crs);
}

static void tiles_lie_where_the_standard_says(void **state) {
  (void)state;
  double gt[6], right[6];
  assert_int_equal(ra_mercator_tile(0, 0, 0, 256, gt, NULL), RA_OK);
  assert_true(fabs(gt[0] + 20037508.3427892) < 1e-6 && fabs(gt[3] - 20037508.3427892) < 1e-6);
  assert_true(fabs(gt[1] - 156543.033928041) < 1e-8 && gt[5] == -gt[1]);
  assert_int_equal(ra_mercator_tile(24, 1, 0, 256, gt, NULL), RA_OK);
  assert_int_equal(ra_mercator_tile(24, 2, 0, 256, right, NULL), RA_OK);
  assert_true(fabs(gt[0] + 256 * gt[1] - right[0]) < 1e-8);
  ra_err err;
  assert_int_equal(ra_mercator_tile(1, 2, 0, 256, gt, &err), RA_E_INVALID);
  assert_int_equal(ra_mercator_tile(1, 0, 2, 256, gt, &err), RA_E_INVALID);
  assert_int_equal(ra_mercator_tile(31, 0, 0, 256, gt, &err), RA_E_INVALID);
}

static void degrees_are_exact_and_separable(void **state) {
  (void)state;
  ra_arena arena;
  ra_warp warp;
  ra_arena_init(&arena, 0);
  ra_grid grid = grid_of(360, 180, -180, 90, 1, 1, true);
  warp_tile(3, 5, 2, 256, "EPSG:4326", &grid, &arena, &warp);
  assert_true(warp.separable);
  for (int i = 0; i < 256; i++) {
    double lon = -180 + 360.0 * (5 * 256 + i + 0.5) / 2048;
    double lat = atan(sinh(M_PI * (1 - 2 * (2 * 256 + i + 0.5) / 2048))) * 180 / M_PI;
    assert_true(fabs(warp.x[i] - (lon + 180)) < 1e-9);
    assert_true(fabs(warp.y[i] - (90 - lat)) < 1e-9);
  }
  assert_true(fabs(warp.x_step - 360.0 / 2048) < 1e-9);
  assert_true(warp.y_step > 0.07 && warp.y_step < 0.133);
  // Tile 3/5/2 covers 45..90 E, 40.98..66.51 N.
  assert_int_equal(warp.x0, 225);
  assert_int_equal(warp.x1, 270);
  assert_int_equal(warp.y0, 23);
  assert_int_equal(warp.y1, 49);
  ra_arena_deinit(&arena);
}

// Longitudes in any range of a source are found in the same place.
static void longitudes_wrap_in_one_place(void **state) {
  (void)state;
  static const struct {
    double west;
    int64_t width;
    bool wraps;
  } GRIDS[] = {{-180, 360, true}, {0, 360, true},    {-0.5, 360, true}, {100, 360, true},
               {-60, 440, false}, {350, 30, false},  {-190, 30, false}, {170, 30, false},
               {-550, 30, false}, {530.5, 30, false}};
  for (size_t g = 0; g < sizeof GRIDS / sizeof *GRIDS; g++) {
    ra_grid grid = grid_of(GRIDS[g].width, 180, GRIDS[g].west, 90, 1, 1, GRIDS[g].wraps);
    for (uint32_t column = 0; column < 4; column++) {
      ra_arena arena;
      ra_warp warp;
      ra_arena_init(&arena, 0);
      warp_tile(2, column, 1, 256, "EPSG:4326", &grid, &arena, &warp);
      for (int i = 0; i < 256; i++) {
        double lon = -180 + 360.0 * (column * 256 + i + 0.5) / 1024;
        double from = remainder(lon - grid.gt[0], 360);
        bool want = false;
        for (int turn = -2; turn <= 2; turn++) {
          double at = from + 360 * turn;
          want = want || (at >= 0 && at < (double)grid.width);
        }
        bool got = warp.x[i] >= 0 && warp.x[i] < (double)grid.width;
        assert_int_equal(got, want);
        if (!want) continue;
        assert_true(fabs(remainder(grid.gt[0] + warp.x[i] - lon, 360)) < 1e-9);
        int64_t cell = (int64_t)warp.x[i];
        bool held = (cell >= warp.x0 && cell < warp.x1) ||
                    (grid.wraps && cell + grid.width >= warp.x0 && cell + grid.width < warp.x1);
        assert_true(held);
      }
      ra_arena_deinit(&arena);
    }
  }
}

static void seam_window_crosses_the_seam(void **state) {
  (void)state;
  ra_arena arena;
  ra_warp warp;
  ra_arena_init(&arena, 0);
  ra_grid grid = grid_of(360, 180, -0.5, 90, 1, 1, true);
  // 0..0.703 E: columns 0 and 1. The tile left of it, -0.703..0: columns 359 (left of -0.5) and 0.
  warp_tile(9, 255, 200, 256, "EPSG:4326", &grid, &arena, &warp);
  assert_int_equal(warp.x0, 359);
  assert_int_equal(warp.x1, 361);
  ra_arena_deinit(&arena);
}

static void same_crs_needs_no_projection(void **state) {
  (void)state;
  ra_arena arena;
  ra_warp warp;
  ra_arena_init(&arena, 0);
  ra_grid grid = grid_of(1000, 1000, -20037508.342789244, 20037508.342789244, 40075.016685578488,
                         40075.016685578488, false);
  warp_tile(1, 1, 1, 500, "EPSG:3857", &grid, &arena, &warp);
  assert_true(warp.separable);
  for (int i = 0; i < 500; i++) {
    assert_true(fabs(warp.x[i] - (500 + i + 0.5)) < 1e-8);
    assert_true(fabs(warp.y[i] - (500 + i + 0.5)) < 1e-8);
  }
  assert_true(fabs(warp.x_step - 1) < 1e-9);
  ra_arena_deinit(&arena);
}

typedef struct source {
  const char *name, *crs;
  ra_grid grid;
  unsigned z;
  uint32_t x, y;
} source;

// Source cells that a pixel spans at (c, r), by PROJ.
static double local_step(const double *at, uint32_t size, uint32_t c, uint32_t r, double turn) {
  double here = at[r * size + c], step = 0;
  uint32_t next_c = c + 1 < size ? c + 1 : c - 1, next_r = r + 1 < size ? r + 1 : r - 1;
  double across = fabs(remainder(at[r * size + next_c] - here, turn));
  double down = fabs(remainder(at[next_r * size + c] - here, turn));
  if (across > step) step = across;
  if (down > step) step = down;
  return step;
}

static bool window_holds(const ra_warp *warp, const ra_grid *grid, double x, double y) {
  int64_t column = (int64_t)x, row = (int64_t)y;
  bool held =
      (column >= warp->x0 && column < warp->x1) || (grid->wraps && column + grid->width < warp->x1);
  return held && row >= warp->y0 && row < warp->y1;
}

// PROJ asked for each pixel; the mesh has to agree to an eighth of a pixel, and in what has no image at all.
static void compare_with_proj(const source *src, uint32_t size) {
  ra_arena arena;
  ra_warp warp;
  double gt[6];
  ra_arena_init(&arena, 0);
  ra_crs *mercator = crs_of("EPSG:3857"), *crs = crs_of(src->crs);
  ra_transform *transform;
  assert_int_equal(ra_transform_get(mercator, crs, &transform, NULL), RA_OK);
  warp_tile(src->z, src->x, src->y, size, src->crs, &src->grid, &arena, &warp);
  assert_int_equal(ra_mercator_tile(src->z, src->x, src->y, size, gt, NULL), RA_OK);
  const double *s = src->grid.gt;
  uint32_t n = size * size;
  double *x = ra_arena_calloc(&arena, n, sizeof *x), *y = ra_arena_calloc(&arena, n, sizeof *y);
  for (uint32_t i = 0; i < n; i++) {
    x[i] = gt[0] + (i % size + 0.5) * gt[1];
    y[i] = gt[3] + (i / size + 0.5) * gt[5];
  }
  ra_transform_points(transform, n, x, y);
  for (uint32_t i = 0; i < n; i++) {
    x[i] = (x[i] - s[0]) / s[1];
    y[i] = (y[i] - s[3]) / s[5];
  }
  bool angular = ra_crs_is_rotated_pole(crs) || ra_crs_is_geographic(crs);
  double turn = angular ? 360 / s[1] : 1e300, worst = 0;
  size_t lost = 0, missed = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t c = i % size, r = i / size;
    double gx = warp.x[warp.separable ? c : i], gy = warp.y[warp.separable ? r : i];
    bool in = gy >= 0 && gy < (double)src->grid.height && gx >= 0 && gx < (double)src->grid.width;
    bool real = y[i] >= 0 && y[i] < (double)src->grid.height &&
                (angular || (x[i] >= 0 && x[i] < (double)src->grid.width));
    if (isnan(gx) || isnan(x[i])) {
      lost += isnan(gx) != isnan(x[i]) && (in || real);
      continue;
    }
    if (!in) continue;
    double ex = fabs(remainder(gx - x[i], turn)) / local_step(x, size, c, r, turn);
    double ey = fabs(gy - y[i]) / local_step(y, size, c, r, 1e300);
    if (ex > worst) worst = ex;
    if (ey > worst) worst = ey;
    missed += !window_holds(&warp, &src->grid, gx, gy);
  }
  if (worst > 0.125 || lost || missed) {
    fail_msg("%s %u/%u/%u size %u: %.3f px, %zu lost, %zu not in the window", src->name, src->z,
             src->x, src->y, size, worst, lost, missed);
  }
  ra_crs_unref(mercator);
  ra_crs_unref(crs);
  ra_arena_deinit(&arena);
}

#define LCC "+proj=lcc +lat_0=63 +lon_0=15 +lat_1=63 +lat_2=63 +R=6371000"
#define POLAR "+proj=stere +lat_0=90 +lon_0=-35 +k=1 +R=6378169"
#define ROTATED "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +datum=WGS84"
#define SINUSOIDAL "+proj=sinu +lon_0=60 +R=6371007.181"
#define DISK "+proj=geos +sweep=x +lon_0=-75 +h=35786023 +ellps=GRS80"

static source SOURCES[] = {
    {"lcc", LCC, {1000, 1000, {-1500000, 3000, 0, 1500000, 0, -3000}, false}, 3, 4, 1},
    {"lcc close", LCC, {1000, 1000, {-1500000, 3000, 0, 1500000, 0, -3000}, false}, 7, 69, 35},
    {"polar", POLAR, {512, 320, {-2281878, 17700, 0, -981693, 0, -17700}, false}, 2, 1, 1},
    {"polar all", POLAR, {1000, 1000, {-9000000, 18000, 0, 9000000, 0, -18000}, false}, 0, 0, 0},
    {"rotated", ROTATED, {424, 412, {-28.43, 0.11, 0, 21.89, 0, -0.11}, false}, 3, 4, 2},
    {"rotated far turn", ROTATED, {424, 412, {331.57, 0.11, 0, 21.89, 0, -0.11}, false}, 3, 4, 2},
    {"rotated globe", ROTATED, {720, 360, {-180, 0.5, 0, 90, 0, -0.5}, true}, 0, 0, 0},
    {"rotated globe close", ROTATED, {720, 360, {-180, 0.5, 0, 90, 0, -0.5}, true}, 4, 8, 4},
    {"sinusoidal",
     SINUSOIDAL,
     {4000, 2000, {-20015109, 10007.5, 0, 10007554, 0, -10007.5}, false},
     0,
     0,
     0},
    {"sinusoidal rim",
     SINUSOIDAL,
     {4000, 2000, {-20015109, 10007.5, 0, 10007554, 0, -10007.5}, false},
     2,
     0,
     1},
    {"disk", DISK, {1000, 1000, {-5500000, 11000, 0, 5500000, 0, -11000}, false}, 0, 0, 0},
    {"disk rim", DISK, {1000, 1000, {-5500000, 11000, 0, 5500000, 0, -11000}, false}, 4, 1, 7},
    {"utm", "EPSG:32618", {1000, 1000, {300000, 300, 0, 4700000, 0, -300}, false}, 8, 74, 96},
    {"mercator of a sphere",
     "+proj=merc +lon_0=30 +R=6371229",
     {1000, 1000, {-10000000, 20000, 0, 10000000, 0, -20000}, false},
     1,
     1,
     0},
    {"nad27", "EPSG:4267", {600, 300, {-130, 0.1, 0, 50, 0, -0.1}, false}, 5, 8, 12},
};

static void the_mesh_is_within_an_eighth_of_a_pixel(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof SOURCES / sizeof *SOURCES; i++) {
    compare_with_proj(&SOURCES[i], 256);
    compare_with_proj(&SOURCES[i], 100);
  }
}

static void random_tiles_are_within_an_eighth_of_a_pixel(void **state) {
  (void)state;
  unsigned seed = (unsigned)test_seed("random_tiles");
  for (int i = 0; i < 40; i++) {
    source src = SOURCES[(size_t)rand_r(&seed) % (sizeof SOURCES / sizeof *SOURCES)];
    src.z = (unsigned)rand_r(&seed) % 9;
    src.x = (uint32_t)rand_r(&seed) % (1u << src.z);
    src.y = (uint32_t)rand_r(&seed) % (1u << src.z);
    compare_with_proj(&src, 64 + (uint32_t)rand_r(&seed) % 200);
  }
}

// A tile of 512 pixels is the same as its four tiles of 256, pixel by pixel.
static void a_big_tile_is_its_four_parts(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof SOURCES / sizeof *SOURCES; i++) {
    const source *src = &SOURCES[i];
    ra_arena arena;
    ra_warp whole, part;
    ra_arena_init(&arena, 0);
    warp_tile(src->z, src->x, src->y, 512, src->crs, &src->grid, &arena, &whole);
    for (uint32_t q = 0; q < 4; q++) {
      uint32_t dx = q % 2, dy = q / 2;
      warp_tile(src->z + 1, 2 * src->x + dx, 2 * src->y + dy, 256, src->crs, &src->grid, &arena,
                &part);
      for (uint32_t k = 0; k < 256 * 256; k++) {
        uint32_t c = k % 256, r = k / 256, wc = c + 256 * dx, wr = r + 256 * dy;
        double x = part.x[part.separable ? c : k], y = part.y[part.separable ? r : k];
        double wx = whole.x[whole.separable ? wc : wr * 512 + wc];
        double wy = whole.y[whole.separable ? wr : wr * 512 + wc];
        if (isnan(x) && isnan(wx)) continue;
        if (fabs(x - wx) > 1e-6 || fabs(y - wy) > 1e-6) {
          // Positions outside the grid need not agree.
          bool in =
              wx >= 0 && wx < (double)src->grid.width && wy >= 0 && wy < (double)src->grid.height;
          if (in)
            fail_msg("%s: %u,%u of part %u: %g %g, whole %g %g", src->name, c, r, q, x, y, wx, wy);
        }
      }
    }
    ra_arena_deinit(&arena);
  }
}

static void points_find_their_cell(void **state) {
  (void)state;
  ra_crs *degrees = crs_of("EPSG:4326"), *lcc = crs_of(LCC);
  ra_grid globe = grid_of(144, 73, -1.25, 91.25, 2.5, 2.5, true);
  double x, y;
  bool inside;
  assert_int_equal(ra_warp_point(-1, 0, degrees, &globe, &x, &y, &inside, NULL), RA_OK);
  assert_true(inside && (int)x == 0 && (int)y == 36);
  assert_int_equal(ra_warp_point(359, 0, degrees, &globe, &x, &y, &inside, NULL), RA_OK);
  assert_true(inside && (int)x == 0);
  assert_int_equal(ra_warp_point(-10, 0, degrees, &globe, &x, &y, &inside, NULL), RA_OK);
  assert_true(inside && (int)x == 140);
  ra_grid small = {141, 151, {-698692.1875, 2500, 0, 146928, 0, -2500}, false};
  assert_int_equal(ra_warp_point(15, 63, lcc, &small, &x, &y, &inside, NULL), RA_OK);
  assert_false(inside);
  assert_true(fabs(x - 279.476875) < 1e-6 && fabs(y - 58.7712) < 1e-6);
  ra_crs_unref(degrees);
  ra_crs_unref(lcc);
  assert_true(fabs(ra_geo_distance(0, 0, 180, 0) - M_PI * 6371008.8) < 1e-3);
  assert_true(fabs(ra_geo_distance(10, 89, 190, 89) - 2 * M_PI / 180 * 6371008.8) < 1e-3);
  assert_true(ra_geo_distance(359.5, 10, -0.5, 10) < 1e-6);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tiles_lie_where_the_standard_says),
      cmocka_unit_test(degrees_are_exact_and_separable),
      cmocka_unit_test(longitudes_wrap_in_one_place),
      cmocka_unit_test(seam_window_crosses_the_seam),
      cmocka_unit_test(same_crs_needs_no_projection),
      cmocka_unit_test(the_mesh_is_within_an_eighth_of_a_pixel),
      cmocka_unit_test(random_tiles_are_within_an_eighth_of_a_pixel),
      cmocka_unit_test(a_big_tile_is_its_four_parts),
      cmocka_unit_test(points_find_their_cell),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
