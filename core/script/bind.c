// bind.c - the helpers of bind.h: operations, phases, errors, options.
#include "script/bind.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "script/guard.h"

ra_ops *ra_bind_ops(lua_State *L) { return ra__script(L)->config.ops; }

static void phase_names(unsigned phases, char *out, size_t size) {
  static const char *const names[] = {"load", "setup", "request", "job"};
  size_t len = 0;
  out[0] = 0;
  for (int i = 0; i < 4; i++) {
    if (!(phases & (1u << i)) || len >= size) continue;
    len += (size_t)snprintf(out + len, size - len, "%s%s", len ? " or " : "", names[i]);
  }
}

void ra_bind_phase(lua_State *L, unsigned phases, const char *what) {
  ra_task *task = ra__script(L)->running;
  if (!task || task->phase & phases) return;
  char allowed[64], now[16];
  phase_names(phases, allowed, sizeof allowed);
  phase_names(task->phase, now, sizeof now);
  luaL_error(L, "%s: may be called in phase %s, and this is phase %s", what, allowed, now);
}

const char *ra_bind_plugin(lua_State *L) {
  ra_task *task = ra__script(L)->running;
  return task ? task->plugin : "";
}

const char *ra_bind_data_dir(lua_State *L) {
  const char *dir = ra__script(L)->config.data_dir;
  return dir && *ra_bind_plugin(L) ? lua_pushfstring(L, "%s/%s", dir, ra_bind_plugin(L)) : NULL;
}

const char *ra_bind_config(lua_State *L, const char *key) {
  lua_getfield(L, LUA_REGISTRYINDEX, "ra.config");
  lua_getfield(L, -1, key);
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  lua_pop(L, 2);
  return text;
}

static int l_err_tostring(lua_State *L) {
  lua_getfield(L, 1, "where");
  lua_getfield(L, 1, "message");
  const char *where = lua_tostring(L, -2), *message = lua_tostring(L, -1);
  lua_pushfstring(L, "%s%s%s", where ? where : "", where && *where ? ": " : "",
                  message ? message : "?");
  return 1;
}

int ra_bind_fail(lua_State *L, const ra_err *err) {
  lua_pushnil(L);
  lua_createtable(L, 0, 4);
  lua_pushstring(L, ra_err_name(err->code));
  lua_setfield(L, -2, "code");
  lua_pushstring(L, err->message);
  lua_setfield(L, -2, "message");
  lua_pushstring(L, err->where);
  lua_setfield(L, -2, "where");
  lua_pushboolean(L, err->retry);
  lua_setfield(L, -2, "retry");
  if (luaL_newmetatable(L, "ra.err")) {
    lua_pushcfunction(L, l_err_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
  }
  lua_setmetatable(L, -2);
  return 2;
}

// ---- operations

typedef struct op_handle {
  ra_op *op;
  ra_bind_push push;
} op_handle;

static void close_op(void *payload) {
  op_handle *h = payload;
  ra_op_unref(h->op);
  h->op = NULL;
}

static void refuse_more(lua_State *L, ra_op *op) {
  const ra__plugin *plugin = ra__owner(ra__script(L));
  ra__hint hint;
  ra_op_unref(op);
  ra__guard_raise(
      L, RA_E_NOMEM,
      "plugin '%s' holds %u operations in one task that it has not started, the most "
      "that may; %s",
      plugin->name, plugin->limits.operations,
      ra__limit_hint(plugin, "lua_operations", "operations", plugin->own.operations != 0, &hint));
}

static int push_unstarted(lua_State *L, ra_op *op, ra_bind_push push) {
  ra_script *script = ra__script(L);
  ra_task *task = script->running;
  if (task && task->unstarted >= task->owner->limits.operations) refuse_more(L, op);
  script->running = NULL;  // no cap may raise here: the operation would be lost
  script->acting = task;
  op_handle *h = lua_checkstack(L, 4) ? ra_bind_new(L, sizeof *h, "ra.op", close_op) : NULL;
  script->acting = NULL;
  script->running = task;
  if (!h) return luaL_error(L, "no room for an operation");
  h->op = op;
  h->push = push;
  if (task) ra__handle_count(h, &task->unstarted);
  return 1;
}

bool ra__op_unused(lua_State *L, int arg) {
  op_handle *h = ra_bind_test(L, arg, "ra.op");
  return h && h->op && !ra_op_started(h->op);
}

bool ra__op_take(lua_State *L, int arg, ra_op **op, ra_bind_push *push) {
  if (!ra__op_unused(L, arg)) return false;
  op_handle *h = ra_bind_test(L, arg, "ra.op");
  *op = h->op;
  *push = h->push;
  h->op = NULL;
  return true;
}

static int refuse(lua_State *L, ra_op *op, const char *text) {
  lua_pushfstring(L, "%s: %s", ra_op_get_kind(op)->name, text);
  ra_op_unref(op);
  return lua_error(L);
}

int ra_bind_op(lua_State *L, ra_op *op, ra_bind_push push) {
  ra_task *task = ra__script(L)->running;
  if (lua_toboolean(L, lua_upvalueindex(1))) return push_unstarted(L, op, push);
  if (!task) return refuse(L, op, "called outside any task");
  if (!(task->phase & (RA_PHASE_REQUEST | RA_PHASE_JOB))) {
    return refuse(L, op,
                  task->phase == RA_PHASE_LOAD
                      ? "may wait in phase request or job, and this is phase load"
                      : "may wait in phase request or job, and this is phase setup");
  }
  if (task->co != L) return refuse(L, op, "call from the handler's own coroutine");
  if (!lua_isyieldable(L) || ra__in_callback(L))
    return refuse(L, op, "cannot wait inside a callback of table.sort or string.gsub");
  task->op = op;
  task->push = push;
  return lua_yield(L, 0);
}

void ra__bind_init(lua_State *L) {
  ra_bind_type(L, "ra.buf", RA__BUF_METHODS);
  ra_bind_type(L, "ra.op", NULL);
}

// ---- option tables

void ra_bind_field(lua_State *L, int table, const char *field) {
  if (table < 0) table += lua_gettop(L) + 1;
  lua_pushstring(L, field);
  lua_rawget(L, table);
}

static void option(lua_State *L, int table, const char *field, int type, const char *wanted) {
  ra_bind_field(L, table, field);
  if (lua_isnil(L, -1) || lua_type(L, -1) == type) return;
  luaL_error(L, "bad option '%s' (%s expected, got %s)", field, wanted, luaL_typename(L, -1));
}

double ra_bind_opt_number(lua_State *L, int table, const char *field, double fallback) {
  option(L, table, field, LUA_TNUMBER, "number");
  double value = lua_isnil(L, -1) ? fallback : lua_tonumber(L, -1);
  lua_pop(L, 1);
  return value;
}

lua_Integer ra_bind_opt_integer(lua_State *L, int table, const char *field, lua_Integer fallback) {
  double value = ra_bind_opt_number(L, table, field, (double)fallback);
  if (!(fabs(value) <= 9007199254740992.0) || value != floor(value)) {
    luaL_error(L, "bad option '%s' (integer expected)", field);
  }
  return (lua_Integer)value;
}

bool ra_bind_opt_boolean(lua_State *L, int table, const char *field, bool fallback) {
  option(L, table, field, LUA_TBOOLEAN, "boolean");
  bool value = lua_isnil(L, -1) ? fallback : lua_toboolean(L, -1);
  lua_pop(L, 1);
  return value;
}

const char *ra_bind_opt_string(lua_State *L, int table, const char *field, const char *fallback) {
  option(L, table, field, LUA_TSTRING, "string");
  const char *value = lua_isnil(L, -1) ? fallback : lua_tostring(L, -1);
  lua_pop(L, 1);
  return value;
}

// ---- errors as values of ra_err

typedef struct reading {
  const char *plugin;
  ra_err *err;
} reading;

static void copy_field(lua_State *L, const char *field, char *out, size_t size) {
  ra_bind_field(L, 1, field);
  if (lua_isstring(L, -1)) snprintf(out, size, "%s", lua_tostring(L, -1));
  lua_pop(L, 1);
}

// An error table raised as it is (`error(err)`) keeps its code and message.
static int read_error(lua_State *L) {
  reading *r = lua_touserdata(L, 2);
  if (!lua_istable(L, 1)) return 0;
  ra_bind_field(L, 1, "code");
  if (lua_isstring(L, -1)) r->err->code = ra_err_code(lua_tostring(L, -1));
  copy_field(L, "message", r->err->message, sizeof r->err->message);
  copy_field(L, "where", r->err->where, sizeof r->err->where);
  ra_bind_field(L, 1, "retry");
  r->err->retry = lua_toboolean(L, -1);
  return 0;
}

int ra__take_error(lua_State *L, const char *plugin, ra_err *err) {
  ra_script *script = ra__script(L);
  reading r = {.plugin = plugin, .err = err};
  if (lua_type(L, -1) == LUA_TSTRING) {
    ra_fail(err, strstr(lua_tostring(L, -1), "not enough memory") ? RA_E_NOMEM : RA_E_INTERNAL,
            plugin, "%s", lua_tostring(L, -1));
    lua_pop(L, 1);
    return err->code;
  }
  ra_fail(err, RA_E_INTERNAL, plugin, "an error that is no text (a %s)", luaL_typename(L, -1));
  lua_State *main = script->L;
  lua_pushcfunction(main, read_error);
  lua_xmove(L, main, 1);
  lua_pushlightuserdata(main, &r);
  if (lua_pcall(main, 2, 0, 0) != 0) lua_pop(main, 1);
  return err->code;
}
