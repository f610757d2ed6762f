// hold.c - which blocks are in memory, for whom, and which leave when it is full.
//
// An object takes a block's cells from memory unless an eviction that began before the object was complete has written
// them to its bins. An eviction counts as one more block to come for the objects that it writes for.
#include <stdlib.h>
#include <string.h>

#include "ingest/pass_private.h"

void ra__jobs_push(ra__jobs *jobs, ra__job job) {
  jobs->items[(jobs->first + jobs->count++) % jobs->room] = job;
}

ra__job ra__jobs_pop(ra__jobs *jobs) {
  ra__job job = jobs->items[jobs->first];
  jobs->first = (jobs->first + 1) % jobs->room;
  jobs->count--;
  return job;
}

bool ra__hold_start(ra__pass *pass, uint64_t *block) {
  uint8_t *cells = pass->spare_count ? pass->spare[--pass->spare_count] : NULL;
  if (!cells) cells = malloc(pass->plan->block_bytes);
  if (!cells) return false;
  *block = pass->order[pass->next++];
  pass->held[*block].cells = cells;
  pass->in_memory[pass->used++] = *block;
  return true;
}

static bool is_loose(const ra__pass *pass, const ra__held *held) {
  unsigned stream = pass->plan->stream, other = !stream;
  return pass->plan->layouts > 1 && held->whole && !held->leaving && !held->waiting[stream] &&
         held->waiting[other] && !held->spilled_at[other];
}

static void lose(ra__pass *pass, uint64_t block) {
  ra__held *held = &pass->held[block];
  if (held->waiting[0] || held->waiting[1] || held->leaving) return;
  pass->spare[pass->spare_count++] = held->cells;
  held->cells = NULL;
  size_t i = 0;
  while (pass->in_memory[i] != block) i++;
  pass->used--;
  memmove(&pass->in_memory[i], &pass->in_memory[i + 1], (pass->used - i) * sizeof *pass->in_memory);
}

static void come_closer(ra__pass *pass, unsigned layout, uint64_t target) {
  ra__object *object = &pass->objects[layout][target];
  if (--object->left > 0) return;
  object->complete_at = pass->eviction.number;
  ra__jobs_push(&pass->complete, (ra__job){layout, target});
}

void ra__hold_finish(ra__pass *pass, uint64_t block) {
  const ra__plan *plan = pass->plan;
  ra__held *held = &pass->held[block];
  ra__region region;
  ra__tiling_region(&plan->blocks, block, &region);
  held->whole = true;
  for (unsigned l = 0; l < plan->layouts; l++) {
    ra__walk walk;
    for (bool more = ra__walk_init(&walk, &plan->targets[l], &region); more;
         more = ra__walk_next(&walk)) {
      held->waiting[l]++;
      come_closer(pass, l, walk.index);
    }
  }
}

static bool takes(const ra__pass *pass, const ra__target *target, uint64_t block) {
  const ra__held *held = &pass->held[block];
  uint32_t spilled = held->spilled_at[target->layout];
  uint32_t complete = pass->objects[target->layout][target->index].complete_at;
  ra__region region;
  if (!held->whole || (spilled && spilled <= complete)) return false;
  ra__tiling_region(&pass->plan->blocks, block, &region);
  return ra__region_meet(&region, &target->region, pass->ndim, &region);
}

int ra__hold_take(ra__pass *pass, ra__target *target, ra_err *err) {
  target->blocks = malloc((pass->used + 1) * sizeof *target->blocks);
  if (!target->blocks) return ra_fail(err, RA_E_NOMEM, pass->array->zarr.name, "out of memory");
  for (size_t i = 0; i < pass->used; i++) {
    uint64_t block = pass->in_memory[i];
    if (takes(pass, target, block)) target->blocks[target->block_count++] = block;
  }
  return RA_OK;
}

void ra__hold_release(ra__pass *pass, const ra__target *target) {
  for (size_t i = 0; i < target->block_count; i++) {
    ra__held *held = &pass->held[target->blocks[i]];
    pass->loose -= is_loose(pass, held);
    held->waiting[target->layout]--;
    pass->loose += is_loose(pass, held);
    lose(pass, target->blocks[i]);
  }
}

// ---- evictions

// Blocks that only the layout not followed waits for, or all.
static void choose_blocks(ra__pass *pass, bool all) {
  ra__eviction *e = &pass->eviction;
  e->block_count = 0;
  for (size_t i = 0; i < pass->used; i++) {
    uint64_t block = pass->in_memory[i];
    ra__held *held = &pass->held[block];
    if (all ? !held->whole : !is_loose(pass, held)) continue;
    held->leaving = true;
    e->blocks[e->block_count++] = block;
  }
  pass->loose = 0;
}

static void add_jobs(ra__pass *pass, unsigned layout, uint64_t block) {
  ra__eviction *e = &pass->eviction;
  ra__held *held = &pass->held[block];
  if (held->spilled_at[layout]) return;
  ra__region region;
  ra__walk walk;
  ra__tiling_region(&pass->plan->blocks, block, &region);
  for (bool more = ra__walk_init(&walk, &pass->plan->targets[layout], &region); more;
       more = ra__walk_next(&walk)) {
    ra__object *object = &pass->objects[layout][walk.index];
    if (object->left == 0 || object->evicted_at == e->number) continue;
    object->evicted_at = e->number;
    object->left++;
    ra__jobs_push(&e->jobs, (ra__job){layout, walk.index});
  }
}

// The objects are chosen before the blocks are marked, since add_jobs looks at the marks.
static void start(ra__pass *pass) {
  ra__eviction *e = &pass->eviction;
  e->active = true;
  e->number++;
  for (unsigned l = 0; l < pass->plan->layouts; l++) {
    if (!e->layouts[l]) continue;
    for (size_t i = 0; i < e->block_count; i++) add_jobs(pass, l, e->blocks[i]);
    for (size_t i = 0; i < e->block_count; i++) {
      ra__held *held = &pass->held[e->blocks[i]];
      if (!held->spilled_at[l]) held->spilled_at[l] = e->number;
    }
  }
  e->unfinished = e->jobs.count;
}

static void finish(ra__pass *pass) {
  ra__eviction *e = &pass->eviction;
  for (size_t i = 0; i < e->block_count; i++) {
    ra__held *held = &pass->held[e->blocks[i]];
    ra__region region;
    ra__tiling_region(&pass->plan->blocks, e->blocks[i], &region);
    held->leaving = false;
    for (unsigned l = 0; l < pass->plan->layouts; l++) {
      ra__walk walk;
      if (held->spilled_at[l] != e->number) continue;
      for (bool more = ra__walk_init(&walk, &pass->plan->targets[l], &region); more;
           more = ra__walk_next(&walk)) {
        held->waiting[l] -= pass->objects[l][walk.index].evicted_at == e->number;
      }
    }
    lose(pass, e->blocks[i]);
  }
  e->active = false;
}

void ra__evict_begin(ra__pass *pass, bool stuck) {
  const ra__plan *plan = pass->plan;
  ra__eviction *e = &pass->eviction;
  uint64_t to_come = plan->blocks.count - pass->next;
  bool spills = plan->spills[RA__SHARDS] || plan->spills[RA__MAPS];
  if (e->active || !spills || to_come <= plan->buffers - pass->used) return;
  bool enough = pass->loose > 0 && pass->loose >= plan->buffers / (stuck ? 4 : 2);
  if (!enough && !stuck) return;
  e->layouts[plan->stream] = !enough;
  e->layouts[!plan->stream] = plan->layouts > 1;
  choose_blocks(pass, !enough);
  start(pass);
  if (e->unfinished == 0) finish(pass);
}

void ra__evict_end(ra__pass *pass, ra__job job) {
  come_closer(pass, job.layout, job.target);
  if (--pass->eviction.unfinished == 0) finish(pass);
}

static int write_part(ra__pass *pass, unsigned layout, ra__record *record, const ra__region *region,
                      ra__bin *bin, ra_err *err) {
  const ra__eviction *e = &pass->eviction;
  int rc = RA_OK;
  for (size_t i = 0; i < e->block_count && rc >= 0; i++) {
    ra__region block;
    if (pass->held[e->blocks[i]].spilled_at[layout] != e->number) continue;
    ra__view cells;
    ra__tiling_region(&pass->plan->blocks, e->blocks[i], &block);
    ra__view_init(&cells, pass->ndim, pass->size, &block, pass->held[e->blocks[i]].cells);
    rc = ra__record_add(record, e->blocks[i], &cells, region, err);
    if (rc >= 0 && record->len >= RA__RECORD)
      rc = ra__record_write(record, pass->scratch, bin, err);
  }
  return rc < 0 ? rc : ra__record_write(record, pass->scratch, bin, err);
}

int ra__evict_write(ra__pass *pass, ra__job job, ra_err *err) {
  ra__target target = {.pass = pass, .layout = job.layout, .index = job.target};
  ra__tiling_region(&pass->plan->targets[job.layout], job.target, &target.region);
  ra__record record = {.ndim = pass->ndim, .size = pass->size};
  uint64_t parts = ra__target_parts(&target);
  int rc = RA_OK;
  for (uint64_t part = 0; part < parts && rc >= 0; part++) {
    ra__region region;
    if (!ra__target_part(&target, part, &region)) continue;
    ra__bin *bin = &pass->bins[job.layout][job.target * parts + part];
    rc = write_part(pass, job.layout, &record, &region, bin, err);
  }
  ra__record_deinit(&record);
  return rc;
}
