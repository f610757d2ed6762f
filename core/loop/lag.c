// lag.c - see lag.h
#include "loop/lag.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "loop/timer.h"

#define INTERVAL_MS 1000

struct ra_lag {
  ra_timer *timer;
  ra_metric *metric;
  uint64_t due_ns;
  double last;
};

static const double buckets[] = {.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5};

static void schedule(ra_lag *lag) {
  lag->due_ns = ra_clock_ns() + INTERVAL_MS * 1000000ull;
  ra_timer_start(lag->timer, INTERVAL_MS, 0);
}

static void on_beat(void *ctx) {
  ra_lag *lag = ctx;
  uint64_t now = ra_clock_ns();
  lag->last = now > lag->due_ns ? (double)(now - lag->due_ns) / 1e9 : 0;
  ra_metric_observe(lag->metric, NULL, lag->last);
  schedule(lag);
}

int ra_lag_start(uv_loop_t *loop, ra_lag **out, ra_err *err) {
  ra_lag *lag = calloc(1, sizeof *lag);
  if (!lag) return ra_fail(err, RA_E_NOMEM, "", "no memory for the loop's lag probe");
  int rc = ra_timer_new(loop, true, on_beat, lag, &lag->timer, err);
  if (rc < 0) {
    free(lag);
    return rc;
  }
  lag->metric = ra_metric_get(RA_METRIC_HISTOGRAM, "rastrum_loop_lag_seconds",
                              "How late the event loop ran a timer of one second.", buckets,
                              sizeof buckets / sizeof *buckets);
  schedule(lag);
  *out = lag;
  return RA_OK;
}

void ra_lag_stop(ra_lag *lag) {
  if (!lag) return;
  ra_timer_free(lag->timer);
  free(lag);
}

double ra_lag_last(const ra_lag *lag) { return lag->last; }
