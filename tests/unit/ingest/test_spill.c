// The scratch file: pieces of random blocks come back in their places, through views that run forwards and backwards;
// records larger than a frame too. It leaves no name, and says what is missing when a folder is full or is none.
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "ingest/spill.h"
#include "random.h"

static char folder[] = "/tmp/rastrum-test-XXXXXX";

static int setup(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  return rmdir(folder);  // fails when anything is left
}

static size_t below(uint64_t *r, size_t n) { return (size_t)(test_random(r) % n); }

typedef struct world {
  unsigned ndim, size;
  ra__tiling blocks;
  ra__region region;  // of the bin
  size_t cells;
  uint8_t *all;  // the array
} world;

static void make(uint64_t *r, world *w) {
  uint64_t shape[RA__DIMS], side[RA__DIMS];
  *w = (world){.ndim = 1 + (unsigned)below(r, 4), .size = 1u << below(r, 4), .cells = 1};
  for (unsigned d = 0; d < w->ndim; d++) {
    shape[d] = 1 + below(r, 12);
    side[d] = 1 + below(r, shape[d]);
    w->region.start[d] = below(r, shape[d]);
    w->region.count[d] = 1 + below(r, shape[d] - w->region.start[d]);
    w->cells *= shape[d];
  }
  assert_true(ra__tiling_init(&w->blocks, w->ndim, shape, side));
  w->all = malloc(w->cells * w->size);
  for (size_t i = 0; i < w->cells * w->size; i++) w->all[i] = (uint8_t)test_random(r);
}

static ra__view whole(const world *w) {
  ra__region region = {{0}, {0}};
  memcpy(region.count, w->blocks.shape, sizeof region.count);
  ra__view view;
  ra__view_init(&view, w->ndim, w->size, &region, w->all);
  return view;
}

static void spill(uint64_t *r, const world *w, ra__scratch *scratch, ra__bin *bin) {
  ra__record record = {.ndim = w->ndim, .size = w->size};
  ra_err err = {0};
  ra__view all = whole(w);
  for (uint64_t b = w->blocks.count; b-- > 0;) {
    ra__region region;
    ra__view block;
    ra__tiling_region(&w->blocks, b, &region);
    size_t bytes = ra__region_cells(&region, w->ndim) * w->size;
    uint8_t *cells = malloc(bytes);
    ra__view_init(&block, w->ndim, w->size, &region, cells);
    ra__view_copy(&all, &block, w->ndim, w->size);
    assert_int_equal(ra__record_add(&record, b, &block, &w->region, &err), RA_OK);
    if (below(r, 3) == 0) assert_int_equal(ra__record_write(&record, scratch, bin, &err), RA_OK);
    free(cells);
  }
  assert_int_equal(ra__record_write(&record, scratch, bin, &err), RA_OK);
  ra__record_deinit(&record);
}

// A view of the region with some of its dimensions turned round.
static void turned(uint64_t *r, const world *w, uint8_t *cells, ra__view *view) {
  ra__view_init(view, w->ndim, w->size, &w->region, cells);
  for (unsigned d = 0; d < w->ndim; d++) {
    if (below(r, 2)) continue;
    view->cells += view->stride[d] * (int64_t)(w->region.count[d] - 1);
    view->stride[d] = -view->stride[d];
  }
}

static void check(const world *w, const ra__view *got) {
  ra__view all = whole(w);
  size_t n = ra__region_cells(&w->region, w->ndim);
  for (size_t i = 0; i < n; i++) {
    const uint8_t *want = all.cells, *is = got->cells;
    size_t rest = i;
    for (unsigned d = w->ndim; d-- > 0;) {
      int64_t at = (int64_t)(rest % w->region.count[d]);
      rest /= w->region.count[d];
      want += ((int64_t)w->region.start[d] + at) * all.stride[d];
      is += at * got->stride[d];
    }
    assert_memory_equal(want, is, w->size);
  }
}

static void pieces_come_back_in_their_places(void **state) {
  (void)state;
  uint64_t random = test_seed("spill");
  ra__scratch *scratch;
  ra_err err = {0};
  assert_int_equal(ra__scratch_open(folder, &scratch, &err), RA_OK);
  for (int round = 0; round < 300; round++) {
    world w;
    ra__bin bin = {0};
    ra__view view;
    make(&random, &w);
    spill(&random, &w, scratch, &bin);
    uint8_t *cells = malloc(ra__region_cells(&w.region, w.ndim) * w.size);
    turned(&random, &w, cells, &view);
    assert_int_equal(ra__bin_read(&bin, scratch, &w.blocks, w.size, &w.region, &view, 1, &err),
                     RA_OK);
    check(&w, &view);
    free(cells);
    free(w.all);
  }
  assert_true(ra__scratch_peak(scratch) > 0);
  assert_int_equal(ra__scratch_reset(scratch, &err), RA_OK);
  ra__scratch_free(scratch);
}

static void a_piece_larger_than_a_frame(void **state) {
  (void)state;
  uint64_t random = 7, side[1] = {3 << 20};
  world w = {.ndim = 1, .size = 4, .cells = 3 << 20};
  w.region.count[0] = side[0];
  assert_true(ra__tiling_init(&w.blocks, 1, side, side));
  w.all = malloc(w.cells * w.size);
  for (size_t i = 0; i < w.cells; i++)
    ((uint32_t *)w.all)[i] = (uint32_t)(test_random(&random) % 99);
  ra__scratch *scratch;
  ra_err err = {0};
  ra__bin bin = {0};
  assert_int_equal(ra__scratch_open(folder, &scratch, &err), RA_OK);
  spill(&random, &w, scratch, &bin);
  assert_true(bin.size > 0 && bin.size < w.cells * w.size);
  uint8_t *cells = malloc(w.cells * w.size);
  ra__view view;
  ra__view_init(&view, 1, 4, &w.region, cells);
  assert_int_equal(ra__bin_read(&bin, scratch, &w.blocks, 4, &w.region, &view, 1, &err), RA_OK);
  assert_memory_equal(cells, w.all, w.cells * w.size);
  ra__scratch_free(scratch);
  free(cells);
  free(w.all);
}

static void no_name_is_left(void **state) {
  (void)state;
  ra__scratch *scratch;
  ra_err err = {0};
  uint64_t offset;
  assert_int_equal(ra__scratch_open(folder, &scratch, &err), RA_OK);
  assert_int_equal(ra__scratch_append(scratch, "abc", 3, &offset, &err), RA_OK);
  DIR *dir = opendir(folder);
  for (struct dirent *entry; (entry = readdir(dir));)
    assert_int_equal(strspn(entry->d_name, "."), strlen(entry->d_name));
  closedir(dir);
  ra__scratch_free(scratch);
}

static void what_is_wrong_is_said(void **state) {
  (void)state;
  ra__scratch *scratch;
  ra_err err = {0};
  uint64_t offset;
  assert_true(ra__scratch_open("/nowhere/at/all", &scratch, &err) < 0);
  assert_non_null(strstr(err.message, "--scratch"));
  assert_int_equal(ra__scratch_check(folder, UINT64_MAX, &err), RA_E_TOOBIG);
  assert_non_null(strstr(err.message, "--scratch"));
  assert_int_equal(ra__scratch_check(folder, 1, &err), RA_OK);
  struct rlimit was, small;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
  small = (struct rlimit){1000, was.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(ra__scratch_open(folder, &scratch, &err), RA_OK);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  char bytes[2000] = {0};
  assert_true(ra__scratch_append(scratch, bytes, sizeof bytes, &offset, &err) < 0);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
  assert_non_null(strstr(err.message, "--scratch"));
  ra__scratch_free(scratch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pieces_come_back_in_their_places),
      cmocka_unit_test(a_piece_larger_than_a_frame),
      cmocka_unit_test(no_name_is_left),
      cmocka_unit_test(what_is_wrong_is_said),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
