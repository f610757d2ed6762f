// bind_shared.c - rastrum.shared: texts, numbers and booleans that outlive a reload and that all plugins of the process see.
#include <math.h>
#include <stdlib.h>

#include "cache/shared.h"
#include "script/guard.h"

static ra_shared *shared_of(lua_State *L) { return ra__script(L)->shared; }

static uint64_t check_ttl(lua_State *L, int arg) {
  double ms = luaL_optnumber(L, arg, 0);
  luaL_argcheck(L, lua_isnoneornil(L, arg) || (ms >= 1 && ms <= 1e12), arg,
                "milliseconds, 1 or more, expected");
  return (uint64_t)ms;
}

static int raise_shared(lua_State *L, const char *what, const ra_err *err) {
  if (err->code == RA_E_NOMEM)
    ra__guard_raise(L, err->code, "plugin '%s': %s: %s", ra_bind_plugin(L), what, err->message);
  return luaL_error(L, "%s: %s", what, err->message);
}

typedef struct text {  // so that a raise frees it
  const char *bytes;
} text;

static void close_text(void *payload) {
  text *t = payload;
  free((char *)t->bytes);
  t->bytes = NULL;
}

// shared.get(key) -> value or nil
static int l_get(lua_State *L) {
  size_t n;
  const char *key = luaL_checklstring(L, 1, &n);
  text *t = ra_bind_new(L, sizeof *t, "ra.shared_text", close_text);
  ra_shared_value value;
  ra_err err = {0};
  if (ra_shared_get(shared_of(L), key, n, &value, &err) < 0)
    return raise_shared(L, "shared.get", &err);
  t->bytes = value.text;
  switch (value.type) {
    case RA_SHARED_NUMBER: lua_pushnumber(L, value.number); break;
    case RA_SHARED_BOOLEAN: lua_pushboolean(L, value.number != 0); break;
    case RA_SHARED_TEXT: lua_pushlstring(L, value.text, value.size); break;
    case RA_SHARED_NONE: lua_pushnil(L); break;
  }
  ra_bind_close(L, t);
  return 1;
}

static ra_shared_value check_value(lua_State *L, int arg) {
  ra_shared_value value = {0};
  switch (lua_type(L, arg)) {
    case LUA_TNONE:
    case LUA_TNIL: break;
    case LUA_TBOOLEAN:
      value.type = RA_SHARED_BOOLEAN;
      value.number = lua_toboolean(L, arg);
      break;
    case LUA_TNUMBER:
      value.type = RA_SHARED_NUMBER;
      value.number = lua_tonumber(L, arg);
      break;
    case LUA_TSTRING:
      value.type = RA_SHARED_TEXT;
      value.text = lua_tolstring(L, arg, &value.size);
      break;
    default: luaL_argerror(L, arg, "a text, number or boolean expected");
  }
  return value;
}

// shared.set(key, value, ttl): nil deletes; ttl: milliseconds after which it is gone
static int l_set(lua_State *L) {
  size_t n;
  const char *key = luaL_checklstring(L, 1, &n);
  const ra_shared_value value = check_value(L, 2);
  uint64_t ttl = check_ttl(L, 3);
  ra_err err = {0};
  if (ra_shared_set(shared_of(L), key, n, &value, ttl, &err) < 0)
    return raise_shared(L, "shared.set", &err);
  return 0;
}

static int l_delete(lua_State *L) {
  size_t n;
  const char *key = luaL_checklstring(L, 1, &n);
  const ra_shared_value none = {0};
  ra_shared_set(shared_of(L), key, n, &none, 0, NULL);
  return 0;
}

// shared.incr(key, by, ttl) -> the new number; an absent one counts as 0 and gets the end
static int l_incr(lua_State *L) {
  size_t n;
  const char *key = luaL_checklstring(L, 1, &n);
  double by = luaL_optnumber(L, 2, 1), now = 0;
  uint64_t ttl = check_ttl(L, 3);
  ra_err err = {0};
  if (ra_shared_incr(shared_of(L), key, n, by, ttl, &now, &err) < 0)
    return raise_shared(L, "shared.incr", &err);
  lua_pushnumber(L, now);
  return 1;
}

static void setup(lua_State *L) { ra_bind_type(L, "ra.shared_text", NULL); }

static const luaL_Reg FUNCTIONS[] = {
    {"get", l_get}, {"set", l_set}, {"incr", l_incr}, {"delete", l_delete}, {NULL, NULL}};
const ra_bind_module RA_BIND_SHARED = {.name = "shared", .functions = FUNCTIONS, .setup = setup};
