// pass.c - the threads of a pass: each takes what is most urgent (spilling makes room, encoding too, then decoding) until
// all objects are made; see pass.h
#include <stdlib.h>
#include <string.h>

#include "ingest/pass_private.h"

enum { SPILL, ENCODE, DECODE };

typedef struct task {
  int kind;
  uint64_t block;
  ra__job job;
  ra__target target;
} task;

// ---- decoding

// A coordinate, which the plan has read already.
static int copy_kept(const ra__pass *pass, const ra__view *block, ra_err *err) {
  const void *kept;
  int rc = ra_source_cells(pass->output->ingest->source, pass->array->cf->source, &kept, err);
  if (rc < 0) return rc;
  ra__region all = {{0}, {0}};
  memcpy(all.count, pass->array->zarr.shape, sizeof all.count);
  ra__view cells;
  ra__view_init(&cells, pass->ndim, pass->size, &all, (void *)(uintptr_t)kept);
  ra__view_copy(&cells, block, pass->ndim, pass->size);
  return RA_OK;
}

static int decode(const ra__pass *pass, uint64_t block, ra_err *err) {
  const ra_source_var *var = pass->array->cf->source;
  ra__region region;
  ra__view view;
  ra__tiling_region(&pass->plan->blocks, block, &region);
  ra__view_init(&view, pass->ndim, pass->size, &region, pass->held[block].cells);
  int rc = var->cells ? copy_kept(pass, &view, err)
                      : ra_source_read(pass->output->ingest->source, var, region.start,
                                       region.count, view.cells, err);
  size_t bytes = ra__region_cells(&region, pass->ndim) * pass->size;
  if (rc >= 0) pass->output->ingest->bytes_read += bytes;
  return rc;
}

// ---- objects

ra__output *ra__target_output(const ra__target *target) { return target->pass->output; }
ra__array *ra__target_array(const ra__target *target) { return target->pass->array; }
ra__scratch *ra__target_scratch(const ra__target *target) { return target->pass->scratch; }

uint64_t ra__target_parts(const ra__target *target) {
  return target->pass->plan->parts[target->layout].count;
}

bool ra__target_part(const ra__target *target, uint64_t part, ra__region *out) {
  const ra__pass *pass = target->pass;
  ra__tiling_region(&pass->plan->parts[target->layout], part, out);
  for (unsigned d = 0; d < pass->ndim; d++) out->start[d] += target->region.start[d];
  return ra__region_meet(out, &target->region, pass->ndim, out);
}

int ra__target_fill(const ra__target *target, uint64_t part, const ra__view *views, size_t count,
                    ra_err *err) {
  const ra__pass *pass = target->pass;
  ra__region region, block;
  if (!ra__target_part(target, part, &region)) return RA_OK;
  for (size_t i = 0; i < target->block_count; i++) {
    ra__view cells;
    ra__tiling_region(&pass->plan->blocks, target->blocks[i], &block);
    ra__view_init(&cells, pass->ndim, pass->size, &block, pass->held[target->blocks[i]].cells);
    for (size_t v = 0; v < count; v++) ra__view_copy(&cells, &views[v], pass->ndim, pass->size);
  }
  if (!pass->bins[target->layout]) return RA_OK;
  const ra__bin *bin = &pass->bins[target->layout][target->index * ra__target_parts(target) + part];
  return ra__bin_read(bin, pass->scratch, &pass->plan->blocks, pass->size, &region, views, count,
                      err);
}

// ---- the threads

static int start_encoding(ra__pass *pass, task *t, ra_err *err) {
  t->kind = ENCODE;
  t->job = ra__jobs_pop(&pass->complete);
  t->target = (ra__target){.pass = pass, .layout = t->job.layout, .index = t->job.target};
  ra__tiling_region(&pass->plan->targets[t->job.layout], t->job.target, &t->target.region);
  pass->encoding++;
  return ra__hold_take(pass, &t->target, err);
}

static bool choose(ra__pass *pass, task *t, int *rc, ra_err *err) {
  const ra__plan *plan = pass->plan;
  ra__eviction *e = &pass->eviction;
  bool can_encode = pass->complete.count && pass->encoding < plan->encoders;
  *rc = RA_OK;
  *t = (task){.kind = SPILL};
  ra__evict_begin(pass, false);
  if (!e->active && !can_encode && pass->running == 0 && pass->used == plan->buffers)
    ra__evict_begin(pass, true);
  if (e->active && e->jobs.count) {
    t->job = ra__jobs_pop(&e->jobs);
    return true;
  }
  if (can_encode) {
    *rc = start_encoding(pass, t, err);
    return true;
  }
  if (pass->next == plan->blocks.count || pass->used == plan->buffers) return false;
  t->kind = DECODE;
  if (!ra__hold_start(pass, &t->block)) {
    *rc = ra_fail(err, RA_E_NOMEM, pass->array->zarr.name, "no memory for a block of %zu bytes",
                  plan->block_bytes);
  }
  return true;
}

static int run(ra__pass *pass, const task *t, ra_err *err) {
  switch (t->kind) {
    case SPILL: return ra__evict_write(pass, t->job, err);
    case DECODE: return decode(pass, t->block, err);
    default:
      return t->job.layout == RA__MAPS ? ra__maps_make(&t->target, pass->tally, err)
                                       : ra__shard_make(&t->target, err);
  }
}

static void settle(ra__pass *pass, task *t, int rc, const ra_err *err) {
  if (t->kind == ENCODE) pass->encoding--;
  if (rc < 0) {
    if (pass->rc >= 0) pass->err = *err;
    if (pass->rc >= 0) pass->rc = rc;
  } else if (t->kind == SPILL) {
    ra__evict_end(pass, t->job);
  } else if (t->kind == DECODE) {
    ra__hold_finish(pass, t->block);
  } else {
    ra__hold_release(pass, &t->target);
    pass->objects_left--;
  }
  free(t->target.blocks);
}

static bool is_over(const ra__pass *pass) {
  return pass->rc < 0 || pass->objects_left == 0 || ra_cancel_is_set(pass->output->cancel);
}

// Nothing runs, nothing can be taken, and objects are left: a defect must not become a hang.
static void give_up(ra__pass *pass) {
  pass->rc =
      ra_fail(&pass->err, RA_E_INTERNAL, pass->array->zarr.name, "the conversion stands still");
}

static int work(void *ctx, ra_err *err) {
  ra__pass *pass = ctx;
  (void)err;
  pthread_mutex_lock(&pass->lock);
  while (!is_over(pass)) {
    task t;
    int rc;
    ra_err why = {0};
    if (!choose(pass, &t, &rc, &why)) {
      if (pass->running == 0)
        give_up(pass);
      else
        pthread_cond_wait(&pass->changed, &pass->lock);
      continue;
    }
    pass->running++;
    pthread_mutex_unlock(&pass->lock);
    if (rc >= 0) rc = run(pass, &t, &why);
    pthread_mutex_lock(&pass->lock);
    pass->running--;
    settle(pass, &t, rc, &why);
    pthread_cond_broadcast(&pass->changed);
  }
  pthread_cond_broadcast(&pass->changed);
  pthread_mutex_unlock(&pass->lock);
  return RA_OK;
}

static int run_threads(ra__pass *pass, ra_err *err) {
  ra_pool *pool = pass->output->pool;
  int rc = RA_OK;
  for (unsigned i = 0; i < pass->plan->workers && rc >= 0; i++)
    rc = ra_pool_submit(pool, work, NULL, pass, err);
  ra_err later = {0};
  int waited = ra_pool_wait(pool, rc < 0 ? &later : err);
  if (pass->rc < 0) *err = pass->err;
  return pass->rc < 0 ? pass->rc : rc < 0 ? rc : waited;
}

int ra__pass_run(ra__output *output, ra__array *array, ra__scratch *scratch, ra_err *err) {
  ra__pass pass;
  int rc = ra__pass_init(&pass, output, array, scratch, err);
  if (rc >= 0) rc = run_threads(&pass, err);
  if (rc >= 0 && pass.tally) ra__tally_finish(pass.tally, array);
  ra__pass_deinit(&pass);
  return rc;
}
