// bind_fetch.c - rastrum.fetch: an HTTP request to somewhere else.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/op_fetch.h"
#include "script/bind.h"

enum { HEADERS_MOST = 64, BODY_MOST = 16 << 20, TIMEOUT_MOST = 600000, REDIRECTS_MOST = 10 };

typedef struct arguments {
  const char *url, *method, *body;
  size_t body_size;
  lua_Integer timeout, most, redirects;
  int headers;  // stack index of the table; 0: none
} arguments;

static void check_headers(lua_State *L, int index) {
  int count = 0;
  luaL_checktype(L, index, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, index)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "bad option 'headers' ({name = \"value\"} expected)");
    if (++count > HEADERS_MOST) luaL_error(L, "bad option 'headers' (at most %d)", HEADERS_MOST);
    lua_pop(L, 1);
  }
}

static lua_Integer within(lua_State *L, const char *name, lua_Integer fallback, lua_Integer least,
                          lua_Integer most) {
  lua_Integer value = ra_bind_opt_integer(L, 2, name, fallback);
  if (value < least || value > most)
    luaL_error(L, "bad option '%s' (%d to %d expected)", name, (int)least, (int)most);
  return value;
}

// All that may raise, while nothing is held.
static arguments check_arguments(lua_State *L) {
  arguments a = {.url = luaL_checkstring(L, 1), .method = "GET", .timeout = 10000, .most = 1 << 20};
  if (lua_isnoneornil(L, 2)) return a;
  luaL_checktype(L, 2, LUA_TTABLE);
  a.timeout = within(L, "timeout", a.timeout, 1, TIMEOUT_MOST);
  a.most = within(L, "most", a.most, 0, BODY_MOST);
  a.redirects = within(L, "redirects", 0, 0, REDIRECTS_MOST);
  ra_bind_field(L, 2, "headers");
  if (!lua_isnil(L, -1)) check_headers(L, a.headers = lua_gettop(L));
  ra_bind_field(L, 2, "body");
  if (!lua_isnil(L, -1)) a.body = ra_bind_check_bytes(L, lua_gettop(L), &a.body_size);
  if (a.body_size > BODY_MOST) luaL_error(L, "bad option 'body' (at most %d bytes)", BODY_MOST);
  a.method = ra_bind_opt_string(L, 2, "method", a.body ? "POST" : "GET");
  return a;
}

static char *header_line(const char *name, const char *value) {
  size_t size = strlen(name) + strlen(value) + sizeof ": ";
  char *line = malloc(size);
  if (line) snprintf(line, size, "%s: %s", name, value);
  return line;
}

static bool copy_headers(lua_State *L, int index, ra_op_fetch *f) {
  f->headers = calloc(HEADERS_MOST + 1, sizeof *f->headers);
  if (!f->headers) return false;
  size_t n = 0;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    f->headers[n] = header_line(lua_tostring(L, -2), lua_tostring(L, -1));
    lua_pop(L, 1);
    if (!f->headers[n++]) {
      lua_pop(L, 1);
      return false;
    }
  }
  return true;
}

static bool copy(lua_State *L, const arguments *a, ra_op_fetch *f) {
  f->method = strdup(a->method);
  f->url = strdup(a->url);
  f->timeout_ms = (uint64_t)a->timeout;
  f->most = (size_t)a->most;
  f->redirects = (unsigned)a->redirects;
  if (!f->method || !f->url) return false;
  if (a->body) {
    f->body = malloc(a->body_size + 1);
    if (!f->body) return false;
    memcpy(f->body, a->body, a->body_size);
    f->size = a->body_size;
  }
  return !a->headers || copy_headers(L, a->headers, f);
}

// "name: value" lines as a table; of a name that comes twice the values joined, as HTTP has it.
static void push_headers(lua_State *L, const ra_str *lines) {
  lua_newtable(L);
  for (const char *at = lines->ptr, *end; at && (end = strchr(at, '\n')); at = end + 1) {
    const char *colon = memchr(at, ':', (size_t)(end - at));
    if (!colon) continue;
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    lua_pushlstring(L, at, (size_t)(colon - at));
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    bool again = lua_isstring(L, -1);
    if (again) lua_pushliteral(L, ", ");
    lua_pushlstring(L, value, value < end ? (size_t)(end - value) : 0);
    if (again) {
      lua_concat(L, 3);
    } else {
      lua_remove(L, -2);
    }
    lua_rawset(L, -3);
  }
}

static int push_answer(lua_State *L, ra_op *op) {
  ra_op_fetch *f = ra_op_state(op);
  lua_createtable(L, 0, 3);
  lua_pushinteger(L, f->answer.status);
  lua_setfield(L, -2, "status");
  push_headers(L, &f->answer.headers);
  lua_setfield(L, -2, "headers");
  lua_pushlstring(L, f->answer.body.ptr ? f->answer.body.ptr : "", f->answer.body.len);
  lua_setfield(L, -2, "body");
  return 1;
}

// rastrum.fetch(url, options) -> {status =, headers =, body =} | nil, err
static int l_fetch(lua_State *L) {
  arguments a = check_arguments(L);
  ra_op *op;
  ra_err err = {0};
  if (ra_op_new(ra_bind_ops(L), &RA_OP_FETCH, &op, &err) < 0) return ra_bind_fail(L, &err);
  if (copy(L, &a, ra_op_state(op))) return ra_bind_op(L, op, push_answer);
  ra_op_unref(op);
  ra_fail(&err, RA_E_NOMEM, "", "no memory for an HTTP request");
  return ra_bind_fail(L, &err);
}

static const luaL_Reg OPERATIONS[] = {{"fetch", l_fetch}, {NULL, NULL}};

const ra_bind_module RA_BIND_FETCH = {.name = "", .operations = OPERATIONS};
