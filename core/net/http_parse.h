// http_parse.h - bytes -> one request, or the error that answers them; no sockets, so that it can be fuzzed and
// tested from memory. The head is collected first (every line must end in CRLF, no line is folded), then goes
// through llhttp in one piece; names and values are cut in place, so a request costs no allocation once the
// buffer has grown. A parser is used again for the next request on its connection.
#pragma once
#include <llhttp.h>

#include "base/arena.h"
#include "base/str.h"
#include "net/http.h"

#define RA__HTTP_MAX_HEADERS 100

typedef struct ra__http_limits {
  size_t uri, headers, body;
} ra__http_limits;

typedef enum ra__http_phase {
  RA__HTTP_HEAD,  // collecting the head
  RA__HTTP_BODY,  // the head is complete, the body is not
  RA__HTTP_DONE,  // `request` is complete, but for id, peer, secure and started_ns
  RA__HTTP_BAD    // `status` and `problem` say what to answer; nothing more can be parsed
} ra__http_phase;

// Where in the lines after the last chunk the next byte stands.
typedef enum ra__http_trailer {
  RA__TRAILER_NONE,  // chunks are still coming
  RA__TRAILER_LINE,
  RA__TRAILER_NAME,
  RA__TRAILER_VALUE,
  RA__TRAILER_CR,
  RA__TRAILER_END
} ra__http_trailer;

typedef struct ra__http_parser {
  ra__http_limits limits;
  ra__http_phase phase;
  int status;
  char problem[256];
  ra_http_request request;
  bool keep_alive;
  bool expects_continue;  // the client waits for "100 Continue" before its body
  bool http10;

  llhttp_t llhttp;
  char *head;
  size_t head_len, head_cap;
  size_t line_start;    // of the line being collected
  size_t request_line;  // length of the first line with its CRLF, 0 until it is complete
  char *url;
  size_t url_len;
  char *field, *value;  // the header being parsed
  size_t field_len, value_len;
  ra_http_header headers[RA__HTTP_MAX_HEADERS];
  size_t header_lens[RA__HTTP_MAX_HEADERS];
  ra_arena joined;  // values of repeated headers
  ra_str body;
  size_t body_wire;  // bytes that the body took so far, framing and all
  ra__http_trailer trailer;
  size_t trailer_len;
} ra__http_parser;

void ra__http_parser_init(ra__http_parser *parser, const ra__http_limits *limits);
void ra__http_parser_deinit(ra__http_parser *parser);
// Forgets the request and starts with the next one.
void ra__http_parser_reset(ra__http_parser *parser);
// Takes bytes until the phase changes or they are used up; returns how many it took. Call again with the rest
// while the phase is HEAD or BODY.
size_t ra__http_parse(ra__http_parser *parser, const char *data, size_t size);
// True when no byte of a request has come yet.
bool ra__http_parser_idle(const ra__http_parser *parser);
// Enters the phase BAD. Returns -1.
int ra__http_refuse(ra__http_parser *parser, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
// The value of a request's header (lower-case name), NULL when there is none.
const char *ra__http_header(const ra_http_request *request, const char *name);
// http_trailer.c: takes bytes after the last chunk until the body is complete or they are used up; returns how many.
size_t ra__http_feed_trailer(ra__http_parser *parser, const char *data, size_t size);
// http_target.c: checks a complete head and splits its target. Returns -1 after a refusal.
int ra__http_check_head(ra__http_parser *parser);
