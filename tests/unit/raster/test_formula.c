// Colour formulas: the numbers that rio-color's own operations (color-operations 0.4.0, from PyPI) give for the same levels.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "raster/formula.h"

static ra_formula parsed(const char *text) {
  ra_formula out;
  ra_err err = {0};
  if (ra_formula_parse(text, strlen(text), &out, &err) < 0) fail_msg("%s: %s", text, err.message);
  return out;
}

static void apply(const char *text, unsigned channels, uint8_t *levels) {
  static ra_formula_run run;
  ra_formula formula = parsed(text);
  ra_formula_begin(&formula, &run);
  ra_formula_apply(&run, channels, levels);
}

static void as_rio_color(void **state) {
  (void)state;
  static const struct {
    const char *formula;
    uint8_t levels[3];
    double want[3];  // before it is cut off to a whole level
  } KNOWN[] = {
      {"gamma r 2", {64, 64, 64}, {127.7498, 64, 64}},
      {"gamma g 0.5, gamma b 1.7", {200, 200, 200}, {200, 156.8627, 221.0423}},
      {"sigmoidal rgb 10 0.15", {1, 38, 200}, {1.8475, 98.3109, 254.5157}},
      {"Sigmoidal RGB 6 .5", {40, 128, 220}, {18.5198, 128.3286, 239.6581}},
      {"sigmoidal rgb -4 0.3", {40, 128, 220}, {35.0757, 99.2998, 184.6436}},
      {"sigmoidal r 0 0.5", {77, 1, 2}, {77, 1, 2}},
      {"saturation 1.6", {200, 100, 50}, {230.2051, 73.5094, 0}},
      {"saturation 0", {200, 100, 50}, {128.1136, 128.1136, 128.1136}},
      {"saturation 0.5", {10, 200, 120}, {122.9482, 188.9875, 147.7666}},
      {"gamma r 1.3 saturation 2 gamma b 0.8", {90, 140, 60}, {80.6123, 147.91, 0}},
      {"saturation 3", {250, 10, 10}, {255, 0, 0}},
  };
  for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
    uint8_t levels[3];
    memcpy(levels, KNOWN[i].levels, 3);
    apply(KNOWN[i].formula, 3, levels);
    for (int c = 0; c < 3; c++) {
      double whole = floor(KNOWN[i].want[c]);
      bool near = fabs(levels[c] - whole) < 0.5 ||  // on the border of two levels either will do
                  (fabs(KNOWN[i].want[c] - round(KNOWN[i].want[c])) < 1e-2 &&
                   abs(levels[c] - (int)whole) <= 1);
      if (!near) fail_msg("%s: %d, wanted %.4f", KNOWN[i].formula, levels[c], KNOWN[i].want[c]);
    }
  }
}

static void the_ends_stay(void **state) {
  (void)state;
  static const char *const formulas[] = {"gamma rgb 3", "sigmoidal rgb 20 0.2",
                                         "sigmoidal rgb -8 0.7", "gamma rgb .2 sigmoidal rgb 5 .5"};
  for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++) {
    uint8_t black[3] = {0, 0, 0}, white[3] = {255, 255, 255};
    apply(formulas[i], 3, black);
    apply(formulas[i], 3, white);
    for (int c = 0; c < 3; c++) assert_int_equal(black[c], 0), assert_true(white[c] >= 254);
  }
}

static void one_channel_is_red(void **state) {
  (void)state;
  uint8_t level = 64;
  apply("gamma r 2 gamma g 9", 1, &level);
  assert_int_equal(level, 127);
  ra_formula plain = parsed("gamma r 2, sigmoidal 12 3 .4"),
             mixing = parsed("gamma r 2 saturation 1");
  assert_int_equal(ra_formula_needs_rgb(&plain), 0);
  assert_int_equal(ra_formula_needs_rgb(&mixing), 1);
  assert_int_equal(plain.steps[1].channels, 3);
  ra_formula nothing = parsed(" , ");
  assert_int_equal(nothing.count, 0);
}

static void what_is_wrong_is_named(void **state) {
  (void)state;
  static const char *const BAD[][2] = {
      {"gama r 1", "'gama' where gamma"},
      {"gamma x 1", "'x' where the channels"},
      {"gamma r", "a number"},
      {"gamma r 0", "gamma is 0"},
      {"gamma r -1", "gamma is -1"},
      {"gamma r nan", "'nan' where a number"},
      {"gamma r 1e9", "'1e9'"},
      {"sigmoidal rgb 3 2", "level of sigmoidal is 2"},
      {"saturation -1", "saturation is -1"},
      {"gamma r 1x", "'1x'"},
      {"gamma rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr 1", "too long"},
  };
  for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
    ra_formula out;
    ra_err err = {0};
    assert_int_equal(ra_formula_parse(BAD[i][0], strlen(BAD[i][0]), &out, &err), RA_E_INVALID);
    if (!strstr(err.message, BAD[i][1])) fail_msg("%s: %s", BAD[i][0], err.message);
  }
  char many[RA_FORMULA_TEXT + 2];
  memset(many, ' ', sizeof many);
  ra_formula out;
  assert_int_equal(ra_formula_parse(many, RA_FORMULA_TEXT, &out, NULL), RA_OK);
  assert_int_equal(ra_formula_parse(many, RA_FORMULA_TEXT + 1, &out, NULL), RA_E_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(as_rio_color),
      cmocka_unit_test(the_ends_stay),
      cmocka_unit_test(one_channel_is_red),
      cmocka_unit_test(what_is_wrong_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
