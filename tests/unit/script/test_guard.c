// The guarded string functions: the same results and errors as LuaJIT's own, and where they stop.
#include "host_fixture.h"
#include "random.h"
#include "script/host.h"

// Leaves the real library and what the plugins have at the top.
static void push_libraries(lua_State *L) {
  lua_getglobal(L, "string");
  lua_pushstring(L, "");
  assert_true(luaL_getmetafield(L, -1, "__index"));
  lua_remove(L, -2);
}

static void test_the_same_as_luajits(void **state) {
  (void)state;
  fixture f;
  fixture_init(&f);
  fixture_load(&f, NULL);
  lua_State *L = f.script->L;
  uint32_t seed = (uint32_t)test_seed("guard");
  assert_int_equal(luaL_loadfile(L, RA_SOURCE_DIR "/tests/unit/script/guard_match.lua"), 0);
  push_libraries(L);
  lua_pushnumber(L, seed);
  if (lua_pcall(L, 3, 1, 0) != 0) fail_msg("%s", lua_tostring(L, -1));
  print_message("%d comparisons\n", (int)lua_tointeger(L, -1));
  assert_true(lua_tointeger(L, -1) > 50000);
  lua_pop(L, 1);
  fixture_deinit(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_same_as_luajits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
