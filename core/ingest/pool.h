// pool.h - the encoders' threads: a bounded queue in front of a few workers. The first failure stops what has not
// started; the one who submits learns of it. One submitting thread.
#pragma once
#include "base/cancel.h"
#include "base/err.h"

typedef struct ra_pool ra_pool;

// cancel may be NULL; once set, jobs that have not started are dropped.
int ra_pool_new(unsigned threads, ra_cancel *cancel, ra_pool **out, ra_err *err);
void ra_pool_free(ra_pool *pool);  // waits for running jobs; NULL is fine
// Queues run(ctx, err); blocks while the queue is full. `drop` (may be NULL) is called once for every job, after run or
// instead of it. On failure (an earlier job's, or cancelled) the job is dropped at once.
int ra_pool_submit(ra_pool *pool, int (*run)(void *ctx, ra_err *err), void (*drop)(void *ctx),
                   void *ctx, ra_err *err);
// Waits until nothing is queued or running; the first failure.
int ra_pool_wait(ra_pool *pool, ra_err *err);
