// bind_sql.c - rastrum.sql: SQLite files for plugins. A file is the configured catalog or lies in the plugin's own data
// folder. Arguments are read twice: first where a mistake may raise while nothing is held, then into the operation.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "ops/op_sql.h"
#include "script/bind.h"

enum { PARAMS_MAX = 500, STATEMENTS_MAX = 10000 };

static void close_db(void *payload) {
  ra_sql **sql = payload;
  ra_sql_unref(*sql);
  *sql = NULL;
}

static int push_db(lua_State *L, ra_op *op) {
  ra_op_sql_open *open = ra_op_state(op);
  ra_sql **sql = ra_bind_new(L, sizeof(ra_sql *), "ra.sql", close_db);
  *sql = open->sql;
  open->sql = NULL;
  return 1;
}

static bool is_catalog(lua_State *L, const char *path) {
  const char *url = ra_bind_config(L, "catalog_url");
  return url && !strncmp(url, "sqlite:", 7) && !strcmp(url + 7, path);
}

// The file behind a plugin's word, malloc'd; NULL when it is not allowed.
static char *find_path(lua_State *L, const char *path) {
  const char *folder = ra_bind_data_dir(L);
  if (is_catalog(L, path)) return strdup(path);
  if (!folder || !ra_key_valid(path)) return NULL;
  size_t size = strlen(folder) + strlen(path) + 2;
  char *full = malloc(size);
  if (full) snprintf(full, size, "%s/%s", folder, path);
  return full;
}

// rastrum.sql.open(path, {readonly = true}) -> db
static int l_open(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  bool readonly = lua_istable(L, 2) && ra_bind_opt_boolean(L, 2, "readonly", false);
  ra_err err = {0};
  ra_op *op;
  char *full = find_path(L, path);
  if (!full) {
    ra_fail(&err, RA_E_DENIED, path,
            "a database is the configured catalog, or a file name for the plugin's data folder");
    return ra_bind_fail(L, &err);
  }
  if (ra_op_new(ra_bind_ops(L), &RA_OP_SQL_OPEN, &op, &err) < 0) {
    free(full);
    return ra_bind_fail(L, &err);
  }
  *(ra_op_sql_open *)ra_op_state(op) = (ra_op_sql_open){.path = full, .readonly = readonly};
  return ra_bind_op(L, op, push_db);
}

static void check_param(lua_State *L, int at) {
  int type = lua_type(L, at);
  if (type != LUA_TNIL && type != LUA_TBOOLEAN && type != LUA_TNUMBER && type != LUA_TSTRING)
    luaL_error(L, "a parameter is nil, a boolean, a number or a string, not a %s",
               luaL_typename(L, at));
}

// Numbers that are whole become integers, as SQLite would store them.
static bool read_param(lua_State *L, int at, ra_arena *arena, ra_sql_value *out) {
  switch (lua_type(L, at)) {
    case LUA_TBOOLEAN:
      *out = (ra_sql_value){.type = RA_SQL_INTEGER, .integer = lua_toboolean(L, at)};
      return true;
    case LUA_TNUMBER: {
      double number = lua_tonumber(L, at);
      bool whole = fabs(number) < 9007199254740992.0 && number == floor(number);
      *out = (ra_sql_value){.type = whole ? RA_SQL_INTEGER : RA_SQL_REAL,
                            .integer = whole ? (int64_t)number : 0,
                            .real = number};
      return true;
    }
    case LUA_TSTRING:
      out->type = RA_SQL_TEXT;
      const char *text = lua_tolstring(L, at, &out->size);
      out->text = ra_arena_strndup(arena, text, out->size);
      return out->text;
    default: *out = (ra_sql_value){0}; return true;
  }
}

static ra_op *new_op(lua_State *L, const ra_op_kind *kind, size_t count, ra_err *err) {
  ra_op *op;
  if (ra_op_new(ra_bind_ops(L), kind, &op, err) < 0) return NULL;
  ra_op_sql *state = ra_op_state(op);
  state->sql = ra_sql_ref(*(ra_sql **)ra_bind_check(L, 1, "ra.sql"));
  state->count = count;
  state->statements = ra_arena_calloc(&state->arena, count, sizeof *state->statements);
  state->affected = ra_arena_calloc(&state->arena, count, sizeof *state->affected);
  if (state->statements && state->affected) return op;
  ra_op_unref(op);
  ra_fail(err, RA_E_NOMEM, "", "out of memory for %zu statements", count);
  return NULL;
}

// The values at first..last of the stack.
static bool set_statement(lua_State *L, ra_op_sql *state, size_t i, const char *text, int first,
                          int count) {
  ra_sql_value *params = ra_arena_calloc(&state->arena, (size_t)count + 1, sizeof *params);
  bool ok = params;
  for (int k = 0; ok && k < count; k++) ok = read_param(L, first + k, &state->arena, &params[k]);
  const char *copy = ra_arena_strdup(&state->arena, text);
  state->statements[i] =
      (ra_sql_statement){.text = copy, .params = params, .param_count = (size_t)count, .expect = -1};
  return ok && copy;
}

static int fail_op(lua_State *L, ra_op *op, ra_err *err) {
  if (op) ra_fail(err, RA_E_NOMEM, "", "out of memory for a statement");
  ra_op_unref(op);
  return ra_bind_fail(L, err);
}

static void push_value(lua_State *L, const ra_sql_value *value) {
  switch (value->type) {
    case RA_SQL_NULL: lua_pushnil(L); break;
    case RA_SQL_INTEGER: lua_pushnumber(L, (lua_Number)value->integer); break;
    case RA_SQL_REAL: lua_pushnumber(L, value->real); break;
    default: lua_pushlstring(L, value->text, value->size);
  }
}

static int push_rows(lua_State *L, ra_op *op) {
  const ra_sql_rows *rows = &((ra_op_sql *)ra_op_state(op))->rows;
  lua_createtable(L, (int)rows->count, 0);
  for (size_t i = 0; i < rows->count; i++) {
    lua_createtable(L, 0, (int)rows->column_count);
    for (size_t k = 0; k < rows->column_count; k++) {
      push_value(L, &rows->rows[i][k]);
      lua_setfield(L, -2, rows->columns[k]);
    }
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

// db:query(sql, …) -> list of rows, each a table by column name
static int l_query(lua_State *L) {
  ra_bind_check(L, 1, "ra.sql");
  const char *text = luaL_checkstring(L, 2);
  int count = lua_gettop(L) - 2;
  if (count > PARAMS_MAX) luaL_error(L, "at most %d parameters", PARAMS_MAX);
  for (int i = 0; i < count; i++) check_param(L, 3 + i);
  ra_err err = {0};
  ra_op *op = new_op(L, &RA_OP_SQL_QUERY, 1, &err);
  if (!op || !set_statement(L, ra_op_state(op), 0, text, 3, count)) return fail_op(L, op, &err);
  return ra_bind_op(L, op, push_rows);
}

static int push_affected(lua_State *L, ra_op *op) {
  const ra_op_sql *state = ra_op_state(op);
  lua_createtable(L, (int)state->count, 0);
  for (size_t i = 0; i < state->count; i++) {
    lua_pushnumber(L, (lua_Number)state->affected[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

static int param_count(lua_State *L, int table) {
  ra_bind_field(L, table, "n");  // as table.pack's, where the last parameters may be nil
  int count = lua_isnumber(L, -1) ? (int)lua_tointeger(L, -1) : (int)lua_objlen(L, table) - 1;
  lua_pop(L, 1);
  return count;
}

static void check_statement(lua_State *L, int table) {
  if (!lua_istable(L, table)) luaL_error(L, "a transaction is a list of {sql, parameters…}");
  lua_rawgeti(L, table, 1);
  if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "a statement begins with its SQL");
  int count = param_count(L, table);
  if (count < 0 || count > PARAMS_MAX) luaL_error(L, "at most %d parameters", PARAMS_MAX);
  for (int i = 0; i < count; i++) {
    lua_rawgeti(L, table, i + 2);
    check_param(L, -1);
    lua_pop(L, 1);
  }
  ra_bind_opt_integer(L, table, "expect", -1);
  lua_pop(L, 1);
}

static bool read_statement(lua_State *L, int table, ra_op_sql *state, size_t i) {
  int count = param_count(L, table), first = lua_gettop(L) + 2;
  lua_rawgeti(L, table, 1);
  for (int k = 0; k < count; k++) lua_rawgeti(L, table, k + 2);
  bool ok = set_statement(L, state, i, lua_tostring(L, first - 1), first, count);
  state->statements[i].expect = ra_bind_opt_integer(L, table, "expect", -1);
  lua_settop(L, first - 2);
  return ok;
}

// db:transaction({{sql, …, expect = rows}, …}) -> list of changed rows; all or none
static int l_transaction(lua_State *L) {
  ra_bind_check(L, 1, "ra.sql");
  luaL_checktype(L, 2, LUA_TTABLE);
  luaL_checkstack(L, PARAMS_MAX + 10, "too many parameters");
  size_t count = lua_objlen(L, 2);
  if (count < 1 || count > STATEMENTS_MAX) luaL_error(L, "1 to %d statements", STATEMENTS_MAX);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 2, (int)i + 1);
    check_statement(L, lua_gettop(L));
    lua_pop(L, 1);
  }
  ra_err err = {0};
  ra_op *op = new_op(L, &RA_OP_SQL_TRANSACTION, count, &err);
  bool ok = op;
  for (size_t i = 0; ok && i < count; i++) {
    lua_rawgeti(L, 2, (int)i + 1);
    ok = read_statement(L, lua_gettop(L), ra_op_state(op), i);
    lua_pop(L, 1);
  }
  if (!ok) return fail_op(L, op, &err);
  return ra_bind_op(L, op, push_affected);
}

// db:stamp() -> a number that is another one after any commit of any process; nil where there is none
static int l_stamp(lua_State *L) {
  uint64_t stamp = ra_sql_stamp(*(ra_sql **)ra_bind_check(L, 1, "ra.sql"));
  if (!stamp) return 0;
  lua_pushnumber(L, (lua_Number)(stamp >> 11));  // what a number holds exactly
  return 1;
}

static const luaL_Reg METHODS[] = {
    {"query", l_query}, {"transaction", l_transaction}, {"stamp", l_stamp}, {NULL, NULL}};
static const luaL_Reg OPERATIONS[] = {
    {"open", l_open}, {"query", l_query}, {"transaction", l_transaction}, {NULL, NULL}};

static void setup(lua_State *L) { ra_bind_type(L, "ra.sql", METHODS); }

const ra_bind_module RA_BIND_SQL = {.name = "sql", .operations = OPERATIONS, .setup = setup};
