// Who gets a block's cells, and when it leaves memory: an object is not complete while its pieces are being spilled, takes
// each block either from memory or from its bins, and a block leaves when nobody waits for it any more.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/pass_private.h"

enum { BLOCKS = 6 };

typedef struct world {
  ra__output output;
  ra__array array;
  ra__scratch *scratch;
  ra__pass pass;
} world;

// Six blocks of one cell; shards of three; with maps, one a block, which are followed.
static void begin(world *w, unsigned layouts) {
  static const uint64_t all[] = {BLOCKS}, one[] = {1}, three[] = {3};
  ra_err err = {0};
  memset(w, 0, sizeof *w);
  w->array.zarr = (ra_zarr_spec){.name = "v", .dtype = RA_DTYPE_F32, .ndim = 1, .shape = {BLOCKS}};
  w->array.steps = 1;
  ra__plan *plan = &w->array.plan;
  *plan = (ra__plan){.layouts = layouts, .block_bytes = 4, .buffers = 3, .scratch = 1};
  plan->stream = layouts > 1 ? RA__MAPS : RA__SHARDS;
  plan->spills[RA__SHARDS] = true;
  assert_true(ra__tiling_init(&plan->blocks, 1, all, one));
  assert_true(ra__tiling_init(&plan->targets[RA__SHARDS], 1, all, three));
  assert_true(ra__tiling_init(&plan->parts[RA__SHARDS], 1, three, three));
  assert_true(ra__tiling_init(&plan->targets[RA__MAPS], 1, all, one));
  assert_true(ra__tiling_init(&plan->parts[RA__MAPS], 1, one, one));
  assert_int_equal(ra__scratch_open("/tmp", &w->scratch, &err), RA_OK);
  assert_int_equal(ra__pass_init(&w->pass, &w->output, &w->array, w->scratch, &err), RA_OK);
}

static void end(world *w) {
  ra__pass_deinit(&w->pass);
  ra__scratch_free(w->scratch);
}

static void decode(world *w, float value) {
  uint64_t block;
  assert_true(ra__hold_start(&w->pass, &block));
  memcpy(w->pass.held[block].cells, &value, sizeof value);
  ra__hold_finish(&w->pass, block);
}

static ra__job evict(world *w) {
  ra__evict_begin(&w->pass, true);
  assert_true(w->pass.eviction.active);
  assert_int_equal(w->pass.eviction.jobs.count, 1);
  return ra__jobs_pop(&w->pass.eviction.jobs);
}

static void write_out(world *w, ra__job job) {
  ra_err err = {0};
  assert_int_equal(ra__evict_write(&w->pass, job, &err), RA_OK);
  ra__evict_end(&w->pass, job);
  assert_false(w->pass.eviction.active);
}

// Takes the complete object of the layout; its three cells are 1, 2, 3, of which `from_memory` are still there.
static void check_shard(world *w, size_t from_memory) {
  ra_err err = {0};
  ra__target target = {.pass = &w->pass, .layout = RA__SHARDS};
  float cells[3] = {0};
  ra__view view;
  ra__tiling_region(&w->array.plan.targets[RA__SHARDS], 0, &target.region);
  assert_int_equal(ra__hold_take(&w->pass, &target, &err), RA_OK);
  assert_int_equal(target.block_count, from_memory);
  ra__view_init(&view, 1, 4, &target.region, cells);
  assert_int_equal(ra__target_fill(&target, 0, &view, 1, &err), RA_OK);
  assert_true(cells[0] == 1 && cells[1] == 2 && cells[2] == 3);
  ra__hold_release(&w->pass, &target);
  free(target.blocks);
}

static void an_eviction_holds_its_objects(void **state) {
  (void)state;
  world w;
  begin(&w, 1);
  decode(&w, 1);
  decode(&w, 2);
  ra__job job = evict(&w);
  decode(&w, 3);  // the shard's last block, while pieces of it are on their way to the file
  assert_int_equal(w.pass.complete.count, 0);
  write_out(&w, job);
  assert_int_equal(w.pass.complete.count, 1);
  assert_int_equal(w.pass.used, 1);
  check_shard(&w, 1);
  assert_int_equal(w.pass.used, 0);
  end(&w);
}

static void what_is_spilled_comes_from_the_file_though_it_is_still_there(void **state) {
  (void)state;
  world w;
  begin(&w, 2);
  decode(&w, 1);
  decode(&w, 2);
  assert_int_equal(w.pass.complete.count, 2);  // their maps, which nobody has made yet
  write_out(&w, evict(&w));
  assert_int_equal(w.pass.used, 2);  // the maps will take them from memory
  decode(&w, 3);
  check_shard(&w, 1);
  assert_int_equal(w.pass.used, 3);
  end(&w);
}

static void what_is_complete_is_not_spilled(void **state) {
  (void)state;
  world w;
  begin(&w, 1);
  decode(&w, 1);
  decode(&w, 2);
  decode(&w, 3);
  assert_int_equal(w.pass.complete.count, 1);
  ra__evict_begin(&w.pass, true);
  assert_int_equal(w.pass.eviction.jobs.count, 0);
  check_shard(&w, 3);
  assert_int_equal(w.pass.used, 0);
  end(&w);
}

static void no_more_is_spilled_than_has_to_be(void **state) {
  (void)state;
  world w;
  begin(&w, 1);
  w.array.plan.buffers = BLOCKS;  // as many as are to come
  decode(&w, 1);
  ra__evict_begin(&w.pass, true);
  assert_false(w.pass.eviction.active);
  end(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_eviction_holds_its_objects),
      cmocka_unit_test(what_is_spilled_comes_from_the_file_though_it_is_still_there),
      cmocka_unit_test(what_is_complete_is_not_spilled),
      cmocka_unit_test(no_more_is_spilled_than_has_to_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
