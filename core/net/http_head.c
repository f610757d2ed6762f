// http_head.c - the head of an answer. What the handler gave is checked and copied at once, since it is the
// handler's memory; what depends on the body's final form follows when that is known.
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "net/http_field.h"
#include "net/http_internal.h"

static bool is_ours(const char *name) {
  static const char *const ours[] = {"content-length", "transfer-encoding", "connection",
                                     "date",           "x-request-id",      "server-timing"};
  for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
    if (strcasecmp(name, ours[i]) == 0) return true;
  }
  return false;
}

static bool broken(const ra__http_conn *conn, const char *name, const char *why) {
  ra_log(RA_LOG_ERROR, "%s %s was answered with a header field that %s: %.60s",
         conn->parser.request.method,
         conn->exchange.route[0] ? conn->exchange.route : conn->parser.request.path, why, name);
  return false;
}

static bool check(const ra__http_conn *conn, const ra_http_response *response) {
  if (response->status < 200 || response->status > 599) {
    return broken(conn, ":status", "is not between 200 and 599");
  }
  if (response->content_type && !ra__http_is_value(response->content_type)) {
    return broken(conn, "Content-Type", "has a control character");
  }
  for (size_t i = 0; i < response->header_count; i++) {
    const ra_http_header *h = &response->headers[i];
    if (!ra__http_is_token(h->name)) return broken(conn, h->name, "has no proper name");
    if (!ra__http_is_value(h->value)) return broken(conn, h->name, "has a control character");
    if (is_ours(h->name)) return broken(conn, h->name, "only the server sets");
  }
  return true;
}

static void add_field(ra_str *head, const char *name, const char *value) {
  ra_str_add(head, name);
  ra_str_add_bytes(head, ": ", 2);
  ra_str_add(head, value);
  ra_str_add_bytes(head, "\r\n", 2);
}

static void add_server_timing(ra_str *head, const ra_timing *timing) {
  static const char *const names[RA_STAGE_COUNT] = {"catalog", "fetch", "decode", "warp", "encode"};
  bool any = false;
  for (int i = 0; i < RA_STAGE_COUNT; i++) {
    if (!timing->ns[i]) continue;
    ra_str_addf(head, "%s%s;dur=%.3f", any ? ", " : "Server-Timing: ", names[i],
                (double)timing->ns[i] / 1e6);
    any = true;
  }
  if (timing->stores) {
    ra_str_addf(head, "%sstores;desc=\"%llu\"",
                any ? ", " : "Server-Timing: ", (unsigned long long)timing->stores);
    any = true;
  }
  if (any) ra_str_add(head, "\r\n");
}

// A client that knows "x-gzip" gets that form again with its 304.
static bool knows_gzip_form(const ra__http_conn *conn, const char *etag) {
  const char *known = ra__http_header(&conn->parser.request, "if-none-match");
  size_t len = strlen(etag) - 1;  // with the opening quote, without the closing one
  for (; known && (known = strchr(known, '"')); known++) {
    if (strncmp(known, etag, len) == 0 && strncmp(known + len, "-gzip\"", 6) == 0) return true;
  }
  return false;
}

static void add_etag(ra__http_conn *conn, const ra_http_response *response, const char *etag) {
  ra__http_reply *reply = &conn->reply;
  size_t len = strlen(etag);
  add_field(&reply->head, "ETag", etag);
  if (len < 2 || etag[0] != '"' || etag[len - 1] != '"') return;
  reply->etag_end = reply->head.len - 3;  // the closing quote
  if (response->status == 304 && !knows_gzip_form(conn, etag)) reply->etag_end = 0;
}

static void add_vary(ra__http_conn *conn, const ra_http_response *response, const char *own) {
  const char *parts[3] = {own};
  size_t n = own ? 1 : 0;
  if (response->compress && !(own && ra__http_list_has(own, "accept-encoding")))
    parts[n++] = "Accept-Encoding";
  if (ra__http_cors_varies(conn->server) && !(own && ra__http_list_has(own, "origin")))
    parts[n++] = "Origin";
  ra_str *head = &conn->reply.head;
  for (size_t i = 0; i < n; i++) {
    ra_str_add(head, i ? ", " : "Vary: ");
    ra_str_add(head, parts[i]);
  }
  if (n) ra_str_add(head, "\r\n");
}

static void add_status(ra_str *head, int status) {
  if (status == 200) {
    ra_str_add(head, RA__HTTP_EARLY "200 OK\r\n");
  } else {
    ra_str_addf(head, RA__HTTP_EARLY "%d %s\r\n", status, ra__http_status_text(status));
  }
}

bool ra__http_head_begin(ra__http_conn *conn, const ra_http_response *response) {
  if (!check(conn, response)) return false;
  ra_str *head = &conn->reply.head;
  head->len = 0;
  conn->reply.etag_end = 0;
  add_status(head, response->status);
  add_field(head, "Date", ra__http_server_date(conn->server));
  if (response->content_type) add_field(head, "Content-Type", response->content_type);
  const char *vary = NULL, *etag = NULL;
  for (size_t i = 0; i < response->header_count; i++) {
    const ra_http_header *h = &response->headers[i];
    if (strcasecmp(h->name, "vary") == 0) {
      vary = h->value;
    } else if (strcasecmp(h->name, "etag") == 0) {
      etag = h->value;
    } else {
      add_field(head, h->name, h->value);
    }
  }
  if (etag) add_etag(conn, response, etag);
  add_vary(conn, response, vary);
  add_field(head, "X-Request-Id", conn->exchange.id);
  add_server_timing(head, &conn->exchange.timing);
  ra__http_cors_headers(conn, head);
  return true;
}

static void mark_etag(ra__http_reply *reply) {
  ra_str *head = &reply->head;
  ra_str_add(head, "-gzip");  // grows the text by as much
  if (head->failed) return;
  char *at = head->ptr + reply->etag_end;
  memmove(at + 5, at, head->len - 5 - reply->etag_end);
  static const char mark[5] = {'-', 'g', 'z', 'i', 'p'};
  memcpy(at, mark, sizeof mark);
}

void ra__http_head_end(ra__http_conn *conn, uint64_t length, bool gzip) {
  ra__http_reply *reply = &conn->reply;
  ra_str *head = &reply->head;
  if (reply->etag_end && (gzip || reply->status == 304)) mark_etag(reply);
  if (gzip) ra_str_add(head, "Content-Encoding: gzip\r\n");
  bool has_length = reply->status != 204 && reply->status != 304;
  if (has_length) ra_str_addf(head, "Content-Length: %llu\r\n", (unsigned long long)length);
  if (conn->server->announced) conn->close_after = true;
  if (conn->close_after) {
    ra_str_add(head, "Connection: close\r\n");
  } else if (conn->parser.http10) {
    ra_str_add(head, "Connection: keep-alive\r\n");
  }
  ra_str_add_bytes(head, "\r\n", 2);
}
