// host.c - see host.h
#include "app/host.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/dirs.h"
#include "net/fetch.h"
#include "net/remote.h"
#include "net/store.h"

// ---- settings for Lua

void ra_host_catalog_url(const ra_config *config, ra_str *out) {
  const char *url = ra_config_text(config, "catalog");
  if (url) {
    ra_str_add(out, url);
    return;
  }
  const char *store = ra_config_text(config, "store");
  if (strncmp(store, "file://", 7) == 0) store += 7;
  if (strncmp(store, "file:", 5) == 0) store += 5;
  ra_str_addf(out, "sqlite:%s/catalog.db", store);
}

static void settings(const ra_config *config, ra_str *out) {
  ra_str catalog;
  ra_str_init(&catalog);
  ra_host_catalog_url(config, &catalog);
  ra_config_json(config, out);
  if (out->len) out->len--;  // the closing brace, put back below
  ra_str_add(out, ",\"catalog_url\":");
  ra_str_add_json(out, catalog.ptr ? catalog.ptr : "");
  ra_str_add_char(out, '}');
  ra_str_deinit(&catalog);
}

// ---- building

static unsigned threads(const ra_config *config) {
  int64_t n = ra_config_int(config, "threads");
  if (n > 0) return n > 256 ? 256 : (unsigned)n;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  return cores < 1 ? 1 : cores > 256 ? 256 : (unsigned)cores;
}

enum { IO_THREADS = 4, HEAVY_NICE = 10, FAR_THREADS = 8 };

static int make_lanes(ra_host *host, const ra_config *config, ra_err *err) {
  unsigned n = threads(config);
  host->ops.job_bytes = ra_config_bytes(config, "request_bytes");
  unsigned heavy_n = (n + 1) / 2, depth = (unsigned)ra_config_int(config, "queue");
  ra_lane_pool_size(n + IO_THREADS);
  ra_lane_mark_loop_thread();
  const ra_lane_config cpu = {
      .name = "cpu", .width = n, .depth = depth, .bytes = 2 * host->ops.job_bytes};
  const ra_lane_config heavy = {.name = "heavy",
                                .width = heavy_n,
                                .depth = (depth + 15) / 16,
                                .bytes = cpu.bytes,
                                .nice = HEAVY_NICE};
  // They wait for other servers most of the time: threads of their own, so that nobody waits behind them.
  const ra_lane_config far = {
      .name = "far", .width = FAR_THREADS, .depth = depth, .bytes = cpu.bytes, .nice = 1};
  const ra_lane_config io = {.name = "io", .width = IO_THREADS, .depth = 4096};
  int rc = ra_lane_new(&host->loop, &cpu, &host->ops.cpu, err);
  if (rc == RA_OK) rc = ra_lane_new(&host->loop, &heavy, &host->ops.heavy, err);
  if (rc == RA_OK) rc = ra_lane_new(&host->loop, &far, &host->ops.far, err);
  return rc < 0 ? rc : ra_lane_new(&host->loop, &io, &host->ops.io, err);
}

static int make_store(ra_host *host, const ra_config *config, bool create, ra_err *err) {
  const char *url = ra_config_text(config, "store");
  int rc = ra_store_open(url, create, &host->ops.store, err);
  if (rc == RA_E_NOTFOUND && !create) return RA_OK;  // commands that only need the catalog
  if (rc < 0) return rc;
  rc = ra_store_set_remote(host->ops.store, host->ops.remote, err);
  if (rc < 0) return rc;
  ra_reader reader = ra_store_reader(host->ops.store);
  return ra_render_context_new(&reader, ra_config_bytes(config, "header_cache"),
                               ra_config_bytes(config, "block_cache"), &host->ops.render, err);
}

static ra_script_limits limits(const ra_config *config) {
  size_t heap = ra_config_bytes(config, "lua_memory"),
         external = ra_config_bytes(config, "external_memory");
  return (ra_script_limits){.request_lua_ms = ra_config_ms(config, "lua_time"),
                            .request_wall_ms = ra_config_ms(config, "request_timeout"),
                            .heap_soft = heap / 4 * 3,
                            .heap_hard = heap,
                            .external_soft = external / 2,
                            .external_hard = external,
                            .operations = (unsigned)ra_config_int(config, "lua_operations"),
                            .output = ra_config_bytes(config, "lua_output"),
                            .steps = (uint64_t)ra_config_int(config, "lua_steps"),
                            .plugin_requests = (unsigned)ra_config_int(config, "plugin_requests")};
}

int ra_host_script(ra_host *host, const ra_config *config, const ra_host_start *start,
                   ra_script **out, ra_err *err) {
  ra_str json;
  ra_str_init(&json);
  settings(config, &json);
  const ra_script_config script = {.ops = &host->ops,
                                   .shared = host->shared,
                                   .bundle = start->bundle,
                                   .disabled = ra_config_list(config, "disable"),
                                   .role = start->role,
                                   .settings_json = json.ptr,
                                   .limits = limits(config),
                                   .plugin_limits = ra_config_limits(config),
                                   .refused = start->refused};
  int rc = json.failed ? ra_fail(err, RA_E_NOMEM, "", "no memory for the settings")
                       : ra_script_new(&script, out, err);
  ra_str_deinit(&json);
  return rc;
}

static int make_script(ra_host *host, const ra_config *config, const ra_host_start *start,
                       ra_err *err) {
  ra_host_start own = *start;
  int rc = own.bundle ? RA_OK : ra_dirs_bundle(config, &own.bundle, err);
  if (rc == RA_OK) rc = ra_shared_new(ra_config_bytes(config, "shared_memory"), &host->shared, err);
  if (rc == RA_OK) rc = ra_host_script(host, config, &own, &host->script, err);
  if (rc == RA_OK) rc = ra_script_load(host->script, err);
  if (!start->bundle) ra_bundle_unref(own.bundle);
  return rc;
}

int ra_host_init(ra_host *host, const ra_config *config, const char *role, bool create_store,
                 ra_err *err) {
  const ra_host_start start = {.role = role, .create_store = create_store};
  return ra_host_init_from(host, config, &start, err);
}

int ra_host_init_from(ra_host *host, const ra_config *config, const ra_host_start *start,
                      ra_err *err) {
  *host = (ra_host){0};
  if (uv_loop_init(&host->loop) != 0) return ra_fail(err, RA_E_NOMEM, "", "no event loop");
  host->loop_open = true;
  host->ops.loop = &host->loop;
  host->ops.fetch_allow = ra_config_list(config, "fetch_allow");
  int rc = ra_remote_new(host->ops.fetch_allow, ra_config_ms(config, "source_timeout"),
                         &host->ops.remote, err);
  if (rc == RA_OK) rc = make_lanes(host, config, err);
  if (rc == RA_OK) rc = make_store(host, config, start->create_store, err);
  if (rc == RA_OK) rc = make_script(host, config, start, err);
  if (rc < 0) ra_host_deinit(host);
  return rc;
}

static void drained(void *ctx) { *(bool *)ctx = true; }

void ra_host_deinit(ra_host *host) {
  if (host->script) {
    bool done = false;
    ra_script_drain(host->script, 0, drained, &done);
    while (!done && uv_run(&host->loop, UV_RUN_ONCE)) continue;
    ra_script_free(host->script);
  }
  ra_fetcher_free(host->ops.fetcher);
  if (host->loop_open) uv_run(&host->loop, UV_RUN_DEFAULT);
  if (host->ops.cpu) ra_lane_free(host->ops.cpu);
  if (host->ops.heavy) ra_lane_free(host->ops.heavy);
  if (host->ops.far) ra_lane_free(host->ops.far);
  if (host->ops.io) ra_lane_free(host->ops.io);
  if (host->loop_open) {
    uv_run(&host->loop, UV_RUN_DEFAULT);
    uv_loop_close(&host->loop);
  }
  ra_shared_free(host->shared);
  ra_render_context_free(host->ops.render);
  ra_store_free(host->ops.store);
  ra_remote_free(host->ops.remote);
  *host = (ra_host){0};
}

// ---- one workflow

typedef struct running {
  ra_host *host;
  ra_task *task;
  uv_signal_t signals[2];
  bool done;
  int rc;
  void (*event)(void *ctx, const char *json);
  void *event_ctx;
  ra_str *result;
  ra_err *err;
} running;

static void on_signal(uv_signal_t *handle, int number) {
  (void)number;
  running *r = handle->data;
  if (!r->done && r->task) ra_script_cancel(r->task);
}

static void on_done(void *ctx, int rc, const char *result_json, const ra_err *err) {
  running *r = ctx;
  r->done = true;
  r->rc = rc;
  r->task = NULL;
  if (rc < 0 && r->err && err) *r->err = *err;
  if (rc == RA_OK && r->result) ra_str_add(r->result, result_json ? result_json : "null");
}

static void listen_signals(running *r) {
  static const int numbers[] = {SIGINT, SIGTERM};
  for (int i = 0; i < 2; i++) {
    uv_signal_init(&r->host->loop, &r->signals[i]);
    r->signals[i].data = r;
    uv_signal_start(&r->signals[i], on_signal, numbers[i]);
    uv_unref((uv_handle_t *)&r->signals[i]);
  }
}

static void close_signals(running *r) {
  for (int i = 0; i < 2; i++) uv_close((uv_handle_t *)&r->signals[i], NULL);
  uv_run(&r->host->loop, UV_RUN_NOWAIT);
}

static void on_event(void *ctx, const char *json) {
  running *r = ctx;
  if (r->event) r->event(r->event_ctx, json);
}

int ra_host_run(ra_host *host, const char *workflow, const char *args_json,
                void (*event)(void *ctx, const char *json), void *ctx, ra_str *result, ra_err *err) {
  running r = {.host = host, .result = result, .err = err, .event = event, .event_ctx = ctx};
  const ra_script_run run = {
      .workflow = workflow, .args_json = args_json, .event = on_event, .done = on_done, .ctx = &r};
  int rc = ra_script_run_workflow(host->script, &run, &r.task, err);
  if (rc < 0) return rc;
  listen_signals(&r);
  while (!r.done && uv_run(&host->loop, UV_RUN_ONCE)) continue;
  close_signals(&r);
  if (!r.done) return ra_fail(err, RA_E_INTERNAL, workflow, "the workflow ended without a result");
  return r.rc;
}

// ---- one request

typedef struct asking {
  bool done;
  int status;
  ra_buf *body;
  ra_err *err;
} asking;

static int read_file(const ra_script_answer *answer, ra_buf **out, ra_err *err) {
  int rc = ra_buf_new(answer->size, out, err);
  for (size_t at = 0; rc == RA_OK && at < answer->size;) {
    ssize_t n =
        pread(answer->fd, ra_buf_bytes(*out) + at, answer->size - at, (off_t)(answer->offset + at));
    if (n <= 0) rc = ra_fail(err, RA_E_IO, "", "the object ended too soon");
    if (n > 0) at += (size_t)n;
  }
  return rc;
}

static void on_answer(void *ctx, const ra_script_answer *answer) {
  asking *a = ctx;
  a->done = true;
  a->status = answer->status;
  if (answer->body) {
    a->body = ra_buf_ref(answer->body);
  } else if (answer->fd >= 0 && read_file(answer, &a->body, a->err) < 0) {
    a->status = 500;
  }
}

int ra_host_get(ra_host *host, const char *target, ra_buf **body, ra_err *err) {
  asking a = {.err = err};
  *body = NULL;
  if (ra_script_request(host->script, "GET", target, NULL, on_answer, &a, err) < 0) return 0;
  while (!a.done && uv_run(&host->loop, UV_RUN_ONCE)) continue;
  *body = a.body;
  return a.status;
}
