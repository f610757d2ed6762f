// http_parse.c - see http_parse.h
#include "net/http_parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_field.h"

#define HEAD_START 1024        // first size of a connection's head buffer
#define HEAD_KEEP 8192         // a larger one is given back after its request
#define REQUEST_LINE_EXTRA 64  // method, version and spaces around the target
#define FRAMING_EXTRA 16384    // chunk framing allowed beside 8 bytes a byte of body

int ra__http_refuse(ra__http_parser *parser, int status, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(parser->problem, sizeof parser->problem, fmt, ap);
  va_end(ap);
  parser->status = status;
  parser->phase = RA__HTTP_BAD;
  parser->keep_alive = false;
  return -1;
}

const char *ra__http_header(const ra_http_request *request, const char *name) {
  for (size_t i = 0; i < request->header_count; i++) {
    if (strcmp(request->headers[i].name, name) == 0) return request->headers[i].value;
  }
  return NULL;
}

static ra__http_parser *self(llhttp_t *llhttp) { return llhttp->data; }

// The head lies in one buffer, so llhttp's spans point into it and follow each other.
static int extend(char **start, size_t *len, const char *at, size_t n) {
  if (!*len) {
    *start = (char *)(uintptr_t)at;
  } else if (*start + *len != at) {
    return HPE_USER;
  }
  *len += n;
  return 0;
}

static int on_url(llhttp_t *llhttp, const char *at, size_t n) {
  ra__http_parser *p = self(llhttp);
  return extend(&p->url, &p->url_len, at, n);
}

static int on_field(llhttp_t *llhttp, const char *at, size_t n) {
  ra__http_parser *p = self(llhttp);
  return extend(&p->field, &p->field_len, at, n);
}

static int on_value(llhttp_t *llhttp, const char *at, size_t n) {
  ra__http_parser *p = self(llhttp);
  return extend(&p->value, &p->value_len, at, n);
}

static int on_value_complete(llhttp_t *llhttp) {
  ra__http_parser *p = self(llhttp);
  if (!p->field_len) {
    ra__http_refuse(p, 400, "a header field has no name");
    return HPE_USER;
  }
  if (p->request.header_count == RA__HTTP_MAX_HEADERS) {
    ra__http_refuse(p, 431, "the request has more than %d header fields", RA__HTTP_MAX_HEADERS);
    return HPE_USER;
  }
  while (p->value_len && (p->value[p->value_len - 1] == ' ' || p->value[p->value_len - 1] == '\t')) {
    p->value_len--;
  }
  size_t i = p->request.header_count++;
  p->headers[i] = (ra_http_header){p->field, p->value_len ? p->value : NULL};
  p->header_lens[i] = p->value_len;
  // llhttp has passed the name and the ':' after it; values are ended later, since it still reads their CRLF.
  for (size_t k = 0; k < p->field_len; k++) {
    if (p->field[k] >= 'A' && p->field[k] <= 'Z') p->field[k] = (char)(p->field[k] | 0x20);
  }
  p->field[p->field_len] = 0;
  p->field_len = p->value_len = 0;
  return 0;
}

static int on_headers_complete(llhttp_t *llhttp) {
  ra__http_parser *p = self(llhttp);
  llhttp->upgrade = 0;  // no protocol is upgraded to: the request is answered as it stands
  p->keep_alive = llhttp_should_keep_alive(llhttp);
  return 0;
}

static int refuse_body(ra__http_parser *p) {
  ra__http_refuse(p, 413, "the body is larger than the allowed %zu bytes", p->limits.body);
  return HPE_USER;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t n) {
  ra__http_parser *p = self(llhttp);
  if (n > p->limits.body - p->body.len) return refuse_body(p);
  ra_str_add_bytes(&p->body, at, n);
  if (!p->body.failed) return 0;
  ra__http_refuse(p, 503, "there is no memory for the body; try again later");
  return HPE_USER;
}

static int on_chunk_header(llhttp_t *llhttp) {
  ra__http_parser *p = self(llhttp);
  if (llhttp->content_length) {
    return llhttp->content_length > p->limits.body - p->body.len ? refuse_body(p) : 0;
  }
  p->trailer = RA__TRAILER_LINE;
  return HPE_PAUSED;  // bytes after the last chunk's line are not for llhttp
}

static int on_message_complete(llhttp_t *llhttp) {
  self(llhttp)->phase = RA__HTTP_DONE;
  return HPE_PAUSED;  // bytes after this message belong to the next request
}

static const llhttp_settings_t settings = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_chunk_header = on_chunk_header,
    .on_message_complete = on_message_complete,
};

void ra__http_parser_init(ra__http_parser *parser, const ra__http_limits *limits) {
  *parser = (ra__http_parser){.limits = *limits};
  ra_arena_init(&parser->joined, 0);
  ra_str_init(&parser->body);
  ra__http_parser_reset(parser);
}

void ra__http_parser_deinit(ra__http_parser *parser) {
  ra_buf_unref(parser->request.body);
  parser->request.body = NULL;
  ra_str_deinit(&parser->body);
  ra_arena_deinit(&parser->joined);
  free(parser->head);
  parser->head = NULL;
  parser->head_cap = 0;
}

void ra__http_parser_reset(ra__http_parser *parser) {
  ra_buf_unref(parser->request.body);
  if (parser->body.ptr) ra_str_deinit(&parser->body);
  if (parser->joined.head) {
    ra_arena_deinit(&parser->joined);
    ra_arena_init(&parser->joined, 0);
  }
  if (parser->head_cap > HEAD_KEEP) {
    free(parser->head);
    parser->head = NULL;
    parser->head_cap = 0;
  }
  parser->request =
      (ra_http_request){.method = "-", .path = "", .query = "", .headers = parser->headers};
  parser->phase = RA__HTTP_HEAD;
  parser->status = 0;
  parser->problem[0] = 0;
  parser->keep_alive = parser->expects_continue = parser->http10 = false;
  parser->head_len = parser->line_start = parser->request_line = 0;
  parser->url_len = parser->field_len = parser->value_len = parser->body_wire = 0;
  parser->trailer = RA__TRAILER_NONE;
  parser->trailer_len = 0;
  parser->url = parser->field = parser->value = NULL;
}

bool ra__http_parser_idle(const ra__http_parser *parser) {
  return parser->phase == RA__HTTP_HEAD && parser->head_len == 0;
}

static int grow_head(ra__http_parser *p, size_t need) {
  if (need <= p->head_cap) return 0;
  size_t cap = p->head_cap ? p->head_cap : HEAD_START;
  while (cap < need) cap *= 2;
  char *head = realloc(p->head, cap);
  if (!head) return ra__http_refuse(p, 503, "there is no memory for the request; try again later");
  p->head = head;
  p->head_cap = cap;
  return 0;
}

static int check_head_size(ra__http_parser *p) {
  size_t line_limit = p->limits.uri + REQUEST_LINE_EXTRA;
  if (!p->request_line) {
    if (p->head_len <= line_limit) return 0;
    return ra__http_refuse(p, 414, "the target is longer than the allowed %zu bytes", p->limits.uri);
  }
  if (p->head_len - p->request_line <= p->limits.headers) return 0;
  return ra__http_refuse(p, 431, "the header fields take more than the allowed %zu bytes",
                         p->limits.headers);
}

// "GET /path HTTP/1.1": two spaces and no tab, where llhttp would take more.
static int check_request_line(ra__http_parser *p) {
  int spaces = 0;
  for (size_t i = 0; i < p->head_len; i++) {
    if (p->head[i] == ' ') spaces++;
    if (p->head[i] == '\t') spaces += 3;
  }
  p->request_line = p->head_len;
  if (spaces == 2) return 0;
  return ra__http_refuse(
      p, 400, "the first line must be a method, a target and HTTP/1.1 with one space between");
}

// A complete line, CRLF included. Returns 1 at the head's end, 0 to go on, -1 after a refusal.
static int check_line(ra__http_parser *p) {
  char *line = p->head + p->line_start;
  size_t len = p->head_len - p->line_start;
  if (len < 2 || line[len - 2] != '\r') {
    return ra__http_refuse(p, 400, "a line of the request's head ends in LF without CR");
  }
  if (memchr(line, '\r', len - 2)) {
    return ra__http_refuse(p, 400, "a line of the request's head has a CR that no LF follows");
  }
  if (len == 2) {
    if (p->request_line) return 1;
    p->head_len = 0;  // an empty line before a request is skipped (RFC 9112, 2.2)
    return 0;
  }
  if (p->request_line && (*line == ' ' || *line == '\t')) {
    return ra__http_refuse(p, 400,
                           "a header line begins with a space; folded lines are not accepted");
  }
  p->line_start = p->head_len;
  return p->request_line ? 0 : check_request_line(p);
}

static void explain(ra__http_parser *p, llhttp_errno_t rc) {
  if (p->phase == RA__HTTP_BAD) return;  // a callback has said it
  size_t method = 0;
  while (ra__http_is_token_char((unsigned char)p->head[method])) method++;
  const char *reason = llhttp_get_error_reason(&p->llhttp);
  if (rc == HPE_INVALID_METHOD && method && p->head[method] == ' ') {
    ra__http_refuse(p, 405, "the method %.*s is not one that this server knows",
                    (int)(method < 32 ? method : 32), p->head);
  } else if (rc == HPE_INVALID_VERSION) {
    ra__http_refuse(p, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
  } else {
    ra__http_refuse(p, 400, "the request is malformed: %s", reason ? reason : llhttp_errno_name(rc));
  }
}

// Runs llhttp over bytes; returns how many it took.
static size_t execute(ra__http_parser *p, const char *data, size_t size) {
  llhttp_errno_t rc = llhttp_execute(&p->llhttp, data, size);
  if (rc == HPE_OK) return size;
  const char *stop = llhttp_get_error_pos(&p->llhttp);
  if (rc != HPE_PAUSED) explain(p, rc);
  return stop && stop >= data && stop <= data + size ? (size_t)(stop - data) : size;
}

// Only now are the bytes after the values free to be overwritten.
static void end_texts(ra__http_parser *p) {
  for (size_t i = 0; i < p->request.header_count; i++) {
    char *value = (char *)(uintptr_t)p->headers[i].value;
    if (value) {
      value[p->header_lens[i]] = 0;
    } else {
      p->headers[i].value = "";
    }
  }
  if (p->url) p->url[p->url_len] = 0;
}

static void parse_head(ra__http_parser *p) {
  llhttp_init(&p->llhttp, HTTP_REQUEST, &settings);
  p->llhttp.data = p;
  execute(p, p->head, p->head_len);
  if (p->phase == RA__HTTP_BAD) {
    p->request.header_count = 0;
    return;
  }
  end_texts(p);
  ra__http_phase after = p->phase == RA__HTTP_DONE ? RA__HTTP_DONE : RA__HTTP_BODY;
  if (ra__http_check_head(p) == 0) p->phase = after;
}

static size_t feed_head(ra__http_parser *p, const char *data, size_t size) {
  size_t used = 0;
  while (used < size && p->phase == RA__HTTP_HEAD) {
    const char *end = memchr(data + used, '\n', size - used);
    size_t n = end ? (size_t)(end - (data + used)) + 1 : size - used;
    // One byte past a limit is enough to see that it is passed: never hold more.
    size_t most = p->limits.uri + p->limits.headers + REQUEST_LINE_EXTRA + 1 - p->head_len;
    if (n > most) n = most;
    if (grow_head(p, p->head_len + n + 1) < 0) break;
    memcpy(p->head + p->head_len, data + used, n);
    if (!p->head_len && *p->head != '\r' && !ra__http_is_token_char((unsigned char)*p->head)) {
      ra__http_refuse(p, 400, "the bytes sent are not an HTTP request");
      break;
    }
    p->head_len += n;
    used += n;
    int rc = p->head[p->head_len - 1] == '\n' ? check_line(p) : 0;
    if (rc < 0 || check_head_size(p) < 0) break;
    if (rc == 1) parse_head(p);
  }
  return used;
}

static size_t feed_body(ra__http_parser *p, const char *data, size_t size) {
  size_t used = p->trailer ? 0 : execute(p, data, size);
  if (p->trailer) used += ra__http_feed_trailer(p, data + used, size - used);
  p->body_wire += used;
  if (p->phase == RA__HTTP_BAD) return used;
  if (p->body_wire / 9 > p->body.len + FRAMING_EXTRA / 9) {
    ra__http_refuse(p, 400,
                    "the body's chunks carry far more framing than data; send larger chunks");
  }
  return used;
}

static void take_body(ra__http_parser *p) {
  if (p->body.len == 0) return;
  ra_err err;
  if (ra_str_take(&p->body, &p->request.body, &err) < 0) {
    ra__http_refuse(p, 503, "there is no memory for the body; try again later");
  }
}

size_t ra__http_parse(ra__http_parser *parser, const char *data, size_t size) {
  size_t used = 0;
  if (parser->phase == RA__HTTP_HEAD) {
    used = feed_head(parser, data, size);
  } else if (parser->phase == RA__HTTP_BODY) {
    used = feed_body(parser, data, size);
  }
  if (parser->phase == RA__HTTP_DONE) take_body(parser);
  return used;
}
