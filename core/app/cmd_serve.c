// cmd_serve.c - `rastrum serve`: the supervisor, or (started again by it) a worker: loop, host, HTTP server, signals.
#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "app/admin.h"
#include "app/cli.h"
#include "app/host.h"
#include "app/supervisor.h"
#include "base/log.h"
#include "loop/lag.h"
#include "net/http.h"

enum { SIGNALS = 2, GRACE_MS = 20000 };

typedef struct server {
  ra_host host;
  const ra_config *config;
  ra_http_server *http;
  ra_admin *admin;  // NULL: no port of its own
  uv_signal_t signals[SIGNALS];
  uv_timer_t delay;
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

static void stop_accepting(uv_timer_t *timer) {
  server *s = timer->data;
  ra_http_server_drain(s->http, http_drained, s);
}

// First say so (/readyz is 503), answer on for the drain delay, then accept nothing more and let requests finish.
static void on_signal(uv_signal_t *handle_, int number) {
  server *s = handle_->data;
  if (s->ending) return;
  s->ending = true;
  ra_log(RA_LOG_INFO, "ending on %s", number == SIGTERM ? "SIGTERM" : "SIGINT");
  ra_script_set_draining(s->host.script);
  uv_timer_start(&s->delay, stop_accepting, ra_config_ms(s->config, "drain_delay"), 0);
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

static int start_http(server *s, int fd, ra_err *err) {
  const ra_http_config http = {
      .max_uri = 8192,
      .max_headers = 32768,
      .max_body = 2 << 20,
      .max_connections = (unsigned)ra_config_int(s->config, "max_connections"),
      .header_timeout_ms = 10000,
      .body_timeout_ms = 30000,
      .write_timeout_ms = 60000,
      .idle_timeout_ms = 75000,
      .cors_origins = ra_config_list(s->config, "cors_origins"),
      .trusted_proxies = ra_config_list(s->config, "trusted_proxies"),
      .lane = s->host.ops.io,
      .handle = handle,
      .log = log_request,
      .ctx = s};
  int admin_fd = ra_supervisor_admin_fd();
  int rc = ra_http_server_new(&s->host.loop, &http, &s->http, err);
  if (rc == RA_OK && admin_fd >= 0)
    rc = ra_admin_new(&s->host.loop, s->host.script, &http, admin_fd, &s->admin, err);
  return rc < 0 ? rc : ra_http_server_listen_fd(s->http, fd, err);
}

// "http://127.0.0.1:8080" of a listening socket.
static void address_text(int fd, char *out, size_t size) {
  struct sockaddr_storage address = {0};
  socklen_t length = sizeof address;
  char host[INET6_ADDRSTRLEN] = "?";
  snprintf(out, size, "http://?");
  if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) return;
  if (address.ss_family == AF_INET6) {
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&address;
    inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
    snprintf(out, size, "http://[%s]:%d", host, ntohs(in->sin6_port));
  } else {
    struct sockaddr_in in = {0};
    memcpy(&in, &address, sizeof in);
    inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
    snprintf(out, size, "http://%s:%d", host, ntohs(in.sin_port));
  }
}

static void finish(server *s) {
  for (int i = 0; i < SIGNALS; i++) uv_close((uv_handle_t *)&s->signals[i], NULL);
  uv_close((uv_handle_t *)&s->delay, NULL);
  ra_lag_stop(s->lag);
  ra_script_drain(s->host.script, GRACE_MS, script_drained, s);
  while (!s->script_done && uv_run(&s->host.loop, UV_RUN_ONCE)) continue;
  ra_admin_free(s->admin, &s->host.loop);
  s->http_done = false;
  ra_http_server_close(s->http, http_drained, s);
  while (!s->http_done && uv_run(&s->host.loop, UV_RUN_ONCE)) continue;
  ra_http_server_free(s->http);
}

static int serve(server *s, int fd, ra_err *err) {
  int rc = ra_host_init(&s->host, s->config, "serve", true, err);
  if (rc < 0) return rc;
  char address[96];
  address_text(fd, address, sizeof address);
  rc = start_http(s, fd, err);
  if (rc < 0) {
    ra_host_deinit(&s->host);
    return rc;
  }
  start_signals(s);
  ra_lag_start(&s->host.loop, &s->lag, err);
  ra_script_start(s->host.script);
  if (ra_supervisor_first_start()) {
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
  int fd = ra_supervisor_listen_fd();
  if (fd < 0) return ra_supervisor_run(cli->config, cli->argv);
  keep_freed_memory();
  server *s = calloc(1, sizeof *s);
  if (!s) return RA_EXIT_FAILED;
  s->config = cli->config;
  ra_err err = {0};
  int code = serve(s, fd, &err) < 0 ? ra_cli_fail(&err) : RA_EXIT_DONE;
  free(s);
  return code;
}
