// answer.c - see answer.h
#include "script/answer.h"

#include <string.h>
#include <unistd.h>

#include "script/bind_store.h"

static const struct {
  int code, status;
  const char *title;
} STATUSES[] = {
    {RA_E_NOMEM, 503, "Out of memory"},
    {RA_E_INVALID, 400, "Bad request"},
    {RA_E_NOTFOUND, 404, "Not found"},
    {RA_E_TOOBIG, 413, "Too much asked for"},
    {RA_E_BUSY, 503, "Busy"},
    {RA_E_CANCELLED, 499, "Cancelled"},
    {RA_E_IO, 500, "Reading failed"},
    {RA_E_CORRUPT, 500, "Stored data is damaged"},
    {RA_E_UNSUPPORTED, 400, "Not supported"},
    {RA_E_CONFLICT, 409, "Conflict"},
    {RA_E_TIMEOUT, 503, "Took too long"},
    {RA_E_DENIED, 403, "Not allowed"},
    {RA_E_INTERNAL, 500, "Internal error"},
    {RA_E_GONE, 503, "Replaced meanwhile"},
    {RA_E_UPSTREAM, 502, "A source's server failed"},
    {RA_E_UPSTREAM_TIMEOUT, 504, "A source's server took too long"},
};

static const char *title_of(int code) {
  for (size_t i = 0; i < sizeof STATUSES / sizeof *STATUSES; i++) {
    if (STATUSES[i].code == code) return STATUSES[i].title;
  }
  return "Internal error";
}

int ra__status_of(int code) {
  for (size_t i = 0; i < sizeof STATUSES / sizeof *STATUSES; i++) {
    if (STATUSES[i].code == code) return STATUSES[i].status;
  }
  return 500;
}

// host.status("not_found") -> 404, "Not found"
static int l_status(lua_State *L) {
  int code = ra_err_code(luaL_checkstring(L, 1));
  lua_pushinteger(L, ra__status_of(code));
  lua_pushstring(L, title_of(code));
  return 2;
}

const luaL_Reg RA__HOST_ANSWER[] = {{"status", l_status}, {NULL, NULL}};

void ra__answer_deinit(ra__answer *answer) {
  ra_buf_unref(answer->body);
  if (answer->file.fd >= 0) close(answer->file.fd);
  answer->body = NULL;
  answer->file.fd = -1;
}

// ---- reading the table

static void read_headers(lua_State *L, ra__answer *out) {
  ra_bind_field(L, 1, "headers");
  if (lua_isnil(L, -1)) return;
  if (!lua_istable(L, -1))
    luaL_error(L, "the response's headers are a %s; a table is wanted", luaL_typename(L, -1));
  int table = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || !lua_isstring(L, -1)) {
      luaL_error(L, "a response header's name and value are texts");
    }
    if (out->header_count == RA__HEADERS_MOST)
      luaL_error(L, "more than %d response headers", RA__HEADERS_MOST);
    if (lua_type(L, -1) == LUA_TNUMBER) {  // its text replaces it, to be held by the table
      lua_tostring(L, -1);
      lua_pushvalue(L, -2);
      lua_pushvalue(L, -2);
      lua_rawset(L, table);
    }
    out->headers[out->header_count++] = (ra_http_header){lua_tostring(L, -2), lua_tostring(L, -1)};
  }
}

static void read_body(lua_State *L, ra__answer *out) {
  ra_bind_field(L, 1, "body");
  if (lua_isnil(L, -1)) return;
  if (ra_bind_test(L, -1, "ra.buf")) {
    out->body = ra_buf_ref(ra_bind_check_buf(L, -1));
    return;
  }
  size_t size = 0;
  const char *text = lua_isstring(L, -1) ? lua_tolstring(L, -1, &size) : NULL;
  if (!text)
    luaL_error(L, "the response's body is a %s; a text or an open ra.buf is wanted",
               luaL_typename(L, -1));
  ra_err err = {0};
  if (ra_buf_copy(text, size, &out->body, &err) < 0) luaL_error(L, "%s", err.message);
}

static void read_file(lua_State *L, ra__answer *out) {
  ra_bind_field(L, 1, "file");
  if (lua_isnil(L, -1)) return;
  if (!ra_bind_take_file(L, -1, &out->file))
    luaL_error(L, "the response's file is no open ra.file");
  double most = (double)out->file.size;
  double first = ra_bind_opt_number(L, 1, "first", 0),
         last = ra_bind_opt_number(L, 1, "last", most - 1);
  if (!(first >= 0 && last < most && first <= last + 1))
    luaL_error(L, "the response's range is outside its file");
  out->file.offset += (uint64_t)first;
  out->file.size = (uint64_t)(last - first + 1);
}

typedef struct reading {
  ra__answer *out;
  const char *plugin;
} reading;

static int read_table(lua_State *L) {
  reading *r = lua_touserdata(L, 2);
  ra__answer *out = r->out;
  if (!lua_istable(L, 1)) {
    return luaL_error(
        L, "the handler of plugin '%s' answered with a %s; a table {status=, body=} is wanted",
        r->plugin, luaL_typename(L, 1));
  }
  lua_Integer status = ra_bind_opt_integer(L, 1, "status", 200);
  if (status < 200 || status > 599)
    return luaL_error(L, "status %d; 200 to 599 is wanted", (int)status);
  out->status = (int)status;
  out->type = ra_bind_opt_string(L, 1, "type", NULL);
  out->compress = ra_bind_opt_boolean(L, 1, "compress", false);
  read_headers(L, out);
  read_body(L, out);
  read_file(L, out);
  return 0;
}

// In a slice of the task's: a field may come from a metamethod.
int ra__answer_read(ra_task *task, ra__answer *out, ra_err *err) {
  ra_script *script = task->script;
  const char *plugin = task->plugin;
  lua_State *L = script->L;
  *out = (ra__answer){.file.fd = -1};
  reading r = {.out = out, .plugin = plugin};
  lua_pushcfunction(L, read_table);
  lua_pushvalue(L, -2);
  lua_pushlightuserdata(L, &r);
  ra__slice_begin(script, task);
  int status = lua_pcall(L, 2, 0, 0);
  ra__slice_end(script, task);
  if (status == 0) return RA_OK;
  ra__answer_deinit(out);
  ra__take_error(L, plugin, err);
  return ra__over_budget(task) ? ra__budget_error(task, err) : (err->code = RA_E_INTERNAL);
}

// ---- failures

void ra__answer_problem(const ra_err *err, const char *plugin, ra__answer *out) {
  *out = (ra__answer){
      .status = ra__status_of(err->code), .type = "application/problem+json", .file.fd = -1};
  ra_str text;
  ra_str_init(&text);
  ra_str_add(&text, "{\"type\":\"about:blank\",\"title\":");
  ra_str_add_json(&text, title_of(err->code));
  ra_str_addf(&text, ",\"status\":%d,\"detail\":", out->status);
  if (err->code == RA_E_INTERNAL) {
    ra_str said;
    ra_str_init(&said);
    ra_str_addf(&said, "plugin '%s' failed; the log says why", plugin);
    ra_str_add_json(&text, said.ptr ? said.ptr : "");
    ra_str_deinit(&said);
  } else {
    ra_str_add_json(&text, err->message);
  }
  ra_str_add(&text, ",\"plugin\":");
  ra_str_add_json(&text, plugin);
  ra_str_add_char(&text, '}');
  if (ra_str_take(&text, &out->body, NULL) < 0) out->type = NULL;
  out->headers[out->header_count++] = (ra_http_header){"Cache-Control", "no-store"};
  if (out->status == 503) out->headers[out->header_count++] = (ra_http_header){"Retry-After", "1"};
}
