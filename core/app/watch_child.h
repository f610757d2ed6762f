// watch_child.h - one process that ingests some files of a watched folder, one after another. It tells of each as it is
// done, so that a file that brings the process down takes no other with it. The supervisor's thread; the caller's memory
// until `ended`.
#pragma once
#include <uv.h>

#include "app/watch_tree.h"
#include "base/str.h"

enum { RA_WATCH_BATCH = 16, RA_WATCH_ARGS = 256 };  // files, and words before them

typedef struct ra_watch_child ra_watch_child;

typedef struct ra_watch_child_events {
  // A file came out; json: the event that says so (published, unchanged, error), a jansson object of this call.
  void (*file)(ra_watch_child *child, ra_watch_offer *offer, const char *event, const void *json);
  // The process is gone, and all that it said has been heard: `left` of its offers had no result.
  void (*ended)(ra_watch_child *child, int64_t status, int signal_number);
} ra_watch_child_events;

typedef struct ra_watch_line {
  uv_pipe_t pipe;
  ra_str text;  // what has come of a line
} ra_watch_line;

struct ra_watch_child {
  void *ctx;
  const ra_watch_child_events *events;
  uv_process_t process;
  ra_watch_line out, err;
  unsigned open;  // handles that are not closed yet
  int64_t status;
  int signal_number;
  const char *root;
  ra_watch_offer offers[RA_WATCH_BATCH];  // path NULL: came out
  unsigned count, left;
  ra_watch_offer *current;  // the one that it works on; NULL: none yet
  uint64_t since_ms;        // when that began
  char sentence[700];       // the last that it said to people
};

// Starts it with the offers that are in `child` already; argv: the command line without the files, NULL-terminated.
// `ended` comes later, also when it did not start.
void ra_watch_child_start(uv_loop_t *loop, ra_watch_child *child, char *const *argv);
void ra_watch_child_kill(ra_watch_child *child, int signal_number);
