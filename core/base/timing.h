// timing.h - where a request's time went, in nanoseconds a stage, and how many Zarr stores a series read. Filled by jobs,
// added up by the task, shown in Server-Timing and the stage histograms.
#pragma once
#include <stdint.h>

typedef enum ra_stage {
  RA_STAGE_CATALOG,
  RA_STAGE_FETCH,
  RA_STAGE_DECODE,
  RA_STAGE_WARP,
  RA_STAGE_ENCODE,
  RA_STAGE_COUNT
} ra_stage;

typedef struct ra_timing {
  uint64_t ns[RA_STAGE_COUNT];
  uint64_t stores;
} ra_timing;

static inline void ra_timing_add(ra_timing *sum, const ra_timing *part) {
  for (int i = 0; i < RA_STAGE_COUNT; i++) sum->ns[i] += part->ns[i];
  sum->stores += part->stores;
}
