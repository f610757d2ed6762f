// watchdog.c - see watchdog.h
#include "app/watchdog.h"

#include <stdlib.h>
#include <string.h>

enum {
  STARTING_TIMES = 15,
  CULPRITS_MAX = 64,
  LOOKS = 8,
  INTERVAL_LEAST = 10,
  INTERVAL_MOST = 250
};

typedef struct watched {
  uint64_t beat_ns;    // as it was when last looked at
  uint64_t looked_ms;  // when that was
  uint64_t still_ms;   // how long it has not changed
  bool told;
} watched;

typedef struct record {
  char plugin[RA_PULSE_NAME_SIZE];
  uint64_t kills_ms[RA_WATCHDOG_KILLS];  // the last ones, oldest first; 0: none
} record;

struct ra_watchdog {
  ra_board *board;
  uint64_t stuck_ms, interval;
  watched workers[RA_WORKERS_MAX];
  record records[CULPRITS_MAX];
};

static uint64_t interval_of(uint64_t stuck_ms) {
  uint64_t interval = stuck_ms / LOOKS;
  if (!stuck_ms) return 0;
  return interval < INTERVAL_LEAST  ? INTERVAL_LEAST
         : interval > INTERVAL_MOST ? INTERVAL_MOST
                                    : interval;
}

int ra_watchdog_new(ra_board *board, uint64_t stuck_ms, ra_watchdog **out, ra_err *err) {
  ra_watchdog *watchdog = calloc(1, sizeof *watchdog);
  if (!watchdog) return ra_fail(err, RA_E_NOMEM, "", "no memory for the watchdog");
  watchdog->board = board;
  watchdog->stuck_ms = stuck_ms;
  watchdog->interval = interval_of(stuck_ms);
  board->blocks.stuck_ms = stuck_ms;
  *out = watchdog;
  return RA_OK;
}

void ra_watchdog_free(ra_watchdog *watchdog) { free(watchdog); }

uint64_t ra_watchdog_interval(const ra_watchdog *watchdog) { return watchdog->interval; }

void ra_watchdog_started(ra_watchdog *watchdog, unsigned worker, uint64_t now_ms) {
  watchdog->workers[worker] = (watched){.looked_ms = now_ms};
}

// A look that comes late counts as one that came in time: then it was the supervisor that did not run.
static uint64_t still_for(const ra_watchdog *watchdog, watched *w, uint64_t beat_ns, uint64_t now_ms) {
  uint64_t gap = now_ms - w->looked_ms, most = 2 * watchdog->interval;
  w->looked_ms = now_ms;
  w->still_ms = beat_ns == w->beat_ns ? w->still_ms + (gap < most ? gap : most) : 0;
  w->beat_ns = beat_ns;
  return w->still_ms;
}

static void identify(const ra_pulse *pulse, uint64_t still_ms, bool running, ra_culprit *out) {
  *out = (ra_culprit){.stuck_ms = still_ms, .running = running};
  if (!atomic_load_explicit(&pulse->slice, memory_order_acquire)) return;
  memcpy(out->plugin, pulse->plugin, sizeof out->plugin - 1);
  memcpy(out->request, pulse->request, sizeof out->request - 1);
}

bool ra_watchdog_look(ra_watchdog *watchdog, unsigned worker, uint64_t now_ms, ra_culprit *out) {
  watched *w = &watchdog->workers[worker];
  const ra_pulse *pulse = &watchdog->board->pulses[worker];
  bool running = atomic_load(&pulse->state) == RA_PULSE_RUNNING;
  uint64_t still_ms = still_for(watchdog, w, atomic_load(&pulse->beat_ns), now_ms);
  uint64_t limit = running ? watchdog->stuck_ms : watchdog->stuck_ms * STARTING_TIMES;
  if (!watchdog->stuck_ms || w->told || still_ms < limit) return false;
  w->told = true;
  identify(pulse, still_ms, running, out);
  return true;
}

static record *record_of(ra_watchdog *watchdog, const char *plugin) {
  record *oldest = &watchdog->records[0];
  for (unsigned i = 0; i < CULPRITS_MAX; i++) {
    record *r = &watchdog->records[i];
    if (strcmp(r->plugin, plugin) == 0) return r;
    if (r->kills_ms[RA_WATCHDOG_KILLS - 1] < oldest->kills_ms[RA_WATCHDOG_KILLS - 1]) oldest = r;
  }
  *oldest = (record){0};
  strncpy(oldest->plugin, plugin, sizeof oldest->plugin - 1);
  return oldest;
}

bool ra_watchdog_blame(ra_watchdog *watchdog, const char *plugin, uint64_t now_ms) {
  if (!*plugin) return false;
  record *r = record_of(watchdog, plugin);
  memmove(r->kills_ms, r->kills_ms + 1, sizeof r->kills_ms - sizeof *r->kills_ms);
  r->kills_ms[RA_WATCHDOG_KILLS - 1] = now_ms;
  if (!r->kills_ms[0] || now_ms - r->kills_ms[0] > RA_WATCHDOG_WINDOW_MS) return false;
  return ra_blocks_add(&watchdog->board->blocks, plugin);
}

void ra_watchdog_forgive(ra_watchdog *watchdog) {
  memset(watchdog->records, 0, sizeof watchdog->records);
  ra_blocks_clear(&watchdog->board->blocks);
}
