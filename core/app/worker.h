// worker.h - a serving process as its supervisor made it: which one it is and what was handed to it. Read once at the
// start; loop thread only.
#pragma once
#include <stdbool.h>

#include "app/board.h"
#include "app/control.h"
#include "script/bundle.h"

typedef struct ra_worker {
  unsigned index;   // 0 … N-1
  unsigned starts;  // how many were started in its place before it
  int listen_fd;    // the public port's socket
  int admin_fd;     // the admin port's, or -1
  int control_fd;   // for ra_control_new
  int bundle_fds[2];
  ra_board *board;
  uv_prepare_t turn;
  uv_timer_t beat;
  void (*each_beat)(void *ctx);
  void *ctx;
} ra_worker;

// What a worker finds at these descriptors, after standard input, output and error.
enum {
  RA_WORKER_LISTEN_FD = 3,
  RA_WORKER_ADMIN_FD,
  RA_WORKER_CONTROL_FD,
  RA_WORKER_BOARD_FD,
  RA_WORKER_BUNDLE_FD,  // what it loads
  RA_WORKER_SPARE_FD,   // where the next one will be
  RA_WORKER_FD_COUNT
};

// What a worker is to load; NULL in any other process. Before ra_worker_found.
int ra_worker_bundle(ra_bundle **out, ra_err *err);
// Whether this process is a worker. If so its children do not take themselves for workers from now on.
bool ra_worker_found(ra_worker *worker);
// Before the first metric: counts and beats where the supervisor sees it.
int ra_worker_share(ra_worker *worker, ra_err *err);
// The loop beats, also while it has nothing to do; each_beat is called four times a second. Does not keep the loop
// running. The worker must not move any more.
void ra_worker_start_beat(ra_worker *worker, uv_loop_t *loop, void (*each_beat)(void *ctx),
                          void *ctx);
void ra_worker_stop_beat(ra_worker *worker);
