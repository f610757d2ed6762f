// The watchdog: who is stuck, who is to blame, and when nobody is. Time is what the test says.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/watchdog.h"

enum { STUCK_MS = 2000 };

typedef struct world {
  ra_board *board;
  ra_watchdog *watchdog;
  uint64_t now;
} world;

static int set_up(void **state) {
  world *w = calloc(1, sizeof *w);
  ra_err err = {0};
  w->board = calloc(1, sizeof *w->board);
  w->now = 5000000;
  assert_int_equal(ra_watchdog_new(w->board, STUCK_MS, &w->watchdog, &err), RA_OK);
  assert_in_range(ra_watchdog_interval(w->watchdog), 1, STUCK_MS / 4);
  ra_watchdog_started(w->watchdog, 0, w->now);
  *state = w;
  return 0;
}

static int tear_down(void **state) {
  world *w = *state;
  ra_pulse_share(NULL, NULL);
  ra_watchdog_free(w->watchdog);
  free(w->board);
  free(w);
  return 0;
}

static void run(world *w) {
  ra_pulse_share(&w->board->pulses[0], &w->board->blocks);
  ra_pulse_set_state(RA_PULSE_RUNNING);
}

// Looks at even intervals until the worker is found stuck or `ms` are over; when that was, or 0.
static uint64_t look_for(world *w, uint64_t ms, ra_culprit *culprit) {
  uint64_t begun = w->now, step = ra_watchdog_interval(w->watchdog);
  for (; w->now - begun < ms; w->now += step) {
    if (ra_watchdog_look(w->watchdog, 0, w->now, culprit)) return w->now - begun;
  }
  return 0;
}

static void a_stuck_worker_is_found_and_its_plugin_named(void **state) {
  world *w = *state;
  ra_culprit culprit = {0};
  run(w);
  ra_pulse_begin("stall", "req-7");
  assert_in_range(look_for(w, 60000, &culprit), STUCK_MS, STUCK_MS * 3 / 2);
  assert_string_equal(culprit.plugin, "stall");
  assert_string_equal(culprit.request, "req-7");
  assert_true(culprit.running);
  assert_int_equal(look_for(w, 60000, &culprit), 0);  // once a life
  ra_watchdog_started(w->watchdog, 0, w->now);
  assert_in_range(look_for(w, 60000, &culprit), STUCK_MS, STUCK_MS * 3 / 2);
}

static void between_slices_nobody_is_named(void **state) {
  world *w = *state;
  ra_culprit culprit = {0};
  run(w);
  ra_pulse_begin("stall", "req-7");
  ra_pulse_end();
  assert_in_range(look_for(w, 60000, &culprit), STUCK_MS, STUCK_MS * 3 / 2);
  assert_string_equal(culprit.plugin, "");
}

static void a_beat_in_time_is_enough(void **state) {
  world *w = *state;
  ra_culprit culprit = {0};
  run(w);
  for (int i = 0; i < 20; i++) {
    ra_pulse_turn();
    assert_int_equal(look_for(w, STUCK_MS - 500, &culprit), 0);
  }
}

static void starting_takes_longer(void **state) {
  world *w = *state;
  ra_culprit culprit = {0};
  ra_pulse_share(&w->board->pulses[0], NULL);
  ra_pulse_set_state(RA_PULSE_STARTING);
  assert_int_equal(look_for(w, 10 * STUCK_MS, &culprit), 0);
  assert_true(look_for(w, 10 * STUCK_MS, &culprit) > 0);
  assert_false(culprit.running);
}

static void a_pause_of_the_supervisor_is_nobodys_fault(void **state) {
  world *w = *state;
  ra_culprit culprit = {0};
  run(w);
  assert_int_equal(look_for(w, 1000, &culprit), 0);
  w->now += 3600000;  // the machine slept
  assert_false(ra_watchdog_look(w->watchdog, 0, w->now, &culprit));
  ra_pulse_turn();
  assert_int_equal(look_for(w, 1500, &culprit), 0);
}

static void three_times_in_ten_minutes(void **state) {
  world *w = *state;
  char reason[300];
  run(w);
  assert_false(ra_watchdog_blame(w->watchdog, "stall", 1000));
  assert_false(ra_watchdog_blame(w->watchdog, "other", 1000));
  assert_false(ra_watchdog_blame(w->watchdog, "", 1000));
  assert_false(ra_watchdog_blame(w->watchdog, "", 1001));
  assert_false(ra_watchdog_blame(w->watchdog, "", 1002));
  assert_false(ra_watchdog_blame(w->watchdog, "stall", 300000));
  assert_false(ra_watchdog_blame(w->watchdog, "stall", 1000 + RA_WATCHDOG_WINDOW_MS + 1));
  assert_false(ra_pulse_blocked("stall", reason, sizeof reason));
  assert_true(ra_watchdog_blame(w->watchdog, "stall", 1000 + RA_WATCHDOG_WINDOW_MS + 2));
  assert_true(ra_pulse_blocked("stall", reason, sizeof reason));
  assert_false(ra_pulse_blocked("other", reason, sizeof reason));
  ra_watchdog_forgive(w->watchdog);
  assert_false(ra_pulse_blocked("stall", reason, sizeof reason));
  assert_false(ra_watchdog_blame(w->watchdog, "stall", 1000 + RA_WATCHDOG_WINDOW_MS + 3));
}

static void many_culprits_push_out_the_oldest(void **state) {
  world *w = *state;
  char name[20];
  ra_watchdog_blame(w->watchdog, "stall", 1);
  ra_watchdog_blame(w->watchdog, "stall", 2);
  for (unsigned i = 0; i < 200; i++) {
    snprintf(name, sizeof name, "p%u", i);
    assert_false(ra_watchdog_blame(w->watchdog, name, 10 + i));
  }
  assert_false(ra_watchdog_blame(w->watchdog, "stall", 1000));
  assert_false(ra_watchdog_blame(w->watchdog, "p199", 1001));
  assert_true(ra_watchdog_blame(w->watchdog, "p199", 1002));
}

static void without_a_limit_nobody_is_stuck(void **state) {
  world *w = *state;
  ra_culprit culprit;
  ra_err err = {0};
  ra_watchdog *never;
  assert_int_equal(ra_watchdog_new(w->board, 0, &never, &err), RA_OK);
  assert_int_equal(ra_watchdog_interval(never), 0);
  ra_watchdog_started(never, 0, 0);
  assert_false(ra_watchdog_look(never, 0, 100000000, &culprit));
  ra_watchdog_free(never);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(a_stuck_worker_is_found_and_its_plugin_named),
      TEST(between_slices_nobody_is_named),
      TEST(a_beat_in_time_is_enough),
      TEST(starting_takes_longer),
      TEST(a_pause_of_the_supervisor_is_nobodys_fault),
      TEST(three_times_in_ten_minutes),
      TEST(many_culprits_push_out_the_oldest),
      TEST(without_a_limit_nobody_is_stuck),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
