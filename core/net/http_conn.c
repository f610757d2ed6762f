// http_conn.c - one connection: reading, handing requests over one at a time, timeouts, closing.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "net/http_internal.h"

#define LINGER_MS 2000
#define LINGER_BYTES (4u << 20)
#define LEAST_BODY_RATE 1  // bytes a millisecond that a body must make after its timeout
#define SMALL_BODY 16384   // taken however much others hold
#define REFUSED_EXTRA 256  // connections over the limit that still get their 503

// Of all the servers of the process.
static void count_open(int change) {
  ra_metric_add(
      ra_metric_get(RA_METRIC_GAUGE, "rastrum_http_connections", "Open HTTP connections.", NULL, 0),
      NULL, change);
}

// What is held of a body that is not complete; a complete one is a buffer, and counts as that.
static void count_body(ra__http_conn *conn, size_t held) {
  conn->server->bodies += held - conn->body_held;
  conn->body_held = held;
}

void ra__http_conn_ref(ra__http_conn *conn) { conn->refs++; }

void ra__http_conn_unref(ra__http_conn *conn) {
  if (--conn->refs) return;
  count_body(conn, 0);
  ra__http_reply_clear(&conn->reply);
  ra_str_deinit(&conn->reply.head);
  ra__http_parser_deinit(&conn->parser);
  free(conn->ahead);
  ra__http_server_unref(conn->server);
  free(conn);
}

static void on_closed(uv_handle_t *handle) {
  ra__http_conn *conn = handle->data;
  ra_http_server *server = conn->server;
  if (conn->prev)
    conn->prev->next = conn->next;
  else
    server->conns = conn->next;
  if (conn->next) conn->next->prev = conn->prev;
  server->conn_count--;
  count_open(-1);
  ra__http_server_left(server);
  ra__http_conn_unref(conn);
}

static void log_end(ra__http_conn *conn, int status) {
  const ra_http_config *config = &conn->server->config;
  if (!config->log) return;
  uint64_t ns = ra_clock_ns() - conn->parser.request.started_ns;
  config->log(config->ctx, &conn->exchange, status, conn->reply.sent, ns);
}

// The client left while its answer was due.
static void tell_gone(ra__http_conn *conn) {
  ra_http_exchange *exchange = &conn->exchange;
  log_end(conn, 499);
  if (!exchange->on_gone) return;  // the handler will answer, to nobody
  void (*on_gone)(void *data) = exchange->on_gone;
  exchange->on_gone = NULL;
  on_gone(exchange->data);
  ra__http_conn_unref(conn);
}

void ra__http_conn_close(ra__http_conn *conn) {
  if (conn->state == RA__CONN_CLOSED) return;
  ra__http_state before = conn->state;
  conn->state = RA__CONN_CLOSED;
  conn->deadline = 0;
  ra__http_half_stop(conn);
  if (before == RA__CONN_WRITING) {
    conn->reply.sent += conn->reply.queued - uv_stream_get_write_queue_size(&conn->uv.stream);
    log_end(conn, conn->reply.status);
  }
  uv_close(&conn->uv.handle, on_closed);
  if (before == RA__CONN_PENDING) tell_gone(conn);
}

// Nothing of a request is here, and none is on its way as far as the kernel knows.
void ra__http_conn_close_if_idle(ra__http_conn *conn) {
  if (conn->state == RA__CONN_LINGER) ra__http_conn_close(conn);
  if (conn->state != RA__CONN_READING || !ra__http_parser_idle(&conn->parser)) return;
  uv_os_fd_t fd;
  int waiting = 0;
  if (uv_fileno(&conn->uv.handle, &fd) == 0 && ioctl(fd, FIONREAD, &waiting) == 0 && waiting > 0)
    return;
  ra__http_conn_close(conn);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)suggested;
  ra__http_conn *conn = handle->data;
  size_t size = sizeof conn->server->scratch;
  if (conn->state == RA__CONN_PENDING || conn->state == RA__CONN_WRITING)
    size = RA__HTTP_PIPELINE - (conn->ahead_to - conn->ahead_from);
  *buf = uv_buf_init(conn->server->scratch, (unsigned)size);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf);

static void want_reading(ra__http_conn *conn, bool wanted) {
  if (conn->ended) wanted = false;
  if (conn->reading == wanted || conn->state == RA__CONN_CLOSED) return;
  conn->reading = wanted;
  if (wanted) {
    uv_read_start(&conn->uv.stream, on_alloc, on_read);
  } else {
    uv_read_stop(&conn->uv.stream);
  }
}

static void set_deadline(ra__http_conn *conn, uint64_t ms) {
  conn->deadline = uv_now(conn->server->loop) + ms;
}

static void keep_ahead(ra__http_conn *conn, const char *data, size_t size) {
  if (!conn->ahead) conn->ahead = malloc(RA__HTTP_PIPELINE);
  if (!conn->ahead) {
    conn->close_after = true;
    want_reading(conn, false);
    return;
  }
  if (conn->ahead_from) {
    memmove(conn->ahead, conn->ahead + conn->ahead_from, conn->ahead_to - conn->ahead_from);
    conn->ahead_to -= conn->ahead_from;
    conn->ahead_from = 0;
  }
  memcpy(conn->ahead + conn->ahead_to, data, size);
  conn->ahead_to += size;
  if (conn->ahead_to < RA__HTTP_PIPELINE) return;
  want_reading(conn, false);
  if (conn->state == RA__CONN_PENDING) ra__http_half_watch(conn);
}

static void prepare_exchange(ra__http_conn *conn) {
  ra_http_exchange *exchange = &conn->exchange;
  exchange->conn = conn;
  exchange->data = NULL;
  exchange->on_gone = NULL;
  exchange->timing = (ra_timing){0};
  exchange->route[0] = exchange->plugin[0] = 0;
  ra_http_request *request = &conn->parser.request;
  const char *id = ra__http_header(request, "x-request-id");
  size_t len =
      id ? strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") : 0;
  if (id && len && len < sizeof exchange->id && !id[len]) {
    memcpy(exchange->id, id, len + 1);
  } else {
    ra__http_make_id(conn->server, exchange->id, sizeof exchange->id);
  }
  request->id = exchange->id;
  ra__http_peer_resolve(conn);
}

static void refuse(ra__http_conn *conn, int status, const char *detail) {
  prepare_exchange(conn);
  conn->lingers = true;
  ra_str_deinit(&conn->parser.body);
  count_body(conn, 0);
  ra__http_answer_problem(conn, status, detail);
}

static void answer_star(ra__http_conn *conn) {
  const ra_http_header allow = {"Allow", RA__HTTP_ALLOW};
  ra__http_answer(conn, &(ra_http_response){.status = 204, .headers = &allow, .header_count = 1});
}

static void dispatch(ra__http_conn *conn) {
  conn->deadline = 0;
  conn->close_after = !conn->parser.keep_alive;
  if (conn->over_limit) {
    refuse(conn, 503, "the server has as many connections as it takes; try again later");
    return;
  }
  prepare_exchange(conn);
  conn->state = RA__CONN_PENDING;
  if (strcmp(conn->parser.request.path, "*") == 0) {
    answer_star(conn);
  } else if (!ra__http_cors_preflight(conn)) {
    ra__http_conn_ref(conn);  // the exchange's
    conn->server->config.handle(conn->server->config.ctx, &conn->exchange);
  }
}

static void send_continue(ra__http_conn *conn) {
  static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
  conn->parser.expects_continue = false;
  uv_buf_t buf = uv_buf_init(text, sizeof text - 1);
  if (uv_try_write(&conn->uv.stream, &buf, 1) != (int)buf.len) ra__http_conn_close(conn);
}

static void watch_progress(ra__http_conn *conn, bool was_idle, ra__http_phase before) {
  const ra_http_config *config = &conn->server->config;
  ra__http_parser *parser = &conn->parser;
  if (was_idle && !ra__http_parser_idle(parser)) {
    parser->request.started_ns = ra_clock_ns();
    set_deadline(conn, config->header_timeout_ms);
  }
  if (parser->phase != RA__HTTP_BODY) return;
  if (before != RA__HTTP_BODY) conn->body_started = uv_now(conn->server->loop);
  conn->deadline = conn->body_started + config->body_timeout_ms + parser->body.len / LEAST_BODY_RATE;
}

// Many bodies that are half sent would take the memory that max_body leaves to each.
static void admit_body(ra__http_conn *conn) {
  ra_http_server *server = conn->server;
  count_body(conn, conn->parser.body.cap);
  if (!server->config.crowded || conn->body_held <= SMALL_BODY) return;
  if (server->bodies <= server->config.crowded) return;
  ra__http_refuse(&conn->parser, 503,
                  "bodies that are still coming take all the memory there is for them (half of "
                  "external_memory); try again later");
}

// Parses bytes while the connection is reading; returns how many were used.
static size_t parse(ra__http_conn *conn, const char *data, size_t size) {
  size_t used = 0;
  ra__http_parser *parser = &conn->parser;
  while (used < size && conn->state == RA__CONN_READING) {
    bool was_idle = ra__http_parser_idle(parser);
    ra__http_phase before = parser->phase;
    used += ra__http_parse(parser, data + used, size - used);
    watch_progress(conn, was_idle, before);
    conn->more = used < size;
    admit_body(conn);
    if (parser->phase == RA__HTTP_DONE) {
      dispatch(conn);
    } else if (parser->phase == RA__HTTP_BAD) {
      refuse(conn, parser->status, parser->problem);
    }
  }
  if (conn->state == RA__CONN_READING && parser->phase == RA__HTTP_BODY && parser->expects_continue) {
    if (parser->body_wire == 0) send_continue(conn);
  }
  return used;
}

// The client sends no more, but may still read the answers to what it sent.
static void after_end(ra__http_conn *conn) {
  if (conn->state == RA__CONN_PENDING) {
    ra__http_half_probe(conn);
  } else if (conn->state == RA__CONN_READING) {
    ra__http_conn_close(conn);
  }
}

// Works off what came ahead, then reads on. `working` keeps an answer given at once from starting this again.
static void proceed(ra__http_conn *conn, const char *data, size_t size) {
  ra__http_conn_ref(conn);
  conn->working = true;
  if (conn->ahead_to > conn->ahead_from) {
    conn->ahead_from +=
        parse(conn, conn->ahead + conn->ahead_from, conn->ahead_to - conn->ahead_from);
    if (conn->ahead_from == conn->ahead_to) {
      free(conn->ahead);
      conn->ahead = NULL;
      conn->ahead_from = conn->ahead_to = 0;
    }
  }
  size_t used = size ? parse(conn, data, size) : 0;
  if (conn->state != RA__CONN_CLOSED && conn->state != RA__CONN_LINGER) {
    if (used < size) keep_ahead(conn, data + used, size - used);
    if (conn->ahead_to - conn->ahead_from < RA__HTTP_PIPELINE) want_reading(conn, true);
  }
  conn->working = false;
  if (conn->ended) after_end(conn);
  ra__http_conn_unref(conn);
}

static void on_end(ra__http_conn *conn, ssize_t reason) {
  want_reading(conn, false);
  conn->ended = true;
  if (reason == UV_EOF && conn->state != RA__CONN_LINGER) {
    after_end(conn);
  } else {
    ra__http_conn_close(conn);
  }
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf) {
  ra__http_conn *conn = stream->data;
  if (nread == 0) return;
  if (nread < 0) {
    if (nread == UV_ENOBUFS) return;
    on_end(conn, nread);
  } else if (conn->state == RA__CONN_LINGER) {
    conn->discarded += (size_t)nread;
    if (conn->discarded > LINGER_BYTES) ra__http_conn_close(conn);
  } else if (conn->state == RA__CONN_READING) {
    proceed(conn, buf->base, (size_t)nread);
  } else {
    keep_ahead(conn, buf->base, (size_t)nread);
  }
}

static void on_shutdown(uv_shutdown_t *request, int status) {
  ra__http_conn *conn = request->data;
  if (status < 0) ra__http_conn_close(conn);
}

// Closing a socket with unread bytes resets it, and the reset can overtake the answer: our side is shut
// first, and what still comes is dropped for a while.
static void linger(ra__http_conn *conn) {
  conn->state = RA__CONN_LINGER;
  set_deadline(conn, LINGER_MS);
  conn->shutdown.data = conn;
  if (uv_shutdown(&conn->shutdown, &conn->uv.stream, on_shutdown) < 0) {
    ra__http_conn_close(conn);
  } else {
    want_reading(conn, true);
  }
}

void ra__http_conn_answered(ra__http_conn *conn) {
  log_end(conn, conn->reply.status);
  ra__http_reply_clear(&conn->reply);
  conn->early = 0;
  bool ahead = conn->working ? conn->more : conn->ahead_to > conn->ahead_from;
  bool unread = (conn->lingers || ahead) && !conn->ended;
  if (conn->close_after || conn->server->draining) {
    conn->state = RA__CONN_READING;
    if (unread) {
      linger(conn);
    } else {
      ra__http_conn_close(conn);
    }
    return;
  }
  ra__http_parser_reset(&conn->parser);
  conn->state = RA__CONN_READING;
  set_deadline(conn, conn->server->config.idle_timeout_ms);
  if (!conn->working) proceed(conn, NULL, 0);
}

static void on_timeout(ra__http_conn *conn) {
  conn->deadline = 0;
  if (conn->state != RA__CONN_READING || ra__http_parser_idle(&conn->parser)) {
    ra__http_conn_close(conn);
  } else if (conn->parser.phase == RA__HTTP_BODY) {
    refuse(conn, 408, "the body did not come in time");
  } else {
    refuse(conn, 408, "the request's head did not come in time");
  }
}

// What a large body gets beside its timeout it gets only while there is room.
static bool body_is_late(const ra__http_conn *conn, uint64_t now) {
  const ra_http_config *config = &conn->server->config;
  if (!config->crowded || conn->server->bodies <= config->crowded / 2) return false;
  return now >= conn->body_started + config->body_timeout_ms;
}

// A reader that has stopped holds its answer. Where memory is short it is given up earlier.
static bool is_late(const ra__http_conn *conn, uint64_t now) {
  const ra_http_config *config = &conn->server->config;
  if (!conn->deadline) return false;
  if (conn->body_held && body_is_late(conn, now)) return true;
  bool crowded =
      conn->state == RA__CONN_WRITING && config->crowded && ra_buf_live_bytes() > config->crowded;
  return now + (crowded ? config->write_timeout_ms / 8 * 7 : 0) >= conn->deadline;
}

void ra__http_conn_tick(ra__http_conn *conn, uint64_t now) {
  if (conn->state == RA__CONN_WRITING) {
    ra__http_reply *reply = &conn->reply;
    if (reply->stalled) ra__http_body_retry(conn);
    size_t queue = uv_stream_get_write_queue_size(&conn->uv.stream);
    if (conn->deadline && queue != reply->last_queue)
      set_deadline(conn, conn->server->config.write_timeout_ms);
    reply->last_queue = queue;
  }
  if (conn->state != RA__CONN_CLOSED && is_late(conn, now)) on_timeout(conn);
}

static void on_tick(uv_timer_t *timer) {
  ra_http_server *server = timer->data;
  uint64_t now = uv_now(server->loop);
  for (ra__http_conn *c = server->conns, *next; c; c = next) {
    next = c->next;
    ra__http_conn_tick(c, now);
  }
  for (ra__http_listener *l = server->listeners; l; l = l->next) {
    if (l->stalled) ra__http_accept(l);
  }
}

// Left alone, the kernel takes megabytes of an answer from us, and a slow reader looks like one that has stopped.
static void set_up_tcp(uv_tcp_t *tcp) {
  uv_tcp_nodelay(tcp, 1);
  uv_os_fd_t fd;
  int most = RA__HTTP_UNSENT;
  if (uv_fileno((uv_handle_t *)tcp, &fd) == 0)
    setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most);
}

static int open_stream(ra__http_conn *conn, ra__http_listener *listener) {
  ra_http_server *server = listener->server;
  if (listener->uv.handle.type == UV_NAMED_PIPE) {
    uv_pipe_init(server->loop, &conn->uv.pipe, 0);
  } else {
    uv_tcp_init(server->loop, &conn->uv.tcp);
  }
  conn->uv.handle.data = conn;
  int rc = uv_accept(&listener->uv.stream, &conn->uv.stream);
  if (rc == 0 && conn->uv.handle.type == UV_TCP) set_up_tcp(&conn->uv.tcp);
  return rc;
}

static void enter(ra_http_server *server, ra__http_conn *conn) {
  server->refs++;
  conn->server = server;
  conn->refs = 1;
  conn->next = server->conns;
  if (conn->next) conn->next->prev = conn;
  server->conns = conn;
  if (server->conn_count++ == 0)
    uv_timer_start(&server->ticker, on_tick, server->tick_ms, server->tick_ms);
  conn->over_limit = server->conn_count > server->config.max_connections;
  count_open(1);
}

void ra__http_accept(ra__http_listener *listener) {
  ra_http_server *server = listener->server;
  ra__http_conn *conn = calloc(1, sizeof *conn);
  if (!conn) {  // libuv waits until the connection is taken: the tick tries again
    listener->stalled = true;
    return;
  }
  listener->stalled = false;
  enter(server, conn);
  const ra_http_config *config = &server->config;
  ra__http_parser_init(&conn->parser,
                       &(ra__http_limits){config->max_uri, config->max_headers, config->max_body});
  ra_str_init(&conn->reply.head);
  conn->reply.file.fd = -1;
  int rc = open_stream(conn, listener);
  if (rc < 0 || server->conn_count > config->max_connections + REFUSED_EXTRA) {
    ra__http_conn_close(conn);
    return;
  }
  ra__http_peer_name(&conn->uv.stream, conn->address, sizeof conn->address);
  conn->trusted = ra__http_peer_trusted(server, conn->address);
  set_deadline(conn, conn->over_limit ? config->header_timeout_ms : config->idle_timeout_ms);
  want_reading(conn, true);
}
