// bind_pick.c - rastrum.pick{…}: which steps of which datasets make up a series.
#include <stdlib.h>
#include <string.h>

#include "ops/op_pick.h"
#include "script/bind_dataset.h"

// -> {{i, first, count}, …}: i the dataset's place in the list, steps zero-based
static int push_picks(lua_State *L, ra_op *op) {
  const ra_op_pick *pick = ra_op_state(op);
  lua_createtable(L, (int)pick->pick_count, 0);
  for (size_t i = 0; i < pick->pick_count; i++) {
    const double numbers[3] = {pick->picks[i].source + 1.0, (double)pick->picks[i].first,
                               (double)pick->picks[i].count};
    lua_createtable(L, 3, 0);
    for (int k = 0; k < 3; k++) {
      lua_pushnumber(L, numbers[k]);
      lua_rawseti(L, -2, k + 1);
    }
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

// Raises where an entry is no {dataset, priority, published} with the variable.
static void check_sources(lua_State *L, const char *variable) {
  for (size_t i = 1; i <= lua_objlen(L, 2); i++) {
    lua_rawgeti(L, 2, (int)i);
    luaL_checktype(L, -1, LUA_TTABLE);
    for (int k = 1; k <= 3; k++) lua_rawgeti(L, -k, k);
    const ra_dataset *dataset = ra_bind_check_dataset(L, -3);
    luaL_checknumber(L, -2);
    luaL_checknumber(L, -1);
    if (!ra_dataset_find_variable(dataset, variable))
      luaL_error(L, "dataset '%s' has no variable '%s'", ra_dataset_id(dataset), variable);
    lua_settop(L, 3);
  }
}

static void read_source(lua_State *L, ra_op_pick *pick, const char *variable, int i) {
  lua_rawgeti(L, 2, i);
  for (int k = 1; k <= 3; k++) lua_rawgeti(L, -k, k);
  ra_dataset *dataset = ra_dataset_ref(ra_bind_check_dataset(L, -3));
  pick->datasets[pick->count] = dataset;
  pick->sources[pick->count++] =
      (ra_dataset_source){.variable = ra_dataset_find_variable(dataset, variable),
                          .priority = lua_tonumber(L, -2),
                          .published = lua_tonumber(L, -1)};
  lua_settop(L, 3);
}

// rastrum.pick(variable, {{dataset, priority, published}, …}, run) -> picks; run: a reference time, only whose steps count
static int l_pick(lua_State *L) {
  const char *variable = luaL_checkstring(L, 1), *run = luaL_optstring(L, 3, "");
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 3);
  check_sources(L, variable);
  ra_err err = {0};
  ra_op *op;
  if (ra_op_new(ra_bind_ops(L), &RA_OP_PICK, &op, &err) < 0) return ra_bind_fail(L, &err);
  ra_op_pick *pick = ra_op_state(op);
  size_t count = lua_objlen(L, 2);
  pick->datasets = calloc(count + 1, sizeof(ra_dataset *));
  pick->sources = calloc(count + 1, sizeof *pick->sources);
  pick->run = strdup(run);
  if (!pick->datasets || !pick->sources || !pick->run) {
    ra_op_unref(op);
    ra_fail(&err, RA_E_NOMEM, "", "out of memory for a series of %zu datasets", count);
    return ra_bind_fail(L, &err);
  }
  for (size_t i = 1; i <= count; i++) read_source(L, pick, variable, (int)i);
  return ra_bind_op(L, op, push_picks);
}

static const luaL_Reg OPERATIONS[] = {{"pick", l_pick}, {NULL, NULL}};
const ra_bind_module RA_BIND_PICK = {.name = "", .operations = OPERATIONS};
