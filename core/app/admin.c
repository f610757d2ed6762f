// admin.c - see admin.h
#include "app/admin.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct ra_admin {
  ra_http_server *http;
  ra_host *host;
  ra_reload *reload;
  bool closed;
};

bool ra_admin_owns(const ra_http_request *request) {
  return strcmp(request->path, "/metrics") == 0;
}

static void respond(ra_http_exchange *exchange, int status, const char *type, const char *text) {
  const ra_http_header headers[] = {{"Cache-Control", "no-store"}, {"Allow", "POST"}};
  ra_err err = {0};
  ra_http_response response = {.status = status,
                               .content_type = type,
                               .headers = headers,
                               .header_count = status == 405 ? 2 : 1};
  ra_buf_copy(text, strlen(text), &response.body, &err);
  ra_http_respond(exchange, &response);
  ra_buf_unref(response.body);
}

static void respond_problem(ra_http_exchange *exchange, int status, const char *title,
                            const char *detail) {
  ra_str text;
  ra_str_init(&text);
  ra_str_addf(&text, "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":", title,
              status);
  ra_str_add_json(&text, detail);
  ra_str_add_char(&text, '}');
  respond(exchange, status, "application/problem+json", text.ptr ? text.ptr : "");
  ra_str_deinit(&text);
}

void ra_admin_refuse(ra_http_exchange *exchange) {
  respond_problem(exchange, 404, "Not found", "there is no such path on this port");
}

// ---- POST /reload

typedef struct asking {
  ra_admin *admin;
  ra_http_exchange *exchange;
} asking;

static void on_gone(void *data) {
  asking *a = data;
  ra_reload_forget(a->admin->reload, a);
  free(a);
}

static void on_reloaded(void *ctx, const char *note) {
  asking *a = ctx;
  ra_http_exchange *exchange = a->exchange;
  ra_http_exchange_set(exchange, NULL, NULL);
  free(a);
  json_t *root = json_loads(note, 0, NULL);
  const char *error = json_string_value(json_object_get(root, "error"));
  if (json_is_true(json_object_get(root, "ok"))) {
    respond(exchange, 200, "application/json", note);
  } else {
    respond_problem(exchange, 409, "Reload failed", error ? error : "for an unknown reason");
  }
  json_decref(root);
}

static bool has_header(const ra_http_request *request, const char *name) {
  for (size_t i = 0; i < request->header_count; i++) {
    if (strcmp(request->headers[i].name, name) == 0) return true;
  }
  return false;
}

// Answered when all workers have swapped, or none. A page in a browser (which sends Origin) has no business here.
static void reload(ra_admin *admin, ra_http_exchange *exchange) {
  const ra_http_request *request = ra_http_exchange_request(exchange);
  ra_err err = {0};
  if (strcmp(request->method, "POST") != 0) {
    respond_problem(exchange, 405, "Method not allowed", "/reload takes POST");
    return;
  }
  if (has_header(request, "origin")) {
    respond_problem(exchange, 403, "Not allowed", "/reload is not for pages in a browser");
    return;
  }
  asking *a = calloc(1, sizeof *a);
  if (!a) ra_fail(&err, RA_E_NOMEM, "", "no memory for a reload");
  if (!a || ra_reload_ask(admin->reload, on_reloaded, a, &err) < 0) {
    free(a);
    respond_problem(exchange, 503, "Busy", err.message);
    return;
  }
  *a = (asking){admin, exchange};
  ra_http_exchange_set(exchange, a, on_gone);
}

// ---- the port

static void handle(void *ctx, ra_http_exchange *exchange) {
  static const char *const paths[] = {"/metrics", "/healthz", "/readyz", "/plugins"};
  ra_admin *admin = ctx;
  const char *path = ra_http_exchange_request(exchange)->path;
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    if (strcmp(path, paths[i]) == 0) {
      ra_script_handle(admin->host->script, exchange);
      return;
    }
  }
  if (strcmp(path, "/reload") == 0) {
    reload(admin, exchange);
  } else {
    ra_admin_refuse(exchange);
  }
}

static void log_request(void *ctx, const ra_http_exchange *exchange, int status, uint64_t bytes,
                        uint64_t ns) {
  (void)ctx;
  ra_script_log(exchange, status, bytes, ns);
}

static void on_closed(void *ctx) { ((ra_admin *)ctx)->closed = true; }

int ra_admin_new(ra_host *host, ra_reload *reload_, const ra_http_config *http, int fd,
                 ra_admin **out, ra_err *err) {
  ra_admin *admin = calloc(1, sizeof *admin);
  if (!admin) return ra_fail(err, RA_E_NOMEM, "", "no memory for the admin port");
  admin->host = host;
  admin->reload = reload_;
  ra_http_config config = *http;
  config.cors_origins = NULL;
  config.handle = handle;
  config.log = log_request;
  config.ctx = admin;
  int rc = ra_http_server_new(&host->loop, &config, &admin->http, err);
  if (rc == RA_OK) rc = ra_http_server_listen_fd(admin->http, fd, err);
  *out = admin;
  if (rc < 0) {
    ra_admin_free(admin, &host->loop);
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
