// cmd_serve.c - `rastrum serve`: the supervisor, or (started again by it) a worker: loop, host, HTTP server, signals.
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "app/admin.h"
#include "app/cli.h"
#include "app/host.h"
#include "app/listener.h"
#include "app/reload.h"
#include "app/supervisor.h"
#include "app/worker.h"
#include "base/log.h"
#include "loop/lag.h"
#include "net/http.h"

// After SIGTERM: requests that still run are answered 503, then what still writes is closed. The supervisor kills at 25 s.
enum { SIGNALS = 2, TASKS_MS = 20000, EXIT_MS = 24000 };
// Descriptors that are not connections: the store's, the catalog's, the loop's.
enum { OWN_FILES = 512 };

typedef struct server {
  ra_host host;
  const ra_cli *cli;
  const ra_config *config;
  ra_worker worker;
  ra_control *control;  // to the supervisor
  ra_reload *reload;
  ra_http_server *http;
  ra_admin *admin;  // NULL: no port of its own
  uv_signal_t signals[SIGNALS];
  uv_timer_t delay;
  uint64_t signal_ms;  // loop time
  ra_lag *lag;
  bool ending, script_done, http_done;
} server;

static void handle(void *ctx, ra_http_exchange *exchange) {
  server *s = ctx;
  if (s->admin && ra_admin_owns(ra_http_exchange_request(exchange))) {
    ra_admin_refuse(exchange);
  } else {
    ra_script_handle(s->host.script, exchange);
  }
}

static void log_request(void *ctx, const ra_http_exchange *exchange, int status, uint64_t bytes,
                        uint64_t ns) {
  (void)ctx;
  ra_script_log(exchange, status, bytes, ns);
}

static void script_drained(void *ctx) { ((server *)ctx)->script_done = true; }
static void http_drained(void *ctx) { ((server *)ctx)->http_done = true; }

// What is left of `ms` since the signal.
static uint64_t left_of(const server *s, uint64_t ms) {
  uint64_t passed = uv_now(&s->host.loop) - s->signal_ms;
  return passed < ms ? ms - passed : 0;
}

static void stop_waiting(uv_timer_t *timer) { ((server *)timer->data)->http_done = true; }

static void end_tasks(uv_timer_t *timer) {
  server *s = timer->data;
  ra_reload_drain(s->reload, 0);
  ra_script_drain(s->host.script, 0, script_drained, s);
  uv_timer_start(timer, stop_waiting, left_of(s, EXIT_MS), 0);
}

static void stop_accepting(uv_timer_t *timer) {
  server *s = timer->data;
  ra_http_server_drain(s->http, http_drained, s);
  uv_timer_start(timer, end_tasks, left_of(s, TASKS_MS), 0);
}

// First say so (/readyz is 503), answer on for the drain delay, then accept nothing more and let requests finish.
static void on_signal(uv_signal_t *handle_, int number) {
  server *s = handle_->data;
  if (s->ending) return;
  s->ending = true;
  ra_log(RA_LOG_INFO, "ending on %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
  s->signal_ms = uv_now(&s->host.loop);
  ra_reload_drain(s->reload, TASKS_MS);
  ra_script_set_draining(s->host.script);
  ra_http_server_announce_close(s->http);
  uint64_t delay = ra_config_ms(s->config, "drain_delay");
  uv_timer_start(&s->delay, stop_accepting, delay < TASKS_MS ? delay : TASKS_MS, 0);
}

static void start_signals(server *s) {
  static const int numbers[SIGNALS] = {SIGTERM, SIGINT};
  for (int i = 0; i < SIGNALS; i++) {
    uv_signal_init(&s->host.loop, &s->signals[i]);
    s->signals[i].data = s;
    uv_signal_start(&s->signals[i], on_signal, numbers[i]);
  }
  uv_timer_init(&s->host.loop, &s->delay);
  s->delay.data = s;
}

// Takes all the descriptors that the system gives; returns the connections that fit beside our own files.
static unsigned connections_most(const ra_config *config) {
  unsigned wanted = (unsigned)ra_config_int(config, "max_connections");
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return wanted;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_max >= (rlim_t)wanted + OWN_FILES) return wanted;
  unsigned most = files.rlim_max > 2 * OWN_FILES ? (unsigned)files.rlim_max - OWN_FILES
                                                 : (unsigned)files.rlim_max / 2;
  ra_log(RA_LOG_WARN, "max_connections is %u, but with %llu open files (ulimit -n) only %u fit",
         wanted, (unsigned long long)files.rlim_max, most);
  return most;
}

static int start_http(server *s, ra_err *err) {
  const ra_http_config http = {.max_uri = 8192,
                               .max_headers = 32768,
                               .max_body = 2 << 20,
                               .max_connections = connections_most(s->config),
                               .header_timeout_ms = ra_config_ms(s->config, "header_timeout"),
                               .body_timeout_ms = ra_config_ms(s->config, "body_timeout"),
                               .write_timeout_ms = ra_config_ms(s->config, "write_timeout"),
                               .idle_timeout_ms = ra_config_ms(s->config, "idle_timeout"),
                               .crowded = ra_config_bytes(s->config, "external_memory") / 2,
                               .cors_origins = ra_config_list(s->config, "cors_origins"),
                               .trusted_proxies = ra_config_list(s->config, "trusted_proxies"),
                               .lane = s->host.ops.io,
                               .handle = handle,
                               .log = log_request,
                               .ctx = s};
  int rc = ra_http_server_new(&s->host.loop, &http, &s->http, err);
  if (rc == RA_OK && s->worker.admin_fd >= 0)
    rc = ra_admin_new(&s->host, s->reload, &http, s->worker.admin_fd, &s->admin, err);
  return rc < 0 ? rc : ra_http_server_listen_fd(s->http, s->worker.listen_fd, err);
}

static void finish(server *s) {
  for (int i = 0; i < SIGNALS; i++) uv_close((uv_handle_t *)&s->signals[i], NULL);
  uv_close((uv_handle_t *)&s->delay, NULL);
  ra_lag_stop(s->lag);
  ra_admin_free(s->admin, &s->host.loop);
  ra_reload_free(s->reload);
  ra_control_free(s->control);
  s->script_done = false;
  ra_script_drain(s->host.script, left_of(s, TASKS_MS), script_drained, s);
  while (!s->script_done && uv_run(&s->host.loop, UV_RUN_ONCE)) continue;
  s->http_done = false;
  ra_http_server_close(s->http, http_drained, s);
  while (!s->http_done && uv_run(&s->host.loop, UV_RUN_ONCE)) continue;
  ra_http_server_free(s->http);
  ra_worker_stop_beat(&s->worker);
}

// Whichever worker is asked for metrics shows the gauges of all.
static void on_beat(void *ctx) { ra_script_show_gauges(((server *)ctx)->host.script); }

static int serve(server *s, ra_err *err) {
  const ra_host_start start = {.role = "serve", .bundle = s->cli->bundle, .create_store = true};
  int rc = ra_host_init_from(&s->host, s->config, &start, err);
  if (rc < 0) return rc;
  char address[128];
  ra_listener_text(s->worker.listen_fd, address, sizeof address);
  rc = ra_control_new(&s->host.loop, s->worker.control_fd, &s->control, err);
  if (rc == RA_OK) rc = ra_reload_new(&s->host, s->cli, &s->worker, s->control, &s->reload, err);
  if (rc == RA_OK) rc = start_http(s, err);
  if (rc < 0) {
    ra_reload_free(s->reload);
    ra_control_free(s->control);
    ra_host_deinit(&s->host);
    return rc;
  }
  start_signals(s);
  ra_worker_start_beat(&s->worker, &s->host.loop, on_beat, s);
  ra_lag_start(&s->host.loop, &s->lag, err);
  ra_script_start(s->host.script);
  ra_control_send(s->control, "ready", 0, NULL, 0, NULL);
  if (s->worker.index == 0 && s->worker.starts == 0) {
    printf("rastrum: listening on %s\n", address);
    fflush(stdout);
  }
  ra_log(RA_LOG_INFO, "listening on %s", address);
  while (!s->http_done && uv_run(&s->host.loop, UV_RUN_ONCE)) continue;
  finish(s);
  ra_host_deinit(&s->host);
  return RA_OK;
}

// A job's working memory (megabytes a tile) goes back to the heap, not to the system: taking its pages from there again
// costs more than a warm tile itself.
static void keep_freed_memory(void) {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
#endif
}

int ra_cmd_serve(const ra_cli *cli) {
  ra_worker worker;
  if (!ra_worker_found(&worker)) return ra_supervisor_run(cli);
  keep_freed_memory();
  server *s = calloc(1, sizeof *s);
  if (!s) return RA_EXIT_FAILED;
  s->cli = cli;
  s->config = cli->config;
  s->worker = worker;
  ra_err err = {0};
  int rc = ra_worker_share(&s->worker, &err);
  if (rc == RA_OK) rc = serve(s, &err);
  int code = rc < 0 ? ra_cli_fail(&err) : RA_EXIT_DONE;
  free(s);
  return code;
}
