// fuzz_formula.c - colour formulas from anybody: a refusal with its reason, or steps that leave any pixel defined.
#include <stdint.h>
#include <stdlib.h>

#include "raster/formula.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  ra_formula formula;
  ra_err err = {0};
  if (ra_formula_parse((const char *)data, size, &formula, &err) < 0) {
    if (err.message[0] == 0) abort();
    return 0;
  }
  if (formula.count > RA_FORMULA_STEPS) abort();
  ra_formula_run run;
  ra_formula_begin(&formula, &run);
  uint8_t pixel[3] = {0, 128, 255};
  ra_formula_apply(&run, 3, pixel);
  ra_formula_apply(&run, 1, pixel);
  return 0;
}
