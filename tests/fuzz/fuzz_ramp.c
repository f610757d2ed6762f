// fuzz_ramp.c - colour ramps from anybody's JSON: a ramp whose lookups stay within its entries, or a refusal.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "raster/ramp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_up(const ra_ramp *ramp) {
  static const double values[] = {0, 0.5, 1, -1, 255, 256, 1e300, -1e300, NAN, INFINITY, -INFINITY};
  uint8_t colour[4];
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    int entry = ra_ramp_find(ramp, values[i]);
    if (entry >= (int)ra_ramp_count(ramp) + RA_RAMP_MARKS) abort();
    if (ra_ramp_colour(ramp, values[i], colour) != (entry >= 0)) abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const char *const NAMES[] = {"a.json", "a.csv", "a.cpt"};  // the first character tells
  ra_ramp *ramp = NULL, *reversed = NULL;
  ra_err err = {0};
  unsigned name = size > 0 && data[0] == 1 ? 1 : size > 0 && data[0] == 2 ? 2 : 0, skip = name > 0;
  if (ra_ramp_parse_file(NAMES[name], (const char *)data + skip, size - skip, &ramp, &err) < 0) {
    if (err.message[0] == 0) abort();
    return 0;
  }
  look_up(ramp);
  if (ra_ramp_reversed(ramp, &reversed, &err) == RA_OK) ra_ramp_unref(reversed);
  ra_ramp_unref(ramp);
  return 0;
}
