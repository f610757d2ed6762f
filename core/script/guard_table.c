// guard_table.c - what plugins' table.concat and the errors of the library's own loops need. See guard.h.
#include "script/guard.h"

#define CONCAT "table.concat"

static void add_element(lua_State *L, ra__text *t, int i) {
  lua_rawgeti(L, 1, i);
  int type = lua_type(L, -1);
  if (type != LUA_TSTRING && type != LUA_TNUMBER) {
    luaL_error(L, "invalid value (%s) at index %d in table for 'concat'", lua_typename(L, type), i);
  }
  size_t n;
  const char *text = lua_tolstring(L, -1, &n);
  ra__text_add(t, text, n);
  lua_pop(L, 1);
}

// table.concat(list, separator, first, last)
static int l_concat(lua_State *L) {
  size_t gap = 0;
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *separator = lua_isnoneornil(L, 2) ? "" : luaL_checklstring(L, 2, &gap);
  int i = ra__guard_opt_int(L, 3, 1);
  int last = lua_isnoneornil(L, 4) ? (int)lua_objlen(L, 1) : ra__guard_int(L, 4);
  ra__text t;
  ra__text_init(&t, L, CONCAT);
  for (bool more = i <= last; more; i++) {
    add_element(L, &t, i);
    more = i < last;
    if (more) ra__text_add(&t, separator, gap);
  }
  ra__text_push(&t);
  return 1;
}

// host.too_big(what, bytes): raises
static int l_too_big(lua_State *L) {
  ra__guard_too_big(L, luaL_checkstring(L, 1), luaL_checknumber(L, 2));
}

// host.output() -> bytes that one call may make
static int l_output(lua_State *L) {
  lua_pushnumber(L, (lua_Number)ra__guard_output(L));
  return 1;
}

const luaL_Reg RA__HOST_TABLE[] = {
    {"concat", l_concat}, {"too_big", l_too_big}, {"output", l_output}, {NULL, NULL}};
