// bind_crs.c - host.northing_first: what the library asks about coordinate reference systems.
#include "geo/crs.h"
#include "script/bind.h"
#include "script/host.h"

// host.northing_first(definition) -> boolean: its own first axis is a northing or a latitude | nil, err
static int l_northing_first(lua_State *L) {
  bool first;
  ra_err err = {0};
  if (ra_crs_northing_first(luaL_checkstring(L, 1), &first, &err) < 0) return ra_bind_fail(L, &err);
  lua_pushboolean(L, first);
  return 1;
}

const luaL_Reg RA__HOST_CRS[] = {{"northing_first", l_northing_first}, {NULL, NULL}};
