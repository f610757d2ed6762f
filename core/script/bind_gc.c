// bind_gc.c - rastrum.versions: what versions the store holds, and removing one. Only jobs
// remove: no request can.
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

// rastrum.versions.list() -> {{collection=, dataset=, version=, objects=, bytes=, mtime=}, …} | nil, err
static int l_list(lua_State *L) {
  ra_err err = {0};
  ra_op *op;
  if (ra_op_new(ra_bind_ops(L), &RA_OP_VERSIONS, &op, &err) < 0) return ra_bind_fail(L, &err);
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

static const luaL_Reg OPERATIONS[] = {{"list", l_list}, {"remove", l_remove}, {NULL, NULL}};
const ra_bind_module RA_BIND_VERSIONS = {.name = "versions", .operations = OPERATIONS};
