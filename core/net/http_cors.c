// http_cors.c - cross-origin answers for the configured origins, which are compared whole. "*" goes without
// credentials; an origin that is listed by name may use them.
#include <string.h>

#include "net/http_field.h"
#include "net/http_internal.h"

static bool listed(const ra_http_server *server, const char *origin) {
  const char *const *list = server->config.cors_origins;
  for (; list && *list; list++) {
    if (strcmp(*list, origin) == 0) return true;
  }
  return false;
}

bool ra__http_cors_varies(const ra_http_server *server) {
  const char *const *list = server->config.cors_origins;
  for (; list && *list; list++) {
    if (strcmp(*list, "*") != 0) return true;
  }
  return false;
}

// The origin to allow: the request's own, "*", or NULL.
static const char *allowed(const ra__http_conn *conn) {
  if (!conn->server->config.cors_origins) return NULL;
  const char *origin = ra__http_header(&conn->parser.request, "origin");
  if (!origin) return NULL;
  if (strcmp(origin, "*") != 0 && listed(conn->server, origin)) return origin;
  return listed(conn->server, "*") ? "*" : NULL;
}

void ra__http_cors_headers(ra__http_conn *conn, ra_str *head) {
  const char *origin = allowed(conn);
  if (!origin) return;
  ra_str_add(head, "Access-Control-Allow-Origin: ");
  ra_str_add(head, origin);
  ra_str_add(head, "\r\n");
  if (*origin != '*') ra_str_add(head, "Access-Control-Allow-Credentials: true\r\n");
  ra_str_add(
      head,
      "Access-Control-Expose-Headers: ETag, Link, Content-Range, Accept-Ranges, Retry-After, "
      "Server-Timing, X-Request-Id\r\n");
}

// What the client wants to send, if it is a list of header names; else the usual ones.
static const char *allowed_headers(const ra_http_request *request) {
  const char *wanted = ra__http_header(request, "access-control-request-headers");
  if (!wanted || !*wanted || strlen(wanted) > 1024)
    return "Content-Type, Authorization, If-None-Match, Range";
  for (const char *p = wanted; *p; p++) {
    if (!ra__http_is_token_char((unsigned char)*p) && !strchr(", \t", *p)) return "Content-Type";
  }
  return wanted;
}

bool ra__http_cors_preflight(ra__http_conn *conn) {
  const ra_http_request *request = &conn->parser.request;
  if (strcmp(request->method, "OPTIONS") != 0 || !allowed(conn)) return false;
  if (!ra__http_header(request, "access-control-request-method")) return false;
  const ra_http_header headers[] = {
      {"Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
      {"Access-Control-Allow-Headers", allowed_headers(request)},
      {"Access-Control-Max-Age", "7200"},
  };
  ra__http_answer(conn, &(ra_http_response){.status = 204, .headers = headers, .header_count = 3});
  return true;
}
