// worker.c - see worker.h. RASTRUM_WORKER is "index.starts.admin", set by supervisor.c.
#include "app/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

enum { BEAT_MS = 250 };

int ra_worker_bundle(ra_bundle **out, ra_err *err) {
  uint32_t generation;
  *out = NULL;
  if (!getenv("RASTRUM_WORKER")) return RA_OK;
  return ra_bundle_restore(RA_WORKER_BUNDLE_FD, &generation, out, err);
}

bool ra_worker_found(ra_worker *worker) {
  int admin;
  const char *text = getenv("RASTRUM_WORKER");
  *worker = (ra_worker){.listen_fd = -1, .admin_fd = -1, .control_fd = -1};
  if (!text || sscanf(text, "%u.%u.%d", &worker->index, &worker->starts, &admin) != 3) return false;
  signal(SIGHUP, SIG_IGN);  // a terminal sends it to all; the supervisor decides
  unsetenv("RASTRUM_WORKER");
  for (int fd = RA_WORKER_LISTEN_FD; fd < RA_WORKER_FD_COUNT; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  worker->listen_fd = RA_WORKER_LISTEN_FD;
  worker->admin_fd = admin ? RA_WORKER_ADMIN_FD : -1;
  worker->control_fd = RA_WORKER_CONTROL_FD;
  worker->bundle_fds[0] = RA_WORKER_BUNDLE_FD;
  worker->bundle_fds[1] = RA_WORKER_SPARE_FD;
  return true;
}

int ra_worker_share(ra_worker *worker, ra_err *err) {
  int rc = ra_board_map(RA_WORKER_BOARD_FD, &worker->board, err);
  if (rc == RA_OK) rc = ra_board_count_in(worker->board, worker->index, err);
  if (rc < 0) return rc;
  ra_log_worker(worker->index, worker->board->workers > 1);
  ra_pulse_share(&worker->board->pulses[worker->index], &worker->board->blocks);
  ra_pulse_set_state(RA_PULSE_STARTING);
  return RA_OK;
}

static void on_turn(uv_prepare_t *turn) {
  (void)turn;
  ra_pulse_turn();
}

static void on_beat(uv_timer_t *beat) {
  ra_worker *worker = beat->data;
  worker->each_beat(worker->ctx);
}

void ra_worker_start_beat(ra_worker *worker, uv_loop_t *loop, void (*each_beat)(void *ctx),
                          void *ctx) {
  worker->each_beat = each_beat;
  worker->ctx = ctx;
  worker->beat.data = worker;
  uv_prepare_init(loop, &worker->turn);
  uv_timer_init(loop, &worker->beat);
  uv_unref((uv_handle_t *)&worker->turn);
  uv_unref((uv_handle_t *)&worker->beat);
  uv_prepare_start(&worker->turn, on_turn);
  uv_timer_start(&worker->beat, on_beat, 0, BEAT_MS);
  ra_pulse_set_state(RA_PULSE_RUNNING);
}

void ra_worker_stop_beat(ra_worker *worker) {
  ra_pulse_set_state(RA_PULSE_ENDING);
  uv_close((uv_handle_t *)&worker->turn, NULL);
  uv_close((uv_handle_t *)&worker->beat, NULL);
}
