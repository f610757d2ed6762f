// Lanes: width, depth, byte budget, priorities, overtaking, cancelling; all of it in libuv's pool and on threads of the
// lane's own.
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "loop/lane.h"

enum { POOL = 4 };  // threads of libuv's

typedef struct work {
  char name;
  bool ran;
  int rc;
  int done_calls;
  int nice;  // of the thread that ran it
} work;

static uv_loop_t loop;
static int niceness;  // of the lanes that are made
static char order[4096];
static atomic_uint running, most_running;
static atomic_bool gate_open;

static void record(void *ctx, int rc) {
  work *w = ctx;
  w->rc = rc;
  w->done_calls++;
  size_t n = strlen(order);
  if (n + 1 < sizeof order) order[n] = w->name;
}

static void run(void *ctx) {
  work *w = ctx;
  unsigned now = atomic_fetch_add(&running, 1) + 1;
  unsigned most = atomic_load(&most_running);
  while (now > most && !atomic_compare_exchange_weak(&most_running, &most, now)) {
  }
  while (!atomic_load(&gate_open)) usleep(200);
  w->ran = true;
  w->nice = getpriority(PRIO_PROCESS, 0);
  atomic_fetch_sub(&running, 1);
}

static int submit(ra_lane *lane, work *w, size_t bytes, unsigned priority, ra_cancel *cancel) {
  ra_err err;
  return ra_lane_submit(
      lane,
      &(ra_job){
          .run = run, .done = record, .ctx = w, .cancel = cancel, .bytes = bytes, .priority = priority},
      &err);
}

static int setup(void **state) {
  memset(order, 0, sizeof order);
  atomic_store(&running, 0);
  atomic_store(&most_running, 0);
  atomic_store(&gate_open, false);
  uv_loop_init(&loop);
  *state = NULL;
  return 0;
}

static int teardown(void **state) {
  ra_lane_free(*state);
  uv_run(&loop, UV_RUN_DEFAULT);
  return uv_loop_close(&loop);
}

static ra_lane *make(void **state, unsigned width, unsigned depth, size_t bytes) {
  ra_lane *lane;
  ra_err err;
  const ra_lane_config config = {"test", width, depth, bytes, niceness};
  assert_int_equal(ra_lane_new(&loop, &config, &lane, &err), RA_OK);
  *state = lane;
  return lane;
}

static void finish_all(void) {
  atomic_store(&gate_open, true);
  uv_run(&loop, UV_RUN_DEFAULT);
}

static void width_and_depth_bound_a_lane(void **state) {
  ra_lane *lane = make(state, 2, 3, 0);
  work works[6] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'},
                   {.name = 'd'}, {.name = 'e'}, {.name = 'f'}};
  for (int i = 0; i < 5; i++) assert_int_equal(submit(lane, &works[i], 0, 0, NULL), RA_OK);
  assert_int_equal(submit(lane, &works[5], 0, 0, NULL), RA_E_BUSY);
  ra_lane_stats stats = ra_lane_get_stats(lane);
  assert_int_equal(stats.running, 2);
  assert_int_equal(stats.waiting, 3);
  while (atomic_load(&running) < 2) sched_yield();  // both threads of the pool have begun
  finish_all();
  assert_int_equal(atomic_load(&most_running), 2);
  for (int i = 0; i < 5; i++)
    assert_true(works[i].ran && works[i].done_calls == 1 && works[i].rc == RA_OK);
  assert_int_equal(works[5].done_calls, 0);
  stats = ra_lane_get_stats(lane);
  assert_int_equal(stats.done, 5);
  assert_int_equal(stats.refused, 1);
  assert_int_equal(stats.running + stats.waiting, 0);
}

static void bytes_bound_what_runs(void **state) {
  ra_lane *lane = make(state, 2, 10, 100);
  work a = {.name = 'a'}, b = {.name = 'b'}, c = {.name = 'c'}, d = {.name = 'd'};
  assert_int_equal(submit(lane, &a, 60, 0, NULL), RA_OK);
  assert_int_equal(submit(lane, &b, 101, 0, NULL), RA_E_TOOBIG);
  assert_int_equal(submit(lane, &c, 60, 0, NULL), RA_OK);
  assert_int_equal(ra_lane_get_stats(lane).running, 1);
  assert_int_equal(ra_lane_get_stats(lane).waiting, 1);
  assert_int_equal(submit(lane, &d, 40, 0, NULL), RA_OK);  // fits beside a: it overtakes c
  assert_int_equal(ra_lane_get_stats(lane).running, 2);
  assert_int_equal(ra_lane_get_stats(lane).bytes, 100);
  finish_all();
  assert_true(a.ran && c.ran && d.ran);
  assert_true(strchr(order, 'c') > strchr(order, 'a'));  // whose bytes it waited for
}

static void a_big_job_gets_its_turn(void **state) {
  ra_lane *lane = make(state, 1, 1000, 100);
  static work small[300];
  work first = {.name = 'f'}, big = {.name = 'B'};
  assert_int_equal(submit(lane, &first, 1, 0, NULL), RA_OK);
  assert_int_equal(submit(lane, &big, 100, 0, NULL), RA_OK);
  for (int i = 0; i < 300; i++) {
    small[i] = (work){.name = 's'};
    assert_int_equal(submit(lane, &small[i], 1, 0, NULL), RA_OK);
  }
  finish_all();
  const char *at = strchr(order, 'B');
  assert_non_null(at);
  assert_true(at - order <= 80);
}

static void requests_go_before_ingest(void **state) {
  ra_lane *lane = make(state, 1, 10, 0);
  work first = {.name = '0'}, late = {.name = 'i'}, soon = {.name = 'r'};
  submit(lane, &first, 0, 0, NULL);
  submit(lane, &late, 0, 1, NULL);
  submit(lane, &soon, 0, 0, NULL);
  finish_all();
  assert_string_equal(order, "0ri");
}

static void cancelled_jobs_leave_at_once(void **state) {
  ra_lane *lane = make(state, 1, 10, 0);
  work first = {.name = '0'}, gone = {.name = 'g'}, last = {.name = 'l'};
  ra_cancel *cancel = ra_cancel_new();
  submit(lane, &first, 0, 0, NULL);
  submit(lane, &gone, 0, 0, cancel);
  submit(lane, &last, 0, 0, NULL);
  ra_cancel_set(cancel);
  ra_cancel_unref(cancel);
  ra_lane_sweep(lane);
  assert_int_equal(gone.done_calls, 0);  // not inside the call
  assert_int_equal(ra_lane_get_stats(lane).waiting, 1);
  uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(gone.done_calls, 1);  // while the first one still runs
  assert_false(first.ran);
  finish_all();
  assert_false(gone.ran);
  assert_int_equal(gone.rc, RA_E_CANCELLED);
  assert_string_equal(order, "g0l");
  assert_int_equal(ra_lane_get_stats(lane).cancelled, 1);
}

static void a_cancelled_job_never_starts(void **state) {
  ra_lane *lane = make(state, 1, 10, 0);
  work first = {.name = '0'}, gone = {.name = 'g'};
  ra_cancel *cancel = ra_cancel_new();
  submit(lane, &first, 0, 0, NULL);
  submit(lane, &gone, 0, 0, cancel);
  ra_cancel_set(cancel);
  finish_all();
  ra_cancel_unref(cancel);
  assert_false(gone.ran);
  assert_int_equal(gone.rc, RA_E_CANCELLED);
}

static void metrics_name_the_lane(void **state) {
  ra_lane *lane = make(state, 1, 0, 0);
  work a = {.name = 'a'}, b = {.name = 'b'};
  assert_int_equal(submit(lane, &a, 7, 0, NULL), RA_OK);
  assert_int_equal(submit(lane, &b, 0, 0, NULL), RA_E_BUSY);
  ra_str text;
  ra_str_init(&text);
  ra_metrics_text(&text);
  assert_non_null(strstr(text.ptr, "rastrum_lane_running{lane=\"test\"} 1\n"));
  assert_non_null(strstr(text.ptr, "rastrum_lane_bytes{lane=\"test\"} 7\n"));
  assert_non_null(strstr(text.ptr, "rastrum_lane_jobs_total{lane=\"test\",outcome=\"refused\"}"));
  ra_str_deinit(&text);
  finish_all();
}

static void own_threads_come_after_all_others(void **state) {
  ra_lane *lane = make(state, 2, 10, 0);
  work works[4] = {{.name = 'a'}, {.name = 'b'}, {.name = 'c'}, {.name = 'd'}};
  for (int i = 0; i < 4; i++) submit(lane, &works[i], 0, 0, NULL);
  finish_all();
  int here = getpriority(PRIO_PROCESS, 0), there = here + niceness;
  for (int i = 0; i < 4; i++) assert_int_equal(works[i].nice, there < 19 ? there : 19);
}

static void a_full_pool_does_not_hold_own_threads(void **state) {
  ra_lane *other;
  assert_int_equal(ra_lane_new(&loop, &(ra_lane_config){"other", POOL, 0, 0, 0}, &other, NULL),
                   RA_OK);
  ra_lane *lane = make(state, 1, 0, 0);
  work held[POOL] = {0}, own = {.name = 'o'};
  for (int i = 0; i < POOL; i++) submit(other, &held[i], 0, 0, NULL);
  while (atomic_load(&running) < POOL) sched_yield();
  submit(lane, &own, 0, 0, NULL);
  while (atomic_load(&running) < POOL + 1) sched_yield();
  finish_all();
  assert_true(own.ran);
  ra_lane_free(other);
}

// Each job's end submits the next one, while the lane's other threads end jobs as well.
typedef struct chain {
  ra_lane *lane;
  work work;
  int left;
} chain;

static void chain_run(void *ctx) { ((chain *)ctx)->work.ran = true; }

static void chain_done(void *ctx, int rc) {
  chain *c = ctx;
  assert_int_equal(rc, RA_OK);
  if (--c->left == 0) return;
  const ra_job job = {.run = chain_run, .done = chain_done, .ctx = c};
  assert_int_equal(ra_lane_submit(c->lane, &job, NULL), RA_OK);
}

static void many_jobs_each_end_once(void **state) {
  enum { CHAINS = 16, LINKS = 2000 };
  ra_lane *lane = make(state, 3, CHAINS, 0);
  chain chains[CHAINS];
  for (int i = 0; i < CHAINS; i++) {
    chains[i] = (chain){.lane = lane, .left = LINKS + 1};
    chain_done(&chains[i], RA_OK);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  for (int i = 0; i < CHAINS; i++) assert_int_equal(chains[i].left, 0);
  assert_int_equal(ra_lane_get_stats(lane).done, CHAINS * LINKS);
}

static int in_the_pool(void **state) {
  (void)state;
  niceness = 0;
  return 0;
}

static int on_own_threads(void **state) {
  (void)state;
  niceness = 3;
  return 0;
}

int main(void) {
  ra_lane_pool_size(POOL);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(width_and_depth_bound_a_lane, setup, teardown),
      cmocka_unit_test_setup_teardown(bytes_bound_what_runs, setup, teardown),
      cmocka_unit_test_setup_teardown(a_big_job_gets_its_turn, setup, teardown),
      cmocka_unit_test_setup_teardown(requests_go_before_ingest, setup, teardown),
      cmocka_unit_test_setup_teardown(cancelled_jobs_leave_at_once, setup, teardown),
      cmocka_unit_test_setup_teardown(a_cancelled_job_never_starts, setup, teardown),
      cmocka_unit_test_setup_teardown(metrics_name_the_lane, setup, teardown),
      cmocka_unit_test_setup_teardown(many_jobs_each_end_once, setup, teardown),
  };
  const struct CMUnitTest own[] = {
      cmocka_unit_test_setup_teardown(own_threads_come_after_all_others, setup, teardown),
      cmocka_unit_test_setup_teardown(a_full_pool_does_not_hold_own_threads, setup, teardown),
  };
  return cmocka_run_group_tests_name("libuv's pool", tests, in_the_pool, NULL) +
         cmocka_run_group_tests_name("own threads", tests, on_own_threads, NULL) +
         cmocka_run_group_tests_name("beside the pool", own, on_own_threads, NULL);
}
