// pass.h - one pass over a variable: its blocks (whole source chunks) are decoded once, in the order that completes the
// objects of one layout soonest; an object is encoded when its last block has come. What does not fit in memory
// meanwhile is spilled. (data.md §6)
//
//   decode -> blocks held in memory -> objects whose blocks are all there -> encode
//                 | memory is full                ^
//                 v                               |
//             scratch file: one bin a part of an object
#pragma once
#include "ingest/ingest_private.h"
#include "ingest/spill.h"

typedef struct ra__pass ra__pass;

// Converts one array. `scratch` may be NULL where the plan spills nothing.
int ra__pass_run(ra__output *output, ra__array *array, ra__scratch *scratch, ra_err *err);

// An object (a shard, or a few maps) whose cells are all there, for the time of its encoding.
typedef struct ra__target {
  ra__pass *pass;
  unsigned layout;
  uint64_t index;
  ra__region region;
  uint64_t *blocks;  // those of its blocks that are in memory
  size_t block_count;
} ra__target;

ra__output *ra__target_output(const ra__target *target);
ra__array *ra__target_array(const ra__target *target);
ra__scratch *ra__target_scratch(const ra__target *target);
// The part's region in the array; false when it lies past the array's edge.
bool ra__target_part(const ra__target *target, uint64_t part, ra__region *out);
uint64_t ra__target_parts(const ra__target *target);
// Copies the cells of a part's region into the views.
int ra__target_fill(const ra__target *target, uint64_t part, const ra__view *views, size_t count,
                    ra_err *err);

// How objects are made: of shards (layout RA__SHARDS) and of maps (RA__MAPS). Any thread.
int ra__shard_make(const ra__target *target, ra_err *err);
int ra__maps_make(const ra__target *target, ra__tally *tally, ra_err *err);
