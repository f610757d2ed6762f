// pass_init.c - the tables of a pass, and the order of its blocks.
#include <stdlib.h>
#include <string.h>

#include "ingest/pass_private.h"

static void *zeros(size_t count, size_t size) { return calloc(count ? count : 1, size); }

static bool make_objects(ra__pass *pass) {
  const ra__plan *plan = pass->plan;
  size_t all = 0;
  for (unsigned l = 0; l < plan->layouts; l++) {
    size_t count = plan->targets[l].count;
    pass->objects[l] = zeros(count, sizeof *pass->objects[l]);
    if (plan->spills[l]) pass->bins[l] = zeros(count * plan->parts[l].count, sizeof *pass->bins[l]);
    if (!pass->objects[l] || (plan->spills[l] && !pass->bins[l])) return false;
    for (size_t i = 0; i < count; i++) {
      ra__region region;
      uint64_t blocks = 1;
      ra__tiling_region(&plan->targets[l], i, &region);
      for (unsigned d = 0; d < pass->ndim; d++) {
        uint64_t side = plan->blocks.side[d], end = region.start[d] + region.count[d] - 1;
        blocks *= end / side - region.start[d] / side + 1;
      }
      pass->objects[l][i].left = (uint32_t)blocks;
    }
    all += count;
  }
  pass->objects_left = all;
  pass->complete = (ra__jobs){.items = zeros(all, sizeof(ra__job)), .room = all};
  pass->eviction.jobs = (ra__jobs){.items = zeros(all, sizeof(ra__job)), .room = all};
  return pass->complete.items && pass->eviction.jobs.items;
}

static bool make_blocks(ra__pass *pass) {
  size_t count = pass->plan->blocks.count, buffers = pass->plan->buffers;
  pass->order = zeros(count, sizeof *pass->order);
  pass->held = zeros(count, sizeof *pass->held);
  pass->in_memory = zeros(buffers, sizeof *pass->in_memory);
  pass->spare = zeros(buffers, sizeof *pass->spare);
  pass->eviction.blocks = zeros(buffers, sizeof *pass->eviction.blocks);
  return pass->order && pass->held && pass->in_memory && pass->spare && pass->eviction.blocks;
}

int ra__pass_init(ra__pass *pass, ra__output *output, ra__array *array, ra__scratch *scratch,
                  ra_err *err) {
  *pass =
      (ra__pass){.output = output, .array = array, .plan = &array->plan, .ndim = array->zarr.ndim};
  pass->size = (unsigned)ra_dtype_size(array->zarr.dtype);
  pass->scratch = array->plan.scratch ? scratch : NULL;
  pthread_mutex_init(&pass->lock, NULL);
  pthread_cond_init(&pass->changed, NULL);
  if (!make_objects(pass) || !make_blocks(pass))
    return ra_fail(err, RA_E_NOMEM, array->zarr.name, "out of memory");
  int rc = ra__pass_order(pass->plan, pass->order, err);
  if (rc >= 0 && pass->plan->layouts > 1) rc = ra__tally_new(array, &pass->tally, err);
  return rc;
}

void ra__pass_deinit(ra__pass *pass) {
  for (size_t i = 0; pass->in_memory && i < pass->used; i++)
    free(pass->held[pass->in_memory[i]].cells);
  for (size_t i = 0; pass->spare && i < pass->spare_count; i++) free(pass->spare[i]);
  for (unsigned l = 0; l < RA__LAYOUTS; l++) {
    free(pass->objects[l]);
    free(pass->bins[l]);
  }
  free(pass->complete.items);
  free(pass->eviction.jobs.items);
  free(pass->eviction.blocks);
  free(pass->order);
  free(pass->held);
  free(pass->in_memory);
  free(pass->spare);
  ra__tally_free(pass->tally);
  pthread_cond_destroy(&pass->changed);
  pthread_mutex_destroy(&pass->lock);
}

// The objects of the followed layout one after another, each with those of its blocks that have not come yet.
int ra__pass_order(const ra__plan *plan, uint64_t *order, ra_err *err) {
  const ra__tiling *targets = &plan->targets[plan->stream];
  bool *seen = zeros(plan->blocks.count, sizeof *seen);
  if (!seen) return ra_fail(err, RA_E_NOMEM, "", "out of memory");
  uint64_t count = 0;
  for (uint64_t t = 0; t < targets->count && count < plan->blocks.count; t++) {
    ra__region region;
    ra__walk walk;
    ra__tiling_region(targets, t, &region);
    for (bool more = ra__walk_init(&walk, &plan->blocks, &region); more; more = ra__walk_next(&walk)) {
      if (seen[walk.index]) continue;
      seen[walk.index] = true;
      order[count++] = walk.index;
    }
  }
  free(seen);
  return RA_OK;
}
