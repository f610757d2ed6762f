// op.c - see op.h. A `run` kind is one job of a lane; a `start` kind waits on the loop by itself.
#include "ops/op.h"

#include <stdlib.h>
#include <string.h>

#include "loop/idle.h"

struct ra_op {
  unsigned refs;
  ra_ops *ops;
  const ra_op_kind *kind;
  ra_lane *lane;  // once submitted
  ra_cancel *cancel;
  ra_timing timing;
  unsigned priority;
  bool started, starting, finished;
  int rc;
  ra_err err;
  void (*done)(void *ctx, ra_op *op, int rc, const ra_err *err);
  void *ctx;
  ra_idle *deferred;  // `done` is due, since `start` finished at once
  _Alignas(16) unsigned char state[];
};

int ra_op_new(ra_ops *ops, const ra_op_kind *kind, ra_op **out, ra_err *err) {
  ra_op *op = calloc(1, sizeof *op + kind->state_size);
  ra_cancel *cancel = ra_cancel_new();
  if (!op || !cancel) {
    free(op);
    ra_cancel_unref(cancel);
    return ra_fail(err, RA_E_NOMEM, kind->name, "no memory for an operation");
  }
  op->refs = 1;
  op->ops = ops;
  op->kind = kind;
  op->cancel = cancel;
  *out = op;
  return RA_OK;
}

ra_op *ra_op_ref(ra_op *op) {
  op->refs++;
  return op;
}

void ra_op_unref(ra_op *op) {
  if (!op || --op->refs) return;
  if (op->kind->deinit) op->kind->deinit(op->state);
  ra_cancel_unref(op->cancel);
  free(op);
}

void *ra_op_state(ra_op *op) { return op->state; }
const ra_op_kind *ra_op_get_kind(const ra_op *op) { return op->kind; }
ra_ops *ra_op_ops(ra_op *op) { return op->ops; }
ra_cancel *ra_op_cancel_flag(ra_op *op) { return op->cancel; }
ra_timing *ra_op_timing(ra_op *op) { return &op->timing; }
bool ra_op_started(const ra_op *op) { return op->started; }
void ra_op_set_priority(ra_op *op, unsigned priority) { op->priority = priority; }

static void report(ra_op *op) {
  op->done(op->ctx, op, op->rc, &op->err);
  ra_op_unref(op);
}

static void run_job(void *ctx) {
  ra_op *op = ctx;
  op->rc = op->kind->run(op, op->state, &op->err);
}

static void job_done(void *ctx, int rc) {
  ra_op *op = ctx;
  op->finished = true;
  if (rc < 0)
    op->rc = ra_fail(&op->err, rc, op->kind->name, "nobody waits for the result any more");
  report(op);
}

static ra_lane *lane_for(const ra_op *op, size_t cost) {
  if (op->kind->lane == RA_OP_IO) return op->ops->io;
  if (op->ops->far && op->kind->is_far && op->kind->is_far(op->state)) return op->ops->far;
  bool heavy = op->ops->heavy && op->kind->heavy && cost >= op->kind->heavy;
  return heavy ? op->ops->heavy : op->ops->cpu;
}

static int check_cost(const ra_op *op, size_t cost, ra_err *err) {
  size_t most = op->ops->job_bytes;
  if (!most || cost <= most) return RA_OK;
  return ra_fail(err, RA_E_TOOBIG, op->kind->name,
                 "this %s would fetch and hold %zu bytes, and one request may take %zu; ask for %s",
                 op->kind->name, cost, most, op->kind->cheaper ? op->kind->cheaper : "less");
}

static int submit_job(ra_op *op, ra_err *err) {
  size_t cost = op->kind->cost ? op->kind->cost(op->state) : 0;
  op->lane = lane_for(op, cost);
  if (!op->lane)
    return ra_fail(err, RA_E_UNSUPPORTED, op->kind->name, "this process has no lane for it");
  int rc = check_cost(op, cost, err);
  if (rc < 0) return rc;
  ra_job job = {.run = run_job,
                .done = job_done,
                .ctx = op,
                .cancel = op->cancel,
                .bytes = cost,
                .priority = op->priority};
  return ra_lane_submit(op->lane, &job, err);
}

static int start(ra_op *op, ra_err *err) {
  op->starting = true;
  int rc = op->kind->start(op, op->state, err);
  op->starting = false;
  return rc;
}

int ra_op_submit(ra_op *op, void (*done)(void *ctx, ra_op *op, int rc, const ra_err *err),
                 void *ctx, ra_err *err) {
  if (op->started) return ra_fail(err, RA_E_INVALID, op->kind->name, "an operation is used once");
  op->started = true;
  op->done = done;
  op->ctx = ctx;
  ra_op_ref(op);
  int rc = op->kind->run ? submit_job(op, err) : start(op, err);
  if (rc < 0) ra_op_unref(op);
  return rc;
}

void ra_op_cancel(ra_op *op) {
  if (ra_cancel_is_set(op->cancel)) return;
  ra_cancel_set(op->cancel);
  if (!op->started || op->finished) return;
  if (op->kind->run) {
    ra_lane_sweep(op->lane);
  } else if (op->kind->cancelled) {
    op->kind->cancelled(op, op->state);
  }
}

static void on_idle(void *ctx) {
  ra_op *op = ctx;
  ra_idle_free(op->deferred);
  report(op);
}

void ra_op_finish(ra_op *op, int rc, const ra_err *err) {
  if (op->finished) return;
  op->finished = true;
  op->rc = rc;
  if (rc < 0 && err) op->err = *err;
  bool later = op->starting && ra_idle_new(op->ops->loop, on_idle, op, &op->deferred, NULL) == RA_OK;
  if (later) {
    ra_idle_start(op->deferred);
  } else {
    report(op);
  }
}
