// Lanes: width, depth, byte budget, priorities, overtaking, cancelling.
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "loop/lane.h"

typedef struct work {
  char name;
  bool ran;
  int rc;
  int done_calls;
} work;

static uv_loop_t loop;
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
  assert_int_equal(ra_lane_new(&loop, &(ra_lane_config){"test", width, depth, bytes}, &lane, &err),
                   RA_OK);
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
  assert_int_equal(order[2], 'c');
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

int main(void) {
  ra_lane_pool_size(4);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(width_and_depth_bound_a_lane, setup, teardown),
      cmocka_unit_test_setup_teardown(bytes_bound_what_runs, setup, teardown),
      cmocka_unit_test_setup_teardown(a_big_job_gets_its_turn, setup, teardown),
      cmocka_unit_test_setup_teardown(requests_go_before_ingest, setup, teardown),
      cmocka_unit_test_setup_teardown(cancelled_jobs_leave_at_once, setup, teardown),
      cmocka_unit_test_setup_teardown(a_cancelled_job_never_starts, setup, teardown),
      cmocka_unit_test_setup_teardown(metrics_name_the_lane, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
