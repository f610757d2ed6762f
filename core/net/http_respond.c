// http_respond.c - answering: what handlers call, and the server's own error answers.
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "net/http_field.h"
#include "net/http_internal.h"

const ra_http_request *ra_http_exchange_request(const ra_http_exchange *exchange) {
  return &exchange->conn->parser.request;
}

void ra_http_exchange_set(ra_http_exchange *exchange, void *data, void (*on_gone)(void *data)) {
  exchange->data = data;
  exchange->on_gone = on_gone;
}

void *ra_http_exchange_data(const ra_http_exchange *exchange) { return exchange->data; }

void ra_http_exchange_label(ra_http_exchange *exchange, const char *route, const char *plugin) {
  snprintf(exchange->route, sizeof exchange->route, "%s", route ? route : "");
  snprintf(exchange->plugin, sizeof exchange->plugin, "%s", plugin ? plugin : "");
}

const char *ra_http_exchange_route(const ra_http_exchange *exchange) { return exchange->route; }
const char *ra_http_exchange_plugin(const ra_http_exchange *exchange) { return exchange->plugin; }
ra_timing *ra_http_exchange_timing(ra_http_exchange *exchange) { return &exchange->timing; }

static void drop_file(const ra_http_response *response) {
  if (response->file.fd > 0) close(response->file.fd);
}

static bool worth_packing(const ra__http_conn *conn, const ra_http_response *response) {
  if (!response->compress || !response->body || ra_buf_size(response->body) < 1024) return false;
  if (response->status == 204 || response->status == 206 || response->status == 304) return false;
  for (size_t i = 0; i < response->header_count; i++) {
    if (strcasecmp(response->headers[i].name, "content-encoding") == 0) return false;
  }
  return ra__http_accepts_gzip(ra__http_header(&conn->parser.request, "accept-encoding"));
}

void ra__http_answer(ra__http_conn *conn, const ra_http_response *response) {
  ra__http_reply *reply = &conn->reply;
  conn->state = RA__CONN_WRITING;
  conn->deadline = 0;
  ra__http_half_stop(conn);
  reply->status = response->status;
  if (!ra__http_head_begin(conn, response)) {
    drop_file(response);
    ra__http_answer_problem(conn, 500, "the answer has a broken header field; the log names it");
    return;
  }
  reply->sent = conn->early;
  reply->queued = 0;
  reply->started = reply->file_failed = reply->stalled = false;
  reply->bodiless = response->status == 204 || response->status == 304 ||
                    strcmp(conn->parser.request.method, "HEAD") == 0;
  if (response->body) {
    reply->body = ra_buf_ref(response->body);
    drop_file(response);
  } else if (response->file.fd > 0) {
    reply->file = response->file;
  }
  ra__http_body_start(conn, worth_packing(conn, response));
}

void ra__http_answer_problem(ra__http_conn *conn, int status, const char *detail) {
  ra_str text;
  ra_str_init(&text);
  ra_str_add(&text, "{\"type\":\"about:blank\",\"title\":");
  ra_str_add_json(&text, ra__http_status_text(status));
  ra_str_addf(&text, ",\"status\":%d,\"detail\":", status);
  ra_str_add_json(&text, detail);
  ra_str_add(&text, ",\"request_id\":");
  ra_str_add_json(&text, conn->exchange.id);
  ra_str_add(&text, "}\n");
  ra_buf *body = NULL;
  if (ra_str_take(&text, &body, NULL) < 0) {
    ra__http_conn_close(conn);
    return;
  }
  const ra_http_header more = status == 405 ? (ra_http_header){"Allow", RA__HTTP_ALLOW}
                                            : (ra_http_header){"Retry-After", "1"};
  if (status < 500 || conn->lingers) conn->close_after = true;
  ra__http_answer(conn, &(ra_http_response){.status = status,
                                            .content_type = "application/problem+json",
                                            .headers = &more,
                                            .header_count = status == 503 || status == 405,
                                            .body = body});
  ra_buf_unref(body);
}

void ra_http_respond(ra_http_exchange *exchange, const ra_http_response *response) {
  ra__http_conn *conn = exchange->conn;
  if (conn->state != RA__CONN_PENDING) {  // the client has gone and the handler had asked not to be told
    drop_file(response);
  } else {
    exchange->on_gone = NULL;
    ra__http_answer(conn, response);
  }
  ra__http_conn_unref(conn);
}
