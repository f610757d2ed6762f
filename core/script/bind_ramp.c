// bind_ramp.c - rastrum.ramp: colour ramps from their JSON, their digest, table and picture.
#include "script/bind_ramp.h"

#include <stdio.h>

#include "render/legend.h"

typedef struct handle {
  ra_ramp *ramp;
} handle;

static void close_ramp(void *payload) {
  handle *h = payload;
  ra_ramp_unref(h->ramp);
  h->ramp = NULL;
}

ra_ramp *ra_bind_check_ramp(lua_State *L, int arg) {
  return ((handle *)ra_bind_check(L, arg, "ra.ramp"))->ramp;
}

static void push_ramp(lua_State *L, ra_ramp *ramp) {
  ((handle *)ra_bind_new(L, sizeof(handle), "ra.ramp", close_ramp))->ramp = ramp;
}

// rastrum.ramp.parse(json) -> ramp | nil, err. The handle ends with the task unless it is kept.
static int l_parse(lua_State *L) {
  size_t size;
  const char *json = luaL_checklstring(L, 1, &size);
  handle *h = ra_bind_new(L, sizeof(handle), "ra.ramp", close_ramp);
  ra_err err = {0};
  return ra_ramp_parse(json, size, &h->ramp, &err) < 0 ? ra_bind_fail(L, &err) : 1;
}

// ramp:reversed() -> ramp | nil, err (linear ramps only)
static int l_reversed(lua_State *L) {
  ra_ramp *ramp = ra_bind_check_ramp(L, 1), *out;
  ra_err err = {0};
  if (ra_ramp_reversed(ramp, &out, &err) < 0) return ra_bind_fail(L, &err);
  push_ramp(L, out);
  return 1;
}

static int l_digest(lua_State *L) {
  lua_pushstring(L, ra_ramp_digest(ra_bind_check_ramp(L, 1)));
  return 1;
}

static int l_kind(lua_State *L) {
  static const char *const names[] = {"linear", "categories", "intervals"};
  lua_pushstring(L, names[ra_ramp_get_kind(ra_bind_check_ramp(L, 1))]);
  return 1;
}

// ramp:json() -> '{"0":[r,g,b,a],…,"255":[…]}' of a linear ramp
static int l_json(lua_State *L) {
  const uint8_t(*table)[4] = ra_ramp_table(ra_bind_check_ramp(L, 1));
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  for (int i = 0; i < 256; i++) {
    char text[64];
    int n = snprintf(text, sizeof text, "%s\"%d\":[%d,%d,%d,%d]", i ? "," : "{", i, table[i][0],
                     table[i][1], table[i][2], table[i][3]);
    luaL_addlstring(&out, text, (size_t)n);
  }
  luaL_addchar(&out, '}');
  luaL_pushresult(&out);
  return 1;
}

// ramp:png(width, height, vertical) -> ra.buf | nil, err. Small pictures: made on the spot.
static int l_png(lua_State *L) {
  ra_ramp *ramp = ra_bind_check_ramp(L, 1);
  lua_Integer width = luaL_checkinteger(L, 2), height = luaL_checkinteger(L, 3);
  luaL_argcheck(L, width >= 1 && width <= 2048, 2, "1 to 2048 expected");
  luaL_argcheck(L, height >= 1 && height <= 2048, 3, "1 to 2048 expected");
  ra_err err = {0};
  ra_buf *out;
  if (ra_ramp_png(ramp, (uint32_t)width, (uint32_t)height, lua_toboolean(L, 4), &out, &err) < 0) {
    return ra_bind_fail(L, &err);
  }
  ra_bind_push_buf(L, out);
  return 1;
}

static const luaL_Reg METHODS[] = {{"reversed", l_reversed}, {"digest", l_digest}, {"kind", l_kind},
                                   {"json", l_json},         {"png", l_png},       {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"parse", l_parse}, {NULL, NULL}};

static void setup(lua_State *L) { ra_bind_type(L, "ra.ramp", METHODS); }

const ra_bind_module RA_BIND_RAMP = {.name = "ramp", .functions = FUNCTIONS, .setup = setup};
