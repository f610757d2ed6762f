// Footprints of grids: known boxes, the seam, poles, disks. The peers' judgement is in test_footprint_peers.c.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "geo/crs.h"

static json_t *footprint(const char *definition, const ra_grid *grid, double bbox[4]) {
  ra_crs *crs;
  ra_str text;
  ra_err err = {0};
  ra_str_init(&text);
  if (ra_crs_new(definition, &crs, &err) < 0 || ra_grid_footprint(grid, crs, bbox, &text, &err) < 0) {
    fail_msg("%s: %s", definition, err.message);
  }
  json_t *geometry = json_loads(text.ptr, 0, NULL);
  assert_non_null(geometry);
  ra_str_deinit(&text);
  ra_crs_unref(crs);
  return geometry;
}

static void check_box(const double got[4], double w, double s, double e, double n, double off) {
  const double want[4] = {w, s, e, n};
  for (int i = 0; i < 4; i++) {
    if (!(fabs(got[i] - want[i]) <= off)) {
      fail_msg("%.7f %.7f %.7f %.7f, want %g %g %g %g", got[0], got[1], got[2], got[3], w, s, e, n);
    }
  }
}

static const char *type_of(json_t *geometry) {
  return json_string_value(json_object_get(geometry, "type"));
}

// Every ring is closed, counter-clockwise and within ±180, ±90; returns the number of points.
static size_t check_rings(json_t *geometry) {
  json_t *parts = json_object_get(geometry, "coordinates");
  bool many = !strcmp(type_of(geometry), "MultiPolygon");
  size_t total = 0;
  for (size_t k = 0; k < (many ? json_array_size(parts) : 1); k++) {
    json_t *ring = json_array_get(many ? json_array_get(parts, k) : parts, 0);
    size_t n = json_array_size(ring);
    double area = 0, x0 = 0, y0 = 0;
    assert_true(n >= 4);
    assert_true(json_equal(json_array_get(ring, 0), json_array_get(ring, n - 1)));
    for (size_t i = 0; i < n; i++) {
      double x = json_number_value(json_array_get(json_array_get(ring, i), 0));
      double y = json_number_value(json_array_get(json_array_get(ring, i), 1));
      assert_true(fabs(x) <= 180 && fabs(y) <= 90);
      if (i) area += x0 * y - x * y0;
      x0 = x;
      y0 = y;
    }
    assert_true(area > 0);
    total += n;
  }
  return total;
}

static void boxes_of_degrees(void **state) {
  (void)state;
  static const struct {
    ra_grid grid;
    double box[4];
    const char *type;
  } CASES[] = {
      {{360, 180, {-180, 1, 0, 90, 0, -1}, true}, {-180, -90, 180, 90}, "Polygon"},
      {{360, 180, {0, 1, 0, 90, 0, -1}, true}, {-180, -90, 180, 90}, "Polygon"},
      // Centres at the poles: edges end at 90.
      {{144, 73, {-1.25, 2.5, 0, 91.25, 0, -2.5}, true}, {-180, -90, 180, 90}, "Polygon"},
      {{100, 50, {10, 0.1, 0, 55, 0, -0.1}, false}, {10, 50, 20, 55}, "Polygon"},
      {{100, 50, {370, 0.1, 0, 50, 0, 0.1}, false}, {10, 50, 20, 55}, "Polygon"},
      {{200, 50, {170, 0.1, 0, 55, 0, -0.1}, false}, {170, 50, -170, 55}, "MultiPolygon"},
      {{100, 50, {170, 0.1, 0, 55, 0, -0.1}, false}, {170, 50, 180, 55}, "Polygon"},
      {{100, 50, {180, 0.1, 0, 55, 0, -0.1}, false}, {-180, 50, -170, 55}, "Polygon"},
      {{440, 10, {-60, 1, 0, 5, 0, -1}, false}, {-180, -5, 180, 5}, "Polygon"},
      {{719, 10, {0, 0.5, 0, 5, 0, -1}, false}, {0, -5, -0.5, 5}, "MultiPolygon"},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    double bbox[4];
    const double *want = CASES[i].box;
    json_t *geometry = footprint("EPSG:4326", &CASES[i].grid, bbox);
    check_box(bbox, want[0], want[1], want[2], want[3], 1e-9);
    assert_string_equal(type_of(geometry), CASES[i].type);
    check_rings(geometry);
    json_decref(geometry);
  }
}

static void poles_and_seams_of_projections(void **state) {
  (void)state;
  double bbox[4];
  // The whole of EPSG:3857.
  ra_grid world = {
      1000,
      1000,
      {-20037508.342789244, 40075.016685578488, 0, 20037508.342789244, 0, -40075.016685578488},
      false};
  json_t *geometry = footprint("EPSG:3857", &world, bbox);
  check_box(bbox, -180, -85.0511288, 180, 85.0511288, 1e-6);
  assert_string_equal(type_of(geometry), "Polygon");
  json_decref(geometry);
  // A square round the North Pole: its corners are farthest from it.
  ra_grid pole = {200, 200, {-3000000, 30000, 0, 3000000, 0, -30000}, false};
  geometry = footprint("EPSG:3413", &pole, bbox);
  assert_true(bbox[0] == -180 && bbox[2] == 180 && bbox[3] == 90);
  assert_true(bbox[1] > 50 && bbox[1] < 53);
  assert_string_equal(type_of(geometry), "Polygon");
  assert_true(check_rings(geometry) < 90);
  json_decref(geometry);
  geometry = footprint("EPSG:3031", &pole, bbox);
  assert_true(bbox[0] == -180 && bbox[2] == 180 && bbox[1] == -90 && bbox[3] < -50);
  json_decref(geometry);
  // UTM zone 1 reaches over 180.
  ra_grid zone = {100, 100, {100000, 3000, 0, 500000, 0, -3000}, false};
  geometry = footprint("EPSG:32601", &zone, bbox);
  assert_true(bbox[0] > 179 && bbox[2] < -177);
  assert_string_equal(type_of(geometry), "MultiPolygon");
  check_rings(geometry);
  json_decref(geometry);
}

static void edges_outside_the_projection_are_drawn_in(void **state) {
  (void)state;
  double bbox[4];
  ra_grid disk = {1000, 1000, {-5500000, 11000, 0, 5500000, 0, -11000}, false};
  json_t *geometry =
      footprint("+proj=geos +sweep=x +lon_0=-75 +h=35786023 +ellps=GRS80", &disk, bbox);
  // The limb: 81.3 degrees from the point below the satellite.
  check_box(bbox, -75 - 81.3, -81.2, -75 + 81.3, 81.2, 0.6);
  check_rings(geometry);
  json_decref(geometry);
  ra_grid modis = {4000, 2000, {-20015109, 10007.5, 0, 10007554, 0, -10007.5}, false};
  geometry = footprint("+proj=sinu +lon_0=0 +R=6371007.181", &modis, bbox);
  assert_true(bbox[1] < -89 && bbox[3] > 89);
  json_decref(geometry);
  ra_grid globe = {720, 360, {-180, 0.5, 0, 90, 0, -0.5}, true};
  geometry = footprint(
      "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6371229", &globe, bbox);
  check_box(bbox, -180, -90, 180, 90, 1e-9);
  json_decref(geometry);
}

static void nonsense_is_refused(void **state) {
  (void)state;
  static const ra_grid BAD[] = {{0, 10, {0, 1, 0, 0, 0, -1}, false},
                                {10, 10, {0, 0, 0, 0, 0, -1}, false},
                                {10, 10, {0, 1, 0, 400, 0, -1}, false},
                                {10, 10, {NAN, NAN, 0, 0, 0, -1}, false}};
  ra_crs *crs;
  assert_int_equal(ra_crs_new("EPSG:4326", &crs, NULL), RA_OK);
  for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
    double bbox[4];
    ra_str text;
    ra_err err = {0};
    ra_str_init(&text);
    assert_int_equal(ra_grid_footprint(&BAD[i], crs, bbox, &text, &err), RA_E_INVALID);
    assert_true(strlen(err.message) > 10);
    ra_str_deinit(&text);
  }
  ra_crs_unref(crs);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(boxes_of_degrees),
      cmocka_unit_test(poles_and_seams_of_projections),
      cmocka_unit_test(edges_outside_the_projection_are_drawn_in),
      cmocka_unit_test(nonsense_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
