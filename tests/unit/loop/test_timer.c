// Timers: once, repeating, stopped or freed from inside; the lag probe sees a held loop.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/lag.h"
#include "loop/timer.h"

typedef struct beat {
  ra_timer *timer;
  int count, free_at;
} beat;

static void fire(void *ctx) {
  beat *b = ctx;
  if (++b->count == b->free_at) ra_timer_free(b->timer);
}

static void timers_fire_once_or_repeat(void **state) {
  (void)state;
  uv_loop_t loop;
  uv_loop_init(&loop);
  beat once = {0}, repeated = {.free_at = 3}, background = {0};
  ra_err err;
  assert_int_equal(ra_timer_new(&loop, false, fire, &once, &once.timer, &err), RA_OK);
  assert_int_equal(ra_timer_new(&loop, false, fire, &repeated, &repeated.timer, &err), RA_OK);
  assert_int_equal(ra_timer_new(&loop, true, fire, &background, &background.timer, &err), RA_OK);
  ra_timer_start(once.timer, 2, 0);
  ra_timer_start(repeated.timer, 1, 1);
  ra_timer_start(background.timer, 60000, 0);
  assert_true(ra_timer_active(once.timer));
  uv_run(&loop, UV_RUN_DEFAULT);  // ends: the background timer does not hold it
  assert_int_equal(once.count, 1);
  assert_int_equal(repeated.count, 3);
  assert_int_equal(background.count, 0);
  assert_false(ra_timer_active(once.timer));
  ra_timer_free(once.timer);
  ra_timer_free(background.timer);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
}

static void hold(void *ctx) {
  (void)ctx;
  usleep(300000);
}

static void done(void *ctx) { (void)ctx; }

static void lag_sees_a_held_loop(void **state) {
  (void)state;
  uv_loop_t loop;
  uv_loop_init(&loop);
  ra_lag *lag;
  ra_timer *holder, *end;
  ra_err err;
  assert_int_equal(ra_lag_start(&loop, &lag, &err), RA_OK);
  assert_int_equal(ra_timer_new(&loop, false, hold, NULL, &holder, &err), RA_OK);
  assert_int_equal(ra_timer_new(&loop, false, done, NULL, &end, &err), RA_OK);
  ra_timer_start(holder, 900, 0);
  ra_timer_start(end, 1300, 0);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_true(ra_lag_last(lag) > 0.1 && ra_lag_last(lag) < 0.5);
  ra_lag_stop(lag);
  ra_timer_free(holder);
  ra_timer_free(end);
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(timers_fire_once_or_repeat),
      cmocka_unit_test(lag_sees_a_held_loop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
