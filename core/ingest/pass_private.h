// pass_private.h - the state of a pass, which its threads share under one lock.
#pragma once
#include "ingest/pass.h"

typedef struct ra__held {            // a block
  uint8_t *cells;                    // NULL: not in memory
  bool whole;                        // decoded
  bool leaving;                      // being spilled
  uint32_t waiting[RA__LAYOUTS];     // objects that will take its cells from memory
  uint32_t spilled_at[RA__LAYOUTS];  // number of the eviction that wrote its pieces; 0: none did
} ra__held;

typedef struct ra__object {
  uint32_t left;         // blocks (and evictions at work for it) to come
  uint32_t complete_at;  // evictions begun when it became complete: later ones do not concern it
  uint32_t evicted_at;   // the last eviction with pieces of it
} ra__object;

typedef struct ra__job {
  unsigned layout;
  uint64_t target;
} ra__job;

typedef struct ra__jobs {  // a queue; the room is for all that can ever be in it
  ra__job *items;
  size_t first, count, room;
} ra__jobs;

// Blocks that leave memory together, and the objects whose pieces are written for it.
typedef struct ra__eviction {
  bool active, layouts[RA__LAYOUTS];
  uint32_t number;  // counts from 1
  uint64_t *blocks;
  size_t block_count;
  ra__jobs jobs;
  size_t unfinished;
} ra__eviction;

struct ra__pass {
  ra__output *output;
  ra__array *array;
  const ra__plan *plan;
  ra__scratch *scratch;
  ra__tally *tally;  // NULL: no maps
  unsigned ndim, size;
  pthread_mutex_t lock;  // guards what follows
  pthread_cond_t changed;
  int rc;
  ra_err err;
  uint64_t *order, next;  // blocks in the order of reading
  ra__held *held;
  uint64_t *in_memory;  // their numbers
  size_t used, loose;   // how many; those of them that only the layout not followed waits for
  uint8_t **spare;      // buffers for blocks
  size_t spare_count;
  ra__object *objects[RA__LAYOUTS];
  ra__bin *bins[RA__LAYOUTS];
  uint64_t objects_left;
  ra__jobs complete;  // objects to encode
  ra__eviction eviction;
  unsigned running, encoding;
};

int ra__pass_init(ra__pass *pass, ra__output *output, ra__array *array, ra__scratch *scratch,
                  ra_err *err);
void ra__pass_deinit(ra__pass *pass);
// order receives the numbers of all blocks.
int ra__pass_order(const ra__plan *plan, uint64_t *order, ra_err *err);

// What follows is called with the lock held.
void ra__jobs_push(ra__jobs *jobs, ra__job job);
ra__job ra__jobs_pop(ra__jobs *jobs);
bool ra__hold_start(ra__pass *pass, uint64_t *block);  // a buffer for the next block; false: none
void ra__hold_finish(ra__pass *pass, uint64_t block);  // it is decoded
int ra__hold_take(ra__pass *pass, ra__target *target, ra_err *err);  // the object's blocks in memory
void ra__hold_release(ra__pass *pass, const ra__target *target);     // it is encoded
// Begins to spill, when it is time; `stuck`: nothing else can go on.
void ra__evict_begin(ra__pass *pass, bool stuck);
void ra__evict_end(ra__pass *pass, ra__job job);  // one object's pieces are written

// Without the lock: writes an object's pieces of the blocks that leave.
int ra__evict_write(ra__pass *pass, ra__job job, ra_err *err);
