// worker.h - a serving process as its supervisor made it: which one it is and what was handed to it. Read once at the
// start; loop thread only.
#pragma once
#include <stdbool.h>

#include "app/control.h"

typedef struct ra_worker {
  unsigned index;   // 0 … N-1
  unsigned starts;  // how many were started in its place before it
  int listen_fd;    // the public port's socket
  int admin_fd;     // the admin port's, or -1
  int control_fd;   // for ra_control_new
} ra_worker;

// What a worker finds at these descriptors, after standard input, output and error.
enum { RA_WORKER_LISTEN_FD = 3, RA_WORKER_ADMIN_FD, RA_WORKER_CONTROL_FD, RA_WORKER_FD_COUNT };

// Whether this process is a worker; if so it is filled in, dies with its supervisor from now on, and its children do not
// take themselves for workers.
bool ra_worker_init(ra_worker *worker);
