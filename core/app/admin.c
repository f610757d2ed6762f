// admin.c - see admin.h
#include "app/admin.h"

#include <stdlib.h>
#include <string.h>

struct ra_admin {
  ra_http_server *http;
  ra_script *script;
  bool closed;
};

bool ra_admin_owns(const ra_http_request *request) {
  return strcmp(request->path, "/metrics") == 0;
}

void ra_admin_refuse(ra_http_exchange *exchange) {
  static const char text[] =
      "{\"type\":\"about:blank\",\"title\":\"Not found\",\"status\":404,"
      "\"detail\":\"there is no such path on this port\"}";
  static const ra_http_header no_store = {"Cache-Control", "no-store"};
  ra_err err = {0};
  ra_http_response response = {.status = 404,
                               .content_type = "application/problem+json",
                               .headers = &no_store,
                               .header_count = 1};
  if (ra_buf_new(sizeof text - 1, &response.body, &err) == RA_OK)
    memcpy(ra_buf_bytes(response.body), text, sizeof text - 1);
  ra_http_respond(exchange, &response);
  ra_buf_unref(response.body);
}

static void handle(void *ctx, ra_http_exchange *exchange) {
  static const char *const paths[] = {"/metrics", "/healthz", "/readyz", "/plugins"};
  const char *path = ra_http_exchange_request(exchange)->path;
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    if (strcmp(path, paths[i]) == 0) {
      ra_script_handle(((ra_admin *)ctx)->script, exchange);
      return;
    }
  }
  ra_admin_refuse(exchange);
}

static void log_request(void *ctx, const ra_http_exchange *exchange, int status, uint64_t bytes,
                        uint64_t ns) {
  (void)ctx;
  ra_script_log(exchange, status, bytes, ns);
}

static void on_closed(void *ctx) { ((ra_admin *)ctx)->closed = true; }

int ra_admin_new(uv_loop_t *loop, ra_script *script, const ra_http_config *http, int fd,
                 ra_admin **out, ra_err *err) {
  ra_admin *admin = calloc(1, sizeof *admin);
  if (!admin) return ra_fail(err, RA_E_NOMEM, "", "no memory for the admin port");
  admin->script = script;
  ra_http_config config = *http;
  config.cors_origins = NULL;
  config.handle = handle;
  config.log = log_request;
  config.ctx = admin;
  int rc = ra_http_server_new(loop, &config, &admin->http, err);
  if (rc == RA_OK) rc = ra_http_server_listen_fd(admin->http, fd, err);
  *out = admin;
  if (rc < 0) {
    ra_admin_free(admin, loop);
    *out = NULL;
  }
  return rc;
}

void ra_admin_free(ra_admin *admin, uv_loop_t *loop) {
  if (!admin) return;
  if (admin->http) {
    ra_http_server_close(admin->http, on_closed, admin);
    while (!admin->closed && uv_run(loop, UV_RUN_ONCE)) continue;
    ra_http_server_free(admin->http);
  }
  free(admin);
}
