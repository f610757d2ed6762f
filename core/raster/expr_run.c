// expr_run.c - an expression over runs of values: each operation is one loop over a run, so that its choice costs
// little and the plain ones are vector code.
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "raster/expr_impl.h"

enum { RUN = 256 };

// ---- functions

static double sign(double v) { return isnan(v) ? v : (v > 0) - (v < 0); }
static double is_nan(double v) { return isnan(v); }
static double is_finite(double v) { return isfinite(v); }
static double is_inf(double v) { return isinf(v); }
static double same(double v) { return v; }

unsigned ra__expr_function(const char *name, size_t size, ra__expr_step *out) {
  static const struct {
    const char *name;
    double (*call)(double);
  } ones[] = {{"sin", sin},       {"cos", cos},       {"tan", tan},
              {"arcsin", asin},   {"arccos", acos},   {"arctan", atan},
              {"sinh", sinh},     {"cosh", cosh},     {"tanh", tanh},
              {"arcsinh", asinh}, {"arccosh", acosh}, {"arctanh", atanh},
              {"log", log},       {"log10", log10},   {"log1p", log1p},
              {"log2", log2},     {"exp", exp},       {"expm1", expm1},
              {"sqrt", sqrt},     {"abs", fabs},      {"floor", floor},
              {"ceil", ceil},     {"round", rint},    {"trunc", trunc},
              {"sign", sign},     {"isnan", is_nan},  {"isfinite", is_finite},
              {"isinf", is_inf},  {"real", same}};
  static const struct {
    const char *name;
    double (*call)(double, double);
  } twos[] = {{"arctan2", atan2}, {"fmod", fmod}, {"minimum", fmin}, {"maximum", fmax},
              {"min", fmin},      {"max", fmax},  {"hypot", hypot},  {"pow", pow}};
  for (size_t i = 0; i < sizeof ones / sizeof *ones; i++) {
    if (strlen(ones[i].name) != size || memcmp(ones[i].name, name, size) != 0) {
      continue;
    }
    *out = (ra__expr_step){.op = RA__EXPR_CALL1, .call1 = ones[i].call};
    return 1;
  }
  for (size_t i = 0; i < sizeof twos / sizeof *twos; i++) {
    if (strlen(twos[i].name) != size || memcmp(twos[i].name, name, size) != 0) continue;
    *out = (ra__expr_step){.op = RA__EXPR_CALL2, .call2 = twos[i].call};
    return 2;
  }
  if (size != 5 || memcmp(name, "where", 5) != 0) return 0;
  *out = (ra__expr_step){.op = RA__EXPR_WHERE};
  return 3;
}

// ---- operations

static double modulo(double a, double b) {  // has the sign of b, as in NumPy
  double rest = fmod(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

#define EACH(EXPRESSION)             \
  for (size_t i = 0; i < n; i++) {   \
    const double x = a[i], y = b[i]; \
    a[i] = (EXPRESSION);             \
  }                                  \
  break

static void apply_two(const ra__expr_step *step, double *a, const double *b, size_t n) {
  switch (step->op) {
    case RA__EXPR_ADD: EACH(x + y);
    case RA__EXPR_SUB: EACH(x - y);
    case RA__EXPR_MUL: EACH(x * y);
    case RA__EXPR_DIV: EACH(x / y);
    case RA__EXPR_FLOOR_DIV: EACH(floor(x / y));
    case RA__EXPR_MOD: EACH(modulo(x, y));
    case RA__EXPR_POW: EACH(pow(x, y));
    case RA__EXPR_LT: EACH(x < y);
    case RA__EXPR_LE: EACH(x <= y);
    case RA__EXPR_EQ: EACH(x == y);
    case RA__EXPR_NE: EACH(x != y);
    case RA__EXPR_GT: EACH(x > y);
    case RA__EXPR_GE: EACH(x >= y);
    case RA__EXPR_AND: EACH(x != 0 && y != 0);
    case RA__EXPR_OR: EACH(x != 0 || y != 0);
    case RA__EXPR_XOR: EACH((x != 0) != (y != 0));
    default: EACH(step->call2(x, y));
  }
}

static void apply_one(const ra__expr_step *step, double *a, size_t n) {
  for (size_t i = 0; i < n; i++) {
    a[i] = step->op == RA__EXPR_NEG   ? -a[i]
           : step->op == RA__EXPR_NOT ? (double)(a[i] == 0)
                                      : step->call1(a[i]);
  }
}

static void choose(double *condition, const double *yes, const double *no, size_t n) {
  for (size_t i = 0; i < n; i++) condition[i] = condition[i] != 0 ? yes[i] : no[i];
}

// The steps from `first` to `last` leave one value, in stack[0].
static void run_steps(const ra_expr *self, unsigned first, unsigned last,
                      const double *const *operands, size_t at, size_t n, double (*stack)[RUN]) {
  unsigned top = 0;  // values on the stack
  for (unsigned s = first; s < last; s++) {
    const ra__expr_step *step = &self->steps[s];
    if (step->op == RA__EXPR_NUMBER) {
      for (size_t i = 0; i < n; i++) stack[top][i] = step->number;
      top++;
    } else if (step->op == RA__EXPR_OPERAND) {
      memcpy(stack[top++], operands[step->operand] + at, n * sizeof(double));
    } else if (step->op == RA__EXPR_WHERE) {
      top -= 2;
      choose(stack[top - 1], stack[top], stack[top + 1], n);
    } else if (step->op >= RA__EXPR_NEG) {
      apply_one(step, stack[top - 1], n);
    } else {
      top--;
      apply_two(step, stack[top - 1], stack[top], n);
    }
  }
}

static void find_missing(const ra_expr *self, const double *const *operands, size_t at, size_t n,
                         bool *missing) {
  memset(missing, 0, n * sizeof *missing);
  for (unsigned k = 0; k < self->name_count; k++) {
    for (size_t i = 0; i < n; i++) missing[i] |= isnan(operands[k][at + i]) != 0;
  }
}

static double finished(double v) {
  if (isnan(v)) return 0;
  return v > DBL_MAX ? DBL_MAX : v < -DBL_MAX ? -DBL_MAX : v;
}

void ra_expr_run(const ra_expr *self, const double *const *operands, size_t n,
                 double *const *results) {
  double stack[RA_EXPR_DEPTH][RUN] = {{0}};
  bool missing[RUN] = {false};
  for (size_t at = 0; at < n; at += RUN) {
    size_t count = n - at < RUN ? n - at : RUN;
    find_missing(self, operands, at, count, missing);
    unsigned first = 0;
    for (unsigned r = 0; r < self->result_count; r++) {
      run_steps(self, first, self->ends[r], operands, at, count, stack);
      first = self->ends[r];
      for (size_t i = 0; i < count; i++) {
        results[r][at + i] = missing[i] ? (double)NAN : finished(stack[0][i]);
      }
    }
  }
}
