// lane.c - see lane.h. Waiting jobs stand in one queue a priority. A job starts when the width has room and its
// bytes fit the free budget; a job too big for what is free may be overtaken a bounded number of times, so that
// tiles don't wait behind a large series and the series still gets its turn.
#include "loop/lane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "loop/background.h"

#define PRIORITIES 2
#define LOOK_AHEAD 16     // how many waiting jobs are looked at for one that fits
#define MAX_OVERTAKEN 64  // then the front job waits for the budget alone

typedef struct node {
  union {
    uv_work_t work;
    ra_background_job own;  // when the lane has threads of its own
  };
  struct node *next;
  ra_lane *lane;
  ra_job job;
  uint64_t submitted_ns;
  int rc;
} node;

typedef struct queue {
  node *first, **last;
  unsigned overtaken;
} queue;

struct ra_lane {
  uv_loop_t *loop;
  ra_lane_config config;
  queue waiting[PRIORITIES];
  queue dropped;  // swept; their `done` is due
  uv_idle_t dropper;
  ra_background *background;  // NULL: jobs run in libuv's pool
  ra_lane_stats stats;
  char label[64], done_label[96], refused_label[96], cancelled_label[96];
};

static const double wait_buckets[] = {.0001, .00025, .0005, .001, .0025, .005, .01, .025,
                                      .05,   .1,     .25,   .5,   1,     2.5,  5,   10};

static ra_metric *metric_running, *metric_waiting, *metric_bytes, *metric_jobs, *metric_wait;

static void make_metrics(void) {
  metric_running =
      ra_metric_get(RA_METRIC_GAUGE, "rastrum_lane_running", "Jobs running in a lane.", NULL, 0);
  metric_waiting =
      ra_metric_get(RA_METRIC_GAUGE, "rastrum_lane_waiting", "Jobs waiting in a lane.", NULL, 0);
  metric_bytes = ra_metric_get(RA_METRIC_GAUGE, "rastrum_lane_bytes",
                               "Bytes that the running jobs of a lane may hold.", NULL, 0);
  metric_jobs = ra_metric_get(RA_METRIC_COUNTER, "rastrum_lane_jobs_total",
                              "Jobs that left a lane, by how.", NULL, 0);
  metric_wait = ra_metric_get(RA_METRIC_HISTOGRAM, "rastrum_lane_wait_seconds",
                              "Time from a job's submission to its start.", wait_buckets,
                              sizeof wait_buckets / sizeof *wait_buckets);
}

static void show_gauges(const ra_lane *lane) {
  ra_metric_set(metric_running, lane->label, lane->stats.running);
  ra_metric_set(metric_waiting, lane->label, lane->stats.waiting);
  ra_metric_set(metric_bytes, lane->label, (double)lane->stats.bytes);
}

static void queue_init(queue *q) {
  q->first = NULL;
  q->last = &q->first;
  q->overtaken = 0;
}

static void push(queue *q, node *n) {
  n->next = NULL;
  *q->last = n;
  q->last = &n->next;
}

static node *unlink_at(queue *q, node **at) {
  node *n = *at;
  *at = n->next;
  if (q->last == &n->next) q->last = at;
  return n;
}

void ra_lane_pool_size(unsigned threads) {
  char text[16];
  snprintf(text, sizeof text, "%u", threads ? threads : 1);
  setenv("UV_THREADPOOL_SIZE", text, 1);
}

int ra_lane_new(uv_loop_t *loop, const ra_lane_config *config, ra_lane **out, ra_err *err) {
  if (!config->width)
    return ra_fail(err, RA_E_INVALID, config->name, "a lane's width must be at least 1");
  ra_lane *lane = calloc(1, sizeof *lane);
  if (!lane) return ra_fail(err, RA_E_NOMEM, config->name, "no memory for a lane");
  int rc = config->nice
               ? ra_background_new(loop, config->width, config->nice, &lane->background, err)
               : RA_OK;
  if (rc < 0) {
    free(lane);
    return ra_err_prefix(err, "lane '%s'", config->name);
  }
  lane->loop = loop;
  lane->config = *config;
  for (int i = 0; i < PRIORITIES; i++) queue_init(&lane->waiting[i]);
  queue_init(&lane->dropped);
  uv_idle_init(loop, &lane->dropper);
  lane->dropper.data = lane;
  snprintf(lane->label, sizeof lane->label, "lane=\"%.40s\"", config->name);
  snprintf(lane->done_label, sizeof lane->done_label, "%s,outcome=\"done\"", lane->label);
  snprintf(lane->refused_label, sizeof lane->refused_label, "%s,outcome=\"refused\"", lane->label);
  snprintf(lane->cancelled_label, sizeof lane->cancelled_label, "%s,outcome=\"cancelled\"",
           lane->label);
  make_metrics();
  show_gauges(lane);
  *out = lane;
  return RA_OK;
}

static void on_closed(uv_handle_t *handle) { free(handle->data); }

void ra_lane_free(ra_lane *lane) {
  if (!lane) return;
  ra_background_free(lane->background);
  uv_close((uv_handle_t *)&lane->dropper, on_closed);
}

static void count(ra_lane *lane, int rc) {
  if (rc == RA_OK) {
    lane->stats.done++;
  } else {
    lane->stats.cancelled++;
  }
  ra_metric_add(metric_jobs, rc == RA_OK ? lane->done_label : lane->cancelled_label, 1);
}

static void finish(node *n, int rc) {
  ra_job job = n->job;
  count(n->lane, rc);
  free(n);
  job.done(job.ctx, rc);
  ra_cancel_unref(job.cancel);
}

static void run_job(void *ctx) {
  node *n = ctx;
  if (ra_cancel_is_set(n->job.cancel)) {
    n->rc = RA_E_CANCELLED;
  } else {
    n->job.run(n->job.ctx);
  }
}

static void pump(ra_lane *lane);

static void job_ran(void *ctx) {
  node *n = ctx;
  ra_lane *lane = n->lane;
  lane->stats.running--;
  lane->stats.bytes -= n->job.bytes;
  pump(lane);
  show_gauges(lane);
  finish(n, n->rc);
}

static void pool_run(uv_work_t *work) { run_job(work->data); }

static void pool_ran(uv_work_t *work, int status) {
  (void)status;  // never cancelled: a job that has started is its own to stop
  job_ran(work->data);
}

static void start(ra_lane *lane, node *n) {
  lane->stats.running++;
  lane->stats.bytes += n->job.bytes;
  ra_metric_observe(metric_wait, lane->label, (double)(ra_clock_ns() - n->submitted_ns) / 1e9);
  if (lane->background) {
    n->own = (ra_background_job){.run = run_job, .done = job_ran, .ctx = n};
    ra_background_submit(lane->background, &n->own);
  } else {
    n->work.data = n;
    uv_queue_work(lane->loop, &n->work, pool_run, pool_ran);
  }
}

static bool fits(const ra_lane *lane, const ra_job *job) {
  return !lane->config.bytes || job->bytes <= lane->config.bytes - lane->stats.bytes;
}

// The next job of a queue that may start now, taken out of it; NULL when none may.
static node *take_fitting(ra_lane *lane, queue *q) {
  node **at = &q->first;
  unsigned ahead = q->overtaken >= MAX_OVERTAKEN ? 1 : LOOK_AHEAD;
  for (; *at && ahead; at = &(*at)->next, ahead--) {
    if (!fits(lane, &(*at)->job)) continue;
    q->overtaken = at == &q->first ? 0 : q->overtaken + 1;
    return unlink_at(q, at);
  }
  return NULL;
}

static void pump(ra_lane *lane) {
  for (int i = 0; i < PRIORITIES; i++) {
    queue *q = &lane->waiting[i];
    while (lane->stats.running < lane->config.width) {
      node *n = take_fitting(lane, q);
      if (!n) break;
      lane->stats.waiting--;
      start(lane, n);
    }
    // A front job that has been overtaken often enough gets the budget before any lower priority.
    if (q->first && q->overtaken >= MAX_OVERTAKEN) break;
  }
}

static int refuse(ra_lane *lane, const ra_job *job, ra_err *err) {
  const char *name = lane->config.name;
  bool too_big = lane->config.bytes && job->bytes > lane->config.bytes;
  if (!too_big &&
      (lane->stats.waiting < lane->config.depth ||
       (!lane->stats.waiting && lane->stats.running < lane->config.width && fits(lane, job)))) {
    return RA_OK;
  }
  lane->stats.refused++;
  ra_metric_add(metric_jobs, lane->refused_label, 1);
  if (too_big) {
    return ra_fail(err, RA_E_TOOBIG, name,
                   "the work would hold %zu bytes where at most %zu are allowed; ask for less",
                   job->bytes, lane->config.bytes);
  }
  return ra_fail(err, RA_E_BUSY, name,
                 "%u jobs are waiting already, which is the most that may; try again later",
                 lane->stats.waiting);
}

int ra_lane_submit(ra_lane *lane, const ra_job *job, ra_err *err) {
  int rc = refuse(lane, job, err);
  if (rc < 0) return rc;
  node *n = calloc(1, sizeof *n);
  if (!n) return ra_fail(err, RA_E_NOMEM, lane->config.name, "no memory for a job");
  n->lane = lane;
  n->job = *job;
  n->rc = RA_OK;
  n->submitted_ns = ra_clock_ns();
  n->job.cancel = ra_cancel_ref(job->cancel);
  push(&lane->waiting[job->priority < PRIORITIES ? job->priority : PRIORITIES - 1], n);
  lane->stats.waiting++;
  pump(lane);
  show_gauges(lane);
  return RA_OK;
}

static void on_idle(uv_idle_t *idle) {
  ra_lane *lane = idle->data;
  uv_idle_stop(idle);
  queue due = lane->dropped;
  queue_init(&lane->dropped);
  for (node *n = due.first, *next; n; n = next) {
    next = n->next;
    finish(n, RA_E_CANCELLED);
  }
}

void ra_lane_sweep(ra_lane *lane) {
  bool any = false;
  for (int i = 0; i < PRIORITIES; i++) {
    queue *q = &lane->waiting[i];
    for (node **at = &q->first; *at;) {
      if (!ra_cancel_is_set((*at)->job.cancel)) {
        at = &(*at)->next;
        continue;
      }
      if (at == &q->first) q->overtaken = 0;
      push(&lane->dropped, unlink_at(q, at));
      lane->stats.waiting--;
      any = true;
    }
  }
  if (!any) return;
  uv_idle_start(&lane->dropper, on_idle);
  pump(lane);
  show_gauges(lane);
}

ra_lane_stats ra_lane_get_stats(const ra_lane *lane) { return lane->stats; }

static _Thread_local bool on_loop_thread;

void ra_lane_mark_loop_thread(void) { on_loop_thread = true; }

#ifdef RA_TEST_BUILD
void ra_lane_assert_off_loop(const char *what) {
  if (!on_loop_thread) return;
  fprintf(stderr, "%s blocks and was called on the loop's thread; submit a job to a lane instead\n",
          what);
  abort();
}
#endif
