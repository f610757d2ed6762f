// expr.h - arithmetic over planes of values: "(t2m - 273.15) * 1.8 + 32", several results split by ';'. The words are
// those of numexpr, which titiler's clients write: + - * / // % **, < <= == != > >=, & | ^ ~ of truths, where(c, a, b)
// and functions of one or two numbers. Names are letters, digits and '_', or anything between double quotes.
// Compiled once, then run over runs of values; both are bounded, whatever the text. Immutable, refcounted, any thread.
#pragma once
#include <stddef.h>

#include "base/err.h"

enum {
  RA_EXPR_TEXT = 2048,   // bytes
  RA_EXPR_NAMES = 16,    // different operands
  RA_EXPR_RESULTS = 16,  // between ';'
  RA_EXPR_CODE = 512,    // operations
  RA_EXPR_DEPTH = 32,    // values waiting, and parentheses open
};

typedef struct ra_expr ra_expr;

// RA_E_INVALID names the place in the text and what is wanted there.
int ra_expr_parse(const char *text, size_t size, ra_expr **out, ra_err *err);
ra_expr *ra_expr_ref(ra_expr *expr);
void ra_expr_unref(ra_expr *expr);
unsigned ra_expr_name_count(const ra_expr *expr);
const char *ra_expr_name(const ra_expr *expr, unsigned i);
unsigned ra_expr_result_count(const ra_expr *expr);
// results[r][i] from operands[name][i] for all i < n. Where any operand is NaN all results are; elsewhere what is no
// number becomes 0, as titiler has it, and what is infinite the greatest number. Results may be the operands' own memory
// only where neither overlaps another.
void ra_expr_run(const ra_expr *expr, const double *const *operands, size_t n,
                 double *const *results);
