// board.h - memory that the supervisor and its workers share: each worker's pulse, the plugins that are switched off, and
// everybody's metrics. It outlives any worker; the supervisor made it and hands its descriptor down.
#pragma once
#include "base/err.h"
#include "base/pulse.h"

enum { RA_WORKERS_MAX = 64 };

typedef struct ra_board {
  uint32_t workers;  // how many it is for; the supervisor's metrics are in the slot after theirs
  ra_blocks blocks;
  ra_pulse pulses[RA_WORKERS_MAX];
} ra_board;

// Makes one and maps it; *fd is close-on-exec.
int ra_board_new(unsigned workers, ra_board **out, int *fd, ra_err *err);
// Maps the one that was handed down.
int ra_board_map(int fd, ra_board **out, ra_err *err);
void ra_board_unmap(ra_board *board);  // NULL is fine
// This process counts its metrics in that slot: a worker's index, or board->workers for the supervisor.
int ra_board_count_in(ra_board *board, unsigned slot, ra_err *err);
// A worker is dead: its gauges and its pulse end.
void ra_board_worker_ended(ra_board *board, unsigned worker);
