// progress.h - what a workflow's events look like: for people on standard error, a bar on a terminal and plain lines
// elsewhere; with --json, a line each on standard output. One thread's.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct ra_progress {
  bool json;
  bool failed;        // some source was refused
  bool bar;           // a progress line stands on the terminal
  uint64_t shown_ms;  // when progress was shown last, where there is no terminal
} ra_progress;

// An event as the workflow emitted it. ctx: a ra_progress.
void ra_progress_event(void *ctx, const char *json);
void ra_progress_end(ra_progress *progress);
