// Numbers as text: each reads back as itself by the C library, and no shorter text would (asked of every 16th).
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/number.h"

static uint64_t seed;

static uint64_t next(void) {  // splitmix64
  uint64_t z = (seed += 0x9e3779b97f4a7c15u);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static int digits_of(const char *text) {
  int n = 0, zeros = 0;
  for (; *text && *text != 'e'; text++) {
    if (*text < '0' || *text > '9') continue;
    if (n || *text != '0') n++;
    zeros = *text == '0' ? zeros + 1 : 0;
  }
  return n > zeros ? n - zeros : 1;
}

static int fewest_float(float value) {
  char text[48];
  for (int n = 1; n < 9; n++) {
    snprintf(text, sizeof text, "%.*e", n - 1, (double)value);
    if (strtof(text, NULL) == value) return n;
  }
  return 9;
}

static int fewest_double(double value) {
  char text[48];
  for (int n = 1; n < 17; n++) {
    snprintf(text, sizeof text, "%.*e", n - 1, value);
    if (strtod(text, NULL) == value) return n;
  }
  return 17;
}

static bool sampled(void) { return next() % 16 == 0; }

static void check_float(float value, bool shortness) {
  char text[RA_NUMBER_TEXT + 1];
  text[ra_number_float(value, text)] = 0;
  if (strtof(text, NULL) != value || signbit(strtof(text, NULL)) != signbit(value)) {
    fail_msg("%.9g became %s", (double)value, text);
  }
  if (fabsf(value) < 1e7f && value == floorf(value)) return;  // all its digits
  if (shortness && digits_of(text) > fewest_float(value))
    fail_msg("%.9g became the long %s", (double)value, text);
}

static void check_double(double value, bool shortness) {
  char text[RA_NUMBER_TEXT + 1];
  text[ra_number_double(value, text)] = 0;
  if (strtod(text, NULL) != value || signbit(strtod(text, NULL)) != signbit(value)) {
    fail_msg("%.17g became %s", value, text);
  }
  if (fabs(value) < 1e15 && value == floor(value)) return;
  if (shortness && digits_of(text) > fewest_double(value))
    fail_msg("%.17g became the long %s", value, text);
}

static void floats_are_short_and_exact(void **state) {
  (void)state;
  for (int i = 0; i < 700000; i++) {
    uint32_t bits = (uint32_t)next();
    float value;
    memcpy(&value, &bits, sizeof value);
    if (isfinite(value)) check_float(value, sampled());
    // What data look like: a few digits, or a packed value times its scale.
    check_float((float)((double)(int64_t)(next() % 2000000) - 1e6) / 1000.0f, sampled());
    check_float((float)((double)(next() % 65536) * 0.0025 + 273.15), sampled());
  }
}

static void doubles_are_short_and_exact(void **state) {
  (void)state;
  for (int i = 0; i < 300000; i++) {
    uint64_t bits = next();
    double value;
    memcpy(&value, &bits, sizeof value);
    if (isfinite(value)) check_double(value, sampled());
    check_double(((double)(next() % 2000000000) - 1e9) / 1e5, sampled());
    check_double((double)(next() % 65536) * 0.01 + 273.15, sampled());
    check_double((double)next() / 1e19 * 360, sampled());
  }
}

static void edges_of_the_types(void **state) {
  (void)state;
  static const double EDGES[] = {5e-324,
                                 2.2250738585072011e-308,
                                 2.2250738585072014e-308,
                                 1.7976931348623157e308,
                                 0.1,
                                 0.3,
                                 1.0 / 3,
                                 1e15,
                                 1e16,
                                 1e17,
                                 123456789012345680.0,
                                 1e22,
                                 1e23,
                                 9007199254740993.0,
                                 4.35,
                                 0.00001,
                                 0.0001,
                                 0.5,
                                 2.5,
                                 -0.0,
                                 1e-5,
                                 9.999999999999999e22,
                                 8.41e21,
                                 2.0e-3,
                                 9.5367431640625e-07};
  for (size_t i = 0; i < sizeof EDGES / sizeof *EDGES; i++) {
    check_double(EDGES[i], true);
    check_double(-EDGES[i], true);
  }
  for (int e = -149; e < 128; e++) {
    float power = ldexpf(1, e);
    check_float(power, true);
    check_float(nextafterf(power, INFINITY), true);
    check_float(nextafterf(power, 0), true);
  }
  for (int e = -1074; e < 1024; e++) {
    double power = ldexp(1, e);
    check_double(power, true);
    check_double(nextafter(power, INFINITY), true);
    check_double(nextafter(power, 0), true);
  }
}

static void says(double value, const char *want) {
  char text[RA_NUMBER_TEXT + 1];
  text[ra_number_double(value, text)] = 0;
  assert_string_equal(text, want);
}

static void texts_look_usual(void **state) {
  (void)state;
  char text[RA_NUMBER_TEXT + 1];
  says(0, "0.0");
  says(-0.0, "-0.0");
  says(5, "5.0");
  says(-273.15, "-273.15");
  says(0.001, "0.001");
  says(0.000001234, "1.234e-06");
  says(1e300, "1e+300");
  says(1.5e20, "1.5e+20");
  says(NAN, "null");
  says(-INFINITY, "null");
  text[ra_number_float(271.35f, text)] = 0;
  assert_string_equal(text, "271.35");
  text[ra_number_float(1e-10f, text)] = 0;
  assert_string_equal(text, "1e-10");
  text[ra_number_float(16777216.0f, text)] = 0;
  assert_string_equal(text, "16777216.0");
}

int main(void) {
  seed = (uint64_t)time(NULL);
  print_message("seed %llu\n", (unsigned long long)seed);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(floats_are_short_and_exact),
      cmocka_unit_test(doubles_are_short_and_exact),
      cmocka_unit_test(edges_of_the_types),
      cmocka_unit_test(texts_look_usual),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
