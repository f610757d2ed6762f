// bind_process.c - rastrum.process: who this process is, and whether another one still lives. For leases.
#include "base/process.h"
#include "script/bind.h"

// rastrum.process.id() -> text
static int l_id(lua_State *L) {
  char id[RA_PROCESS_ID];
  ra_process_id(id);
  lua_pushstring(L, id);
  return 1;
}

// rastrum.process.look(id) -> "alive", "dead" or "unknown"
static int l_look(lua_State *L) {
  static const char *const names[] = {
      [RA_PROCESS_ALIVE] = "alive", [RA_PROCESS_DEAD] = "dead", [RA_PROCESS_UNKNOWN] = "unknown"};
  lua_pushstring(L, names[ra_process_look(luaL_checkstring(L, 1))]);
  return 1;
}

static const luaL_Reg FUNCTIONS[] = {{"id", l_id}, {"look", l_look}, {NULL, NULL}};
const ra_bind_module RA_BIND_PROCESS = {.name = "process", .functions = FUNCTIONS};
