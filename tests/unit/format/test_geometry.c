// Which GeoJSON geometries touch; expected answers are what shapely's `intersects` says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/geometry.h"

static ra_geometry *parse(const char *json) {
  ra_geometry *geometry = NULL;
  ra_err err;
  if (ra_geometry_parse(json, strlen(json), &geometry, &err) < 0)
    print_message("%s\n", err.message);
  return geometry;
}

#define SQUARE "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[10,0],[10,10],[0,10],[0,0]]]}"
#define RING                                                                    \
  "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[10,0],[10,10],[0,10],[0,0]]," \
  "[[2,2],[8,2],[8,8],[2,8],[2,2]]]}"

static void geometries_touch(void **state) {
  (void)state;
  const struct {
    const char *a, *b;
    bool touch;
  } cases[] = {
      {SQUARE, SQUARE, true},
      {SQUARE, "{\"type\":\"Point\",\"coordinates\":[5,5]}", true},
      {SQUARE, "{\"type\":\"Point\",\"coordinates\":[10,5]}", true},
      {SQUARE, "{\"type\":\"Point\",\"coordinates\":[10.001,5,100]}", false},
      {RING, "{\"type\":\"Point\",\"coordinates\":[5,5]}", false},
      {RING, "{\"type\":\"Polygon\",\"coordinates\":[[[4,4],[6,4],[6,6],[4,4]]]}", false},
      {RING, "{\"type\":\"LineString\",\"coordinates\":[[5,5],[5,1]]}", true},
      {SQUARE, "{\"type\":\"LineString\",\"coordinates\":[[-5,5],[15,5]]}", true},
      {SQUARE, "{\"type\":\"LineString\",\"coordinates\":[[-5,5],[5,16]]}", false},
      {SQUARE, "{\"type\":\"LineString\",\"coordinates\":[[-5,5],[5,15]]}", true},
      {SQUARE, "{\"type\":\"Polygon\",\"coordinates\":[[[-1,-1],[20,-1],[20,20],[-1,20],[-1,-1]]]}",
       true},
      {SQUARE, "{\"type\":\"MultiPoint\",\"coordinates\":[[-1,-1],[1,1]]}", true},
      {SQUARE,
       "{\"type\":\"GeometryCollection\",\"geometries\":[{\"type\":\"Point\",\"coordinates\":[50,"
       "50]}]}",
       false},
      {"{\"type\":\"Point\",\"coordinates\":[1,1]}", "{\"type\":\"Point\",\"coordinates\":[1,1]}",
       true},
      {"{\"type\":\"Point\",\"coordinates\":[1,1]}", "{\"type\":\"Point\",\"coordinates\":[1,2]}",
       false},
      {"{\"type\":\"MultiPolygon\",\"coordinates\":[[[[170,0],[180,0],[180,5],[170,0]]],"
       "[[[-180,0],[-170,0],[-180,5],[-180,0]]]]}",
       "{\"type\":\"Point\",\"coordinates\":[-179,1]}", true},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ra_geometry *a = parse(cases[i].a), *b = parse(cases[i].b);
    assert_non_null(a);
    assert_non_null(b);
    if (ra_geometry_intersects(a, b) != cases[i].touch) fail_msg("%s %s", cases[i].a, cases[i].b);
    assert_int_equal(ra_geometry_intersects(b, a), cases[i].touch);
    ra_geometry_free(a);
    ra_geometry_free(b);
  }
}

static void boxes_cross_180_degrees(void **state) {
  (void)state;
  ra_geometry *box, *east = parse("{\"type\":\"Point\",\"coordinates\":[175,0]}");
  ra_geometry *west = parse("{\"type\":\"Point\",\"coordinates\":[-175,0]}");
  ra_geometry *middle = parse("{\"type\":\"Point\",\"coordinates\":[0,0]}");
  assert_int_equal(ra_geometry_from_box((double[4]){170, -10, -170, 10}, &box, NULL), RA_OK);
  assert_true(ra_geometry_intersects(box, east) && ra_geometry_intersects(box, west));
  assert_false(ra_geometry_intersects(box, middle));
  ra_geometry_free(box);
  ra_geometry_free(east);
  ra_geometry_free(west);
  ra_geometry_free(middle);
}

static void bad_geometries_are_refused(void **state) {
  (void)state;
  const char *bad[] = {"",
                       "7",
                       "[]",
                       "{}",
                       "{\"type\":\"Circle\"}",
                       "{\"type\":\"Point\"}",
                       "{\"type\":\"Point\",\"coordinates\":[1]}",
                       "{\"type\":\"Point\",\"coordinates\":[\"a\",1]}",
                       "{\"type\":\"Point\",\"coordinates\":[181,0]}",
                       "{\"type\":\"Point\",\"coordinates\":[0,91]}",
                       "{\"type\":\"LineString\",\"coordinates\":[[0,0]]}",
                       "{\"type\":\"Polygon\",\"coordinates\":[]}",
                       "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,0],[1,1]]]}",
                       "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,0],[1,1],[0,1]]]}",
                       "{\"type\":\"MultiPolygon\",\"coordinates\":7}",
                       "{\"type\":\"GeometryCollection\",\"geometries\":[{\"type\":\"Feature\"}]}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_null(parse(bad[i]));
}

static void many_vertices_are_too_many(void **state) {
  (void)state;
  size_t size = 200 + (RA_GEOMETRY_VERTICES + 1) * 8;
  char *json = malloc(size), *at = json;
  at += sprintf(at, "{\"type\":\"MultiPoint\",\"coordinates\":[[0,0]");
  for (int i = 0; i < RA_GEOMETRY_VERTICES; i++) at += sprintf(at, ",[0,%d]", i % 90);
  strcpy(at, "]}");
  ra_geometry *geometry;
  assert_int_equal(ra_geometry_parse(json, strlen(json), &geometry, NULL), RA_E_TOOBIG);
  free(json);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(geometries_touch), cmocka_unit_test(boxes_cross_180_degrees),
      cmocka_unit_test(bad_geometries_are_refused), cmocka_unit_test(many_vertices_are_too_many)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
