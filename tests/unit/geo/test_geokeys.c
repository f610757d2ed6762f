// GeoTIFF keys: what is written reads back as the same CRS, what can't be said is refused, what is broken is refused.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "definitions.h"
#include "geo/crs.h"
#include "random.h"

static void there_and_back(void **state) {
  (void)state;
  ra_crs *degrees;
  assert_int_equal(ra_crs_new("EPSG:4326", &degrees, NULL), RA_OK);
  for (size_t i = 0; i < DEFINITION_COUNT; i++) {
    const definition *def = &DEFINITIONS[i];
    ra_crs *crs, *back;
    ra_geokeys keys;
    ra_err err = {0};
    if (ra_crs_new(def->text, &crs, &err) < 0 || ra_crs_geokeys(crs, &keys, &err) < 0 ||
        ra_crs_from_geokeys(&keys, &back, &err) < 0) {
      fail_msg("%s: %s", def->text, err.message);
    }
    ra_transform *forth, *other;
    double x[2] = {def->lon, def->lon}, y[2] = {def->lat, def->lat};
    assert_int_equal(ra_transform_new(degrees, crs, &forth, NULL), RA_OK);
    assert_int_equal(ra_transform_new(degrees, back, &other, NULL), RA_OK);
    size_t lost = ra_transform_points(forth, 1, &x[0], &y[0]);
    lost += ra_transform_points(other, 1, &x[1], &y[1]);
    if (lost || !(fabs(x[0] - x[1]) < 1e-6 && fabs(y[0] - y[1]) < 1e-6)) {
      fail_msg("%s: %.9g %.9g, back %.9g %.9g", def->text, x[0], y[0], x[1], y[1]);
    }
    assert_int_equal(ra_crs_epsg(crs), ra_crs_epsg(back));
    ra_transform_free(forth);
    ra_transform_free(other);
    ra_crs_unref(crs);
    ra_crs_unref(back);
  }
  ra_crs_unref(degrees);
}

static void a_code_is_one_key(void **state) {
  (void)state;
  ra_crs *crs;
  ra_geokeys keys;
  assert_int_equal(ra_crs_new("EPSG:3035", &crs, NULL), RA_OK);
  assert_int_equal(ra_crs_geokeys(crs, &keys, NULL), RA_OK);
  assert_int_equal(keys.directory[0], 1);
  assert_int_equal(keys.directory_count, 4 * (keys.directory[3] + 1u));
  uint16_t last = 0, code = 0;
  for (size_t i = 1; i <= keys.directory[3]; i++) {
    assert_true(keys.directory[4 * i] > last);
    last = keys.directory[4 * i];
    if (last == 3072) code = keys.directory[4 * i + 3];
  }
  assert_int_equal(code, 3035);
  assert_int_equal(keys.ascii[keys.ascii_count - 1], 0);
  ra_crs_unref(crs);
}

static void what_keys_cannot_say_is_refused(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof UNSPEAKABLE / sizeof *UNSPEAKABLE; i++) {
    ra_crs *crs;
    ra_geokeys keys;
    ra_err err = {0};
    assert_int_equal(ra_crs_new(UNSPEAKABLE[i], &crs, NULL), RA_OK);
    assert_int_equal(ra_crs_geokeys(crs, &keys, &err), RA_E_UNSUPPORTED);
    assert_int_equal(keys.directory_count, 0);
    assert_non_null(strstr(err.message, "GeoTIFF"));
    ra_crs_unref(crs);
  }
}

// What GDAL 3.10 writes of "+proj=moll +datum=WGS84": a projection of nobody's, named by ESRI's WKT in a citation.
static void wkt_in_a_citation_is_read(void **state) {
  (void)state;
  static const char text[] =
      "unknown|GCS Name = unknown|Primem = Greenwich||ESRI PE String = PROJCS[\"unknown\",GEOGCS["
      "\"GCS_unknown\",DATUM[\"D_WGS_1984\",SPHEROID[\"WGS_1984\",6378137.0,298.257223563]],PRIMEM["
      "\"Greenwich\",0.0],UNIT[\"Degree\",0.0174532925199433]],PROJECTION[\"Mollweide\"],PARAMETER["
      "\"False_Easting\",0.0],PARAMETER[\"False_Northing\",0.0],PARAMETER[\"Central_Meridian\",0.0]"
      ","
      "UNIT[\"Meter\",1.0]]|";
  const uint16_t directory[] = {1,    1,    0,     7,     1024,  0,    1,    32767, 1025,
                                0,    1,    1,     1026,  34737, 8,    0,    2048,  0,
                                1,    4326, 2049,  34737, 39,    8,    2054, 0,     1,
                                9102, 3073, 34737, 319,   47,    3076, 0,    1,     9001};
  ra_geokeys keys = {.directory_count = sizeof directory / sizeof *directory,
                     .ascii_count = sizeof text};
  memcpy(keys.directory, directory, sizeof directory);
  memcpy(keys.ascii, text, sizeof text);
  ra_crs *crs;
  ra_err err = {0};
  if (ra_crs_from_geokeys(&keys, &crs, &err) < 0) fail_msg("%s", err.message);
  assert_false(ra_crs_is_geographic(crs));
  assert_non_null(strstr(ra_crs_wkt2(crs), "METHOD[\"Mollweide\""));
  ra_crs_unref(crs);
  memcpy(keys.ascii + 47, "SOME", 4);  // without it the keys name a geographic base and no more
  assert_int_equal(ra_crs_from_geokeys(&keys, &crs, &err), RA_E_UNSUPPORTED);
}

// Keys from outside: any bytes give a CRS or a refusal.
static void broken_keys_are_survived(void **state) {
  (void)state;
  unsigned seed = (unsigned)test_seed("broken_keys");
  for (int round = 0; round < 400; round++) {
    const definition *def = &DEFINITIONS[(size_t)rand_r(&seed) % DEFINITION_COUNT];
    ra_crs *crs, *back = NULL;
    ra_geokeys keys;
    assert_int_equal(ra_crs_new(def->text, &crs, NULL), RA_OK);
    assert_int_equal(ra_crs_geokeys(crs, &keys, NULL), RA_OK);
    for (int hits = rand_r(&seed) % 6; hits >= 0; hits--) {
      keys.directory[(size_t)rand_r(&seed) % keys.directory_count] = (uint16_t)rand_r(&seed);
    }
    if (rand_r(&seed) % 3 == 0) keys.double_count /= 2;
    if (rand_r(&seed) % 3 == 0) keys.ascii_count /= 2;
    if (rand_r(&seed) % 5 == 0) keys.directory_count = (size_t)rand_r(&seed) % 8;
    ra_crs_from_geokeys(&keys, &back, NULL);
    ra_crs_unref(back);
    ra_crs_unref(crs);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(there_and_back),
      cmocka_unit_test(a_code_is_one_key),
      cmocka_unit_test(what_keys_cannot_say_is_refused),
      cmocka_unit_test(wkt_in_a_citation_is_read),
      cmocka_unit_test(broken_keys_are_survived),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
