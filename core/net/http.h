// http.h - the HTTP/1.1 server: connections, parsing (llhttp, strict), limits, bodies out with back-pressure.
// It knows no routes: every complete request becomes an exchange handed to one handler, which answers once,
// now or later. Loop thread only.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/buf.h"
#include "base/timing.h"
#include "loop/lane.h"

typedef struct ra_http_server ra_http_server;
typedef struct ra_http_exchange ra_http_exchange;

typedef struct ra_http_header {
  const char *name;  // requests: lower case
  const char *value;
} ra_http_header;

typedef struct ra_http_request {
  const char *method;             // "GET", …
  const char *path;               // undecoded, without the query; begins with '/'
  const char *query;              // undecoded, without '?'; "" when there is none
  const ra_http_header *headers;  // repeated ones joined by ", " (Cookie by "; ")
  size_t header_count;
  ra_buf *body;      // NULL when there is none
  const char *id;    // X-Request-Id: the client's if it is sane, else made here
  const char *peer;  // address of the client, after trusted proxies
  bool secure;       // X-Forwarded-Proto: https from a trusted proxy
  uint64_t started_ns;
} ra_http_request;

// A file as a body: the descriptor passes to the server, which closes it.
typedef struct ra_http_file {
  int fd;  // 0 (as in a zeroed struct) or -1: no file
  uint64_t offset, size;
} ra_http_file;

typedef struct ra_http_response {
  int status;
  const char *content_type;       // NULL: none
  const ra_http_header *headers;  // any others but Content-Length, Transfer-Encoding, Connection, Date
  size_t header_count;
  ra_buf *body;       // the server takes its own reference; NULL: none
  ra_http_file file;  // used where file.fd > 0 and there is no body
  bool compress;      // text: gzip (in the pool) when the client accepts it and it is worth it;
      // adds Content-Encoding, Vary, and "-gzip" inside a strong ETag; not for files
} ra_http_response;

// The lists and the lane must outlive the server. 0 in a limit or timeout means the default beside it.
typedef struct ra_http_config {
  size_t max_uri;            // 8 KiB -> 414
  size_t max_headers;        // 32 KiB -> 431
  size_t max_body;           // 2 MiB -> 413
  unsigned max_connections;  // 10,000 -> 503
  uint64_t header_timeout_ms, body_timeout_ms, write_timeout_ms,
      idle_timeout_ms;  // 10 s, 30 s, 60 s, 75 s
  // Bytes of live buffers over which a reader has an eighth of the write timeout; also what bodies that are still
  // coming may take together: past half of it the slow ones are given up, past all of it 503. 0: no such bounds.
  size_t crowded;
  const char *const *cors_origins;  // whole origins, or "*"; NULL-terminated list or NULL
  const char *const *trusted_proxies;  // addresses, networks ("10.0.0.0/8"), "unix"; NULL-terminated or NULL
  ra_lane *lane;                       // for gzip and file reads (io); needed
  // Called for each complete request. The exchange is valid until ra_http_respond returns or on_gone was called.
  void (*handle)(void *ctx, ra_http_exchange *exchange);
  // Called once for each request, for logs and metrics: when its answer is out, or with 499 (before on_gone) when
  // the client went away first. May be NULL. ra_http_exchange_data is what the handler left there.
  void (*log)(void *ctx, const ra_http_exchange *exchange, int status, uint64_t bytes_sent,
              uint64_t ns);
  // An error answer of the server itself (400, 408, 413, 414, 431, 503): body of application/problem+json.
  void *ctx;
} ra_http_config;

int ra_http_server_new(uv_loop_t *loop, const ra_http_config *config, ra_http_server **out,
                       ra_err *err);
// Listens on a socket that is already bound and listening (from the supervisor, or ra_http_bind).
int ra_http_server_listen_fd(ra_http_server *server, int fd, ra_err *err);
// Binds and listens: "127.0.0.1:8080", "[::1]:0". next_free: tries the following 20 ports when taken. *port is
// the one bound. Close-on-exec is set. "unix:/path" makes a socket that only its owner may use; *port is 0.
int ra_http_bind(const char *address, bool next_free, int *fd, int *port, ra_err *err);
// From now on every answer says Connection: close; connections are still accepted. Before a drain.
void ra_http_server_announce_close(ra_http_server *server);
// Stops accepting, answers what is in flight with Connection: close, closes idle connections; then `drained`.
void ra_http_server_drain(ra_http_server *server, void (*drained)(void *ctx), void *ctx);
// Closes everything at once; also after or during a drain. `closed` is called from the loop.
void ra_http_server_close(ra_http_server *server, void (*closed)(void *ctx), void *ctx);
// Only after `closed` (or from inside it). NULL is fine.
void ra_http_server_free(ra_http_server *server);
unsigned ra_http_server_connections(const ra_http_server *server);

const ra_http_request *ra_http_exchange_request(const ra_http_exchange *exchange);
// Room for the handler: what it needs to find its task when on_gone comes, and for the log callback. A client that
// only ends its sending side while it waits still gets its answer. Without on_gone the exchange stays valid until it
// is answered (to nobody).
void ra_http_exchange_set(ra_http_exchange *exchange, void *data, void (*on_gone)(void *data));
void *ra_http_exchange_data(const ra_http_exchange *exchange);
// Copies the route template ("/tiles/{collection}/…") and the plugin's name for logs and metrics.
void ra_http_exchange_label(ra_http_exchange *exchange, const char *route, const char *plugin);
const char *ra_http_exchange_route(const ra_http_exchange *exchange);  // "" when none was set
const char *ra_http_exchange_plugin(const ra_http_exchange *exchange);
ra_timing *ra_http_exchange_timing(ra_http_exchange *exchange);
// Answers; exactly once. HEAD sends the headers of GET. Fills Date, Content-Length, X-Request-Id, Server-Timing
// (from the timing), CORS headers. On a broken response (bad header bytes) a 500 is sent instead.
void ra_http_respond(ra_http_exchange *exchange, const ra_http_response *response);

// Whether If-None-Match (NULL: absent) names an entity tag as we send it: "x", "x-gzip" (what `compress` made of it),
// their weak forms, in a list, or *. Answer 304 with the plain tag: the server repeats the form the client knows.
bool ra_http_etag_matches(const char *if_none_match, const char *etag);

enum { RA_HTTP_RANGE_NONE = 0, RA_HTTP_RANGE_ONE = 1 };
// Reads a Range value (NULL: absent) for an object of `size` bytes. RA_HTTP_RANGE_ONE: *first..*last, inclusive,
// for a 206. RA_HTTP_RANGE_NONE: no range, several or not understood: send the whole with 200. RA_E_INVALID: 416.
int ra_http_parse_range(const char *range, uint64_t size, uint64_t *first, uint64_t *last);
