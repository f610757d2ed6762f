// watch.c - see watch.h
#include "app/watch.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/host.h"
#include "app/watch_child.h"
#include "app/watch_queue.h"
#include "app/watch_words.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/sha256.h"
#include "ingest/ingest.h"

enum {
  JOBS_MOST = 64,
  BATCH_BYTES = 64 << 20,  // larger files have a process of their own
  PAUSE_MS = 1000,         // after a process that could not even begin,
  PAUSE_MOST_MS = 60000,   // twice as long each time, up to this
  END_MS = 5000            // what still runs after SIGTERM is killed
};

typedef struct watch {
  ra_supervisor *supervisor;
  ra_watch_tree *tree;
  ra_watch_queue queue;
  ra_watch_child *children[JOBS_MOST];  // NULL: none
  unsigned jobs, running;
  char root[PATH_MAX];
  char **words;
  uv_async_t offered;
  uv_timer_t pause;  // until processes are started again; then, at the end, until they are killed
  unsigned pause_ms;
  bool ready;  // a worker has answered
  bool ended;
} watch;

static uint64_t now_ms(void) { return ra_clock_ns() / 1000000; }

// ---- what people see of it

static ra_metric *done_total(void) {
  return ra_metric_get(RA_METRIC_COUNTER, "rastrum_watch_done_total",
                       "Files of the watched folder that are published.", NULL, 0);
}

static ra_metric *failed_total(void) {
  return ra_metric_get(RA_METRIC_COUNTER, "rastrum_watch_failed_total",
                       "Ingests of files of the watched folder that failed.", NULL, 0);
}

static ra_metric *seconds(void) {
  static const double buckets[] = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200};
  return ra_metric_get(RA_METRIC_HISTOGRAM, "rastrum_watch_seconds",
                       "How long the ingest of a file of the watched folder took.", buckets,
                       sizeof buckets / sizeof *buckets);
}

static void show(const watch *w) {
  ra_metric_set(ra_metric_get(RA_METRIC_GAUGE, "rastrum_watch_queue",
                              "Files of the watched folder that wait for their ingest.", NULL, 0),
                NULL, (double)w->queue.count);
  unsigned files = 0;
  for (unsigned i = 0; i < w->jobs; i++) files += w->children[i] ? w->children[i]->left : 0;
  ra_metric_set(ra_metric_get(RA_METRIC_GAUGE, "rastrum_watch_running",
                              "Files of the watched folder that a process has in hand.", NULL, 0),
                NULL, files);
}

static void log_file(ra_log_level level, const watch *w, const char *message, const char *path,
                     const json_t *json, const char *const *names) {
  ra_str fields;
  ra_str_init(&fields);
  ra_str_add(&fields, "\"file\":");
  char full[PATH_MAX + 1024];
  snprintf(full, sizeof full, "%s/%s", w->root, path);
  ra_str_add_json(&fields, full);
  for (; json && *names; names++) {
    char *value = json_dumps(json_object_get(json, *names), JSON_ENCODE_ANY | JSON_COMPACT);
    ra_str_addf(&fields, ",\"%s\":%s", *names, value ? value : "null");
    free(value);
  }
  if (!fields.failed) ra_log_fields(level, message, fields.ptr);
  ra_str_deinit(&fields);
}

// ---- results

static void next(watch *w);
static void finish(watch *w);

static void fail(watch *w, const ra_watch_offer *offer, const char *sentence, bool may_pass) {
  char message[900];
  snprintf(message, sizeof message, "a watched file is not ingested: %s", sentence);
  log_file(RA_LOG_ERROR, w, message, offer->path, NULL, NULL);
  ra_metric_add(failed_total(), NULL, 1);
  ra_watch_tree_result(w->tree, offer, may_pass ? RA_WATCH_HINDERED : RA_WATCH_REFUSED, sentence);
}

// Whatever is not about the file itself: the machine, the store, the catalog, another process.
static bool may_pass(const json_t *json) {
  switch (ra_err_code(json_string_value(json_object_get(json, "code")))) {
    case RA_E_INVALID:
    case RA_E_UNSUPPORTED:
    case RA_E_CORRUPT:
    case RA_E_TOOBIG: return false;
    default: return true;
  }
}

static void on_file(ra_watch_child *c, ra_watch_offer *offer, const char *event, const void *json) {
  static const char *const published[] = {"collection", "dataset", "version", "seconds", NULL};
  static const char *const unchanged[] = {"collection", "dataset", "version", NULL};
  watch *w = c->ctx;
  ra_metric_observe(seconds(), NULL, (double)(now_ms() - c->since_ms) / 1000);
  c->since_ms = now_ms();
  w->pause_ms = 0;
  if (strcmp(event, "error") == 0) {
    const char *message = json_string_value(json_object_get(json, "message"));
    fail(w, offer, message ? message : "it failed", may_pass(json));
  } else {
    bool same = strcmp(event, "unchanged") == 0;
    log_file(RA_LOG_INFO, w,
             same ? "a watched file is published already" : "a watched file is published",
             offer->path, json, same ? unchanged : published);
    ra_metric_add(done_total(), NULL, 1);
    ra_watch_tree_result(w->tree, offer, RA_WATCH_PUBLISHED, NULL);
  }
  show(w);
}

// The file on which a process ended is to blame; the others wait again.
static void blame(watch *w, ra_watch_child *c) {
  char sentence[800];
  if (c->signal_number) {
    snprintf(sentence, sizeof sentence, "its ingest was ended by signal %d (%s)", c->signal_number,
             strsignal(c->signal_number));
  } else {
    snprintf(sentence, sizeof sentence, "%s",
             c->sentence[0] ? c->sentence : "its ingest ended without a result");
  }
  fail(w, c->current, sentence, !c->signal_number || c->signal_number == SIGKILL);
  free(c->current->path);
  c->current->path = NULL;
}

static void pause_all(watch *w, const ra_watch_child *c) {
  w->pause_ms = !w->pause_ms ? PAUSE_MS : w->pause_ms * 2;
  if (w->pause_ms > PAUSE_MOST_MS) w->pause_ms = PAUSE_MOST_MS;
  ra_log(RA_LOG_ERROR, "an ingest of watched files did not begin; the next try is in %u ms: %s",
         w->pause_ms, c->sentence[0] ? c->sentence : "it said nothing");
}

static void on_pause_over(uv_timer_t *timer) { next(timer->data); }

static void on_ended(ra_watch_child *c, int64_t status, int signal_number) {
  (void)status;
  (void)signal_number;
  watch *w = c->ctx;
  bool ending = ra_supervisor_ending(w->supervisor);
  if (!ending && c->current) {
    blame(w, c);
  } else if (!ending && c->left) {
    pause_all(w, c);
    uv_timer_start(&w->pause, on_pause_over, w->pause_ms, 0);
  }
  for (unsigned i = 0; i < c->count; i++) {
    if (c->offers[i].path && !ra_watch_queue_add(&w->queue, c->offers[i])) free(c->offers[i].path);
  }
  for (unsigned i = 0; i < w->jobs; i++) {
    if (w->children[i] == c) w->children[i] = NULL;
  }
  w->running--;
  free(c);
  if (w->ended && !w->running) {
    finish(w);
  } else {
    next(w);
  }
}

// ---- starting

// A file that changed while it is being ingested waits for the end of that.
static bool is_free(void *ctx, const ra_watch_offer *offer) {
  const watch *w = ctx;
  for (unsigned i = 0; i < w->jobs; i++) {
    const ra_watch_child *c = w->children[i];
    for (unsigned k = 0; c && k < c->count; k++) {
      if (c->offers[k].path && strcmp(c->offers[k].path, offer->path) == 0) return false;
    }
  }
  return true;
}

static void fill(watch *w, ra_watch_child *c) {
  size_t share = w->queue.count / w->jobs + 1;
  uint64_t bytes = 0;
  ra_watch_offer offer;
  while (c->count < RA_WATCH_BATCH && c->count < share && bytes < BATCH_BYTES &&
         ra_watch_queue_take(&w->queue, is_free, w, &offer)) {
    bytes += offer.stamp.size;
    c->offers[c->count++] = offer;
  }
}

static bool start(watch *w, ra_watch_child **place) {
  static const ra_watch_child_events events = {.file = on_file, .ended = on_ended};
  ra_watch_child *c = calloc(1, sizeof *c);
  if (!c) return false;
  c->ctx = w;
  c->events = &events;
  c->root = w->root;
  fill(w, c);
  if (!c->count) {
    free(c);
    return false;
  }
  *place = c;
  w->running++;
  ra_watch_child_start(ra_supervisor_loop(w->supervisor), c, w->words);
  return true;
}

static void next(watch *w) {
  bool pausing = uv_is_active((uv_handle_t *)&w->pause);
  bool more = w->ready && !pausing && !ra_supervisor_ending(w->supervisor);
  for (unsigned i = 0; more && i < w->jobs; i++) {
    if (!w->children[i]) more = w->queue.count && start(w, &w->children[i]);
  }
  show(w);
}

static void on_offered(uv_async_t *async) {
  watch *w = async->data;
  ra_watch_offer offer;
  while (ra_watch_tree_take(w->tree, &offer)) {
    if (offer.back) ra_watch_queue_drop(&w->queue, offer.path);
    if (offer.back || !ra_watch_queue_add(&w->queue, offer)) free(offer.path);
  }
  next(w);
}

static void tell_offered(void *ctx) { uv_async_send(&((watch *)ctx)->offered); }

static void on_worker(void *ctx, unsigned worker, ra_worker_state state) {
  watch *w = ctx;
  (void)worker;
  if (state != RA_WORKER_READY || w->ready) return;
  w->ready = true;
  next(w);
}

// ---- the end

static void kill_all(watch *w, int signal_number) {
  for (unsigned i = 0; i < w->jobs; i++) {
    if (w->children[i]) ra_watch_child_kill(w->children[i], signal_number);
  }
}

static void on_ending(void *ctx) { kill_all(ctx, SIGTERM); }

static void on_too_late(uv_timer_t *timer) { kill_all(timer->data, SIGKILL); }

static void on_closed(uv_handle_t *handle) {
  watch *w = handle->data;
  ra_watch_queue_deinit(&w->queue);
  ra_watch_words_free(w->words);
  free(w);
}

// The last process has ended, so the tree hears of no more results; its thread may still tell of offers until it is gone.
static void on_pause_closed(uv_handle_t *handle) {
  watch *w = handle->data;
  ra_watch_tree_free(w->tree);
  uv_close((uv_handle_t *)&w->offered, on_closed);
}

static void finish(watch *w) { uv_close((uv_handle_t *)&w->pause, on_pause_closed); }

static void on_end(void *ctx) {
  watch *w = ctx;
  w->ended = true;
  if (w->running) {
    uv_timer_start(&w->pause, on_too_late, END_MS, 0);
  } else {
    finish(w);
  }
}

// ---- the beginning

static const char *file_of_url(const char *url, const char *scheme) {
  size_t n = strlen(scheme);
  if (strncmp(url, scheme, n) != 0) return NULL;
  return strncmp(url + n, "//", 2) == 0 ? url + n + 2 : url + n;
}

// What published data depend on beside the source, for the journal.
static void describe(const ra_config *config, ra_str *out) {
  static const char *const names[] = {"collection", "cog_compress", "zarr_format", NULL};
  for (int i = 0; names[i]; i++) {
    const char *value = ra_config_text(config, names[i]);
    ra_str_addf(out, "%s=%s;", names[i], value ? value : "");
  }
  ra_str_addf(out, "format=%u", ra_ingest_writer_format());
}

static int open_tree(watch *w, const ra_config *config, ra_err *err) {
  char journal[PATH_MAX], digest[65];
  const char *url = ra_config_text(config, "store"), *store = file_of_url(url, "file:");
  if (!store) store = url;
  ra_sha256_of(w->root, strlen(w->root), digest);
  snprintf(journal, sizeof journal, "%s/watch-%.16s.txt", store, digest);
  ra_str catalog, options;
  ra_str_init(&catalog);
  ra_str_init(&options);
  ra_host_catalog_url(config, &catalog);
  describe(config, &options);
  const ra_watch_tree_config tree = {
      .root = w->root,
      .store = store,
      .settle_ms = ra_config_ms(config, "watch_settle"),
      .rescan_ms = ra_config_ms(config, "watch_rescan"),
      .journal = {.file = journal,
                  .catalog = catalog.ptr ? file_of_url(catalog.ptr, "sqlite:") : NULL,
                  .options = options.ptr ? options.ptr : ""},
      .offered = tell_offered,
      .ctx = w};
  int rc = ra_watch_tree_new(&tree, &w->tree, err);
  ra_str_deinit(&catalog);
  ra_str_deinit(&options);
  return rc;
}

static unsigned jobs_of(const ra_config *config) {
  int64_t jobs = ra_config_int(config, "watch_jobs");
  if (!jobs) jobs = sysconf(_SC_NPROCESSORS_ONLN) / 2;
  return jobs < 1 ? 1 : jobs > JOBS_MOST ? JOBS_MOST : (unsigned)jobs;
}

static int find_root(watch *w, const char *folder, ra_err *err) {
  struct stat info;
  if (!realpath(folder, w->root))
    return ra_fail_errno(err, errno, folder, "--watch: the folder cannot be watched");
  if (stat(w->root, &info) != 0 || !S_ISDIR(info.st_mode))
    return ra_fail(err, RA_E_INVALID, folder, "--watch: this is no folder");
  return RA_OK;
}

static int begin(watch *w, const ra_cli *cli, ra_err *err) {
  int rc = find_root(w, ra_config_text(cli->config, "watch"), err);
  if (rc < 0) return rc;
  w->jobs = jobs_of(cli->config);
  w->words = ra_watch_words(cli, w->root, w->jobs);
  if (!w->words) return ra_fail(err, RA_E_NOMEM, "", "no memory to watch a folder");
  uv_loop_t *loop = ra_supervisor_loop(w->supervisor);
  uv_async_init(loop, &w->offered, on_offered);
  uv_timer_init(loop, &w->pause);
  w->offered.data = w->pause.data = w;
  rc = open_tree(w, cli->config, err);
  if (rc == RA_OK) return rc;
  uv_close((uv_handle_t *)&w->pause, NULL);
  uv_close((uv_handle_t *)&w->offered, NULL);
  uv_run(loop, UV_RUN_NOWAIT);
  return rc;
}

int ra_watch_start(ra_supervisor *supervisor, const ra_cli *cli, ra_err *err) {
  if (!ra_config_text(cli->config, "watch")) return RA_OK;
  watch *w = calloc(1, sizeof *w);
  if (!w) return ra_fail(err, RA_E_NOMEM, "", "no memory to watch a folder");
  w->supervisor = supervisor;
  int rc = begin(w, cli, err);
  if (rc < 0) {
    ra_watch_words_free(w->words);
    free(w);
    return rc;
  }
  ra_supervisor_on_worker(supervisor, on_worker, w);
  ra_supervisor_on_ending(supervisor, on_ending, w);
  ra_supervisor_on_end(supervisor, on_end, w);
  ra_metric_add(done_total(), NULL, 0);
  ra_metric_add(failed_total(), NULL, 0);
  show(w);
  ra_log(RA_LOG_INFO, "watching %s", w->root);
  return RA_OK;
}
