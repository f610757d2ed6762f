// op.h - an operation: something that takes time, built by a binding, not yet started, then submitted once by the task
// runner after its coroutine has yielded. A kind says how it runs; its state is one block owned by the operation.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/cancel.h"
#include "base/timing.h"
#include "loop/lane.h"
#include "render/context.h"

typedef struct ra_op ra_op;

// What operations run on; one a process, made by app/. Lanes are used on the loop thread.
typedef struct ra_ops {
  uv_loop_t *loop;
  ra_lane *cpu, *io;
  ra_lane *heavy;             // for costly jobs, so that the others don't wait for them; NULL: none
  ra_lane *far;               // for jobs that wait for other servers; NULL: none
  size_t job_bytes;           // the most that one job may cost; 0: no limit
  ra_render_context *render;  // NULL where nothing renders
  struct ra_store *store;     // NULL where there is none
  struct ra_remote *remote;   // reads files of other servers; NULL: none are read
  struct ra_fetcher *fetcher;      // NULL until something is fetched; whoever made this frees it
  const char *const *fetch_allow;  // special addresses that may be fetched from; NULL: none
} ra_ops;

typedef enum ra_op_lane { RA_OP_CPU, RA_OP_IO } ra_op_lane;

typedef struct ra_op_kind {
  const char *name;   // "tile": for logs, metrics and misuse messages
  size_t state_size;  // zeroed at creation
  ra_op_lane lane;
  // Pool thread. Reads its state, leaves its result there. op gives cancel and timing.
  int (*run)(ra_op *op, void *state, ra_err *err);
  // Instead of `run`, for what needs no thread (a timer, a join): loop thread; later calls ra_op_finish once.
  int (*start)(ra_op *op, void *state, ra_err *err);
  void (*cancelled)(ra_op *op,
                    void *state);  // `start` kinds: stop waiting now; ra_op_finish must still come
  size_t (*cost)(const void *state);  // bytes for admission; NULL: 0
  bool (*is_far)(const void *state);  // whether it reads from other servers; NULL: never
  size_t heavy;                       // cost from which on the job is a heavy one; 0: never
  const char *cheaper;          // "fewer points": what to ask for instead of what costs too much
  void (*deinit)(void *state);  // frees what the state owns; NULL: nothing
} ra_op_kind;

int ra_op_new(ra_ops *ops, const ra_op_kind *kind, ra_op **out, ra_err *err);
ra_op *ra_op_ref(ra_op *op);  // loop thread only
void ra_op_unref(ra_op *op);
void *ra_op_state(ra_op *op);
const ra_op_kind *ra_op_get_kind(const ra_op *op);
ra_ops *ra_op_ops(ra_op *op);
ra_cancel *ra_op_cancel_flag(ra_op *op);
ra_timing *ra_op_timing(ra_op *op);
bool ra_op_started(const ra_op *op);
void ra_op_set_priority(ra_op *op, unsigned priority);  // of its lane's job: 0 (default) before 1
// Submits; once only (RA_E_INVALID: "an operation is used once"). `done` is called on the loop, never from within this
// call; rc is the operation's result and err its cause. The operation keeps itself alive until then. On failure to
// submit (busy, too big) the code is returned and done is not called.
int ra_op_submit(ra_op *op, void (*done)(void *ctx, ra_op *op, int rc, const ra_err *err),
                 void *ctx, ra_err *err);
// Nobody waits any more: sets the flag; `done` still comes, with RA_E_CANCELLED or the result.
void ra_op_cancel(ra_op *op);
void ra_op_finish(ra_op *op, int rc, const ra_err *err);  // `start` kinds only; loop thread
