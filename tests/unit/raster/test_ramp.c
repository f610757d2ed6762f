// Ramps: every JSON form, what each value's colour is (titiler's rules), and errors that say where.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "raster/ramp.h"

static ra_ramp *parse(const char *json) {
  ra_ramp *ramp = NULL;
  ra_err err = {0};
  if (ra_ramp_parse(json, strlen(json), &ramp, &err) < 0) fail_msg("%s", err.message);
  return ramp;
}

static void expect_colour(const ra_ramp *ramp, double value, uint32_t rgba) {
  uint8_t got[4];
  assert_true(ra_ramp_colour(ramp, value, got));
  assert_int_equal((uint32_t)got[0] << 24 | got[1] << 16 | got[2] << 8 | got[3], rgba);
}

static void expect_none(const ra_ramp *ramp, double value) {
  uint8_t got[4];
  assert_false(ra_ramp_colour(ramp, value, got));
}

static void two_colours_spread_evenly(void **state) {
  (void)state;
  ra_ramp *ramp = parse("{\"type\":\"linear\",\"colors\":[\"#000\",\"#ff8000\"]}");
  assert_int_equal(ra_ramp_get_kind(ramp), RA_RAMP_LINEAR);
  assert_int_equal(ra_ramp_count(ramp), 256);
  expect_colour(ramp, 0, 0x000000ff);
  expect_colour(ramp, 1, 0xff8000ff);
  expect_colour(ramp, 0.5, 0x7f4000ff);  // entry 127: 127, 63.75 rounded
  expect_colour(ramp, -3, 0x000000ff);
  expect_colour(ramp, 7, 0xff8000ff);
  expect_none(ramp, NAN);
  ra_ramp *back;
  assert_int_equal(ra_ramp_reversed(ramp, &back, NULL), RA_OK);
  expect_colour(back, 0, 0xff8000ff);
  expect_colour(back, 1, 0x000000ff);
  assert_string_not_equal(ra_ramp_digest(ramp), ra_ramp_digest(back));
  assert_int_equal(strlen(ra_ramp_digest(ramp)), 64);
  ra_ramp_unref(back);
  ra_ramp_unref(ramp);
}

static void entries_of_a_full_table_are_kept(void **state) {
  (void)state;
  char json[8192] = "{\"type\":\"linear\",\"name\":\"x\",\"colors\":[";
  for (int i = 0; i < 256; i++) {
    size_t at = strlen(json);
    snprintf(json + at, sizeof json - at, "%s\"#%02x%02x01\"", i ? "," : "", i, 255 - i);
  }
  strcat(json, "]}");
  ra_ramp *ramp = parse(json);
  for (int i = 0; i < 256; i++) {
    const uint8_t expected[4] = {(uint8_t)i, (uint8_t)(255 - i), 1, 255};
    assert_memory_equal(ra_ramp_table(ramp)[i], expected, 4);
  }
  ra_ramp_unref(ramp);
}

static void stops_with_a_hard_edge(void **state) {
  (void)state;
  ra_ramp *ramp = parse(
      "{\"type\":\"linear\",\"stops\":[[0.2,\"#000000\"],[0.6,\"#0a0a0a\"],[0.6,\"#ff000080\"],"
      "[1,[0,255,0]]]}");
  expect_colour(ramp, 0, 0x000000ff);
  expect_colour(ramp, 0.4, 0x050505ff);
  expect_colour(ramp, 0.59, 0x0a0a0aff);
  expect_colour(ramp, 0.6, 0xff000080);
  expect_colour(ramp, 1, 0x00ff00ff);
  ra_ramp_unref(ramp);
}

static void titiler_values_match_exactly(void **state) {
  (void)state;
  ra_ramp *ramp = parse("{\"2\":[1,2,3,4],\"-1.5\":\"#fff\",\"10\":[9,9,9]}");
  assert_int_equal(ra_ramp_get_kind(ramp), RA_RAMP_CATEGORIES);
  expect_colour(ramp, -1.5, 0xffffffff);
  expect_colour(ramp, 2, 0x01020304);
  expect_colour(ramp, 10, 0x090909ff);
  expect_none(ramp, 3);
  expect_none(ramp, -2);
  expect_none(ramp, 11);
  expect_none(ramp, NAN);
  ra_ramp *back;
  ra_err err = {0};
  assert_int_equal(ra_ramp_reversed(ramp, &back, &err), RA_E_INVALID);
  ra_ramp_unref(ramp);
}

static void titiler_table_of_256(void **state) {
  (void)state;
  char json[8192] = "{";
  for (int i = 0; i < 256; i++) {
    size_t at = strlen(json);
    snprintf(json + at, sizeof json - at, "%s\"%d\":[%d,0,0,255]", i ? "," : "", i, i);
  }
  size_t end = strlen(json);
  strcat(json, "}");
  ra_ramp *ramp = parse(json);
  assert_int_equal(ra_ramp_get_kind(ramp), RA_RAMP_LINEAR);
  expect_colour(ramp, 0.999, 0xfe0000ff);
  ra_ramp_unref(ramp);
  strcpy(json + end, ",\"256\":[0,0,0]}");
  ramp = parse(json);
  assert_int_equal(ra_ramp_get_kind(ramp), RA_RAMP_CATEGORIES);
  expect_colour(ramp, 256, 0x000000ff);
  ra_ramp_unref(ramp);
}

static void later_intervals_win(void **state) {
  (void)state;
  ra_ramp *ramp =
      parse("[[[0,10],[1,0,0]],[[5,6],\"#020000\"],[[5.5,20],[3,0,0,9]],[[8,9],[4,0,0]]]");
  assert_int_equal(ra_ramp_get_kind(ramp), RA_RAMP_INTERVALS);
  expect_none(ramp, -0.001);
  expect_colour(ramp, 0, 0x010000ff);
  expect_colour(ramp, 5, 0x020000ff);
  expect_colour(ramp, 5.75, 0x03000009);
  expect_colour(ramp, 8, 0x040000ff);
  expect_colour(ramp, 9, 0x03000009);
  expect_none(ramp, 20);
  expect_none(ramp, INFINITY);
  ra_ramp_unref(ramp);
}

static void files_of_categories_and_intervals(void **state) {
  (void)state;
  ra_ramp *ramp = parse("{\"type\":\"categories\",\"name\":\"lc\",\"colors\":{\"1\":\"#f00\"}}");
  expect_colour(ramp, 1, 0xff0000ff);
  ra_ramp_unref(ramp);
  ramp = parse("{\"type\":\"intervals\",\"colors\":[[[0,1],\"#f00\"]]}");
  expect_colour(ramp, 0.5, 0xff0000ff);
  double low, high;
  ra_ramp_bounds(ramp, 0, &low, &high);
  assert_true(low == 0 && high == 1);
  ra_ramp_unref(ramp);
}

static void refusals_say_where(void **state) {
  (void)state;
  static const struct {
    const char *json, *says;
  } cases[] = {
      {"", "not JSON"},
      {"3", "neither an object"},
      {"[]", "0 intervals"},
      {"{}", "0 values"},
      {"{\"type\":\"linear\",\"colors\":[\"#fff\"]}", "1 entries"},
      {"{\"type\":\"linear\",\"colors\":[\"#fff\",\"#ff\"]}", "entry 2"},
      {"{\"type\":\"linear\",\"colors\":[\"#fff\",[1,2,256]]}", "entry 2"},
      {"{\"type\":\"linear\",\"colors\":[\"#fff\",[1,2,2.5]]}", "entry 2"},
      {"{\"type\":\"linear\",\"colors\":[\"red\",\"#fff\"]}", "entry 1"},
      {"{\"type\":\"linear\"}", "\"colors\""},
      {"{\"type\":\"linear\",\"colors\":[],\"stops\":[]}", "\"stops\""},
      {"{\"type\":\"linear\",\"stops\":[[0.5,\"#fff\"],[0.4,\"#fff\"]]}", "stop 2"},
      {"{\"type\":\"linear\",\"stops\":[[0,\"#fff\"],[1.5,\"#fff\"]]}", "0 to 1"},
      {"{\"type\":\"linear\",\"stops\":[0,1]}", "stop 1"},
      {"{\"type\":\"ramp\",\"colors\":[]}", "\"linear\""},
      {"{\"type\":\"linear\",\"colours\":[\"#fff\",\"#000\"]}", "colours"},
      {"{\"type\":\"categories\",\"stops\":[]}", "stops"},
      {"{\"x\":\"#fff\"}", "\"x\" is not a number"},
      {"{\"1\":\"#fff\",\"1.0\":\"#000\"}", "two colours"},
      {"{\"1\":null}", "value 1"},
      {"[[[3,3],\"#fff\"]]", "entry 1"},
      {"[[[0,1],\"#fff\"],[[0],\"#fff\"]]", "entry 2"},
      {"[[[0,1],\"#fff\"],7]", "entry 2"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ra_ramp *ramp = NULL;
    ra_err err = {0};
    int rc = ra_ramp_parse(cases[i].json, strlen(cases[i].json), &ramp, &err);
    if (rc != RA_E_INVALID || !strstr(err.message, cases[i].says)) {
      fail_msg("%s: %d %s", cases[i].json, rc, err.message);
    }
    assert_string_equal(err.where, "colormap");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_colours_spread_evenly),
      cmocka_unit_test(entries_of_a_full_table_are_kept),
      cmocka_unit_test(stops_with_a_hard_edge),
      cmocka_unit_test(titiler_values_match_exactly),
      cmocka_unit_test(titiler_table_of_256),
      cmocka_unit_test(later_intervals_win),
      cmocka_unit_test(files_of_categories_and_intervals),
      cmocka_unit_test(refusals_say_where),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
