// The control channel: what is sent arrives whole and in order; sizes and the queue are bounded; the end is told last.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/control.h"

typedef struct seen {
  unsigned count, others, ends;
  uint32_t last_id;
  size_t bytes;
  char text[64];
  ra_control *to_free;
} seen;

typedef struct pair {
  uv_loop_t loop;
  uv_idle_t busy;  // keeps the loop turning
  ra_control *a, *b;
  seen seen;  // by b
} pair;

static void on_closed(void *ctx) { ((seen *)ctx)->ends++; }

static void on_message(void *ctx, const ra_control_message *message) {
  seen *s = ctx;
  assert_int_equal(s->ends, 0);
  s->count++;
  s->last_id = message->id;
  s->bytes += message->size;
  assert_int_equal(message->bytes[message->size], 0);
  snprintf(s->text, sizeof s->text, "%s", message->bytes);
  ra_control_free(s->to_free);
}

static void on_other(void *ctx, const ra_control_message *message) {
  assert_string_equal(message->name, "unknown");
  ((seen *)ctx)->others++;
}

static void on_idle(uv_idle_t *idle) { (void)idle; }

static int set_up(void **state) {
  pair *p = calloc(1, sizeof *p);
  int fds[2];
  ra_err err = {0};
  assert_int_equal(uv_loop_init(&p->loop), 0);
  uv_idle_init(&p->loop, &p->busy);
  uv_idle_start(&p->busy, on_idle);
  assert_int_equal(ra_control_pair(fds, &err), RA_OK);
  assert_int_equal(ra_control_new(&p->loop, fds[0], &p->a, &err), RA_OK);
  assert_int_equal(ra_control_new(&p->loop, fds[1], &p->b, &err), RA_OK);
  assert_int_equal(ra_control_on(p->b, "told", on_message, &p->seen, &err), RA_OK);
  ra_control_on_other(p->b, on_other, &p->seen);
  ra_control_on_closed(p->b, on_closed, &p->seen);
  *state = p;
  return 0;
}

static int tear_down(void **state) {
  pair *p = *state;
  ra_control_free(p->a);
  if (!p->seen.to_free) ra_control_free(p->b);
  uv_close((uv_handle_t *)&p->busy, NULL);
  uv_run(&p->loop, UV_RUN_DEFAULT);
  int rc = uv_loop_close(&p->loop);
  free(p);
  return rc;
}

static void turn(pair *p) {
  for (int i = 0; i < 40; i++) uv_run(&p->loop, UV_RUN_NOWAIT);
}

static void messages_arrive_whole(void **state) {
  pair *p = *state;
  ra_err err = {0};
  char *big = malloc(RA_CONTROL_BYTES_MAX + 1);
  memset(big, 'x', RA_CONTROL_BYTES_MAX + 1);
  assert_int_equal(ra_control_send(p->a, "told", 1, big, RA_CONTROL_BYTES_MAX, &err), RA_OK);
  assert_int_equal(ra_control_send(p->a, "unknown", 2, "?", 1, &err), RA_OK);
  assert_int_equal(ra_control_send(p->a, "told", 7, "seven", 5, &err), RA_OK);
  assert_int_equal(ra_control_send(p->a, "told", 8, NULL, 0, &err), RA_OK);
  turn(p);
  assert_int_equal(p->seen.count, 3);
  assert_int_equal(p->seen.others, 1);
  assert_int_equal(p->seen.last_id, 8);
  assert_int_equal(p->seen.bytes, RA_CONTROL_BYTES_MAX + 5);
  assert_string_equal(p->seen.text, "");
  assert_int_equal(ra_control_send(p->a, "told", 1, big, RA_CONTROL_BYTES_MAX + 1, &err),
                   RA_E_TOOBIG);
  assert_int_equal(ra_control_send(p->a, "a name that is far too long for it", 1, "", 0, &err),
                   RA_E_TOOBIG);
  assert_int_equal(ra_control_send(p->a, "", 1, "", 0, &err), RA_E_TOOBIG);
  free(big);
}

static void a_reader_that_sleeps_loses_nothing(void **state) {
  pair *p = *state;
  ra_err err = {0};
  char bytes[32768] = {0};
  uint32_t sent = 0;
  while (ra_control_send(p->a, "told", sent, bytes, sizeof bytes, &err) == RA_OK) sent++;
  assert_int_equal(err.code, RA_E_BUSY);
  assert_true(sent >= RA_CONTROL_WAITING_MAX && sent < 1000);
  turn(p);
  assert_int_equal(p->seen.count, sent);
  assert_int_equal(p->seen.last_id, sent - 1);
  assert_int_equal(ra_control_send(p->a, "told", sent, bytes, 1, &err), RA_OK);
  turn(p);
  assert_int_equal(p->seen.last_id, sent);
}

static void the_end_is_told_after_the_last_message(void **state) {
  pair *p = *state;
  ra_err err = {0};
  assert_int_equal(ra_control_send(p->b, "unread", 1, "x", 1, &err), RA_OK);  // makes it a reset
  for (uint32_t i = 0; i < 20; i++)
    assert_int_equal(ra_control_send(p->a, "told", i, "bye", 3, &err), RA_OK);
  ra_control_free(p->a);
  p->a = NULL;
  turn(p);
  assert_int_equal(p->seen.count, 20);
  assert_int_equal(p->seen.ends, 1);
  assert_int_equal(ra_control_send(p->b, "told", 1, "x", 1, &err), RA_E_IO);
}

static void a_handler_may_free_its_channel(void **state) {
  pair *p = *state;
  ra_err err = {0};
  p->seen.to_free = p->b;
  ra_control_send(p->a, "told", 1, "x", 1, &err);
  ra_control_send(p->a, "told", 2, "x", 1, &err);
  turn(p);
  assert_int_equal(p->seen.count, 1);
  assert_int_equal(ra_control_send(p->a, "told", 3, "x", 1, &err), RA_E_IO);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(messages_arrive_whole, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_reader_that_sleeps_loses_nothing, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_end_is_told_after_the_last_message, set_up, tear_down),
      cmocka_unit_test_setup_teardown(a_handler_may_free_its_channel, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
