// formula.h - rio-color's formulas: "gamma rg 1.2, sigmoidal rgb 6 0.5, saturation 1.3" over the levels 0..255 of up to
// three channels, with the numbers that rio-color gives. A plain value; no state, any thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef enum ra_formula_kind {
  RA_FORMULA_GAMMA,       // v ^ (1 / a)
  RA_FORMULA_SIGMOIDAL,   // contrast a around the level b; a below 0 takes contrast away
  RA_FORMULA_SATURATION,  // times a, of all three channels
} ra_formula_kind;

enum { RA_FORMULA_STEPS = 16, RA_FORMULA_TEXT = 512 };

typedef struct ra_formula_step {
  ra_formula_kind kind;
  unsigned channels;  // bits: 1 red, 2 green, 4 blue
  double a, b;
} ra_formula_step;

typedef struct ra_formula {
  unsigned count;  // 0: leaves all as it is
  ra_formula_step steps[RA_FORMULA_STEPS];
} ra_formula;

// Operations one after another, commas and blanks between; channels are letters of "rgb" or digits 1 to 3.
// RA_E_INVALID says which word is wrong.
int ra_formula_parse(const char *text, size_t size, ra_formula *out, ra_err *err);
// Whether it mixes channels, so that there must be three.
int ra_formula_needs_rgb(const ra_formula *formula);

// Ready to be applied to many pixels.
typedef struct ra_formula_run {
  const ra_formula *formula;
  unsigned done;          // steps that the tables hold
  double tables[3][256];  // 0..1
} ra_formula_run;

void ra_formula_begin(const ra_formula *formula, ra_formula_run *run);
// One pixel in place: its first three levels, or with `channels` 1 the first alone, which is red.
void ra_formula_apply(const ra_formula_run *run, unsigned channels, uint8_t *levels);
