// bind_json.c - rastrum.json: json_read.c reads, a small writer writes. Lists are tagged (rastrum.json.array), so that an empty
// one stays a list; null is rastrum.json.null; rastrum.json.raw splices text that is JSON already, as does a ra.buf.
#include <math.h>
#include <string.h>

#include "script/guard.h"
#include "script/json_read.h"

enum { DEPTH = 64, TEXT_MOST = 64 << 20 };

int ra_bind_push_json(lua_State *L, const char *text, size_t size, ra_err *err) {
  return ra__json_read(L, text, size, DEPTH, err);
}

// ---- writing

typedef struct writing {
  lua_State *L;
  ra_str *out;
  const ra__plugin *plugin;  // whose limits hold
  size_t most;               // bytes
  uint64_t steps;            // values that may still be written
  ra_err *err;
} writing;

static int write_value(writing *w, int depth);

// What one call may do has been done: a table that holds another many times is longer than it looks.
static int too_much(const writing *w) {
  const ra__plugin *plugin = w->plugin;
  bool steps = w->steps == 0;
  ra__hint hint;
  ra__limit_hint(plugin, steps ? "lua_steps" : "lua_output", steps ? "steps" : "output",
                 steps ? plugin->own.steps != 0 : plugin->own.output != 0, &hint);
  return ra_fail(w->err, RA_E_NOMEM, plugin->name,
                 "plugin '%s': a JSON text of more than %llu %s, which one call may not make; %s",
                 plugin->name, (unsigned long long)(steps ? plugin->limits.steps : w->most),
                 steps ? "values" : "bytes", hint.text);
}

static bool tagged(lua_State *L, const char *type) {
  if (!lua_getmetatable(L, -1)) return false;
  luaL_getmetatable(L, type);
  bool same = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same;
}

static int write_list(writing *w, size_t n, int depth) {
  lua_State *L = w->L;
  ra_str *out = w->out;
  ra_str_add_char(out, '[');
  for (size_t i = 1; i <= n; i++) {
    if (i > 1) ra_str_add_char(out, ',');
    lua_rawgeti(L, -1, (int)i);
    int rc = write_value(w, depth);
    lua_pop(L, 1);
    if (rc < 0) return rc;
  }
  ra_str_add_char(out, ']');
  return RA_OK;
}

static int write_object(writing *w, int depth) {
  lua_State *L = w->L;
  ra_str *out = w->out;
  bool first = true;
  ra_str_add_char(out, '{');
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    int type = lua_type(L, -2);
    if (type != LUA_TSTRING && type != LUA_TNUMBER) {
      lua_pop(L, 2);
      return ra_fail(w->err, RA_E_INVALID, "", "a JSON object cannot have a %s as key",
                     lua_typename(L, type));
    }
    if (!first) ra_str_add_char(out, ',');
    first = false;
    size_t size;
    lua_pushvalue(L, -2);  // a copy: lua_tolstring would turn a number key into text under lua_next
    const char *key = lua_tolstring(L, -1, &size);
    ra_str_add_json_bytes(out, key, size);
    lua_pop(L, 1);
    ra_str_add_char(out, ':');
    int rc = write_value(w, depth);
    if (rc < 0) {
      lua_pop(L, 2);
      return rc;
    }
  }
  ra_str_add_char(out, '}');
  return RA_OK;
}

static int write_table(writing *w, int depth) {
  lua_State *L = w->L;
  if (depth == 0 || !lua_checkstack(L, 8)) {
    return ra_fail(w->err, RA_E_INVALID, "",
                   "a table nested deeper than %d levels, or inside itself", DEPTH);
  }
  if (tagged(L, "ra.raw")) {
    lua_rawgeti(L, -1, 1);
    int rc = write_value(w, -1);
    lua_pop(L, 1);
    return rc;
  }
  size_t n = lua_objlen(L, -1);
  return n || tagged(L, "ra.array") ? write_list(w, n, depth - 1) : write_object(w, depth - 1);
}

static int write_userdata(writing *w) {
  lua_State *L = w->L;
  if (lua_touserdata(L, -1) == NULL) {
    ra_str_add(w->out, "null");
    return RA_OK;
  }
  if (!ra_bind_test(L, -1, "ra.buf")) {
    return ra_fail(w->err, RA_E_INVALID, "",
                   "a handle that is no open buffer cannot be written as JSON");
  }
  ra_buf *buf = ra_bind_check_buf(L, -1);
  if (ra_buf_size(buf) > w->most) return too_much(w);
  ra_str_add_bytes(w->out, ra_buf_data(buf), ra_buf_size(buf));
  return RA_OK;
}

// Lua has one kind of number; a whole one is an integer in JSON, for readers that tell them apart.
static void write_number(double value, ra_str *out) {
  if (value == floor(value) && fabs(value) < 9007199254740992.0) {
    ra_str_add_int(out, (int64_t)value);
  } else {
    ra_str_add_double(out, value);
  }
}

// The value at the top. depth -1: a text that is JSON already.
static int write_value(writing *w, int depth) {
  lua_State *L = w->L;
  ra_str *out = w->out;
  size_t size;
  const char *text;
  if (w->steps == 0 || out->len > w->most) return too_much(w);
  w->steps--;
  switch (lua_type(L, -1)) {
    case LUA_TSTRING:
      text = lua_tolstring(L, -1, &size);
      if (size > w->most || out->len > w->most - size) return too_much(w);
      if (depth < 0) {
        ra_str_add_bytes(out, text, size);
      } else {
        ra_str_add_json_bytes(out, text, size);
      }
      return RA_OK;
    case LUA_TNUMBER: write_number(lua_tonumber(L, -1), out); return RA_OK;
    case LUA_TBOOLEAN: ra_str_add(out, lua_toboolean(L, -1) ? "true" : "false"); return RA_OK;
    case LUA_TNIL: ra_str_add(out, "null"); return RA_OK;
    case LUA_TTABLE: return write_table(w, depth);
    case LUA_TUSERDATA:
    case LUA_TLIGHTUSERDATA: return write_userdata(w);
    default:
      return ra_fail(w->err, RA_E_INVALID, "", "a %s cannot be written as JSON",
                     luaL_typename(L, -1));
  }
}

static int write_json(lua_State *L, int index, const ra__plugin *plugin, size_t most, ra_str *out,
                      ra_err *err) {
  writing w = {.L = L,
               .out = out,
               .plugin = plugin,
               .most = out->len + most,
               .steps = plugin->limits.steps,
               .err = err};
  lua_pushvalue(L, index);
  int rc = write_value(&w, DEPTH);
  lua_pop(L, 1);
  if (rc == RA_OK && out->len > w.most) rc = too_much(&w);
  if (rc == RA_OK && out->failed) rc = ra_fail(err, RA_E_NOMEM, "", "no memory for a JSON text");
  return rc;
}

int ra__json_of_table(lua_State *L, int index, ra_str *out, ra_err *err) {
  static const ra__plugin nobody = {.name = "", .limits = {.steps = 1000000}};
  return write_json(L, index, &nobody, TEXT_MOST, out, err);
}

int ra__json_capped(lua_State *L, int index, size_t most, ra_str *out, ra_err *err) {
  return write_json(L, index, ra__owner(ra__script(L)), most, out, err);
}

int ra_bind_to_json(lua_State *L, int index, ra_str *out, ra_err *err) {
  int rc = write_json(L, index, ra__owner(ra__script(L)), TEXT_MOST, out, err);
  if (out->len > 1 << 14) ra__guard_spent(L);
  return rc;
}

// ---- Lua functions

typedef struct text {  // so that a raise while writing frees the text
  ra_str str;
} text;

static void close_text(void *payload) { ra_str_deinit(&((text *)payload)->str); }

// A limit's error keeps its code; anything else is the caller's mistake.
static int raise_json(lua_State *L, const char *what, const ra_err *err) {
  if (err->code == RA_E_NOMEM) ra__guard_raise(L, err->code, "%s", err->message);
  return luaL_error(L, "%s: %s", what, err->message);
}

// rastrum.json.encode(value) -> text. Raises for what JSON cannot say.
static int l_encode(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  text *t = ra_bind_new(L, sizeof *t, "ra.text", close_text);
  ra_err err = {0};
  if (write_json(L, 1, ra__owner(ra__script(L)), ra__guard_output(L), &t->str, &err) < 0)
    return raise_json(L, "json.encode", &err);
  lua_pushlstring(L, t->str.ptr ? t->str.ptr : "", t->str.len);
  close_text(t);
  return 1;
}

// rastrum.json.buffer(value) -> ra.buf with the text, for bodies that need not be Lua strings
static int l_buffer(lua_State *L) {
  luaL_checkany(L, 1);
  lua_settop(L, 1);
  text *t = ra_bind_new(L, sizeof *t, "ra.text", close_text);
  ra_err err = {0};
  ra_buf *buf;
  if (ra_bind_to_json(L, 1, &t->str, &err) < 0) return raise_json(L, "json.buffer", &err);
  if (ra_str_take(&t->str, &buf, &err) < 0) return ra_bind_fail(L, &err);
  ra_bind_push_buf(L, buf);
  return 1;
}

static int too_long(lua_State *L, size_t size, ra_err *err) {
  const ra__plugin *plugin = ra__owner(ra__script(L));
  ra__hint hint;
  return ra_fail(
      err, RA_E_TOOBIG, plugin->name,
      "plugin '%s': a JSON text of %zu bytes; the most is %zu, a quarter of what one call "
      "may make; %s",
      plugin->name, size, plugin->limits.output / 4,
      ra__limit_hint(plugin, "lua_output", "output", plugin->own.output != 0, &hint));
}

// rastrum.json.decode(text or ra.buf, depth) -> value | nil, err
static int l_decode(lua_State *L) {
  size_t size;
  const char *bytes = ra_bind_check_bytes(L, 1, &size);
  lua_Integer depth = luaL_optinteger(L, 2, DEPTH);
  ra_err err = {0};
  luaL_argcheck(L, depth >= 1 && depth <= DEPTH, 2, "1 to 64 expected");
  int rc = size > ra__guard_output(L) / 4 ? too_long(L, size, &err)
                                          : ra__json_read(L, bytes, size, (int)depth, &err);
  if (size > 1 << 14) ra__guard_spent(L);
  return rc < 0 ? ra_bind_fail(L, &err) : 1;
}

static int l_array(lua_State *L) {
  if (lua_gettop(L) == 0) lua_newtable(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  if (tagged(L, "ra.array")) return 1;
  if (lua_getmetatable(L, 1)) return luaL_error(L, "json.array: the table has a metatable already");
  luaL_getmetatable(L, "ra.array");
  lua_setmetatable(L, 1);
  return 1;
}

static int l_is_array(lua_State *L) {
  lua_settop(L, 1);
  lua_pushboolean(L, lua_istable(L, 1) && (tagged(L, "ra.array") || lua_objlen(L, 1) > 0));
  return 1;
}

static int l_raw(lua_State *L) {
  size_t size;
  ra_bind_check_bytes(L, 1, &size);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  luaL_getmetatable(L, "ra.raw");
  lua_setmetatable(L, -2);
  return 1;
}

static const luaL_Reg FUNCTIONS[] = {
    {"encode", l_encode}, {"buffer", l_buffer},     {"decode", l_decode}, {"array", l_array},
    {"raw", l_raw},       {"is_array", l_is_array}, {NULL, NULL}};

static void tag_type(lua_State *L, const char *name) {
  luaL_newmetatable(L, name);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 1);
}

static void setup(lua_State *L) {
  tag_type(L, "ra.array");
  tag_type(L, "ra.raw");
  ra_bind_type(L, "ra.text", NULL);
}

const ra_bind_module RA_BIND_JSON = {.name = "json", .functions = FUNCTIONS, .setup = setup};
