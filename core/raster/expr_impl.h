// expr_impl.h - what an expression is made of: operations on a stack of values.
#pragma once
#include <stdatomic.h>
#include <stdint.h>

#include "raster/expr.h"

// Of two values, then of one, then of three.
typedef enum ra__expr_op {
  RA__EXPR_NUMBER,
  RA__EXPR_OPERAND,
  RA__EXPR_ADD,
  RA__EXPR_SUB,
  RA__EXPR_MUL,
  RA__EXPR_DIV,
  RA__EXPR_FLOOR_DIV,
  RA__EXPR_MOD,
  RA__EXPR_POW,
  RA__EXPR_LT,
  RA__EXPR_LE,
  RA__EXPR_EQ,
  RA__EXPR_NE,
  RA__EXPR_GT,
  RA__EXPR_GE,
  RA__EXPR_AND,
  RA__EXPR_OR,
  RA__EXPR_XOR,
  RA__EXPR_CALL2,
  RA__EXPR_NEG,
  RA__EXPR_NOT,
  RA__EXPR_CALL1,
  RA__EXPR_WHERE
} ra__expr_op;

typedef struct ra__expr_step {
  ra__expr_op op;
  union {
    double number;
    unsigned operand;
    double (*call1)(double);
    double (*call2)(double, double);
  };
} ra__expr_step;

struct ra_expr {
  atomic_int refs;
  unsigned step_count, name_count, result_count;
  ra__expr_step steps[RA_EXPR_CODE];
  unsigned ends[RA_EXPR_RESULTS];  // of each result's steps
  char *names[RA_EXPR_NAMES];      // into `text`
  char text[RA_EXPR_TEXT + RA_EXPR_NAMES];
};

// The function of that name: how many values it takes (1 or 2; 3 for where), 0: there is none.
unsigned ra__expr_function(const char *name, size_t size, ra__expr_step *out);
