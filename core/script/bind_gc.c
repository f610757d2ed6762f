// bind_gc.c - rastrum.versions: what versions the store holds, removing one, sweeping up what processes that died left.
// Only jobs remove: no request can.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "ops/op_gc.h"
#include "script/bind.h"

static int push_versions(lua_State *L, ra_op *op) {
  const ra_op_versions *versions = ra_op_state(op);
  ra_err err;
  if (ra_bind_push_json(L, versions->json.ptr, versions->json.len, &err) < 0)
    return ra_bind_fail(L, &err);
  return 1;
}

// rastrum.versions.list("collection/dataset" or nil) -> {{collection=, dataset=, version=, objects=, bytes=, mtime=, finished=}, …} | nil, err
static int l_list(lua_State *L) {
  size_t size;
  const char *prefix = luaL_optlstring(L, 1, "", &size);
  luaL_argcheck(L, size < sizeof((ra_op_versions *)0)->prefix, 1, "too long");
  ra_err err = {0};
  ra_op *op;
  if (ra_op_new(ra_bind_ops(L), &RA_OP_VERSIONS, &op, &err) < 0) return ra_bind_fail(L, &err);
  memcpy(((ra_op_versions *)ra_op_state(op))->prefix, prefix, size + 1);
  return ra_bind_op(L, op, push_versions);
}

static int push_true(lua_State *L, ra_op *op) {
  (void)op;
  lua_pushboolean(L, 1);
  return 1;
}

// rastrum.versions.remove(collection, dataset, version) -> true | nil, err
static int l_remove(lua_State *L) {
  const char *parts[3];
  for (int i = 0; i < 3; i++) {
    parts[i] = luaL_checkstring(L, i + 1);
    if (!ra_id_valid(parts[i])) luaL_error(L, "bad argument #%d (an id expected)", i + 1);
  }
  ra_bind_phase(L, RA_PHASE_JOB, "versions.remove");
  ra_err err = {0};
  ra_op *op;
  if (ra_op_new(ra_bind_ops(L), &RA_OP_REMOVE, &op, &err) < 0) return ra_bind_fail(L, &err);
  ra_op_remove *gone = ra_op_state(op);
  snprintf(gone->prefix, sizeof gone->prefix, "%s/%s/%s", parts[0], parts[1], parts[2]);
  return ra_bind_op(L, op, push_true);
}

static int push_swept(lua_State *L, ra_op *op) {
  const ra_op_sweep *sweep = ra_op_state(op);
  lua_createtable(L, 0, 2);
  lua_pushnumber(L, (lua_Number)sweep->swept.files);
  lua_setfield(L, -2, "files");
  lua_pushnumber(L, (lua_Number)sweep->swept.bytes);
  lua_setfield(L, -2, "bytes");
  return 1;
}

static bool copy_kept(lua_State *L, size_t count, ra_op_sweep *sweep) {
  sweep->kept = calloc(count + 1, sizeof *sweep->kept);
  bool ok = sweep->kept;
  for (size_t i = 0; ok && i < count; i++) {
    lua_rawgeti(L, 2, (int)i + 1);
    ok = (sweep->kept[i] = strdup(lua_tostring(L, -1)));
    lua_pop(L, 1);
  }
  return ok;
}

// rastrum.versions.sweep(before_ms, {"collection/dataset", …}) -> {files=, bytes=} | nil, err
static int l_sweep(lua_State *L) {
  double before = luaL_checknumber(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t count = lua_objlen(L, 2);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 2, (int)i + 1);
    if (lua_type(L, -1) != LUA_TSTRING)
      luaL_error(L, "bad argument #2 (a list of folders expected)");
    lua_pop(L, 1);
  }
  luaL_argcheck(L, fabs(before) < 9e15, 1, "milliseconds expected");
  ra_bind_phase(L, RA_PHASE_JOB, "versions.sweep");
  ra_err err = {0};
  ra_op *op;
  if (ra_op_new(ra_bind_ops(L), &RA_OP_SWEEP, &op, &err) < 0) return ra_bind_fail(L, &err);
  ra_op_sweep *sweep = ra_op_state(op);
  sweep->before_ms = (int64_t)before;
  if (copy_kept(L, count, sweep)) return ra_bind_op(L, op, push_swept);
  ra_op_unref(op);
  ra_fail(&err, RA_E_NOMEM, "", "out of memory for a list of folders");
  return ra_bind_fail(L, &err);
}

static const luaL_Reg OPERATIONS[] = {
    {"list", l_list}, {"remove", l_remove}, {"sweep", l_sweep}, {NULL, NULL}};
const ra_bind_module RA_BIND_VERSIONS = {.name = "versions", .operations = OPERATIONS};
