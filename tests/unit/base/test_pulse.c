// Pulses and blocks: what a worker's supervisor can read of it, and the plugins that are switched off.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/pulse.h"

static void *beat_elsewhere(void *ctx) {
  (void)ctx;
  ra_pulse_begin("another", "thread");
  ra_pulse_turn();
  return NULL;
}

static void other_threads_do_not_beat(void **state) {
  (void)state;
  ra_pulse pulse = {0};
  pthread_t thread;
  ra_pulse_share(&pulse, NULL);
  assert_int_equal(pthread_create(&thread, NULL, beat_elsewhere, NULL), 0);
  pthread_join(thread, NULL);
  assert_int_equal(pulse.beat_ns, 0);
  assert_int_equal(pulse.slice, 0);
  assert_string_equal(pulse.plugin, "");
  ra_pulse_share(NULL, NULL);
}

static void pulses_say_who_is_busy(void **state) {
  (void)state;
  ra_pulse pulse = {0};
  ra_pulse_begin("nobody", "watches");
  ra_pulse_end();
  ra_pulse_share(&pulse, NULL);
  char long_name[300];
  memset(long_name, 'n', sizeof long_name - 1);
  long_name[sizeof long_name - 1] = 0;
  ra_pulse_set_state(RA_PULSE_RUNNING);
  ra_pulse_begin("", "id-1");
  ra_pulse_name("tiles");
  assert_int_equal(pulse.slice, 1);
  assert_string_equal(pulse.plugin, "tiles");
  assert_string_equal(pulse.request, "id-1");
  ra_pulse_end();
  uint64_t before = pulse.beat_ns;
  ra_pulse_turn();
  assert_int_equal(pulse.slice, 0);
  assert_true(pulse.beat_ns >= before && before > 0);
  ra_pulse_begin(long_name, NULL);
  assert_int_equal(strlen(pulse.plugin), RA_PULSE_NAME_SIZE - 1);
  assert_string_equal(pulse.request, "");
  ra_pulse_share(NULL, NULL);
}

static void blocks_are_bounded_and_cleared(void **state) {
  (void)state;
  static ra_blocks blocks = {.stuck_ms = 2000};
  char reason[300];
  assert_false(ra_pulse_blocked("plugin-3", reason, sizeof reason));
  ra_pulse_share(NULL, &blocks);
  assert_false(ra_blocks_have(&blocks, "plugin-0"));
  for (int i = 0; i < RA_BLOCKS_MOST + 1; i++) {
    char name[20];
    snprintf(name, sizeof name, "plugin-%d", i);
    assert_int_equal(ra_blocks_add(&blocks, name), i < RA_BLOCKS_MOST);
    assert_int_equal(ra_blocks_have(&blocks, name), i < RA_BLOCKS_MOST);
  }
  assert_true(ra_blocks_add(&blocks, "plugin-3"));
  assert_false(ra_blocks_have(&blocks, "plugin"));
  assert_true(ra_pulse_blocked("plugin-3", reason, sizeof reason));
  assert_non_null(strstr(reason, "'plugin-3'"));
  assert_non_null(strstr(reason, "2000 ms"));
  assert_non_null(strstr(reason, "reload"));
  ra_blocks_clear(&blocks);
  assert_false(ra_pulse_blocked("plugin-3", reason, sizeof reason));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pulses_say_who_is_busy),
      cmocka_unit_test(other_threads_do_not_beat),
      cmocka_unit_test(blocks_are_bounded_and_cleared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
