// fuzz_http_conn.c - the whole server but its sockets: connections that send in pieces, stop reading, end, break and
// wait, requests that are answered at once, later, from a file or never, until all is closed. The input is a list of
// steps: a letter, a byte that chooses, and for those that send a length and as many bytes.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "fake_uv.h"
#include "net/http_internal.h"

enum { FILE_SIZE = 200000, BIG = 150000, EXCHANGES = FAKE_SOCKETS };

typedef struct client {
  unsigned asked;     // requests handed over
  unsigned answered;  // heads seen in its output
  size_t out;         // bytes written to it
  size_t matched;     // of the text that marks an answer
} client;

typedef struct world {
  uv_loop_t loop;
  ra_lane *lane;
  ra_http_server *server;
  client clients[FAKE_SOCKETS];
  ra_http_exchange *pending[EXCHANGES];
  unsigned handled, logged;
  bool drained, closed;
} world;

static int stored = -1;  // the file that is answered
static ra_buf *shared;

static void must(bool truth) {
  if (!truth) abort();
}

static unsigned socket_of(const ra_http_exchange *exchange) {
  for (unsigned i = 0; i < FAKE_SOCKETS; i++) {
    if (fake_open(i) && fake_handle(i) == &exchange->conn->uv.handle) return i;
  }
  abort();
}

static void respond(ra_http_exchange *exchange, int status, ra_buf *body, bool file) {
  const ra_http_header headers[] = {{"ETag", "\"tag\""}, {"X-Answer", "here"}};
  ra_http_response response = {.status = status,
                               .content_type = "text/plain",
                               .headers = headers,
                               .header_count = 2,
                               .body = body,
                               .compress = status == 203};
  if (file) response.file = (ra_http_file){.fd = dup(stored), .offset = 7, .size = FILE_SIZE - 7};
  ra_http_respond(exchange, &response);
}

static void on_gone(void *data) {
  ra_http_exchange **place = data;
  must(*place != NULL);
  *place = NULL;
}

static void keep(world *w, ra_http_exchange *exchange, bool told) {
  for (unsigned i = 0; i < EXCHANGES; i++) {
    if (w->pending[i]) continue;
    w->pending[i] = exchange;
    ra_http_exchange_set(exchange, &w->pending[i], told ? on_gone : NULL);
    return;
  }
  respond(exchange, 503, NULL, false);
}

static void handle(void *ctx, ra_http_exchange *exchange) {
  world *w = ctx;
  const ra_http_request *r = ra_http_exchange_request(exchange);
  must(r->path[0] == '/' && r->method && r->id && r->peer);
  w->handled++;
  w->clients[socket_of(exchange)].asked++;
  ra_http_exchange_label(exchange, r->path, "fuzz");
  switch (r->path[1]) {
    case 'l': keep(w, exchange, true); break;
    case 'h': keep(w, exchange, false); break;
    case 'f': respond(exchange, 206, NULL, true); break;
    case 'b': respond(exchange, 200, shared, false); break;
    case 'g': respond(exchange, 203, shared, false); break;
    case 'e': respond(exchange, 200, r->body, false); break;
    case 'n': respond(exchange, 304, NULL, false); break;
    default: respond(exchange, 404, NULL, false);
  }
}

static void on_log(void *ctx, const ra_http_exchange *exchange, int status, uint64_t sent,
                   uint64_t ns) {
  world *w = ctx;
  (void)ns;
  must(status >= 200 && status < 600 && sent < 1u << 30);
  must(ra_http_exchange_request(exchange)->method != NULL);
  if (*ra_http_exchange_plugin(exchange)) w->logged++;
}

// Answers are told by a header of theirs, which no body here has: never more of them than questions.
static void on_output(void *ctx, unsigned socket, const char *data, size_t size) {
  static const char mark[] = "X-Answer: here\r\n", start[] = "HTTP/1.1 ";
  client *c = &((world *)ctx)->clients[socket];
  for (size_t i = 0; i < size; i++, c->out++) {
    if (c->out < sizeof start - 1) must(data[i] == start[c->out]);
    c->matched = data[i] == mark[c->matched] ? c->matched + 1 : data[i] == mark[0];
    if (c->matched < sizeof mark - 1) continue;
    c->matched = 0;
    must(++c->answered <= c->asked);
  }
}

static void on_drained(void *ctx) { ((world *)ctx)->drained = true; }
static void on_closed(void *ctx) { ((world *)ctx)->closed = true; }

static void answer_one(world *w, uint8_t which) {
  ra_http_exchange **place = &w->pending[which % EXCHANGES], *exchange = *place;
  if (!exchange) return;
  *place = NULL;
  respond(exchange, 200, which & 64 ? shared : NULL, which & 128);
}

static void start(world *w) {
  ra_err err;
  *w = (world){0};
  fake_reset(on_output, w);
  const ra_lane_config io = {.name = "io", .width = 2, .depth = 2};
  must(ra_lane_new(&w->loop, &io, &w->lane, &err) == RA_OK);
  const ra_http_config config = {.max_uri = 256,
                                 .max_headers = 2048,
                                 .max_body = 40000,
                                 .crowded = 60000,
                                 .max_connections = 5,
                                 .header_timeout_ms = 100,
                                 .body_timeout_ms = 200,
                                 .write_timeout_ms = 300,
                                 .idle_timeout_ms = 400,
                                 .lane = w->lane,
                                 .handle = handle,
                                 .log = on_log,
                                 .ctx = w};
  must(ra_http_server_new(&w->loop, &config, &w->server, &err) == RA_OK);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  must(ra_http_server_listen_fd(w->server, fd, &err) == RA_OK);
  close(fd);
}

// Whatever is still open is closed; then nothing may be left.
static void finish(world *w) {
  ra_http_server_close(w->server, on_closed, w);
  for (unsigned i = 0; i < 10000 && (!w->closed || !fake_quiet()); i++) {
    fake_turn();
    fake_work();
  }
  must(w->closed && ra_http_server_connections(w->server) == 0);
  ra_http_server_free(w->server);
  for (unsigned i = 0; i < EXCHANGES; i++) answer_one(w, (uint8_t)i);  // to nobody
  must(ra_lane_get_stats(w->lane).running == 0 && ra_lane_get_stats(w->lane).waiting == 0);
  ra_lane_free(w->lane);
  while (!fake_quiet()) fake_turn();
  must(w->logged == w->handled);
  must(ra_buf_live_count() == (shared ? 1 : 0));
}

typedef struct input {
  const uint8_t *at, *end;
} input;

static uint8_t next(input *in) { return in->at < in->end ? *in->at++ : 0; }

static void send_piece(input *in, uint8_t socket, unsigned times) {
  size_t size = next(in);
  if (size > (size_t)(in->end - in->at)) size = (size_t)(in->end - in->at);
  for (unsigned i = 0; i < times; i++) fake_send(socket, in->at, size);
  in->at += size;
}

static void step(world *w, input *in, uint8_t what, uint8_t which) {
  uint8_t socket = which % FAKE_SOCKETS;
  switch (what) {
    case 'c': fake_connect(which * 256u); break;
    case 's': send_piece(in, socket, 1); break;
    case 'S': send_piece(in, socket, which * 8u); break;
    case 'r': fake_read(socket, which * 1024u); break;
    case 'e': fake_end(socket); break;
    case 'x': fake_break(socket); break;
    case 't': fake_pass(which * 4u); break;
    case 'a': answer_one(w, which); break;
    case 'w': fake_work(); break;
    case 'A': ra_http_server_announce_close(w->server); break;
    case 'D':
      if (!w->drained) ra_http_server_drain(w->server, on_drained, w);
      break;
    default: fake_turn();
  }
}

static void set_up(void) {
  if (shared) return;
  ra_log_setup(RA_LOG_ERROR, RA_LOG_PLAIN);
  stored = memfd_create("fuzz", MFD_CLOEXEC);
  must(stored >= 0 && ftruncate(stored, FILE_SIZE) == 0);
  must(ra_buf_new(BIG, &shared, NULL) == RA_OK);
  memset(ra_buf_bytes(shared), 'b', BIG);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  set_up();
  static world w;
  start(&w);
  input in = {data, data + size};
  while (in.at < in.end) {
    uint8_t what = next(&in), which = next(&in);
    step(&w, &in, what, which);
  }
  finish(&w);
  return 0;
}
