// bind_segment.c - rastrum.segment.write: joins the steps of several datasets into one store. Only jobs write. Members are
// read twice: first where a mistake may raise while nothing is held, then into the operation.
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/path.h"
#include "ingest/segment.h"
#include "script/bind_dataset.h"

enum { MEMBERS_MAX = 1 << 20 };

typedef struct work {
  ra_arena arena;
  ra_segment_options options;
  ra_segment_member *members;  // a reference of each one's store
  size_t count;
  ra_segment_result result;
} work;

static int segment_run(ra_op *op, void *state, ra_err *err) {
  work *w = state;
  ra_store *store = ra_op_ops(op)->store;
  if (!store) return ra_fail(err, RA_E_NOTFOUND, "", "this process has no store");
  return ra_segment_write(store, &w->options, w->members, w->count, ra_op_cancel_flag(op),
                          &w->result, err);
}

static void segment_deinit(void *state) {
  work *w = state;
  for (size_t i = 0; i < w->count; i++) ra_dataset_unref(w->members[i].store);
  ra_segment_result_deinit(&w->result);
  ra_arena_deinit(&w->arena);
}

static const ra_op_kind SEGMENT = {.name = "segment.write",
                                   .state_size = sizeof(work),
                                   .lane = RA_OP_IO,
                                   .run = segment_run,
                                   .deinit = segment_deinit};

static void push_text(lua_State *L, const char *name, const ra_str *text) {
  lua_pushlstring(L, text->ptr ? text->ptr : "", text->len);
  lua_setfield(L, -2, name);
}

static int push_segment(lua_State *L, ra_op *op) {
  const ra_segment_result *result = &((work *)ra_op_state(op))->result;
  lua_createtable(L, 0, 4);
  push_text(L, "body", &result->body);
  push_text(L, "members", &result->members);
  lua_pushnumber(L, (lua_Number)result->bytes);
  lua_setfield(L, -2, "bytes");
  lua_pushnumber(L, (lua_Number)result->objects);
  lua_setfield(L, -2, "objects");
  return 1;
}

// ---- arguments

static const char *check_id(lua_State *L, int table, const char *name) {
  const char *text = ra_bind_opt_string(L, table, name, "");
  if (!ra_id_valid(text)) luaL_error(L, "bad option '%s' (an id expected)", name);
  return text;
}

static void check_steps(lua_State *L, int member, const char *name, size_t axes) {
  ra_bind_field(L, member, name);
  if (!lua_istable(L, -1) || lua_objlen(L, -1) != axes)
    luaL_error(L, "bad option '%s' (a number for each of %d axes expected)", name, (int)axes);
  for (size_t k = 1; k <= axes; k++) {
    lua_rawgeti(L, -1, (int)k);
    double value = luaL_checknumber(L, -1);
    if (!(value >= 0 && value < 9e15))
      luaL_error(L, "bad option '%s' (a step is out of range)", name);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

// The member at the top of the stack; its store, borrowed.
static ra_dataset *check_member(lua_State *L) {
  int member = lua_gettop(L);
  luaL_checktype(L, member, LUA_TTABLE);
  ra_bind_field(L, member, "store");
  ra_dataset *store = ra_bind_check_dataset(L, -1);
  check_id(L, member, "dataset");
  check_id(L, member, "version");
  check_steps(L, member, "first", ra_dataset_axis_count(store));
  check_steps(L, member, "count", ra_dataset_axis_count(store));
  lua_settop(L, member);
  return store;
}

// Leaves the list of members at 2.
static size_t check_arguments(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  ra_bind_phase(L, RA_PHASE_JOB, "segment.write");
  check_id(L, 1, "collection");
  check_id(L, 1, "version");
  ra_bind_opt_string(L, 1, "created", "");
  ra_bind_opt_number(L, 1, "memory", 0);
  ra_bind_opt_integer(L, 1, "jobs", 0);
  ra_bind_field(L, 1, "members");
  luaL_checktype(L, 2, LUA_TTABLE);
  size_t count = lua_objlen(L, 2);
  if (count < 1 || count > MEMBERS_MAX) luaL_error(L, "1 to %d members", MEMBERS_MAX);
  for (size_t i = 1; i <= count; i++) {
    lua_rawgeti(L, 2, (int)i);
    check_member(L);
    lua_pop(L, 1);
  }
  return count;
}

// ---- filling; nothing here raises

static const char *copy_field(lua_State *L, ra_arena *arena, int table, const char *name) {
  return ra_arena_strdup(arena, ra_bind_opt_string(L, table, name, ""));
}

static const size_t *copy_steps(lua_State *L, ra_arena *arena, int member, const char *name) {
  ra_bind_field(L, member, name);
  size_t axes = lua_objlen(L, -1), *out = ra_arena_calloc(arena, axes + 1, sizeof *out);
  for (size_t k = 0; out && k < axes; k++) {
    lua_rawgeti(L, -1, (int)k + 1);
    out[k] = (size_t)lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return out;
}

static bool fill_members(lua_State *L, work *w, size_t count) {
  w->members = ra_arena_calloc(&w->arena, count, sizeof *w->members);
  bool ok = w->members;
  for (size_t i = 0; ok && i < count; i++) {
    lua_rawgeti(L, 2, (int)i + 1);
    int table = lua_gettop(L);
    ra_bind_field(L, table, "store");
    ra_segment_member *member = &w->members[w->count++];
    *member = (ra_segment_member){.store = ra_dataset_ref(ra_bind_check_dataset(L, -1)),
                                  .dataset = copy_field(L, &w->arena, table, "dataset"),
                                  .version = copy_field(L, &w->arena, table, "version"),
                                  .first = copy_steps(L, &w->arena, table, "first"),
                                  .count = copy_steps(L, &w->arena, table, "count")};
    ok = member->dataset && member->version && member->first && member->count;
    lua_settop(L, 2);
  }
  return ok;
}

static bool fill(lua_State *L, work *w, size_t count) {
  ra_arena_init(&w->arena, 0);
  w->options = (ra_segment_options){.collection = copy_field(L, &w->arena, 1, "collection"),
                                    .version = copy_field(L, &w->arena, 1, "version"),
                                    .created = copy_field(L, &w->arena, 1, "created"),
                                    .memory = (size_t)ra_bind_opt_number(L, 1, "memory", 0),
                                    .jobs = (unsigned)ra_bind_opt_integer(L, 1, "jobs", 0)};
  return w->options.collection && w->options.version && w->options.created &&
         fill_members(L, w, count);
}

// rastrum.segment.write{collection=, version=, created=, memory=, jobs=, members={{store=, dataset=, version=,
// first={…}, count={…}}, …}} -> {body=, members=, bytes=, objects=} | nil, err
static int l_write(lua_State *L) {
  size_t count = check_arguments(L);
  ra_err err = {0};
  ra_op *op;
  if (ra_op_new(ra_bind_ops(L), &SEGMENT, &op, &err) < 0) return ra_bind_fail(L, &err);
  if (!fill(L, ra_op_state(op), count)) {
    ra_op_unref(op);
    ra_fail(&err, RA_E_NOMEM, "", "out of memory for the members of a segment");
    return ra_bind_fail(L, &err);
  }
  return ra_bind_op(L, op, push_segment);
}

static const luaL_Reg OPERATIONS[] = {{"write", l_write}, {NULL, NULL}};
const ra_bind_module RA_BIND_SEGMENT = {.name = "segment", .operations = OPERATIONS};
