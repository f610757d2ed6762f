// fuzz_expr.c - expressions from anybody: a refusal with its reason, or results that are all numbers.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "raster/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const ra_expr *expr) {
  static const double values[] = {0, 1, -1, 0.5, 1e308, -1e308, 255};
  enum { N = sizeof values / sizeof *values };
  const double *operands[RA_EXPR_NAMES];
  double out[RA_EXPR_RESULTS][N], *results[RA_EXPR_RESULTS];
  for (unsigned i = 0; i < RA_EXPR_NAMES; i++) operands[i] = values;
  for (unsigned r = 0; r < RA_EXPR_RESULTS; r++) results[r] = out[r];
  ra_expr_run(expr, operands, N, results);
  for (unsigned r = 0; r < ra_expr_result_count(expr); r++) {
    for (unsigned i = 0; i < N; i++) {
      if (!isfinite(out[r][i])) abort();
    }
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ra_expr *expr;
  ra_err err = {0};
  if (ra_expr_parse((const char *)data, size, &expr, &err) < 0) {
    if (err.message[0] == 0) abort();
    return 0;
  }
  if (ra_expr_name_count(expr) > RA_EXPR_NAMES || !ra_expr_name(expr, 0)[0]) abort();
  run(expr);
  ra_expr_unref(expr);
  return 0;
}
