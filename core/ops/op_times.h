// op_times.h - all times of a variable over a collection's datasets, each with the version of what is drawn then, and the
// runs of forecasts. One job in the cpu lane.
#pragma once
#include "base/arena.h"
#include "format/dataset.h"
#include "ops/op.h"

typedef struct ra_op_times {
  ra_arena arena;
  ra_dataset **datasets;  // a reference each; the latest published first
  size_t dataset_count;
  const char *collection, *variable, *generation;  // generation: of the collection's ramp limits
  const char *run;                                 // reference time of the only run; "": all
  size_t most;                                     // datasets that one map is drawn from
  int64_t first, last;                             // ISO milliseconds, inclusive
  ra_buf *out;                                     // the result, JSON; NULL once taken
} ra_op_times;

extern const ra_op_kind RA_OP_TIMES;
