// watchdog.h - finds workers whose loop has stopped, and the plugins that stop them. The supervisor asks at even intervals;
// kills themselves are its own business. No clock of its own: what it counts is how long it saw no beat, so that a machine
// that slept, or a supervisor that did, is nobody's fault.
#pragma once
#include "app/board.h"

enum { RA_WATCHDOG_KILLS = 3, RA_WATCHDOG_WINDOW_MS = 10 * 60 * 1000 };

typedef struct ra_watchdog ra_watchdog;

// stuck_ms: after how long without a beat a worker is stuck (0: never). One that starts or ends gets fifteen times as
// long. The board must outlive it.
int ra_watchdog_new(ra_board *board, uint64_t stuck_ms, ra_watchdog **out, ra_err *err);
void ra_watchdog_free(ra_watchdog *watchdog);
// How often to ask; 0: never.
uint64_t ra_watchdog_interval(const ra_watchdog *watchdog);

typedef struct ra_culprit {
  uint64_t stuck_ms;
  char plugin[RA_PULSE_NAME_SIZE];  // "" when no plugin's code ran
  bool running;                     // false: it was starting or ending
  char request[RA_PULSE_ID_SIZE];   // "" for a timer or a hook
} ra_culprit;

// Whether the worker has to be killed now; true once a life. now_ms: monotonic.
bool ra_watchdog_look(ra_watchdog *watchdog, unsigned worker, uint64_t now_ms, ra_culprit *out);
// A worker was killed for it. True when the plugin is switched off by that: the third time in ten minutes.
bool ra_watchdog_blame(ra_watchdog *watchdog, const char *plugin, uint64_t now_ms);
// A new worker starts: from now on it is watched.
void ra_watchdog_started(ra_watchdog *watchdog, unsigned worker, uint64_t now_ms);
// All is forgiven (after a reload): nothing is switched off.
void ra_watchdog_forgive(ra_watchdog *watchdog);
