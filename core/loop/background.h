// background.h - a few threads beside libuv's pool that the system runs after all others: long jobs on them take the
// processors that nobody else wants, and answer to the loop. All functions are the loop thread's.
#pragma once
#include <uv.h>

#include "base/err.h"

typedef struct ra_background ra_background;

// The caller's, from ra_background_submit until `done` is called.
typedef struct ra_background_job {
  struct ra_background_job *next;
  void (*run)(void *ctx);   // one of the threads
  void (*done)(void *ctx);  // loop thread, later
  void *ctx;
} ra_background_job;

// `nice` is added to the priority value of the process (see nice(2)) for these threads alone. The loop is kept
// running by submitted jobs, not by the threads.
int ra_background_new(uv_loop_t *loop, unsigned threads, int nice, ra_background **out, ra_err *err);
void ra_background_submit(ra_background *background, ra_background_job *job);
// Every job must be done. Waits for the threads to end; the memory is released when the loop runs next.
void ra_background_free(ra_background *background);
