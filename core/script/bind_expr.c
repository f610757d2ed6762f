// bind_expr.c - rastrum.expression: arithmetic over variables, compiled once a request.
#include "script/bind_expr.h"

typedef struct handle {
  ra_expr *expr;
} handle;

static void close_expr(void *payload) {
  handle *h = payload;
  ra_expr_unref(h->expr);
  h->expr = NULL;
}

ra_expr *ra_bind_check_expr(lua_State *L, int arg) {
  return ((handle *)ra_bind_check(L, arg, "ra.expr"))->expr;
}

// rastrum.expression.parse(text) -> expression | nil, err. The handle ends with the task.
static int l_parse(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  handle *h = ra_bind_new(L, sizeof(handle), "ra.expr", close_expr);
  ra_err err = {0};
  return ra_expr_parse(text, size, &h->expr, &err) < 0 ? ra_bind_fail(L, &err) : 1;
}

// expression:names() -> {"t2m", …} in the order of tile's operands
static int l_names(lua_State *L) {
  const ra_expr *expr = ra_bind_check_expr(L, 1);
  lua_createtable(L, (int)ra_expr_name_count(expr), 0);
  for (unsigned i = 0; i < ra_expr_name_count(expr); i++) {
    lua_pushstring(L, ra_expr_name(expr, i));
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

// expression:results() -> how many planes it gives
static int l_results(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)ra_expr_result_count(ra_bind_check_expr(L, 1)));
  return 1;
}

static const luaL_Reg METHODS[] = {{"names", l_names}, {"results", l_results}, {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"parse", l_parse}, {NULL, NULL}};

static void setup(lua_State *L) { ra_bind_type(L, "ra.expr", METHODS); }

const ra_bind_module RA_BIND_EXPR = {.name = "expression", .functions = FUNCTIONS, .setup = setup};
