// http_internal.h - the server and its connections, inside net/.
//
//   READING --request complete--> PENDING --ra_http_respond--> WRITING --all written--> READING
//      |                             |                            |
//      +--refused: straight to WRITING, then LINGER (our side is shut, what comes is dropped)
//      +-----------------------------+----------------------------+--end, reset, timeout--> CLOSED
//
// A connection lives while it has references: its handle, an exchange that waits for its answer, a pool job, a
// call that is working on it. All on the loop's thread, but for the two `run` functions in http_body.c.
#pragma once
#include "net/http_parse.h"

// Every method that a route may have.
#define RA__HTTP_ALLOW "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

#define RA__HTTP_PIPELINE 65536  // bytes taken from a client that sends ahead
#define RA__HTTP_UNSENT 65536  // bytes that the kernel keeps for a client beside what is on its way
#define RA__HTTP_EARLY "HTTP/1.1 "  // what every answer begins with

typedef enum ra__http_state {
  RA__CONN_READING,
  RA__CONN_PENDING,
  RA__CONN_WRITING,
  RA__CONN_LINGER,
  RA__CONN_CLOSED
} ra__http_state;

typedef struct ra__http_conn ra__http_conn;
typedef struct ra__http_half ra__http_half;

struct ra_http_exchange {
  ra__http_conn *conn;
  void *data;
  void (*on_gone)(void *data);
  ra_timing timing;
  char id[65];
  char peer[64];
  char route[160];
  char plugin[65];
};

typedef struct ra__http_reply {
  int status;
  ra_str head;
  size_t etag_end;  // offset of a strong tag's closing quote in head, 0: none
  ra_buf *body;
  ra_buf *packed;  // the body as gzip, once the job has made it
  ra_http_file file;
  uint8_t *piece;  // of the file
  size_t piece_len;
  bool file_failed, stalled;  // stalled: the lane was full, the tick tries again
  bool started;               // bytes of the answer may have gone out
  bool bodiless;              // HEAD, 204, 304
  uint64_t sent, queued;      // bytes written; bytes given to libuv beyond that
  size_t last_queue;          // libuv's queue at the last tick, to see progress
} ra__http_reply;

struct ra__http_conn {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } uv;
  uv_write_t write;
  uv_shutdown_t shutdown;
  ra_http_server *server;
  ra__http_conn *prev, *next;
  unsigned refs;
  ra__http_state state;
  uint64_t deadline;      // loop time in ms, 0: none
  uint64_t body_started;  // loop time
  size_t body_held;       // of the server's `bodies`
  bool reading, working, over_limit, close_after, lingers;
  bool more;            // bytes at hand that are not parsed yet, while working
  bool ended;           // the client sends no more
  ra__http_half *half;  // then, while an answer is due: waits for its reset
  unsigned early;       // bytes of the answer that went out to provoke it
  size_t discarded;     // while lingering
  char *ahead;          // pipelined bytes
  size_t ahead_from, ahead_to;
  char address[64];  // of the other end of the socket
  bool trusted;      // … which is a proxy of ours
  ra__http_parser parser;
  ra_http_exchange exchange;
  ra__http_reply reply;
};

typedef struct ra__http_listener {
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } uv;
  ra_http_server *server;
  struct ra__http_listener *next;
  bool stalled;  // a connection waits that there was no memory for
} ra__http_listener;

struct ra_http_server {
  uv_loop_t *loop;
  ra_http_config config;
  unsigned refs;  // the owner's and one a connection
  ra__http_listener *listeners;
  unsigned open_listeners;
  ra__http_conn *conns;
  unsigned conn_count;
  size_t bodies;  // bytes held by those that are still coming
  uv_timer_t ticker;
  uint64_t tick_ms;
  bool ticker_open, announced, draining, closing;
  void (*drained)(void *ctx);
  void *drained_ctx;
  void (*closed)(void *ctx);
  void *closed_ctx;
  uint64_t id_state;
  int64_t date_second;
  char date[40];
  char scratch[65536];  // what every read goes through
};

// http_server.c
void ra__http_server_unref(ra_http_server *server);
void ra__http_server_left(ra_http_server *server);  // a connection is closed
const char *ra__http_server_date(ra_http_server *server);
void ra__http_make_id(ra_http_server *server, char *out, size_t size);

// http_conn.c
void ra__http_accept(ra__http_listener *listener);
void ra__http_conn_tick(ra__http_conn *conn, uint64_t now);
void ra__http_conn_close(ra__http_conn *conn);
void ra__http_conn_close_if_idle(ra__http_conn *conn);
void ra__http_conn_ref(ra__http_conn *conn);
void ra__http_conn_unref(ra__http_conn *conn);
void ra__http_conn_answered(ra__http_conn *conn);  // the whole answer is written

// http_half.c: the client has ended its sending side; its answer is due. Closes the connection if it is gone, now or later.
void ra__http_half_probe(ra__http_conn *conn);
// The same for a client of which nothing is read for now, whose end is not seen otherwise.
void ra__http_half_watch(ra__http_conn *conn);
void ra__http_half_stop(ra__http_conn *conn);

// http_respond.c: the server's own error; the connection is closed after it.
void ra__http_answer_problem(ra__http_conn *conn, int status, const char *detail);
// Enters WRITING with what a handler (or the server itself) answers.
void ra__http_answer(ra__http_conn *conn, const ra_http_response *response);

// http_head.c: all of the head that does not depend on the body's final form. False: a header is broken, and
// the log has said which.
bool ra__http_head_begin(ra__http_conn *conn, const ra_http_response *response);
// The rest, once the length and the coding are known.
void ra__http_head_end(ra__http_conn *conn, uint64_t length, bool gzip);

// http_body.c
void ra__http_body_start(ra__http_conn *conn, bool compress);
void ra__http_body_retry(ra__http_conn *conn);
void ra__http_reply_clear(ra__http_reply *reply);

// http_cors.c
bool ra__http_cors_preflight(ra__http_conn *conn);  // true: answered
void ra__http_cors_headers(ra__http_conn *conn, ra_str *head);
bool ra__http_cors_varies(const ra_http_server *server);

// http_peer.c
void ra__http_peer_name(const uv_stream_t *stream, char *out, size_t size);
bool ra__http_peer_trusted(const ra_http_server *server, const char *address);
// Fills the request's peer and secure from the socket, or from what a trusted proxy says.
void ra__http_peer_resolve(ra__http_conn *conn);
