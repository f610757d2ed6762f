// ramp_private.h - the inside of a ramp, shared by its parser and its lookups.
#pragma once
#include <stdatomic.h>

#include <jansson.h>

#include "raster/ramp.h"

enum { RA__RAMP_LINEAR = 256, RA__RAMP_CATEGORIES = 65536, RA__RAMP_INTERVALS = 1024 };

// colours[] has room for the marks behind `count`. A linear ramp has colours only. Categories:
// low[] ascending. Intervals: low[] and high[] as given, and cuts[] (ascending, cut_count) with the
// entry that wins in [cuts[i], cuts[i + 1]), -1 for none.
struct ra_ramp {
  atomic_uint refs;
  ra_ramp_kind kind;
  unsigned count;
  uint8_t (*colours)[4];
  double *low, *high;
  double *cuts;
  int *winners;
  unsigned cut_count;
  bool marked[RA_RAMP_MARKS];
  char **labels;    // count of them, each may be NULL; NULL: no entry has one
  double range[2];  // equal: none
  char digest[65];
};

// A ramp with room for count entries, one reference; low and high only where the kind has them.
int ra__ramp_new(ra_ramp_kind kind, unsigned count, ra_ramp **out, ra_err *err);
// To be called once all entries are filled: sorts, finds what wins where, takes the digest.
int ra__ramp_finish(ra_ramp *ramp, ra_err *err);

// RA_E_INVALID with a sentence.
int ra__ramp_wrong(ra_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// where: "entry 3" or "line 11".
int ra__ramp_parse_colour(const json_t *colour, const char *where, uint8_t rgba[4], ra_err *err);
// A ramp file's JSON, not yet finished.
int ra__ramp_parse_root(const json_t *root, ra_ramp **out, ra_err *err);
// Takes root, finishes the ramp.
int ra__ramp_from_json(json_t *root, ra_ramp **out, ra_err *err);
// below, above, missing, labels and range of a file.
int ra__ramp_parse_extras(const json_t *root, ra_ramp *ramp, ra_err *err);

// Texts line by line, for the tables.
typedef struct ra__ramp_lines {
  const char *at, *end;
  unsigned number;  // of the last line given
} ra__ramp_lines;
// The next line without its end and without spaces around it, cut at `size`; false: there is none,
// or it is too long.
bool ra__ramp_line(ra__ramp_lines *lines, char *out, size_t size);
char *ra__ramp_trim(char *text);
bool ra__ramp_number(const char *text, double *out);  // a finite number and nothing else
