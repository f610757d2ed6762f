// Expressions: values worked out by hand and by NumPy's rules, which numexpr has; what is missing; runs longer than a block.
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "raster/expr.h"

static ra_expr *parsed(const char *text) {
  ra_expr *expr = NULL;
  ra_err err = {0};
  if (ra_expr_parse(text, strlen(text), &expr, &err) < 0) fail_msg("%s: %s", text, err.message);
  return expr;
}

// Of a and b, by their names.
static double value(const char *text, double a, double b) {
  ra_expr *expr = parsed(text);
  const double *operands[2] = {0};
  for (unsigned i = 0; i < ra_expr_name_count(expr); i++)
    operands[i] = strcmp(ra_expr_name(expr, i), "a") == 0 ? &a : &b;
  double out = -1, *results[] = {&out};
  ra_expr_run(expr, operands, 1, results);
  ra_expr_unref(expr);
  return out;
}

static void by_hand(void **state) {
  (void)state;
  static const struct {
    const char *text;
    double a, b, want;
  } KNOWN[] = {
      {"a + b * 2 - 1", 3, 4, 10},
      {"(a + b) * 2", 3, 4, 14},
      {"-a ** 2", 3, 0, -9},  // as Python binds it
      {"2 ** -1 * a", 3, 0, 1.5},
      {"a ** b ** 2", 2, 3, 512},  // from the right
      {"a % 3", -7, 0, 2},         // has the sign of the divisor
      {"a % -3", 7, 0, -2},
      {"a // 2", -7, 0, -4},
      {"fmod(a, 3)", -7, 0, -1},  // of the dividend
      {"a < b", 1, 2, 1},
      {"a >= b", 1, 2, 0},
      {"a != b", 1, 1, 0},
      {"(a > 0) & (b > 0)", 1, -1, 0},
      {"(a > 0) | (b > 0)", 1, -1, 1},
      {"(a > 0) ^ (b > 0)", 1, 1, 0},
      {"~(a > 0)", 1, 0, 0},
      {"where(a > b, a, b)", 2, 5, 5},
      {"where(a > b, a, b)", 6, 5, 6},
      {"arctan2(a, b)", 1, 1, 0.78539816339744831},  // pi / 4
      {"hypot(a, b)", 3, 4, 5},
      {"log10(a) + log2(b)", 1000, 8, 6},
      {"exp(log(a))", 7.25, 0, 7.25},
      {"expm1(a)", 1e-9, 0, 1.0000000005e-9},
      {"log1p(a)", 1e-9, 0, 9.999999995e-10},
      {"round(a)", 2.5, 0, 2},  // half to even, as NumPy
      {"trunc(a) + floor(a) + ceil(a)", -1.5, 0, -4},
      {"sign(a) * abs(a)", -3, 0, -3},
      {"sqrt(a)", 2, 0, 1.4142135623730951},
      {"sinh(a) - cosh(a)", 1, 0, -0.36787944117144233},  // -1 / e
      {"arcsin(a) + arccos(a)", 0.3, 0, 1.5707963267948966},
      {"tan(arctan(a))", 12.5, 0, 12.5},
      {"min(a, b) * 10 + max(a, b)", 2, 3, 23},
      {"\"a\" - 1e2 + .5", 100, 0, 0.5},
  };
  for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
    double got = value(KNOWN[i].text, KNOWN[i].a, KNOWN[i].b);
    if (!(fabs(got - KNOWN[i].want) <= 1e-14 * fmax(1, fabs(KNOWN[i].want))))
      fail_msg("%s: %.17g, wanted %.17g", KNOWN[i].text, got, KNOWN[i].want);
  }
}

static void a_missing_operand_makes_a_missing_result(void **state) {
  (void)state;
  static const char *const texts[] = {
      "a + b",     "where(b > 0, 1, a)", "a == a + b * 0",    "isnan(a) + b",
      "min(a, b)", "a ** 0 * b ** 0",    "(b > 0) | (a > 0)", "a * 0 + b"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    assert_true(isnan(value(texts[i], NAN, 1)));
    assert_false(isnan(value(texts[i], 2, 1)));
  }
}

static void what_is_no_number_becomes_0(void **state) {
  (void)state;
  assert_true(value("a / b", 0, 0) == 0);
  assert_true(value("sqrt(a)", -1, 0) == 0);
  assert_true(value("a / b", 1, 0) == DBL_MAX);
  assert_true(value("a / b", -1, 0) == -DBL_MAX);
  assert_true(value("log(a)", 0, 0) == -DBL_MAX);
  assert_true(value("isinf(a / b)", 1, 0) == 1);
  assert_true(value("isnan(a / b)", 0, 0) == 1);
  assert_true(value("isfinite(a / b)", 1, 0) == 0);
}

// All results are missing where any operand is, whichever of them uses it; blocks do not show.
static void several_results_over_many_values(void **state) {
  (void)state;
  enum { N = 1001 };
  static double a[N], b[N], sum[N], scaled[N];
  for (int i = 0; i < N; i++)
    a[i] = i % 97 == 5 ? (double)NAN : i, b[i] = i % 89 == 7 ? (double)NAN : 2.0 * i;
  ra_expr *expr = parsed("a + b; b * -3");
  assert_int_equal(ra_expr_result_count(expr), 2);
  assert_int_equal(ra_expr_name_count(expr), 2);
  const double *operands[] = {a, b};
  double *results[] = {sum, scaled};
  ra_expr_run(ra_expr_ref(expr), operands, N, results);
  ra_expr_unref(expr);
  for (int i = 0; i < N; i++) {
    bool missing = i % 97 == 5 || i % 89 == 7;
    assert_int_equal(isnan(sum[i]) != 0, missing);
    assert_int_equal(isnan(scaled[i]) != 0, missing);
    if (!missing) assert_true(sum[i] == 3.0 * i && scaled[i] == -6.0 * i);
  }
  ra_expr_unref(expr);
}

static void deep_and_long_ones_are_refused(void **state) {
  (void)state;
  char text[RA_EXPR_TEXT + 10];
  ra_expr *expr = NULL;
  memset(text, '(', sizeof text);
  assert_int_equal(ra_expr_parse(text, 200, &expr, NULL), RA_E_INVALID);
  assert_int_equal(ra_expr_parse(text, sizeof text, &expr, NULL), RA_E_INVALID);
  for (size_t i = 0; i + 2 < sizeof text; i += 2) memcpy(text + i, i ? "+a" : " a", 2);
  assert_int_equal(ra_expr_parse(text, 2 * 600, &expr, NULL), RA_E_INVALID);
  assert_int_equal(ra_expr_parse("a; ; b", 6, &expr, NULL), RA_E_INVALID);
  assert_int_equal(ra_expr_parse("", 0, &expr, NULL), RA_E_INVALID);
  assert_null(expr);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(by_hand),
      cmocka_unit_test(a_missing_operand_makes_a_missing_result),
      cmocka_unit_test(what_is_no_number_becomes_0),
      cmocka_unit_test(several_results_over_many_values),
      cmocka_unit_test(deep_and_long_ones_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
