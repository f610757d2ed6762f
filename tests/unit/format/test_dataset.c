// A dataset's body to tables: items over several axes, ids, keys, and what is refused.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "format/dataset.h"

#define DAY "86400000"
#define GRID                                                                                       \
  "{\"id\":\"g0\",\"x\":\"lon\",\"y\":\"lat\",\"native\":[2,4],\"shape\":[2,4],"                   \
  "\"transform\":[-180,90,0,90,0,-90],\"y_reversed\":true,\"roll\":2,\"wraps\":true,"              \
  "\"crs\":{\"epsg\":4326,\"wkt2\":\"…\"},\"bbox\":[-180,-90,180,90],"                           \
  "\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[-180,-90],[180,-90],[180,90],[-180,90],[" \
  "-180,-90]]]}}"
// 30 and 1 February 2020 of a year of 360 days; the second axis shares one time.
#define AXES                                                                                       \
  "{\"id\":\"t0\",\"name\":\"time\",\"calendar\":\"360_day\",\"count\":3,\"start\":1560297600000," \
  "\"step\":" DAY                                                                                  \
  "},"                                                                                             \
  "{\"id\":\"t1\",\"name\":\"time2\",\"calendar\":\"360_day\",\"count\":4,\"values\":"             \
  "[1560384000000,null,1560297500250,1560384000000]}"
#define VARIABLE                                                                                 \
  "{\"name\":\"t2m\",\"units\":\"K\",\"dims\":[\"time\",\"level\",\"lat\",\"lon\"],"             \
  "\"shape\":[3,2,2,4],\"dtype\":\"int16\",\"grid\":\"g0\",\"time\":\"t0\",\"time_dim\":0,"      \
  "\"y_dim\":2,\"x_dim\":3,\"extra\":[{\"name\":\"level\",\"dim\":1,\"size\":2,"                 \
  "\"values\":[1000,850],\"units\":\"hPa\",\"vertical\":true}],"                                 \
  "\"packing\":{\"scale\":0.01,\"offset\":273.15,\"missing\":[-32767]},\"nodata\":-32767,"       \
  "\"mappable\":true,\"bands\":2,\"band_names\":[\"level=1000\",\"level=850\"],"                 \
  "\"statistics\":{\"min\":250,\"max\":\"NaN\",\"valid\":40,\"total\":48},\"p2\":251.5,\"p98\":" \
  "300},"                                                                                        \
  "{\"name\":\"sub/area\",\"dims\":[\"lat\",\"lon\"],\"shape\":[2,4],\"dtype\":\"float32\","     \
  "\"grid\":\"g0\",\"time\":null,\"time_dim\":-1,\"y_dim\":0,\"x_dim\":1,\"nodata\":\"NaN\","    \
  "\"mappable\":true,\"bands\":1},"                                                              \
  "{\"name\":\"flux\",\"dims\":[\"time2\",\"lat\",\"lon\"],\"shape\":[4,2,4],\"dtype\":"         \
  "\"float64\","                                                                                 \
  "\"grid\":\"g0\",\"time\":\"t1\",\"time_dim\":0,\"y_dim\":1,\"x_dim\":2,\"mappable\":true,"    \
  "\"bands\":1}"
#define BODY(grids, axes, variables)                                                             \
  "{\"format\":1,\"collection\":\"sea\",\"dataset\":\"day_1\",\"version\":\"0123456789abcdef\"," \
  "\"created\":\"2026-11-25T10:00:00Z\",\"source\":{\"name\":\"a.nc\",\"format\":\"netcdf4\"},"  \
  "\"attributes\":{\"title\":\"Sea\",\"history\":5},\"grids\":[" grids "],\"axes\":[" axes       \
  "],\"variables\":[" variables "]}"

static ra_dataset *parse(const char *body) {
  ra_dataset *dataset = NULL;
  ra_err err;
  if (ra_dataset_parse(body, strlen(body), &dataset, &err) < 0) {
    print_message("%s: %s\n", err.where, err.message);
    return NULL;
  }
  return dataset;
}

static void tables_say_what_the_body_says(void **state) {
  (void)state;
  ra_dataset *dataset = parse(BODY(GRID, AXES, VARIABLE));
  assert_non_null(dataset);
  assert_string_equal(ra_dataset_collection(dataset), "sea");
  assert_string_equal(ra_dataset_get_about(dataset)->title, "Sea");
  const ra_dataset_variable *t2m = ra_dataset_find_variable(dataset, "t2m");
  assert_int_equal(t2m->dtype, RA_DTYPE_I16);
  assert_true(t2m->packing.scale == 0.01 && t2m->packing.missing[0] == -32767);
  assert_true(t2m->grid->roll == 2 && t2m->grid->grid.wraps && t2m->grid->y_reversed);
  assert_true(t2m->extra[0].values[1] == 850 && t2m->bands == 2);
  assert_string_equal(t2m->band_names[1], "level=850");
  assert_true(isnan(t2m->maximum) && t2m->minimum == 250 && t2m->p98 == 300);
  const ra_dataset_variable *area = ra_dataset_find_variable(dataset, "sub/area");
  assert_true(area->axis == NULL && isnan(area->nodata) && area->has_nodata);
  assert_null(ra_dataset_find_variable(dataset, "t2"));
  size_t size;
  assert_string_equal(ra_dataset_body(dataset, &size), BODY(GRID, AXES, VARIABLE));
  ra_dataset_unref(dataset);
}

static void items_are_the_distinct_times(void **state) {
  (void)state;
  ra_dataset *dataset = parse(BODY(GRID, AXES, VARIABLE));
  const char *ids[] = {"day_1_20200230T000000Z", "day_1_20200229T235820Z", "day_1_20200301T000000Z",
                       "day_1_20200301T000000Z_2", "day_1_20200302T000000Z"};
  const int steps[][2] = {{0, -1}, {-1, 2}, {1, 0}, {-1, 3}, {2, -1}};
  assert_int_equal(ra_dataset_item_count(dataset), 5);
  for (size_t i = 0; i < 5; i++) {
    ra_str id;
    size_t step, found;
    ra_str_init(&id);
    ra_dataset_item_id(dataset, i, &id);
    assert_string_equal(id.ptr, ids[i]);
    ra_str_deinit(&id);
    assert_true(ra_dataset_find_item(dataset, ids[i], &found) && found == i);
    for (int axis = 0; axis < 2; axis++) {
      bool there = ra_dataset_item_step(dataset, i, axis, &step);
      assert_int_equal(there ? (int)step : -1, steps[i][axis]);
    }
  }
  size_t none;
  const char *others[] = {"day_1",    "day_1_20200301T000000Z_3", "day_1_2020", "day_1_",
                          "day_10_x", "day_1_20200231T000000Z"};
  for (size_t i = 0; i < 6; i++) assert_false(ra_dataset_find_item(dataset, others[i], &none));
  ra_dataset_unref(dataset);
}

static void a_date_without_iso_equal_stands_at_its_neighbour(void **state) {
  (void)state;
  ra_dataset *dataset = parse(BODY(GRID, AXES, VARIABLE));
  int64_t ms;
  ra_time_parse(RA_CALENDAR_PROLEPTIC_GREGORIAN, "2020-02-29T00:00:00Z", &ms, NULL);
  assert_true(ra_dataset_get_item(dataset, 0)->iso_ms == ms);
  assert_int_equal(ra_dataset_item_lower(dataset, INT64_MIN), 0);
  ra_time_parse(RA_CALENDAR_PROLEPTIC_GREGORIAN, "2020-03-01T00:00:00Z", &ms, NULL);
  assert_int_equal(ra_dataset_item_lower(dataset, ms), 2);
  assert_int_equal(ra_dataset_item_lower(dataset, ms + 1), 4);
  assert_int_equal(ra_dataset_item_lower(dataset, INT64_MAX), 5);
  ra_dataset_unref(dataset);
}

static void keys_name_the_objects(void **state) {
  (void)state;
  ra_dataset *dataset = parse(BODY(GRID, AXES, VARIABLE));
  ra_str key;
  ra_str_init(&key);
  ra_dataset_cog_key(dataset, ra_dataset_find_variable(dataset, "t2m"), 0, &key);
  ra_str_add_char(&key, ' ');
  ra_dataset_cog_key(dataset, ra_dataset_find_variable(dataset, "sub/area"), 0, &key);
  ra_str_add_char(&key, ' ');
  ra_dataset_cog_key(dataset, ra_dataset_find_variable(dataset, "flux"), 1, &key);
  ra_str_add_char(&key, ' ');
  ra_dataset_zarr_key(dataset, "sub/area", &key);
  const char *root = "sea/day_1/0123456789abcdef";
  char want[400];
  snprintf(
      want, sizeof want,
      "%s/t2m/20200230T000000Z.tif %s/sub/area/static.tif %s/flux/notime.tif %s/data.zarr/sub/area",
      root, root, root, root);
  assert_string_equal(key.ptr, want);
  ra_str_deinit(&key);
  ra_dataset_unref(dataset);
}

static void a_dataset_without_time_is_one_item(void **state) {
  (void)state;
  ra_dataset *dataset = parse(BODY("", "", ""));
  size_t i;
  assert_int_equal(ra_dataset_item_count(dataset), 1);
  assert_true(ra_dataset_get_item(dataset, 0)->iso_ms == RA_TIME_NONE);
  assert_true(ra_dataset_find_item(dataset, "day_1", &i) && i == 0);
  ra_dataset_unref(dataset);
}

static void boxes_join_the_short_way(void **state) {
  (void)state;
  double box[4] = {170, -10, 180, 10};
  ra_bbox_join(box, (double[4]){-180, -20, -170, 5});
  assert_true(box[0] == 170 && box[1] == -20 && box[2] == -170 && box[3] == 10);
  ra_bbox_join(box, (double[4]){-180, -90, 180, 90});
  assert_true(box[0] == -180 && box[2] == 180 && box[3] == 90);
  double europe[4] = {-10, 35, 30, 70};
  ra_bbox_join(europe, (double[4]){20, 30, 40, 60});
  assert_true(europe[0] == -10 && europe[1] == 30 && europe[2] == 40 && europe[3] == 70);
}

// Each replaces a part of a good body by a bad one.
static void bad_bodies_are_refused(void **state) {
  (void)state;
  const char *good = BODY(GRID, AXES, VARIABLE);
  const char *const changes[][2] = {
      {"\"format\":1", "\"format\":2"},
      {"\"native\":[2,4]", "\"native\":[0,4]"},
      {"\"native\":[2,4]", "\"native\":[3,4]"},
      {"\"native\":[2,4]", "\"native\":[2,9999999999]"},
      {"[-180,90,0,90,0,-90]", "[-180,90,0,90,0]"},
      {"[-180,90,0,90,0,-90]", "[-180,\"NaN\",0,90,0,-90]"},
      {"[-180,90,0,90,0,-90]", "[-180,0,0,90,0,-90]"},
      {"\"roll\":2", "\"roll\":4"},
      {"\"epsg\":4326", "\"epsg\":\"x\""},
      {"\"calendar\":\"360_day\"", "\"calendar\":\"mayan\""},
      {"\"count\":4", "\"count\":5"},
      {"\"count\":3", "\"count\":1e9"},
      {"\"step\":" DAY, "\"step\":9000000000000000000"},
      {"\"int16\"", "\"int15\""},
      {"\"grid\":\"g0\"", "\"grid\":\"g1\""},
      {"\"time\":\"t0\"", "\"time\":\"t9\""},
      {"\"shape\":[3,2,2,4]", "\"shape\":[4,2,2,4]"},
      {"\"shape\":[3,2,2,4]", "\"shape\":[3,2,2]"},
      {"\"y_dim\":2", "\"y_dim\":9"},
      {"\"values\":[1000,850]", "\"values\":[1000]"},
      {"\"bands\":2", "\"bands\":3"},
      {"\"missing\":[-32767]", "\"missing\":[1,2,3,4,5,6,7,8,9]"},
      {"\"scale\":0.01", "\"scale\":\"Infinity\""},
      {"\"dataset\":\"day_1\"", "\"dataset\":\"../etc\""},
      {"\"bbox\":[-180,-90", "\"bbox\":[-190,-90"},
      {"\"variables\":[", "\"variables\":[7,"},
      {"\"axes\":", "\"axis\":"},
  };
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
    const char *at = strstr(good, changes[i][0]);
    assert_non_null(at);
    char body[8192];
    snprintf(body, sizeof body, "%.*s%s%s", (int)(at - good), good, changes[i][1],
             at + strlen(changes[i][0]));
    assert_null(parse(body));
  }
  for (size_t cut = 0; cut < strlen(good); cut += 17) {
    ra_dataset *dataset;
    assert_int_equal(ra_dataset_parse(good, cut, &dataset, NULL), RA_E_CORRUPT);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tables_say_what_the_body_says),
      cmocka_unit_test(items_are_the_distinct_times),
      cmocka_unit_test(a_date_without_iso_equal_stands_at_its_neighbour),
      cmocka_unit_test(keys_name_the_objects),
      cmocka_unit_test(a_dataset_without_time_is_one_item),
      cmocka_unit_test(boxes_join_the_short_way),
      cmocka_unit_test(bad_bodies_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
