// Tables of stops: what each header means, how spreadsheets and GMT write, and mistakes named by
// their line.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raster/ramp.h"

static ra_ramp *parse(const char *name, const char *text) {
  ra_ramp *ramp = NULL;
  ra_err err = {0};
  if (ra_ramp_parse_file(name, text, strlen(text), &ramp, &err) < 0) fail_msg("%s", err.message);
  return ramp;
}

static void expect_colour(const ra_ramp *ramp, double value, uint32_t rgba) {
  uint8_t got[4];
  assert_true(ra_ramp_colour(ramp, value, got));
  assert_int_equal((uint32_t)got[0] << 24 | got[1] << 16 | got[2] << 8 | got[3], rgba);
}

static void expect_range(const ra_ramp *ramp, double low, double high) {
  double range[2];
  assert_true(ra_ramp_range(ramp, range));
  assert_true(range[0] == low && range[1] == high);
}

static void values_become_shares_of_their_range(void **state) {
  (void)state;
  static const char *const SAME[] = {
      "value,colour\n-10,#000000\n0,#0a0a0a\n30,#ff0000\n",
      "-10,#000000\n0,#0a0a0a\n30,#ff0000",  // without a header: these are no shares
      "\xef\xbb\xbfvalue;r;g;b\r\n-10;0;0;0\r\n0;10;10;10\r\n30;255;0;0\r\n",
      "# made by hand\n\n value \t colour\n-10\t0\t0\t0\n0\t10\t10\t10\t255\n30\t255\t0\t0\n",
      "value,colour\n\"-10\",\"#000000\"\n0,#0a0a0a\n3e1,#ff0000ff\n",
  };
  for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++) {
    ra_ramp *ramp = parse("a.csv", SAME[i]);
    assert_int_equal(ra_ramp_get_kind(ramp), RA_RAMP_LINEAR);
    expect_range(ramp, -10, 30);
    expect_colour(ramp, 0, 0x000000ff);
    expect_colour(ramp, 0.125, 0x050505ff);  // entry 31 of 255: 0.486 of the way to 10
    expect_colour(ramp, 1, 0xff0000ff);
    ra_ramp_unref(ramp);
  }
}

static void shares_have_no_range(void **state) {
  (void)state;
  static const char *const SAME[] = {"position,colour\n0.5,#000000\n1,#ffffff\n",
                                     "0,#000000\n0.5,#000000\n1,#ffffff\n"};
  double range[2];
  for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++) {
    ra_ramp *ramp = parse("a.csv", SAME[i]);
    assert_false(ra_ramp_range(ramp, range));
    expect_colour(ramp, 0.2, 0x000000ff);
    expect_colour(ramp, 1, 0xffffffff);
    ra_ramp_unref(ramp);
  }
}

static void categories_with_labels(void **state) {
  (void)state;
  ra_ramp *ramp = parse("a.csv",
                        "category,colour,label\n9,#ff0000,\"towns, villages\"\n"
                        "1,0,128,0,woods\n4,#0000ff80\nabove,#010203\nmissing,1,1,1,9\n");
  assert_int_equal(ra_ramp_get_kind(ramp), RA_RAMP_CATEGORIES);
  assert_int_equal(ra_ramp_count(ramp), 3);
  expect_colour(ramp, 1, 0x008000ff);
  expect_colour(ramp, 4, 0x0000ff80);
  expect_colour(ramp, 10, 0x010203ff);
  expect_colour(ramp, NAN, 0x01010109);
  assert_string_equal(ra_ramp_label(ramp, 0), "woods");
  assert_null(ra_ramp_label(ramp, 1));
  assert_string_equal(ra_ramp_label(ramp, 2), "towns, villages");
  assert_int_equal(ra_ramp_mark_entry(ramp, RA_RAMP_BELOW), -1);
  ra_ramp_unref(ramp);
}

static void intervals_where_later_ones_win(void **state) {
  (void)state;
  ra_ramp *ramp =
      parse("a.csv", "min,max,colour,label\n0,10,#ff0000,low\n5,6,0,0,0,hole\nbelow,#00ff00\n");
  assert_int_equal(ra_ramp_get_kind(ramp), RA_RAMP_INTERVALS);
  expect_colour(ramp, -1, 0x00ff00ff);
  expect_colour(ramp, 0, 0xff0000ff);
  expect_colour(ramp, 5.5, 0x000000ff);
  assert_string_equal(ra_ramp_label(ramp, 1), "hole");
  ra_ramp_unref(ramp);
}

static void palettes_of_gmt(void **state) {
  (void)state;
  ra_ramp *ramp = parse("a.cpt",
                        "# COLOR_MODEL = RGB\n-10\t0/0/100\t0\t#6464ff\tU ; deep\n"
                        "0 0 100 0  30 255 255 254.6 L\n\nB black\nF 1/2/3\nN 128\n");
  expect_range(ramp, -10, 30);
  expect_colour(ramp, 0, 0x000064ff);
  expect_colour(ramp, 0.248, 0x6363fdff);
  expect_colour(ramp, 0.2511, 0x006400ff);  // a hard edge at 0
  expect_colour(ramp, 1, 0xffffffff);
  expect_colour(ramp, -0.1, 0x000000ff);
  expect_colour(ramp, 1.1, 0x010203ff);
  expect_colour(ramp, NAN, 0x808080ff);
  ra_ramp_unref(ramp);
}

static void a_file_of_json_has_extras(void **state) {
  (void)state;
  ra_ramp *ramp = parse("a.json",
                        "{\"type\":\"linear\",\"colors\":\"000000ffffff\",\"below\":\"#123\","
                        "\"missing\":[1,2,3,4],\"range\":[-5,5]}"),
          *back;
  expect_range(ramp, -5, 5);
  expect_colour(ramp, -1, 0x112233ff);
  expect_colour(ramp, 2, 0xffffffff);
  expect_colour(ramp, NAN, 0x01020304);
  assert_int_equal(ra_ramp_reversed(ramp, &back, NULL), RA_OK);
  expect_range(back, -5, 5);
  expect_colour(back, 2, 0x112233ff);
  expect_colour(back, -1, 0xffffffff);
  expect_colour(back, NAN, 0x01020304);
  ra_ramp_unref(back);
  ra_ramp_unref(ramp);
}

// Everything that a tile or a legend shows is in the digest, which is in their tags.
static void each_part_changes_the_digest(void **state) {
  (void)state;
  static const char *const EACH[] = {
      "{\"type\":\"linear\",\"colors\":\"000000ffffff\"}",
      "{\"type\":\"linear\",\"colors\":\"000000fffffe\"}",
      "{\"type\":\"linear\",\"colors\":\"000000ffffff\",\"below\":\"#000\"}",
      "{\"type\":\"linear\",\"colors\":\"000000ffffff\",\"above\":\"#000\"}",
      "{\"type\":\"linear\",\"colors\":\"000000ffffff\",\"range\":[0,1]}",
      "{\"type\":\"linear\",\"colors\":\"000000ffffff\",\"range\":[0,2]}",
      "{\"type\":\"categories\",\"colors\":{\"1\":\"#fff\"}}",
      "{\"type\":\"categories\",\"colors\":{\"1\":\"#fff\"},\"labels\":{\"1\":\"a\"}}",
      "{\"type\":\"categories\",\"colors\":{\"1\":\"#fff\"},\"labels\":{\"1\":\"b\"}}",
      "{\"type\":\"intervals\",\"colors\":[[[0,1],\"#fff\"]]}",
      "{\"type\":\"intervals\",\"colors\":[[[0,2],\"#fff\"]]}",
  };
  enum { COUNT = sizeof EACH / sizeof *EACH };
  char digests[COUNT][65];
  for (size_t i = 0; i < COUNT; i++) {
    ra_ramp *ramp = parse("a.json", EACH[i]);
    snprintf(digests[i], sizeof digests[i], "%s", ra_ramp_digest(ramp));
    ra_ramp_unref(ramp);
    for (size_t k = 0; k < i; k++) assert_string_not_equal(digests[k], digests[i]);
  }
}

static void refusals_name_the_line(void **state) {
  (void)state;
  static const struct {
    const char *file, *text, *says;
  } CASES[] = {
      {"a.csv", "", "no line has a number"},
      {"a.csv", "value,colour\n", "no line has a number"},
      {"a.csv", "below,#000\n", "no line has a number"},
      {"a.csv", "depth,colour\n1,#fff\n", "line 1: \"depth\" is neither"},
      {"a.csv", "value,colour\n1,#fff\n\nx,#000\n", "line 4: \"x\" is not a number"},
      {"a.csv", "value,colour\n1,#fff\n2\n", "line 3: the colour is missing"},
      {"a.csv", "value,colour\n1,#fff\n2,#ff\n", "line 3: not a colour"},
      {"a.csv", "value,colour\n1,#fff\n2,red\n", "line 3: not a colour"},
      {"a.csv", "value,colour\n1,#fff\n2,1,2,256\n", "line 3"},
      {"a.csv", "value,colour\n1,#fff\n2,1,2,2.5\n", "line 3"},
      {"a.csv", "value,colour\n1,#fff\n2,#000,label\n", "line 3: \"label\" is one field too many"},
      {"a.csv", "value,colour\n2,#fff\n1,#000\n", "line 3: 1 comes after 2"},
      {"a.csv", "value,colour\n2,#fff\n2,#000\n", "above the first"},
      {"a.csv", "value,colour\n-1e308,#fff\n1e308,#000\n", "above the first"},
      {"a.csv", "value,colour\nnan,#fff\n1,#000\n", "line 2"},
      {"a.csv", "value,colour\ninf,#fff\n1,#000\n", "line 2"},
      {"a.csv", "position,colour\n0,#fff\n1.5,#000\n", "line 3: position 1.5"},
      {"a.csv", "category,colour\n1,#fff\n1,#000\n", "line 3: 1 has a colour already"},
      {"a.csv", "category,colour\n1,#fff\n1.0,#000\n", "two colours"},
      {"a.csv", "min,max,colour\n1,1,#fff\n", "line 2: max \"1\""},
      {"a.csv", "min,max,colour\n1\n", "line 2"},
      {"a.csv", "min,max,colour\n0,1,#fff\nmissing,\n", "line 3"},
      {"a.csv", "value,colour\n1,1,1,1,1,1,1,1,1\n", "line 2: over 8 fields"},
      {"a.csv", "category,colour,label\n1,#fff,\xff\n", "line 2: the label is not UTF-8"},
      {"a.csv", "category,colour,label\n1,#f\xff,x\n", "line 2"},
      {"a.cpt", "", "no line has two values"},
      {"a.cpt", "# COLOR_MODEL = HSV\n", "line 1: the colours are HSV"},
      {"a.cpt", "0 0/0/0 1\n", "line 1: not \"value colour"},
      {"a.cpt", "0 0/0/0 1 1/2\n", "line 1: not a colour"},
      {"a.cpt", "0 0/0/0 1 1/2/300\n", "line 1: not a colour"},
      {"a.cpt", "0 black 1 puce\n", "line 1: not a colour"},
      {"a.cpt", "0 black 1 white\n0.5 black 2 white\n", "line 2: 0.5 to 2; the values go upwards"},
      {"a.cpt", "0 black 1 white\nB 1 2\n", "line 2: B takes one colour"},
      {"a.json", "{\"type\":\"linear\",\"colors\":\"0000000\"}", "six hex digits"},
      {"a.json", "{\"type\":\"linear\",\"colors\":\"00000g000000\"}", "colour 1"},
      {"a.json", "{\"type\":\"linear\",\"colors\":\"000000ffffff\",\"labels\":[]}", "\"labels\""},
      {"a.json", "{\"type\":\"linear\",\"colors\":\"000000ffffff\",\"range\":[1,0]}", "\"range\""},
      {"a.json", "{\"type\":\"linear\",\"colors\":\"000000ffffff\",\"below\":\"x\"}", "below"},
      {"a.json", "{\"type\":\"categories\",\"colors\":{\"1\":\"#fff\"},\"labels\":{\"2\":\"x\"}}",
       "2 is none of the values"},
      {"a.json",
       "{\"type\":\"categories\",\"colors\":{\"1\":\"#fff\"},\"above\":\"#000\","
       "\"labels\":{\"2\":\"x\"}}",
       "2 is none of the values"},
      {"a.json", "{\"type\":\"intervals\",\"colors\":[[[0,1],\"#fff\"]],\"labels\":[]}", "one text"},
      {"a.json", "{\"type\":\"intervals\",\"colors\":[[[0,1],\"#fff\"]],\"range\":[0,1]}",
       "\"range\""},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    ra_ramp *ramp = NULL;
    ra_err err = {0};
    int rc = ra_ramp_parse_file(CASES[i].file, CASES[i].text, strlen(CASES[i].text), &ramp, &err);
    if (rc != RA_E_INVALID || !strstr(err.message, CASES[i].says)) {
      fail_msg("%s: %d %s; expected: %s", CASES[i].text, rc, err.message, CASES[i].says);
    }
    assert_null(ramp);
  }
}

static void long_lines_and_long_lists_are_refused(void **state) {
  (void)state;
  enum { LINES = 5000, EACH = 16 };
  char *text = malloc(LINES * EACH + 1);
  assert_non_null(text);
  size_t n = 0;
  for (int i = 0; i < LINES; i++) n += (size_t)snprintf(text + n, EACH + 1, "%d,#ffffff\n", i);
  ra_ramp *ramp = NULL;
  ra_err err = {0};
  assert_int_equal(ra_ramp_parse_csv(text, n, &ramp, &err), RA_E_INVALID);
  assert_non_null(strstr(err.message, "5000 entries"));
  memset(text, ' ', 2000);
  assert_int_equal(ra_ramp_parse_csv(text, 2000, &ramp, &err), RA_E_INVALID);
  assert_non_null(strstr(err.message, "line 1: over 1023 characters"));
  assert_int_equal(ra_ramp_parse_cpt(text, 2000, &ramp, &err), RA_E_INVALID);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_become_shares_of_their_range),
      cmocka_unit_test(shares_have_no_range),
      cmocka_unit_test(categories_with_labels),
      cmocka_unit_test(intervals_where_later_ones_win),
      cmocka_unit_test(palettes_of_gmt),
      cmocka_unit_test(a_file_of_json_has_extras),
      cmocka_unit_test(each_part_changes_the_digest),
      cmocka_unit_test(refusals_name_the_line),
      cmocka_unit_test(long_lines_and_long_lists_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
