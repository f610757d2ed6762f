// The life of an operation: submitted once, `done` never from within the submission, cancelled, refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "ops/op.h"

typedef struct fixture {
  uv_loop_t loop;
  ra_ops ops;
  int calls, rc;
  ra_err err;
} fixture;

static int deinits;

typedef struct numbers {
  int in, out;
} numbers;

static int double_run(ra_op *op, void *state, ra_err *err) {
  numbers *n = state;
  if (ra_cancel_is_set(ra_op_cancel_flag(op))) return ra_fail(err, RA_E_CANCELLED, "", "told so");
  if (n->in < 0) return ra_fail(err, RA_E_INVALID, "in", "%d is negative", n->in);
  n->out = 2 * n->in;
  ra_op_timing(op)->ns[RA_STAGE_DECODE] = 7;
  return RA_OK;
}

static size_t double_cost(const void *state) { return (size_t)((const numbers *)state)->in; }
static void count_deinit(void *state) {
  (void)state;
  deinits++;
}

static const ra_op_kind DOUBLE = {.name = "double",
                                  .state_size = sizeof(numbers),
                                  .lane = RA_OP_CPU,
                                  .run = double_run,
                                  .cost = double_cost,
                                  .deinit = count_deinit};

static int at_once(ra_op *op, void *state, ra_err *err) {
  (void)state, (void)err;
  ra_op_finish(op, RA_OK, NULL);
  return RA_OK;
}

static int never(ra_op *op, void *state, ra_err *err) {
  (void)op, (void)state, (void)err;
  return RA_OK;
}

static void never_cancelled(ra_op *op, void *state) {
  (void)state;
  ra_err err = {0};
  ra_op_finish(op, ra_fail(&err, RA_E_CANCELLED, "", "stopped"), &err);
}

static const ra_op_kind AT_ONCE = {.name = "at once", .start = at_once, .deinit = count_deinit};
static const ra_op_kind NEVER = {
    .name = "never", .start = never, .cancelled = never_cancelled, .deinit = count_deinit};

static void on_done(void *ctx, ra_op *op, int rc, const ra_err *err) {
  (void)op;
  fixture *f = ctx;
  f->calls++;
  f->rc = rc;
  if (rc < 0) f->err = *err;
}

static int setup(void **state) {
  static fixture f;
  f = (fixture){0};
  deinits = 0;
  uv_loop_init(&f.loop);
  f.ops.loop = &f.loop;
  const ra_lane_config cpu = {.name = "cpu", .width = 1, .depth = 10, .bytes = 1000};
  *state = &f;
  return ra_lane_new(&f.loop, &cpu, &f.ops.cpu, NULL);
}

static int teardown(void **state) {
  fixture *f = *state;
  ra_lane_free(f->ops.cpu);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  return uv_loop_close(&f->loop);
}

static ra_op *make(fixture *f, const ra_op_kind *kind, int in) {
  ra_op *op;
  assert_int_equal(ra_op_new(&f->ops, kind, &op, NULL), RA_OK);
  if (kind->state_size) ((numbers *)ra_op_state(op))->in = in;
  return op;
}

static void test_runs_once(void **state) {
  fixture *f = *state;
  ra_err err = {0};
  ra_op *op = make(f, &DOUBLE, 21);
  assert_false(ra_op_started(op));
  assert_int_equal(ra_op_submit(op, on_done, f, &err), RA_OK);
  assert_int_equal(f->calls, 0);
  assert_int_equal(ra_op_submit(op, on_done, f, &err), RA_E_INVALID);
  assert_string_equal(err.message, "an operation is used once");
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->calls, 1);
  assert_int_equal(f->rc, RA_OK);
  assert_int_equal(((numbers *)ra_op_state(op))->out, 42);
  assert_int_equal(ra_op_timing(op)->ns[RA_STAGE_DECODE], 7);
  assert_int_equal(deinits, 0);
  ra_op_unref(op);
  assert_int_equal(deinits, 1);
}

static void test_failures_and_refusals(void **state) {
  fixture *f = *state;
  ra_err err = {0};
  ra_op *op = make(f, &DOUBLE, 5000);  // costs more than the lane's whole budget
  assert_int_equal(ra_op_submit(op, on_done, f, &err), RA_E_TOOBIG);
  ra_op_unref(op);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->calls, 0);
  f->ops.io = NULL;
  static const ra_op_kind elsewhere = {.name = "elsewhere", .lane = RA_OP_IO, .run = double_run};
  op = make(f, &elsewhere, 0);
  assert_int_equal(ra_op_submit(op, on_done, f, &err), RA_E_UNSUPPORTED);
  ra_op_unref(op);
}

// Whoever submits may not be called back before the call returns, even when there is nothing to wait for.
static void test_done_is_never_inside_the_submission(void **state) {
  fixture *f = *state;
  ra_op *op = make(f, &AT_ONCE, 0);
  assert_int_equal(ra_op_submit(op, on_done, f, NULL), RA_OK);
  assert_int_equal(f->calls, 0);
  ra_op_unref(op);  // it keeps itself alive
  assert_int_equal(deinits, 0);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->calls, 1);
  assert_int_equal(deinits, 1);
}

static void test_cancelling(void **state) {
  fixture *f = *state;
  ra_op *waits = make(f, &NEVER, 0);
  assert_int_equal(ra_op_submit(waits, on_done, f, NULL), RA_OK);
  ra_op_cancel(waits);
  ra_op_cancel(waits);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->calls, 1);
  assert_int_equal(f->rc, RA_E_CANCELLED);
  ra_op_unref(waits);
  ra_op *job = make(f, &DOUBLE, 1);
  ra_op_cancel(job);  // before it was started
  assert_int_equal(ra_op_submit(job, on_done, f, NULL), RA_OK);
  ra_op_unref(job);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(f->calls, 2);
  assert_int_equal(f->rc, RA_E_CANCELLED);
  assert_int_equal(deinits, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_runs_once, setup, teardown),
      cmocka_unit_test_setup_teardown(test_failures_and_refusals, setup, teardown),
      cmocka_unit_test_setup_teardown(test_done_is_never_inside_the_submission, setup, teardown),
      cmocka_unit_test_setup_teardown(test_cancelling, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
