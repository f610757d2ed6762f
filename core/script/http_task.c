// http_task.c - an exchange becomes a task: rastrum/app.lua's dispatch is called with the request's parts and returns the
// response's table. Also the same without a server, and what is logged and counted of each request.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "script/answer.h"

typedef struct serving {
  ra_task *task;
  ra_http_exchange *exchange;  // NULL: gone, or there was never one
  void (*done)(void *ctx, const ra_script_answer *answer);
  void *ctx;
} serving;

static const ra_http_request NO_HEADERS = {.id = "", .peer = ""};

// The response table stays on script->L while its texts are used.
static void make_answer(ra_task *task, int rc, const ra_err *err, ra__answer *out) {
  ra_script *script = task->script;
  ra_err own = {0};
  lua_settop(script->L, 0);
  if (rc == RA_OK) {
    lua_settop(task->co, 1);
    lua_xmove(task->co, script->L, 1);
    rc = ra__answer_read(task, out, &own);
    if (rc < 0) {
      ra_log(RA_LOG_ERROR, "plugin '%s': %s", task->plugin, own.message);
      ra__answer_problem(&own, task->plugin, out);
    }
  } else {
    ra__answer_problem(err, task->plugin, out);
  }
}

static void respond(serving *s, const ra__answer *answer) {
  const ra_http_response response = {.status = answer->status,
                                     .content_type = answer->type,
                                     .headers = answer->headers,
                                     .header_count = answer->header_count,
                                     .body = answer->body,
                                     .file = answer->file,
                                     .compress = answer->compress};
  ra_http_exchange *exchange = s->exchange;
  ra_timing_add(ra_http_exchange_timing(exchange), &s->task->timing);
  ra_http_exchange_set(exchange, NULL, NULL);
  s->exchange = NULL;
  ra_http_respond(exchange, &response);
}

static void report(serving *s, const ra__answer *answer) {
  const ra_script_answer told = {.status = answer->status,
                                 .content_type = answer->type ? answer->type : "",
                                 .body = answer->body,
                                 .fd = answer->file.fd,
                                 .offset = answer->file.offset,
                                 .size = answer->file.size,
                                 .timing = &s->task->timing};
  s->done(s->ctx, &told);
}

static void on_end(ra_task *task, int rc, const ra_err *err) {
  serving *s = task->ctx;
  if (s->exchange || s->done) {
    ra__answer answer;
    make_answer(task, rc, err, &answer);
    if (s->exchange) {
      respond(s, &answer);
      answer.file.fd = -1;  // the server's now
    } else {
      report(s, &answer);
    }
    ra__answer_deinit(&answer);
    lua_settop(task->script->L, 0);
  }
  free(s);
}

static void on_gone(void *data) {
  serving *s = data;
  s->exchange = NULL;
  s->task->request = NULL;
  ra_script_cancel(s->task);
}

static void push_headers(lua_State *co, const ra_http_request *request) {
  lua_createtable(co, 0, (int)request->header_count);
  for (size_t i = 0; i < request->header_count; i++) {
    lua_pushstring(co, request->headers[i].value);
    lua_setfield(co, -2, request->headers[i].name);
  }
}

// dispatch(method, path, query, headers, id, secure, body)
static int push_request(ra_task *task, const ra_http_request *request) {
  lua_State *co = task->co;
  lua_pushstring(co, request->method);
  lua_pushstring(co, request->path);
  lua_pushstring(co, request->query);
  push_headers(co, request);
  lua_pushstring(co, request->id);
  lua_pushboolean(co, request->secure);
  if (!request->body) return 6;
  task->script->acting = task;
  ra__push_buf(co, ra_buf_ref(request->body));
  task->script->acting = NULL;
  return 7;
}

static int refuse_when_full(ra_script *script, ra_err *err) {
  if (script->external > script->limits.external_soft &&
      ra_clock_ns() - script->collected_ns > 100000000u) {
    ra__collect(script);
  }
  size_t held = ra_buf_live_bytes();  // Lua's, and what is on its way to slow readers
  if (held <= script->limits.external_hard) return RA_OK;
  return ra_fail(err, RA_E_BUSY, "",
                 "%zu MiB are held by live buffers, the most that may; external_memory raises this",
                 held >> 20);
}

static int start(ra_script *script, serving *s, const ra_http_request *request, ra_err *err) {
  ra_task *task = NULL;
  int rc = refuse_when_full(script, err);
  if (rc == RA_OK) rc = ra__task_new(script, RA_PHASE_REQUEST, "", &task, err);
  if (!task) return rc < 0 ? rc : RA_E_NOMEM;
  s->task = task;
  task->finish = on_end;
  task->ctx = s;
  task->request = request->id;
  if (!ra__push_app(script, task->co, "dispatch")) lua_pushnil(task->co);
  ra__task_start(task, push_request(task, request));
  return RA_OK;
}

void ra_script_handle(ra_script *script, ra_http_exchange *exchange) {
  ra_err err = {0};
  serving *s = calloc(1, sizeof *s);
  int rc = RA_E_NOMEM;
  if (!s) {
    ra_fail(&err, rc, "", "no memory for a request");
  } else {
    s->exchange = exchange;
    ra_http_exchange_set(exchange, s, on_gone);
    rc = start(script, s, ra_http_exchange_request(exchange), &err);
  }
  if (rc == RA_OK) return;
  free(s);
  ra_http_exchange_set(exchange, NULL, NULL);
  ra__answer answer;
  ra__answer_problem(&err, "", &answer);
  const ra_http_response response = {.status = answer.status,
                                     .content_type = answer.type,
                                     .headers = answer.headers,
                                     .header_count = answer.header_count,
                                     .body = answer.body,
                                     .file.fd = -1};
  ra_http_respond(exchange, &response);
  ra__answer_deinit(&answer);
}

int ra_script_request(ra_script *script, const char *method, const char *target, ra_buf *body,
                      void (*done)(void *ctx, const ra_script_answer *answer), void *ctx,
                      ra_err *err) {
  static const ra_http_header json = {"content-type", "application/json"};
  serving *s = calloc(1, sizeof *s);
  const char *query = strchr(target, '?');
  char *path = s ? strndup(target, query ? (size_t)(query - target) : strlen(target)) : NULL;
  if (!path) {
    free(s);
    return ra_fail(err, RA_E_NOMEM, "", "no memory for a request");
  }
  s->done = done;
  s->ctx = ctx;
  ra_http_request request = NO_HEADERS;
  request.method = method;
  request.path = path;
  request.query = query ? query + 1 : "";
  request.body = body;
  request.headers = &json;
  request.header_count = body ? 1 : 0;
  int rc = start(script, s, &request, err);
  free(path);
  if (rc < 0) free(s);
  return rc;
}

// host.label(route, plugin): the running request is that route's and that plugin's from now on
static int l_label(lua_State *L) {
  const char *route = luaL_checkstring(L, 1), *plugin = luaL_checkstring(L, 2);
  ra_task *task = ra__script(L)->running;
  if (!task || task->finish != on_end) return 0;
  serving *s = task->ctx;
  if (s->exchange) ra_http_exchange_label(s->exchange, route, plugin);
  ra__task_own(L, task, plugin);
  return 0;
}

// host.blocked(plugin) -> why it is switched off, or nil
static int l_blocked(lua_State *L) {
  char reason[sizeof((ra_err *)0)->message];
  bool blocked = ra_pulse_blocked(luaL_checkstring(L, 1), reason, sizeof reason);
  lua_pushstring(L, blocked ? reason : NULL);
  return 1;
}

const luaL_Reg RA__HOST_HTTP[] = {{"label", l_label}, {"blocked", l_blocked}, {NULL, NULL}};

// ---- logs and metrics

static const double seconds[] = {.0005, .001, .0025, .005, .01, .025, .05, .1,
                                 .25,   .5,   1,     2.5,  5,   10,   30};
static const double sizes[] = {256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216};
static const char *const stages[] = {"catalog", "fetch", "decode", "warp", "encode"};
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *known_method(const char *method) {
  static const char *const known[] = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"};
  for (size_t i = 0; i < COUNT(known); i++) {
    if (strcmp(known[i], method) == 0) return known[i];
  }
  return "other";
}

static void observe_stages(const ra_timing *timing) {
  ra_metric *stage = ra_metric_get(RA_METRIC_HISTOGRAM, "rastrum_stage_seconds",
                                   "Time of a request's stages.", seconds, COUNT(seconds));
  for (int i = 0; i < RA_STAGE_COUNT; i++) {
    if (!timing->ns[i]) continue;
    char labels[40];
    snprintf(labels, sizeof labels, "stage=\"%s\"", stages[i]);
    ra_metric_observe(stage, labels, (double)timing->ns[i] / 1e9);
  }
}

static void count_request(const ra_http_exchange *exchange, int status, uint64_t bytes, uint64_t ns) {
  const char *route = ra_http_exchange_route(exchange);
  ra_str labels;
  ra_str_init(&labels);
  ra_str_add(&labels, "route=\"");
  ra_metric_escape(&labels, *route ? route : "none");
  ra_str_add_char(&labels, '"');
  if (labels.ptr) {
    ra_metric_observe(ra_metric_get(RA_METRIC_HISTOGRAM, "rastrum_http_request_duration_seconds",
                                    "Time from a request's first byte to the answer's last.",
                                    seconds, COUNT(seconds)),
                      labels.ptr, (double)ns / 1e9);
    ra_metric_observe(ra_metric_get(RA_METRIC_HISTOGRAM, "rastrum_http_response_size_bytes",
                                    "Bytes of answers.", sizes, COUNT(sizes)),
                      labels.ptr, (double)bytes);
  }
  ra_str_addf(&labels, ",method=\"%s\",status=\"%dxx\"",
              known_method(ra_http_exchange_request(exchange)->method), status / 100);
  ra_metric_add(
      ra_metric_get(RA_METRIC_COUNTER, "rastrum_http_requests_total", "Answered requests.", NULL, 0),
      labels.ptr, 1);
  ra_str_deinit(&labels);
}

void ra_script_log(const ra_http_exchange *exchange, int status, uint64_t bytes_sent, uint64_t ns) {
  const ra_http_request *request = ra_http_exchange_request(exchange);
  const ra_timing *timing = ra_http_exchange_timing((ra_http_exchange *)exchange);
  count_request(exchange, status, bytes_sent, ns);
  observe_stages(timing);
  if (!ra_log_enabled(RA_LOG_INFO)) return;
  ra_str line;
  ra_str_init(&line);
  ra_str_add(&line, "\"id\":");
  ra_str_add_json(&line, request->id ? request->id : "");
  ra_str_add(&line, ",\"client\":");
  ra_str_add_json(&line, request->peer ? request->peer : "");
  ra_str_add(&line, ",\"method\":");
  ra_str_add_json(&line, request->method ? request->method : "");
  ra_str_add(&line, ",\"path\":");
  ra_str_add_json(&line, request->path ? request->path : "");
  ra_str_add(&line, ",\"route\":");
  ra_str_add_json(&line, ra_http_exchange_route(exchange));
  ra_str_add(&line, ",\"plugin\":");
  ra_str_add_json(&line, ra_http_exchange_plugin(exchange));
  ra_str_addf(&line, ",\"status\":%d,\"bytes\":%llu,\"ms\":%.3f", status,
              (unsigned long long)bytes_sent, (double)ns / 1e6);
  for (int i = 0; i < RA_STAGE_COUNT; i++) {
    if (timing->ns[i])
      ra_str_addf(&line, ",\"%s_ms\":%.3f", stages[i], (double)timing->ns[i] / 1e6);
  }
  ra_log_fields(RA_LOG_INFO, "request", line.ptr);
  ra_str_deinit(&line);
}
