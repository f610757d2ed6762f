// http_fixture.h - a server on a thread of its own with a few routes, and a blocking client for tests.
#pragma once
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/timer.h"
#include "net/http.h"

#define BIG (8u << 20)
#define FILE_SIZE 8000003u

typedef struct fixture {
  uv_loop_t loop;
  uv_async_t stop, drain;
  ra_lane *lane;
  ra_http_server *server;
  ra_http_config config;
  pthread_t thread;
  int port;
  char file[64];
  atomic_int gone, logged, last_status, drained, closed;
  atomic_ullong last_bytes;
  char last_route[64];
  ra_http_exchange *held;  // /hold keeps it until /release
} fixture;

static inline uint8_t pattern(size_t i) { return (uint8_t)(i * 2654435761u >> 13); }

static inline void answer_text(ra_http_exchange *exchange, int status, const char *text) {
  ra_buf *body = NULL;
  assert_int_equal(ra_buf_copy(text, strlen(text), &body, NULL), RA_OK);
  ra_http_respond(
      exchange, &(ra_http_response){.status = status, .content_type = "text/plain", .body = body});
  ra_buf_unref(body);
}

static inline const char *header_of(const ra_http_request *r, const char *name) {
  for (size_t i = 0; i < r->header_count; i++) {
    if (strcmp(r->headers[i].name, name) == 0) return r->headers[i].value;
  }
  return NULL;
}

static inline void answer_info(ra_http_exchange *exchange) {
  const ra_http_request *r = ra_http_exchange_request(exchange);
  char text[2048];
  const char *x = header_of(r, "x-test");
  snprintf(text, sizeof text, "%s|%s|%s|%s|%s|%s|%d", r->method, r->path, r->query, x ? x : "-",
           r->id, r->peer, r->secure);
  ra_timing *timing = ra_http_exchange_timing(exchange);
  timing->ns[RA_STAGE_CATALOG] = 1500000;
  timing->ns[RA_STAGE_ENCODE] = 250000;
  ra_http_exchange_label(exchange, "/info", "tester");
  answer_text(exchange, 200, text);
}

static inline void answer_tagged(ra_http_exchange *exchange) {
  const ra_http_request *r = ra_http_exchange_request(exchange);
  const ra_http_header headers[] = {{"ETag", "\"tag\""}, {"Vary", "Accept"}};
  ra_http_response response = {.status = 200,
                               .content_type = "text/plain",
                               .headers = headers,
                               .header_count = 2,
                               .compress = true};
  if (ra_http_etag_matches(header_of(r, "if-none-match"), "\"tag\"")) {
    response.status = 304;
    ra_http_respond(exchange, &response);
    return;
  }
  char *text = malloc(20000);
  for (int i = 0; i < 20000; i++) text[i] = "rastrum "[i % 8];
  assert_int_equal(ra_buf_adopt(text, 20000, &response.body, NULL), RA_OK);
  ra_http_respond(exchange, &response);
  ra_buf_unref(response.body);
}

static inline void answer_file(const fixture *f, ra_http_exchange *exchange) {
  const ra_http_request *r = ra_http_exchange_request(exchange);
  uint64_t first = 0, last = FILE_SIZE - 1;
  int rc = ra_http_parse_range(header_of(r, "range"), FILE_SIZE, &first, &last);
  char range[96];
  if (rc < 0) {
    snprintf(range, sizeof range, "bytes */%u", FILE_SIZE);
    const ra_http_header h = {"Content-Range", range};
    ra_http_respond(exchange, &(ra_http_response){.status = 416, .headers = &h, .header_count = 1});
    return;
  }
  snprintf(range, sizeof range, "bytes %llu-%llu/%u", (unsigned long long)first,
           (unsigned long long)last, FILE_SIZE);
  const ra_http_header h = {"Content-Range", range};
  int fd = open(f->file, O_RDONLY | O_CLOEXEC);
  ra_http_respond(exchange, &(ra_http_response){.status = rc == RA_HTTP_RANGE_ONE ? 206 : 200,
                                                .headers = &h,
                                                .header_count = rc == RA_HTTP_RANGE_ONE,
                                                .content_type = "image/tiff",
                                                .file = {fd, first, last - first + 1}});
}

static inline void answer_big(ra_http_exchange *exchange) {
  ra_buf *body = NULL;
  assert_int_equal(ra_buf_new(BIG, &body, NULL), RA_OK);
  for (size_t i = 0; i < BIG; i++) ra_buf_bytes(body)[i] = pattern(i);
  ra_http_respond(exchange, &(ra_http_response){.status = 200, .body = body});
  ra_buf_unref(body);
}

static inline void note_gone(void *data) {
  fixture *f = data;
  atomic_fetch_add(&f->gone, 1);
}

typedef struct delayed {
  ra_http_exchange *exchange;
  ra_timer *timer;
} delayed;

static inline void answer_delayed(void *ctx) {
  delayed *d = ctx;
  answer_text(d->exchange, 200, "late");
  ra_timer_free(d->timer);
  free(d);
}

static inline void delay(fixture *f, ra_http_exchange *exchange) {
  delayed *d = calloc(1, sizeof *d);
  d->exchange = exchange;
  ra_timer_new(&f->loop, false, answer_delayed, d, &d->timer, NULL);
  ra_timer_start(d->timer, 50, 0);
}

static inline void handle(void *ctx, ra_http_exchange *exchange) {
  fixture *f = ctx;
  const ra_http_request *r = ra_http_exchange_request(exchange);
  static const ra_http_header evil = {"X-Evil", "a\r\nSet-Cookie: b"},
                              length = {"Content-Length", "3"};
  if (strcmp(r->path, "/info") == 0)
    answer_info(exchange);
  else if (strcmp(r->path, "/echo") == 0)
    ra_http_respond(exchange, &(ra_http_response){.status = 200, .body = r->body});
  else if (strcmp(r->path, "/tagged") == 0)
    answer_tagged(exchange);
  else if (strcmp(r->path, "/file") == 0)
    answer_file(f, exchange);
  else if (strcmp(r->path, "/big") == 0)
    answer_big(exchange);
  else if (strcmp(r->path, "/hang") == 0)
    ra_http_exchange_set(exchange, f, note_gone);
  else if (strcmp(r->path, "/late") == 0)
    delay(f, exchange);
  else if (strcmp(r->path, "/hold") == 0)
    f->held = exchange;
  else if (strcmp(r->path, "/release") == 0) {
    answer_text(f->held, 200, "nobody reads this");
    answer_text(exchange, 200, "released");
  } else if (strcmp(r->path, "/none") == 0)
    ra_http_respond(exchange, &(ra_http_response){.status = 204});
  else if (strcmp(r->path, "/evil") == 0)
    ra_http_respond(exchange,
                    &(ra_http_response){.status = 200, .headers = &evil, .header_count = 1});
  else if (strcmp(r->path, "/length") == 0)
    ra_http_respond(exchange,
                    &(ra_http_response){.status = 200, .headers = &length, .header_count = 1});
  else
    answer_text(exchange, 404, "no such page");
}

static inline void note_log(void *ctx, const ra_http_exchange *exchange, int status, uint64_t bytes,
                            uint64_t ns) {
  fixture *f = ctx;
  assert_true(ns < 60000000000ull);
  snprintf(f->last_route, sizeof f->last_route, "%s %s", ra_http_exchange_route(exchange),
           ra_http_exchange_plugin(exchange));
  atomic_store(&f->last_status, status);
  atomic_store(&f->last_bytes, bytes);
  atomic_fetch_add(&f->logged, 1);
}

static inline void note_closed(void *ctx) {
  fixture *f = ctx;
  ra_http_server_free(f->server);
  ra_lane_free(f->lane);
  uv_close((uv_handle_t *)&f->stop, NULL);
  uv_close((uv_handle_t *)&f->drain, NULL);
}

static inline void on_stop(uv_async_t *async) {
  fixture *f = async->data;
  ra_http_server_close(f->server, note_closed, f);
}

static inline void note_drained(void *ctx) { atomic_fetch_add(&((fixture *)ctx)->drained, 1); }

static inline void on_drain(uv_async_t *async) {
  fixture *f = async->data;
  ra_http_server_drain(f->server, note_drained, f);
}

static inline void *run_loop(void *ctx) {
  fixture *f = ctx;
  ra_lane_mark_loop_thread();
  uv_run(&f->loop, UV_RUN_DEFAULT);
  return NULL;
}

static inline void make_file(fixture *f) {
  strcpy(f->file, "/tmp/ra-http-XXXXXX");
  int fd = mkstemp(f->file);
  uint8_t *bytes = malloc(FILE_SIZE);
  for (size_t i = 0; i < FILE_SIZE; i++) bytes[i] = pattern(i);
  assert_int_equal(write(fd, bytes, FILE_SIZE), FILE_SIZE);
  free(bytes);
  close(fd);
}

static ra_lane_config fixture_lane = {.name = "io", .width = 2, .depth = 100};

// More than one: the server takes a second listening socket where other_fd is not 0.
static inline fixture *fixture_start_with(ra_http_config config, int other_fd) {
  fixture *f = calloc(1, sizeof *f);
  ra_err err;
  int fd;
  make_file(f);
  uv_loop_init(&f->loop);
  uv_async_init(&f->loop, &f->stop, on_stop);
  uv_async_init(&f->loop, &f->drain, on_drain);
  f->stop.data = f->drain.data = f;
  assert_int_equal(ra_lane_new(&f->loop, &fixture_lane, &f->lane, &err), RA_OK);
  f->config = config;
  f->config.lane = f->lane;
  f->config.handle = handle;
  f->config.log = note_log;
  f->config.ctx = f;
  assert_int_equal(ra_http_server_new(&f->loop, &f->config, &f->server, &err), RA_OK);
  assert_int_equal(ra_http_bind("127.0.0.1:0", false, &fd, &f->port, &err), RA_OK);
  assert_int_equal(ra_http_server_listen_fd(f->server, fd, &err), RA_OK);
  if (other_fd) assert_int_equal(ra_http_server_listen_fd(f->server, other_fd, &err), RA_OK);
  pthread_create(&f->thread, NULL, run_loop, f);
  return f;
}

static inline fixture *fixture_start(ra_http_config config) {
  return fixture_start_with(config, 0);
}

static inline void fixture_stop(fixture *f) {
  uv_async_send(&f->stop);
  pthread_join(f->thread, NULL);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  unlink(f->file);
  free(f);
}

// ---- client

static inline int dial_port(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct timeval limit = {.tv_sec = 20};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
  return fd;
}

static inline int dial(const fixture *f) { return dial_port(f->port); }

static inline void say(int fd, const char *text) {
  assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

typedef struct reply {
  int status;
  char head[8192];
  uint8_t *body;
  size_t size;
} reply;

static inline bool read_exactly(int fd, void *to, size_t size) {
  for (size_t got = 0; got < size;) {
    ssize_t n = recv(fd, (char *)to + got, size - got, 0);
    if (n <= 0) return false;
    got += (size_t)n;
  }
  return true;
}

// A header's value in the reply, "" when it is absent; valid until the next call.
static inline const char *field(const reply *r, const char *name) {
  static char value[512];
  size_t len = strlen(name);
  for (const char *p = strstr(r->head, "\r\n"); p; p = strstr(p + 2, "\r\n")) {
    if (strncasecmp(p + 2, name, len) != 0 || p[2 + len] != ':') continue;
    snprintf(value, sizeof value, "%.*s", (int)strcspn(p + 4 + len, "\r"), p + 4 + len);
    return value;
  }
  return "";
}

static inline bool ended(int fd) {
  char c;
  return recv(fd, &c, 1, 0) <= 0;
}

static inline void forget(reply *r) {
  free(r->body);
  r->body = NULL;
}

// Reads one reply; head: none of its body comes. False when the connection ends first.
static inline bool hear(int fd, reply *r, bool head) {
  memset(r, 0, sizeof *r);
  size_t n = 0;
  while (n < 4 || memcmp(r->head + n - 4, "\r\n\r\n", 4) != 0) {
    if (n + 1 >= sizeof r->head || !read_exactly(fd, r->head + n, 1)) return false;
    n++;
  }
  assert_int_equal(sscanf(r->head, "HTTP/1.1 %d ", &r->status), 1);
  r->size = (size_t)strtoull(field(r, "Content-Length"), NULL, 10);
  r->body = calloc(1, r->size + 1);
  return head || r->status == 304 || r->status == 204 || r->status == 100 ||
         read_exactly(fd, r->body, r->size);
}

static inline void ask(const fixture *f, const char *request, reply *r) {
  int fd = dial(f);
  say(fd, request);
  assert_true(hear(fd, r, strncmp(request, "HEAD", 4) == 0));
  close(fd);
}

// Waits until an atomic number reaches a value.
static inline void await(atomic_int *number, int value) {
  for (int i = 0; i < 2000 && atomic_load(number) < value; i++) usleep(5000);
  assert_true(atomic_load(number) >= value);
}
