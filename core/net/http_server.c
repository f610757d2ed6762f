// http_server.c - the server object: listeners, the tick that all timeouts share, draining, closing.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "net/http_internal.h"

#define BACKLOG 1024

static void set_defaults(ra_http_config *c) {
  if (!c->max_uri) c->max_uri = 8192;
  if (!c->max_headers) c->max_headers = 32768;
  if (!c->max_body) c->max_body = 2u << 20;
  if (!c->max_connections) c->max_connections = 10000;
  if (!c->header_timeout_ms) c->header_timeout_ms = 10000;
  if (!c->body_timeout_ms) c->body_timeout_ms = 30000;
  if (!c->write_timeout_ms) c->write_timeout_ms = 60000;
  if (!c->idle_timeout_ms) c->idle_timeout_ms = 75000;
}

static uint64_t tick_of(const ra_http_config *c) {
  uint64_t least = c->header_timeout_ms;
  if (c->body_timeout_ms < least) least = c->body_timeout_ms;
  if (c->write_timeout_ms < least) least = c->write_timeout_ms;
  if (c->idle_timeout_ms < least) least = c->idle_timeout_ms;
  least /= 8;
  return least < 10 ? 10 : least > 500 ? 500 : least;
}

int ra_http_server_new(uv_loop_t *loop, const ra_http_config *config, ra_http_server **out,
                       ra_err *err) {
  if (!config->handle || !config->lane) {
    return ra_fail(err, RA_E_INTERNAL, "http server", "a handler and a lane must be given");
  }
  ra_http_server *server = calloc(1, sizeof *server);
  if (!server) return ra_fail(err, RA_E_NOMEM, "http server", "no memory for the server");
  server->loop = loop;
  server->config = *config;
  set_defaults(&server->config);
  server->tick_ms = tick_of(&server->config);
  server->refs = 1;
  if (getrandom(&server->id_state, sizeof server->id_state, 0) < 0)
    server->id_state = (uint64_t)time(NULL);
  uv_timer_init(loop, &server->ticker);
  server->ticker.data = server;
  server->ticker_open = true;
  uv_unref((uv_handle_t *)&server->ticker);
  signal(SIGPIPE, SIG_IGN);  // libuv writes without MSG_NOSIGNAL
  *out = server;
  return RA_OK;
}

static void on_connection(uv_stream_t *stream, int status) {
  ra__http_listener *listener = stream->data;
  if (status == 0) ra__http_accept(listener);
}

static int adopt_socket(ra__http_listener *listener, uv_loop_t *loop, int fd) {
  struct sockaddr_storage name = {0};
  socklen_t len = sizeof name;
  if (getsockname(fd, (struct sockaddr *)&name, &len) < 0) return UV_EINVAL;
  if (name.ss_family == AF_UNIX) {
    uv_pipe_init(loop, &listener->uv.pipe, 0);
    return uv_pipe_open(&listener->uv.pipe, fd);
  }
  uv_tcp_init(loop, &listener->uv.tcp);
  return uv_tcp_open(&listener->uv.tcp, fd);
}

static void on_listener_closed(uv_handle_t *handle);

int ra_http_server_listen_fd(ra_http_server *server, int fd, ra_err *err) {
  ra__http_listener *listener = calloc(1, sizeof *listener);
  if (!listener) return ra_fail(err, RA_E_NOMEM, "http server", "no memory for a listening socket");
  int rc = adopt_socket(listener, server->loop, fd);
  listener->server = server;
  listener->uv.handle.data = listener;
  if (rc == 0) rc = uv_listen(&listener->uv.stream, BACKLOG, on_connection);
  if (rc == 0) {
    listener->next = server->listeners;
    server->listeners = listener;
    server->open_listeners++;
    return RA_OK;
  }
  if (listener->uv.handle.type == UV_UNKNOWN_HANDLE) {
    free(listener);
  } else {
    server->open_listeners++;
    uv_close(&listener->uv.handle, on_listener_closed);
  }
  return ra_fail(err, RA_E_IO, "listening socket", "descriptor %d cannot be listened on: %s", fd,
                 uv_strerror(rc));
}

static void finish_drain(ra_http_server *server) {
  if (server->conn_count || server->open_listeners || server->closing) return;
  void (*drained)(void *ctx) = server->drained;
  server->drained = NULL;
  if (drained) drained(server->drained_ctx);
}

static void finish_close(ra_http_server *server) {
  if (!server->closing || server->conn_count || server->open_listeners || server->ticker_open)
    return;
  void (*closed)(void *ctx) = server->closed;
  server->closed = NULL;
  if (closed) closed(server->closed_ctx);
}

static void on_listener_closed(uv_handle_t *handle) {
  ra__http_listener *listener = handle->data;
  ra_http_server *server = listener->server;
  free(listener);
  server->open_listeners--;
  server->refs++;  // a callback may free the server
  finish_drain(server);
  finish_close(server);
  ra__http_server_unref(server);
}

static void close_listeners(ra_http_server *server) {
  for (ra__http_listener *l = server->listeners, *next; l; l = next) {
    next = l->next;
    uv_close(&l->uv.handle, on_listener_closed);
  }
  server->listeners = NULL;
}

void ra__http_server_left(ra_http_server *server) {
  if (!server->conn_count && server->ticker_open) uv_timer_stop(&server->ticker);
  finish_drain(server);
  finish_close(server);
}

void ra_http_server_announce_close(ra_http_server *server) { server->announced = true; }

static void on_drain_tick(uv_timer_t *timer) { finish_drain(timer->data); }

void ra_http_server_drain(ra_http_server *server, void (*drained)(void *ctx), void *ctx) {
  server->announced = server->draining = true;
  server->drained = drained;
  server->drained_ctx = ctx;
  close_listeners(server);
  for (ra__http_conn *c = server->conns, *next; c; c = next) {
    next = c->next;
    ra__http_conn_close_if_idle(c);
  }
  // With nothing open no close callback will come: the timer makes the call from the loop.
  if (!server->conn_count && !server->open_listeners) {
    uv_ref((uv_handle_t *)&server->ticker);
    uv_timer_start(&server->ticker, on_drain_tick, 0, 0);
  }
}

static void on_ticker_closed(uv_handle_t *handle) {
  ra_http_server *server = handle->data;
  server->ticker_open = false;
  server->refs++;
  finish_close(server);
  ra__http_server_unref(server);
}

void ra_http_server_close(ra_http_server *server, void (*closed)(void *ctx), void *ctx) {
  if (server->closing) return;
  server->closing = true;
  server->drained = NULL;
  server->closed = closed;
  server->closed_ctx = ctx;
  close_listeners(server);
  for (ra__http_conn *c = server->conns, *next; c; c = next) {
    next = c->next;
    ra__http_conn_close(c);
  }
  uv_ref((uv_handle_t *)&server->ticker);
  uv_close((uv_handle_t *)&server->ticker, on_ticker_closed);
}

void ra__http_server_unref(ra_http_server *server) {
  if (--server->refs == 0) free(server);
}

void ra_http_server_free(ra_http_server *server) {
  if (server) ra__http_server_unref(server);
}

unsigned ra_http_server_connections(const ra_http_server *server) { return server->conn_count; }

const char *ra__http_server_date(ra_http_server *server) {
  time_t now = time(NULL);
  if (now == server->date_second) return server->date;
  static const char days[] = "SunMonTueWedThuFriSat",
                    months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  struct tm t;
  gmtime_r(&now, &t);
  snprintf(server->date, sizeof server->date, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
           days + 3 * t.tm_wday, t.tm_mday, months + 3 * t.tm_mon, (t.tm_year + 1900) % 10000,
           t.tm_hour, t.tm_min, t.tm_sec);
  server->date_second = now;
  return server->date;
}

// splitmix64: ids need to differ, not to be secret.
void ra__http_make_id(ra_http_server *server, char *out, size_t size) {
  static const char hex[] = "0123456789abcdef";
  uint64_t z = server->id_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  size_t n = 0;
  for (; n < 16 && n + 1 < size; n++, z >>= 4) out[n] = hex[z & 15];
  out[n] = 0;
}
