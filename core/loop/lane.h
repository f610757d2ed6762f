// lane.h - admission control in front of libuv's pool, or of threads of the lane's own that everything else goes
// before; the only user of uv_queue_work. A lane has a width (jobs running), a depth (jobs waiting) and a budget of
// bytes for what runs: a job over the free budget waits, past the depth it is refused with RA_E_BUSY, over the lane's
// whole budget with RA_E_TOOBIG. Loop thread only, so no locks; `run` alone is called on a pool thread.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/cancel.h"
#include "base/err.h"

typedef struct ra_lane ra_lane;

typedef struct ra_lane_config {
  const char *name;  // "cpu", "io": in metrics; must outlive the lane
  unsigned width;
  unsigned depth;
  size_t bytes;  // budget of what admitted jobs hold; 0: none
  int nice;  // over 0: `width` threads of its own, this much less urgent than the process (nice(2))
} ra_lane_config;

typedef struct ra_job {
  void (*run)(void *ctx);  // pool thread; tests its cancel flag between pieces of work
  // Loop thread, once for every submitted job. rc is RA_OK when `run` was called, RA_E_CANCELLED when the job
  // left the lane without having run.
  void (*done)(void *ctx, int rc);
  void *ctx;
  ra_cancel *cancel;  // may be NULL; the lane holds a reference
  size_t bytes;       // what it will fetch and hold
  unsigned priority;  // 0 before 1 (requests before ingest)
} ra_job;

// Ask for the pool's size before the first job: sets UV_THREADPOOL_SIZE for `threads` threads.
void ra_lane_pool_size(unsigned threads);
int ra_lane_new(uv_loop_t *loop, const ra_lane_config *config, ra_lane **out, ra_err *err);
// The lane must be idle (nothing running or waiting). The memory is released when the loop runs next.
void ra_lane_free(ra_lane *lane);
// Copies *job. On failure nothing is called later.
int ra_lane_submit(ra_lane *lane, const ra_job *job, ra_err *err);
// Drops waiting jobs whose cancel flag is set (their `done` is called with RA_E_CANCELLED, on the loop, soon).
void ra_lane_sweep(ra_lane *lane);

typedef struct ra_lane_stats {
  unsigned running, waiting;
  size_t bytes;
  uint64_t done, refused, cancelled;
} ra_lane_stats;
ra_lane_stats ra_lane_get_stats(const ra_lane *lane);

// Debug builds: fails loudly when called on the loop's thread. Every blocking primitive calls it.
void ra_lane_mark_loop_thread(void);
#ifdef RA_TEST_BUILD
void ra_lane_assert_off_loop(const char *what);
#else
static inline void ra_lane_assert_off_loop(const char *what) { (void)what; }
#endif
