// Any bytes as the query string of a route that has a parameter of every kind: what lua/rastrum/schema.lua makes of it is a
// table of values that the declarations allow, or an error with words; never a failure of its own.
#include <lauxlib.h>
#include <lualib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char PROGRAM[] =
    "local specs = {\n"
    "  { name = 'text', type = 'string', max_length = 64 }, { name = 'word', type = 'string', "
    "pattern = '^[a-z_-]+$' },\n"
    "  { name = 'count', type = 'integer', min = -5, max = 1024 }, { name = 'number', type = "
    "'number', min = -360, max = 720 },\n"
    "  { name = 'yes', type = 'boolean', default = true }, { name = 'one', type = 'string', enum = "
    "{ 'a', 'b' } },\n"
    "  { name = 'list', type = 'list', items = 'number', min = 0, min_items = 2, max_items = 4 },\n"
    "  { name = 'band', type = 'integer', min = 1, max = 256, repeatable = true } }\n"
    "local read = require('rastrum.schema').compile(specs, { 'z' }, 'fuzz')\n"
    "local function within(value, least, most) return type(value) == 'number' and value >= least "
    "and value <= most end\n"
    "local checks = {\n"
    "  text = function(v) return type(v) == 'string' and #v <= 64 end,\n"
    "  word = function(v) return type(v) == 'string' and v:find('^[a-z_-]+$') end,\n"
    "  count = function(v) return within(v, -5, 1024) and v % 1 == 0 end,\n"
    "  number = function(v) return within(v, -360, 720) end,\n"
    "  yes = function(v) return type(v) == 'boolean' end,\n"
    "  one = function(v) return v == 'a' or v == 'b' end,\n"
    "  list = function(v)\n"
    "    for _, each in ipairs(v) do if not within(each, 0, 1 / 0) then return false end end\n"
    "    return #v >= 2 and #v <= 4\n"
    "  end,\n"
    "  band = function(v)\n"
    "    for _, each in ipairs(v) do if not within(each, 1, 256) or each % 1 ~= 0 then return "
    "false end end\n"
    "    return #v >= 1\n"
    "  end,\n"
    "  z = function(v) return v == '3' end }\n"
    "return function(query)\n"
    "  local params, err = read({ z = '3' }, query)\n"
    "  if not params then\n"
    "    assert(err.code == 'invalid' and type(err.message) == 'string' and type(err.where) == "
    "'string', 'no words')\n"
    "    return\n"
    "  end\n"
    "  assert(params.yes ~= nil, 'a default is missing')\n"
    "  for name, value in pairs(params) do assert(checks[name](value), name) end\n"
    "end\n";

static lua_State *start(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_pushstring(L, RA_SOURCE_DIR "/lua/?.lua");
  lua_setfield(L, -2, "path");
  lua_settop(L, 0);
  if (luaL_loadstring(L, PROGRAM) || lua_pcall(L, 0, 1, 0)) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
  }
  return L;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static lua_State *L;
  if (!L) L = start();
  lua_pushvalue(L, 1);
  lua_pushlstring(L, (const char *)data, size);
  if (lua_pcall(L, 1, 0, 0)) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
  }
  return 0;
}
