// ramp_private.h - the inside of a ramp, shared by its parser and its lookups.
#pragma once
#include <stdatomic.h>

#include "raster/ramp.h"

enum { RA__RAMP_LINEAR = 256, RA__RAMP_CATEGORIES = 65536, RA__RAMP_INTERVALS = 1024 };

// A linear ramp has colours only. Categories: low[] ascending. Intervals: low[] and high[] as given, and cuts[]
// (ascending, cut_count) with the entry that wins in [cuts[i], cuts[i + 1]), -1 for none.
struct ra_ramp {
  atomic_uint refs;
  ra_ramp_kind kind;
  unsigned count;
  uint8_t (*colours)[4];
  double *low, *high;
  double *cuts;
  int *winners;
  unsigned cut_count;
  char digest[65];
};

// A ramp with room for count entries, one reference; low and high only where the kind has them.
int ra__ramp_new(ra_ramp_kind kind, unsigned count, ra_ramp **out, ra_err *err);
// To be called once all entries are filled: sorts, finds what wins where, takes the digest.
int ra__ramp_finish(ra_ramp *ramp, ra_err *err);
