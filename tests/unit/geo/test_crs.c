// CRSs from definitions and from CF grid mappings; transforms. Expected coordinates: pyproj 3.7 with PROJ 9.5.
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cf_attributes.h"
#include "geo/crs.h"

static ra_crs *crs_of(const char *definition) {
  ra_crs *crs;
  ra_err err = {0};
  if (ra_crs_new(definition, &crs, &err) < 0) fail_msg("%s: %s", definition, err.message);
  return crs;
}

static int epsg_of(const char *definition) {
  ra_crs *crs = crs_of(definition);
  int epsg = ra_crs_epsg(crs);
  ra_crs_unref(crs);
  return epsg;
}

static void epsg_codes_are_exact(void **state) {
  (void)state;
  assert_int_equal(epsg_of("EPSG:4326"), 4326);
  assert_int_equal(epsg_of("OGC:CRS84"), 4326);
  assert_int_equal(epsg_of("+init=epsg:3857"), 3857);
  assert_int_equal(epsg_of("+proj=utm +zone=18 +datum=WGS84 +units=m"), 32618);
  assert_int_equal(epsg_of("+proj=longlat +R=6371229"), 0);
  assert_int_equal(epsg_of("+proj=tmerc +lon_0=-75 +k=0.9996 +x_0=500000 +R=6371229"), 0);
  assert_int_equal(epsg_of("+proj=lcc +lat_1=49 +lat_2=46 +lat_0=47.5 +lon_0=13.33 +datum=WGS84"), 0);
  assert_int_equal(epsg_of("EPSG:4326+5773"), 4326);
}

static void facts_of_a_crs(void **state) {
  (void)state;
  ra_crs *degrees = crs_of("EPSG:4326"), *sphere = crs_of("+proj=longlat +R=6371229");
  ra_crs *rotated =
      crs_of("+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +R=6371229");
  ra_crs *mercator = crs_of("EPSG:3857"), *again = crs_of("+proj=longlat +datum=WGS84");
  assert_true(ra_crs_is_geographic(degrees) && ra_crs_is_geographic(sphere));
  assert_false(ra_crs_is_geographic(rotated) || ra_crs_is_geographic(mercator));
  assert_true(ra_crs_is_rotated_pole(rotated));
  assert_false(ra_crs_is_rotated_pole(degrees) || ra_crs_is_rotated_pole(mercator));
  assert_true(ra_crs_equal(degrees, again));
  assert_string_equal(ra_crs_wkt2(degrees), ra_crs_wkt2(again));
  assert_false(ra_crs_equal(degrees, sphere));
  assert_null(strchr(ra_crs_wkt2(mercator), '\n'));
  assert_null(strchr(ra_crs_projjson(mercator), '\n'));
  assert_string_equal(ra_crs_name(mercator), "WGS 84 / Pseudo-Mercator");
  ra_crs *held = ra_crs_ref(sphere);
  ra_crs_unref(sphere);
  assert_int_equal(ra_crs_epsg(held), 0);
  ra_crs *const all[] = {degrees, held, rotated, mercator, again};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) ra_crs_unref(all[i]);
}

// PROJ 9.1 crashes when asked which code this has.
#define GEOCENTRIC_BASE                                                                    \
  "PROJCRS[\"x\",BASEGEODCRS[\"y\",DATUM[\"z\",ELLIPSOID[\"e\",6378137,298.25]],"          \
  "CS[Cartesian,3],AXIS[\"(X)\",geocentricX],AXIS[\"(Y)\",geocentricY],"                   \
  "AXIS[\"(Z)\",geocentricZ],LENGTHUNIT[\"metre\",1]],CONVERSION[\"c\","                   \
  "METHOD[\"Transverse Mercator\",ID[\"EPSG\",9807]]],CS[Cartesian,2],AXIS[\"(E)\",east]," \
  "AXIS[\"(N)\",north],LENGTHUNIT[\"metre\",1]]"

static void what_is_no_map_crs_is_refused(void **state) {
  (void)state;
  static const char *const BAD[] = {"",
                                    "hello",
                                    "EPSG:999999",
                                    "EPSG:4978",
                                    "EPSG:5773",
                                    "+proj=nonsense",
                                    "GEOGCRS[\"x\"",
                                    GEOCENTRIC_BASE,
                                    "LOCAL_CS[\"x\",UNIT[\"m\",1]]"};
  for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
    ra_crs *crs;
    ra_err err = {0};
    assert_int_equal(ra_crs_new(BAD[i], &crs, &err), RA_E_INVALID);
    assert_null(crs);
    assert_true(strlen(err.message) > 10);
  }
}

static void move(const char *from, const char *to, double x, double y, double wx, double wy,
                 double tolerance) {
  ra_crs *src = crs_of(from), *dst = crs_of(to);
  ra_transform *transform;
  ra_err err = {0};
  assert_int_equal(ra_transform_get(src, dst, &transform, &err), RA_OK);
  assert_int_equal(ra_transform_points(transform, 1, &x, &y), 0);
  if (!(fabs(x - wx) <= tolerance && fabs(y - wy) <= tolerance)) {
    fail_msg("%s to %s: %.10g %.10g, want %.10g %.10g", from, to, x, y, wx, wy);
  }
  ra_crs_unref(src);
  ra_crs_unref(dst);
}

static void points_are_x_before_y(void **state) {
  (void)state;
  move("EPSG:4326", "EPSG:3857", 180, 0, 20037508.342789244, 0, 1e-6);
  move("EPSG:4326", "EPSG:3857", 10, 50, 1113194.9079327357, 6446275.841017161, 1e-6);
  move("EPSG:3857", "EPSG:4326", 1113194.9079327357, 6446275.841017161, 10, 50, 1e-10);
  // Its axes are northing, easting in the register.
  move("EPSG:4326", "EPSG:3035", 10, 52, 4321000, 3210000, 1e-6);
  move("EPSG:4326", "EPSG:32618", -75, 0, 500000, 0, 1e-6);
  // A sphere's latitudes are taken as they are.
  move("+proj=longlat +R=6371229", "EPSG:4326", 10, 50, 10, 50, 1e-12);
  move("EPSG:4326", "+proj=stere +lat_0=90 +lon_0=0 +R=6371229", 0, 0, 0, -2 * 6371229.0, 1e-3);
}

static void places_without_image_are_nan(void **state) {
  (void)state;
  ra_crs *degrees = crs_of("EPSG:4326"), *disk = crs_of("+proj=ortho +lat_0=0 +lon_0=0 +R=6371000");
  ra_transform *transform;
  double x[3] = {0, 120, 10}, y[3] = {0, 0, 10};
  assert_int_equal(ra_transform_new(degrees, disk, &transform, NULL), RA_OK);
  assert_int_equal(ra_transform_points(transform, 3, x, y), 1);
  assert_true(isnan(x[1]) && isnan(y[1]));
  assert_true(fabs(x[0]) < 1e-9 && fabs(x[2] - 6371000 * cos(M_PI / 18) * sin(M_PI / 18)) < 1e-3);
  ra_transform_free(transform);
  ra_crs_unref(degrees);
  ra_crs_unref(disk);
}

static void files_outside_proj_are_never_read(void **state) {
  (void)state;
  ra_crs *crs = NULL;
  ra_transform *transform = NULL;
  ra_crs *degrees = crs_of("EPSG:4326");
  assert_int_equal(ra_crs_new("+init=/etc/passwd:root", &crs, NULL), RA_E_INVALID);
  if (ra_crs_new("+proj=longlat +ellps=GRS80 +nadgrids=/etc/passwd", &crs, NULL) == RA_OK) {
    double x = 10, y = 50;
    if (ra_transform_new(crs, degrees, &transform, NULL) == RA_OK) {
      ra_transform_points(transform, 1, &x, &y);
    }
    ra_transform_free(transform);
  }
  ra_crs_unref(crs);
  ra_crs_unref(degrees);
}

static void *use_many(void *arg) {
  static const char *const NAMES[] = {
      "EPSG:3857", "EPSG:3035", "EPSG:32618", "EPSG:4326", "+proj=longlat +R=6371229", "EPSG:3413"};
  size_t *wrong = arg;
  for (int i = 0; i < 60; i++) {
    ra_crs *from = NULL, *to = NULL;
    ra_transform *there, *back;
    double x = 12, y = 60;
    if (ra_crs_new("EPSG:4326", &from, NULL) < 0 || ra_crs_new(NAMES[i % 6], &to, NULL) < 0 ||
        ra_transform_get(from, to, &there, NULL) < 0 ||
        ra_transform_get(to, from, &back, NULL) < 0 || ra_transform_points(there, 1, &x, &y) ||
        ra_transform_points(back, 1, &x, &y) || fabs(x - 12) > 1e-7 || fabs(y - 60) > 1e-7) {
      (*wrong)++;
    }
    ra_crs_unref(from);
    ra_crs_unref(to);
  }
  return NULL;
}

static void threads_have_their_own_transforms(void **state) {
  (void)state;
  pthread_t threads[4];
  size_t wrong[4] = {0};
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, use_many, &wrong[i]), 0);
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(wrong[i], 0);
  }
}

// A place in degrees, by its grid mapping, has the projection coordinates px, py (pyproj's).
static void mapping(const char *text, const char *units, double lon, double lat, double px,
                    double py, double want_scale) {
  ra_crs *crs, *degrees = crs_of("EPSG:4326");
  ra_transform *transform;
  ra_err err = {0};
  double scale;
  if (cf_attributes_read(text, units, &crs, &scale, &err) < 0)
    fail_msg("%s: %s", text, err.message);
  assert_true(fabs(scale - want_scale) < 1e-12 * want_scale);
  assert_int_equal(ra_transform_get(degrees, crs, &transform, &err), RA_OK);
  ra_transform_points(transform, 1, &lon, &lat);
  if (!(fabs(lon - px) <= 1e-3 && fabs(lat - py) <= 1e-3)) {
    fail_msg("%s: %.9g %.9g, want %.9g %.9g", text, lon, lat, px, py);
  }
  ra_crs_unref(crs);
  ra_crs_unref(degrees);
}

static void mappings_of_appendix_f(void **state) {
  (void)state;
  mapping(
      "grid_mapping_name=latitude_longitude\n"
      "earth_radius=6371229.0\n",
      "degrees", 10, 50, 10.000000000, 50.000000000, 1);
  mapping(
      "grid_mapping_name=transverse_mercator\n"
      "latitude_of_projection_origin=49.0\n"
      "longitude_of_central_meridian=-2.0\n"
      "scale_factor_at_central_meridian=0.9996012717\n"
      "false_easting=400000.0\n"
      "false_northing=-100000.0\n"
      "semi_major_axis=6377563.396\n"
      "semi_minor_axis=6356256.91\n",
      "m", -3.5, 55.2, 304538.106440550, 590558.004980397, 1);
  mapping(
      "grid_mapping_name=lambert_conformal_conic\n"
      "standard_parallel=33.0 45.0\n"
      "longitude_of_central_meridian=263.0\n"
      "latitude_of_projection_origin=40.0\n"
      "earth_radius=6371200.0\n",
      "km", -90, 30, 677916.930458222, -1083879.165580642, 1000);
  mapping(
      "grid_mapping_name=lambert_conformal_conic\n"
      "standard_parallel=25.0\n"
      "longitude_of_central_meridian=-95.0\n"
      "latitude_of_projection_origin=25.0\n",
      "m", -100, 40, -442566.237692212, 1691545.777721123, 1);
  mapping(
      "grid_mapping_name=albers_conical_equal_area\n"
      "standard_parallel=29.5 45.5\n"
      "longitude_of_central_meridian=-96.0\n"
      "latitude_of_projection_origin=23.0\n"
      "semi_major_axis=6378137.0\n"
      "inverse_flattening=298.257222101\n",
      "m", -100, 40, -338390.587550867, 1894100.140042564, 1);
  mapping(
      "grid_mapping_name=polar_stereographic\n"
      "latitude_of_projection_origin=90.0\n"
      "straight_vertical_longitude_from_pole=-100.0\n"
      "scale_factor_at_projection_origin=0.93301243\n"
      "false_easting=4245000.0\n"
      "false_northing=5295000.0\n"
      "semi_major_axis=6371229.0\n"
      "inverse_flattening=0.0\n",
      "m", -80, 70, 4961986.694205604, 3325095.247620685, 1);
  mapping(
      "grid_mapping_name=polar_stereographic\n"
      "latitude_of_projection_origin=-90.0\n"
      "straight_vertical_longitude_from_pole=0.0\n"
      "standard_parallel=-71.0\n",
      "m", 30, -75, 819391.619203618, 1419227.915756797, 1);
  mapping(
      "grid_mapping_name=stereographic\n"
      "latitude_of_projection_origin=45.0\n"
      "longitude_of_projection_origin=10.0\n"
      "scale_factor_at_projection_origin=0.9\n"
      "earth_radius=6371229.0\n",
      "m", 12, 40, 153616.458422386, -498899.714699273, 1);
  mapping(
      "grid_mapping_name=mercator\n"
      "longitude_of_projection_origin=10.0\n"
      "scale_factor_at_projection_origin=0.9\n"
      "earth_radius=6378169.0\n",
      "m", 12, 40, 200376.088737542, 4379370.023350838, 1);
  mapping(
      "grid_mapping_name=mercator\n"
      "longitude_of_projection_origin=10.0\n"
      "standard_parallel=30.0\n"
      "reference_ellipsoid_name=GRS 1980\n",
      "m", 12, 40, 192972.560502585, 4193749.935086974, 1);
  mapping(
      "grid_mapping_name=lambert_azimuthal_equal_area\n"
      "latitude_of_projection_origin=52\n"
      "longitude_of_projection_origin=10\n"
      "false_easting=4321000\n"
      "false_northing=3210000\n",
      "m", 20, 60, 4878271.221303138, 4139313.258589034, 1);
  mapping(
      "grid_mapping_name=azimuthal_equidistant\n"
      "latitude_of_projection_origin=52\n"
      "longitude_of_projection_origin=10\n",
      "m", 20, 60, 557849.397900885, 930589.638632889, 1);
  mapping(
      "grid_mapping_name=oblique_mercator\n"
      "latitude_of_projection_origin=4.0\n"
      "longitude_of_projection_origin=115.0\n"
      "azimuth_of_central_line=53.3\n"
      "scale_factor_at_projection_origin=0.99984\n",
      "m", 116, 5, -22434.952636405, 155025.948241886, 1);
  mapping(
      "grid_mapping_name=orthographic\n"
      "latitude_of_projection_origin=40.0\n"
      "longitude_of_projection_origin=10.0\n"
      "earth_radius=6371000.0\n",
      "m", 20, 60, 553156.269958007, 2210117.977006554, 1);
  mapping(
      "grid_mapping_name=sinusoidal\n"
      "longitude_of_projection_origin=10.0\n"
      "earth_radius=6371007.181\n",
      "m", 20, 60, 555975.259883262, 6671703.118599138, 1);
  mapping(
      "grid_mapping_name=lambert_cylindrical_equal_area\n"
      "longitude_of_central_meridian=10.0\n"
      "standard_parallel=30.0\n",
      "m", 20, 60, 964862.802508965, 6351419.997326233, 1);
  mapping(
      "grid_mapping_name=vertical_perspective\n"
      "latitude_of_projection_origin=40.0\n"
      "longitude_of_projection_origin=10.0\n"
      "perspective_point_height=5000000.0\n"
      "earth_radius=6371000.0\n",
      "m", 20, 60, 510170.247371418, 2038368.714748635, 1);
  mapping(
      "grid_mapping_name=geostationary\n"
      "perspective_point_height=35786023.0\n"
      "semi_major_axis=6378137.0\n"
      "semi_minor_axis=6356752.31414\n"
      "inverse_flattening=298.2572221\n"
      "longitude_of_projection_origin=-75.0\n"
      "sweep_angle_axis=x\n",
      "rad", -80, 30, -468595.773155082, 3087367.476236351, 35786023.0);
  mapping(
      "grid_mapping_name=geostationary\n"
      "perspective_point_height=35785831.0\n"
      "semi_major_axis=6378169.0\n"
      "semi_minor_axis=6356583.8\n"
      "longitude_of_projection_origin=0.0\n"
      "fixed_angle_axis=x\n",
      "microradian", 10, 30, 935357.322632275, 3080902.104331590, 35.785831);
  mapping(
      "grid_mapping_name=rotated_latitude_longitude\n"
      "grid_north_pole_latitude=39.25\n"
      "grid_north_pole_longitude=-162.0\n",
      "degrees", 10, 50, -5.132644800, -0.472428088, 1);
  mapping(
      "grid_mapping_name=rotated_latitude_longitude\n"
      "grid_north_pole_latitude=37.5\n"
      "grid_north_pole_longitude=177.5\n"
      "north_pole_grid_longitude=20.0\n"
      "earth_radius=6371229.0\n",
      "degrees", 10, 50, 28.001204245, -1.806912989, 1);
}

static void mappings_with_a_code(void **state) {
  (void)state;
  static const struct {
    const char *text;
    int epsg;
  } KNOWN[] = {
      {"grid_mapping_name=latitude_longitude\n", 4326},
      {"grid_mapping_name=latitude_longitude\nsemi_major_axis=6378137\ninverse_flattening=298."
       "257223563\n",
       4326},
      {"grid_mapping_name=latitude_longitude\nsemi_major_axis=6378137\ninverse_flattening=298."
       "257222101\n",
       0},
      {"grid_mapping_name=latitude_longitude\nearth_radius=6371229\n", 0},
      {"grid_mapping_name=latitude_longitude\nhorizontal_datum_name=WGS_1984\n", 4326},
      {"grid_mapping_name=latitude_longitude\nhorizontal_datum_name=WGS84\nearth_radius=6371229\n", 0},
      {"grid_mapping_name=transverse_mercator\nlongitude_of_central_meridian=-75\n"
       "scale_factor_at_central_meridian=0.9996\nfalse_easting=500000\n",
       32618},
      {"grid_mapping_name=lambert_azimuthal_equal_area\nlatitude_of_projection_origin=52\n"
       "longitude_of_projection_origin=10\nfalse_easting=4321000\nfalse_northing=3210000\n"
       "horizontal_datum_name=European Terrestrial Reference System 1989\n"
       "semi_major_axis=6378137\ninverse_flattening=298.257222101\n",
       3035},
      {"crs_wkt=nonsense\nspatial_ref=EPSG:3035\ngrid_mapping_name=latitude_longitude\n", 3035},
      {"proj4=+init=epsg:3857\n", 3857},
  };
  for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
    ra_crs *crs;
    ra_err err = {0};
    double scale;
    assert_int_equal(cf_attributes_read(KNOWN[i].text, "", &crs, &scale, &err), RA_OK);
    if (ra_crs_epsg(crs) != KNOWN[i].epsg) {
      fail_msg("%s: EPSG %d, want %d", KNOWN[i].text, ra_crs_epsg(crs), KNOWN[i].epsg);
    }
    ra_crs_unref(crs);
  }
}

static void bad_mappings_say_what_is_wrong(void **state) {
  (void)state;
  static const struct {
    const char *text, *units, *word;
    int code;
  } BAD[] = {
      {"", "m", "grid_mapping_name", RA_E_INVALID},
      {"grid_mapping_name=hyperbolic\n", "m", "hyperbolic", RA_E_UNSUPPORTED},
      {"grid_mapping_name=geostationary\n", "rad", "perspective_point_height", RA_E_INVALID},
      {"grid_mapping_name=lambert_conformal_conic\n", "m", "standard_parallel", RA_E_INVALID},
      {"grid_mapping_name=rotated_latitude_longitude\ngrid_north_pole_latitude=nan\n", "degrees",
       "grid_north_pole_latitude", RA_E_INVALID},
      {"grid_mapping_name=sinusoidal\nearth_radius=6371000\n", "furlong", "furlong", RA_E_UNSUPPORTED},
      {"grid_mapping_name=sinusoidal\nearth_radius=6371000\n", "rad", "rad", RA_E_UNSUPPORTED},
      {"grid_mapping_name=albers_conical_equal_area\nstandard_parallel=1e400\n", "m",
       "standard_parallel", RA_E_INVALID},
  };
  for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
    ra_crs *crs;
    ra_err err = {0};
    double scale;
    assert_int_equal(cf_attributes_read(BAD[i].text, BAD[i].units, &crs, &scale, &err), BAD[i].code);
    assert_null(crs);
    if (!strstr(err.message, BAD[i].word)) fail_msg("no %s in: %s", BAD[i].word, err.message);
    assert_string_equal(err.where, "crs");
  }
}

static void northings_come_first_where_the_register_says_so(void **state) {
  (void)state;
  static const struct {
    const char *definition;
    bool first;
  } KNOWN[] = {
      // the register's axes: EPSG:3035 (Y, X), 2193 (N, E), 31467 (X = northing), 5041 (E, N), …
      {"EPSG:4326", true},   {"OGC:CRS84", false}, {"EPSG:3857", false},
      {"EPSG:3035", true},   {"EPSG:2193", true},  {"urn:ogc:def:crs:EPSG::5482", true},
      {"EPSG:31467", true},  {"EPSG:5041", false}, {"EPSG:32661", true},
      {"EPSG:32631", false}, {"EPSG:3978", false}, {"+proj=utm +zone=31 +type=crs", false},
  };
  for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
    bool first = !KNOWN[i].first;
    assert_int_equal(ra_crs_northing_first(KNOWN[i].definition, &first, NULL), RA_OK);
    if (first != KNOWN[i].first) fail_msg("%s: %d", KNOWN[i].definition, first);
  }
  bool first;
  ra_err err = {0};
  assert_int_equal(ra_crs_northing_first("EPSG:99999", &first, &err), RA_E_INVALID);
  assert_non_null(strstr(err.message, "EPSG:99999"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(epsg_codes_are_exact),
      cmocka_unit_test(facts_of_a_crs),
      cmocka_unit_test(northings_come_first_where_the_register_says_so),
      cmocka_unit_test(what_is_no_map_crs_is_refused),
      cmocka_unit_test(points_are_x_before_y),
      cmocka_unit_test(places_without_image_are_nan),
      cmocka_unit_test(files_outside_proj_are_never_read),
      cmocka_unit_test(threads_have_their_own_transforms),
      cmocka_unit_test(mappings_of_appendix_f),
      cmocka_unit_test(mappings_with_a_code),
      cmocka_unit_test(bad_mappings_say_what_is_wrong),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
