// expr.c - text to steps, by precedence as in Python: | ^ & below comparisons (which are of two values), then + -, * / //
// %, signs and ~, **. Depth and length are counted, so that any text ends in bounded time and stack.
#include "raster/expr.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "raster/expr_impl.h"

enum { NUMBER_ROOM = 64 };

typedef struct parser {
  const char *begin, *at, *end;
  ra_expr *expr;
  size_t text_used;
  unsigned depth;  // of parentheses and signs
  unsigned stack;  // values waiting
  ra_err *err;
} parser;

static int parse_level(parser *p, unsigned level);

// ---- pieces

static void skip_blanks(parser *p) {
  while (p->at < p->end && isspace((unsigned char)*p->at)) p->at++;
}

static int wrong(parser *p, const char *wanted) {
  skip_blanks(p);
  int n = (int)(p->end - p->at < 12 ? p->end - p->at : 12);
  return ra_fail(p->err, RA_E_INVALID, "expression", "expression: %s is wanted at '%.*s' (byte %zu)",
                 wanted, n, p->at, (size_t)(p->at - p->begin) + 1);
}

static bool take(parser *p, const char *word) {
  skip_blanks(p);
  size_t n = strlen(word);
  if ((size_t)(p->end - p->at) < n || memcmp(p->at, word, n) != 0) return false;
  p->at += n;
  return true;
}

// Pops `taken` values and pushes one.
static int add_step(parser *p, ra__expr_step step, unsigned taken) {
  if (p->expr->step_count == RA_EXPR_CODE) {
    return ra_fail(p->err, RA_E_INVALID, "expression", "expression: more than %d operations",
                   RA_EXPR_CODE);
  }
  p->stack = p->stack - taken + 1;
  if (p->stack > RA_EXPR_DEPTH) {
    return ra_fail(p->err, RA_E_INVALID, "expression", "expression: nested deeper than %d",
                   RA_EXPR_DEPTH);
  }
  p->expr->steps[p->expr->step_count++] = step;
  return RA_OK;
}

static int enter(parser *p) {
  if (++p->depth <= RA_EXPR_DEPTH) return RA_OK;
  return ra_fail(p->err, RA_E_INVALID, "expression", "expression: nested deeper than %d",
                 RA_EXPR_DEPTH);
}

static int expect(parser *p, const char *word, const char *wanted) {
  return take(p, word) ? RA_OK : wrong(p, wanted);
}

// ---- values

static int parse_number(parser *p) {
  char text[NUMBER_ROOM], *end;
  size_t n = 0;
  const char *at = p->at;
  while (at < p->end && n < NUMBER_ROOM - 1) {
    bool exponent_sign = n && (at[-1] == 'e' || at[-1] == 'E') && (*at == '+' || *at == '-');
    if (!isdigit((unsigned char)*at) && *at != '.' && *at != 'e' && *at != 'E' && !exponent_sign) {
      break;
    }
    text[n++] = *at++;
  }
  text[n] = 0;
  double value = strtod(text, &end);
  if (end == text || !isfinite(value)) return wrong(p, "a number");
  p->at += end - text;
  return add_step(p, (ra__expr_step){.op = RA__EXPR_NUMBER, .number = value}, 0);
}

static int name_index(parser *p, const char *name, size_t n) {
  ra_expr *expr = p->expr;
  for (unsigned i = 0; i < expr->name_count; i++) {
    if (strlen(expr->names[i]) == n && memcmp(expr->names[i], name, n) == 0) return (int)i;
  }
  if (expr->name_count == RA_EXPR_NAMES) {
    return ra_fail(p->err, RA_E_INVALID, "expression", "expression: more than %d different names",
                   RA_EXPR_NAMES);
  }
  char *to = expr->text + p->text_used;  // names are no longer than the text, with a zero each
  memcpy(to, name, n);
  to[n] = 0;
  p->text_used += n + 1;
  expr->names[expr->name_count] = to;
  return (int)expr->name_count++;
}

static int add_operand(parser *p, const char *name, size_t n) {
  int index = name_index(p, name, n);
  if (index < 0) return index;
  return add_step(p, (ra__expr_step){.op = RA__EXPR_OPERAND, .operand = (unsigned)index}, 0);
}

static int parse_call(parser *p, ra__expr_step step, unsigned count) {
  int rc = enter(p);
  for (unsigned i = 0; rc == RA_OK && i < count; i++) {
    if (i) rc = expect(p, ",", "',' and another value");
    if (rc == RA_OK) rc = parse_level(p, 0);
  }
  if (rc == RA_OK) rc = expect(p, ")", "')'");
  p->depth--;
  return rc == RA_OK ? add_step(p, step, count) : rc;
}

static int parse_name(parser *p) {
  const char *name = p->at;
  while (p->at < p->end && (isalnum((unsigned char)*p->at) || *p->at == '_')) p->at++;
  size_t n = (size_t)(p->at - name);
  ra__expr_step step;
  if (!take(p, "(")) return add_operand(p, name, n);
  unsigned count = ra__expr_function(name, n, &step);
  if (count) return parse_call(p, step, count);
  return ra_fail(p->err, RA_E_INVALID, "expression",
                 "expression: there is no function '%.*s'; there are where, sqrt, log, exp, abs, "
                 "minimum, maximum, sin, arctan2 and the like",
                 (int)(n < 40 ? n : 40), name);
}

static int parse_quoted(parser *p) {
  const char *name = ++p->at, *close = memchr(name, '"', (size_t)(p->end - name));
  if (!close || close == name || memchr(name, 0, (size_t)(close - name))) {
    return wrong(p, "a name that ends with '\"'");
  }
  p->at = close + 1;
  return add_operand(p, name, (size_t)(close - name));
}

static int parse_primary(parser *p) {
  if (take(p, "(")) {
    int rc = enter(p);
    if (rc == RA_OK) rc = parse_level(p, 0);
    p->depth--;
    return rc == RA_OK ? expect(p, ")", "')'") : rc;
  }
  if (p->at == p->end) return wrong(p, "a value");
  if (*p->at == '"') return parse_quoted(p);
  if (isdigit((unsigned char)*p->at) || *p->at == '.') return parse_number(p);
  if (isalpha((unsigned char)*p->at) || *p->at == '_') return parse_name(p);
  return wrong(p, "a value");
}

// ---- operators

static int parse_sign(parser *p);

// Binds closer than a sign before it and takes one behind it: -2 ** -1.
static int parse_power(parser *p) {
  int rc = parse_primary(p);
  if (rc != RA_OK || !take(p, "**")) return rc;
  rc = parse_sign(p);
  return rc == RA_OK ? add_step(p, (ra__expr_step){.op = RA__EXPR_POW}, 2) : rc;
}

static int parse_sign(parser *p) {
  bool minus = take(p, "-"), no = !minus && take(p, "~");
  if (!minus && !no && !take(p, "+")) return parse_power(p);
  int rc = enter(p);
  if (rc == RA_OK) rc = parse_sign(p);
  p->depth--;
  if (rc != RA_OK || (!minus && !no)) return rc;
  return add_step(p, (ra__expr_step){.op = minus ? RA__EXPR_NEG : RA__EXPR_NOT}, 1);
}

typedef struct operator_word {
  const char *text;
  ra__expr_op op;
} operator_word;

// From the loosest on; longer words before those that they begin with.
static const operator_word OPERATORS[][6] = {
    {{"|", RA__EXPR_OR}},
    {{"^", RA__EXPR_XOR}},
    {{"&", RA__EXPR_AND}},
    {{"<=", RA__EXPR_LE},
     {">=", RA__EXPR_GE},
     {"==", RA__EXPR_EQ},
     {"!=", RA__EXPR_NE},
     {"<", RA__EXPR_LT},
     {">", RA__EXPR_GT}},
    {{"+", RA__EXPR_ADD}, {"-", RA__EXPR_SUB}},
    {{"//", RA__EXPR_FLOOR_DIV}, {"/", RA__EXPR_DIV}, {"%", RA__EXPR_MOD}, {"*", RA__EXPR_MUL}},
};
enum { LEVELS = sizeof OPERATORS / sizeof *OPERATORS };

static const operator_word *take_operator(parser *p, unsigned level) {
  for (unsigned i = 0; i < 6 && OPERATORS[level][i].text; i++) {
    if (take(p, OPERATORS[level][i].text)) return &OPERATORS[level][i];
  }
  return NULL;
}

static int parse_level(parser *p, unsigned level) {
  if (level == LEVELS) return parse_sign(p);
  int rc = parse_level(p, level + 1);
  const operator_word *found;
  while (rc == RA_OK && (found = take_operator(p, level))) {
    rc = parse_level(p, level + 1);
    if (rc == RA_OK) rc = add_step(p, (ra__expr_step){.op = found->op}, 2);
  }
  return rc;
}

// ---- results

static int parse_results(parser *p) {
  for (;;) {
    if (p->expr->result_count == RA_EXPR_RESULTS) {
      return ra_fail(p->err, RA_E_INVALID, "expression", "expression: more than %d results",
                     RA_EXPR_RESULTS);
    }
    p->stack = 0;
    int rc = parse_level(p, 0);
    if (rc < 0) return rc;
    p->expr->ends[p->expr->result_count++] = p->expr->step_count;
    bool more = take(p, ";");
    skip_blanks(p);
    if (p->at == p->end) return RA_OK;
    if (!more) return wrong(p, "an operator, or ';' and another result");
  }
}

int ra_expr_parse(const char *text, size_t size, ra_expr **out, ra_err *err) {
  if (size > RA_EXPR_TEXT) {
    return ra_fail(err, RA_E_INVALID, "expression", "expression: %zu bytes; it has up to %d", size,
                   RA_EXPR_TEXT);
  }
  ra_expr *expr = calloc(1, sizeof *expr);
  if (!expr) return ra_fail(err, RA_E_NOMEM, "expression", "out of memory for an expression");
  atomic_init(&expr->refs, 1);
  parser p = {.begin = text, .at = text, .end = text + size, .expr = expr, .err = err};
  int rc = parse_results(&p);
  if (rc == RA_OK && expr->name_count == 0) {
    rc = ra_fail(err, RA_E_INVALID, "expression", "expression: it names no variable");
  }
  if (rc < 0) {
    free(expr);
    return rc;
  }
  *out = expr;
  return RA_OK;
}

ra_expr *ra_expr_ref(ra_expr *expr) {
  atomic_fetch_add(&expr->refs, 1);
  return expr;
}

void ra_expr_unref(ra_expr *expr) {
  if (expr && atomic_fetch_sub(&expr->refs, 1) == 1) free(expr);
}

unsigned ra_expr_name_count(const ra_expr *expr) { return expr->name_count; }

const char *ra_expr_name(const ra_expr *expr, unsigned i) { return expr->names[i]; }

unsigned ra_expr_result_count(const ra_expr *expr) { return expr->result_count; }
