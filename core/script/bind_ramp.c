// bind_ramp.c - rastrum.ramp: colour ramps from their files, their digest, tables and pictures.
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

// rastrum.ramp.parse(text [, file]) -> ramp | nil, err. The end of the file's name tells a table
// from JSON. The handle ends with the task unless it is kept.
static int l_parse(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size), *file = luaL_optstring(L, 2, "");
  handle *h = ra_bind_new(L, sizeof(handle), "ra.ramp", close_ramp);
  ra_err err = {0};
  return ra_ramp_parse_file(file, text, size, &h->ramp, &err) < 0 ? ra_bind_fail(L, &err) : 1;
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

static void add_entry(luaL_Buffer *out, const ra_ramp *ramp, unsigned i) {
  char text[200];
  double low, high;
  const uint8_t *c = ra_ramp_colours(ramp)[i];
  ra_ramp_bounds(ramp, i, &low, &high);
  if (ra_ramp_get_kind(ramp) == RA_RAMP_LINEAR) low = i;
  bool list = ra_ramp_get_kind(ramp) == RA_RAMP_INTERVALS;
  int n = list ? snprintf(text, sizeof text, "[[%.17g,%.17g],[%d,%d,%d,%d]]", low, high, c[0], c[1],
                          c[2], c[3])
               : snprintf(text, sizeof text, "\"%.17g\":[%d,%d,%d,%d]", low, c[0], c[1], c[2], c[3]);
  luaL_addlstring(out, text, (size_t)n);
}

// ramp:json() -> the shape of titiler's `colormap`: {"0":[r,g,b,a],…} of 256 entries or of values,
// or [[[min,max],[r,g,b,a]],…]
static int l_json(lua_State *L) {
  const ra_ramp *ramp = ra_bind_check_ramp(L, 1);
  bool list = ra_ramp_get_kind(ramp) == RA_RAMP_INTERVALS;
  luaL_Buffer out;
  luaL_buffinit(L, &out);
  luaL_addchar(&out, list ? '[' : '{');
  for (unsigned i = 0; i < ra_ramp_count(ramp); i++) {
    if (i) luaL_addchar(&out, ',');
    add_entry(&out, ramp, i);
  }
  luaL_addchar(&out, list ? ']' : '}');
  luaL_pushresult(&out);
  return 1;
}

static void push_colour(lua_State *L, const uint8_t rgba[4]) {
  char text[16];
  int n = snprintf(text, sizeof text, "#%02x%02x%02x", rgba[0], rgba[1], rgba[2]);
  if (rgba[3] != 255) snprintf(text + n, sizeof text - (size_t)n, "%02x", rgba[3]);
  lua_pushstring(L, text);
}

// ramp:entries() -> {{low=, high=, color="#rrggbb[aa]", label=}, …}: 256 of a linear ramp, without
// low, high and label
static int l_entries(lua_State *L) {
  const ra_ramp *ramp = ra_bind_check_ramp(L, 1);
  lua_createtable(L, (int)ra_ramp_count(ramp), 0);
  for (unsigned i = 0; i < ra_ramp_count(ramp); i++) {
    double low, high;
    ra_ramp_bounds(ramp, i, &low, &high);
    lua_createtable(L, 0, 4);
    push_colour(L, ra_ramp_colours(ramp)[i]);
    lua_setfield(L, -2, "color");
    if (ra_ramp_get_kind(ramp) != RA_RAMP_LINEAR) {
      lua_pushnumber(L, low);
      lua_setfield(L, -2, "low");
      lua_pushnumber(L, high);
      lua_setfield(L, -2, "high");
    }
    if (ra_ramp_label(ramp, i)) {
      lua_pushstring(L, ra_ramp_label(ramp, i));
      lua_setfield(L, -2, "label");
    }
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

// ramp:marks() -> {below=, above=, missing=}: the colours that it has
static int l_marks(lua_State *L) {
  static const char *const NAMES[RA_RAMP_MARKS] = {"below", "above", "missing"};
  const ra_ramp *ramp = ra_bind_check_ramp(L, 1);
  lua_newtable(L);
  for (unsigned i = 0; i < RA_RAMP_MARKS; i++) {
    int entry = ra_ramp_mark_entry(ramp, (ra_ramp_mark)i);
    if (entry < 0) continue;
    push_colour(L, ra_ramp_colours(ramp)[entry]);
    lua_setfield(L, -2, NAMES[i]);
  }
  return 1;
}

// ramp:range() -> low, high | nil
static int l_range(lua_State *L) {
  double range[2];
  if (!ra_ramp_range(ra_bind_check_ramp(L, 1), range)) return 0;
  lua_pushnumber(L, range[0]);
  lua_pushnumber(L, range[1]);
  return 2;
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

enum { TICKS_MOST = 100, LABELS_MOST = 256 };

typedef struct lists {
  ra_legend_tick ticks[TICKS_MOST];
  const char *labels[LABELS_MOST];
} lists;

// Pushes options.NAME and returns its length; 0 where it is absent.
static unsigned push_list(lua_State *L, const char *name, unsigned most) {
  ra_bind_field(L, 2, name);
  if (!lua_istable(L, -1)) return 0;
  size_t n = lua_objlen(L, -1);
  if (n > most) luaL_error(L, "%s: %d entries; the most is %d", name, (int)n, (int)most);
  return (unsigned)n;
}

static const char *text_in(lua_State *L, const char *what) {
  if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "%s: a text is wanted", what);
  const char *text = lua_tostring(L, -1);
  lua_pop(L, 1);  // its list keeps it
  return text;
}

static void read_ticks(lua_State *L, ra_legend *legend, lists *to) {
  legend->tick_count = push_list(L, "ticks", TICKS_MOST);
  for (unsigned i = 0; i < legend->tick_count; i++) {
    lua_rawgeti(L, -1, (int)i + 1);
    if (!lua_istable(L, -1)) luaL_error(L, "ticks: {at=, label=} are wanted");
    ra_bind_field(L, lua_gettop(L), "label");
    to->ticks[i].label = text_in(L, "ticks: label");
    to->ticks[i].at = ra_bind_opt_number(L, lua_gettop(L), "at", 0);
    lua_pop(L, 1);
  }
  legend->ticks = to->ticks;
}

static void read_labels(lua_State *L, ra_legend *legend, lists *to, unsigned most) {
  legend->label_count = push_list(L, "labels", most < LABELS_MOST ? most : LABELS_MOST);
  for (unsigned i = 0; i < legend->label_count; i++) {
    lua_rawgeti(L, -1, (int)i + 1);
    to->labels[i] = text_in(L, "labels");
  }
  legend->labels = to->labels;
}

static uint32_t read_side(lua_State *L, const char *name) {
  lua_Integer side = ra_bind_opt_integer(L, 2, name, 0);
  if (side < 0 || side > 4096) luaL_error(L, "%s: 0 to 4096 expected", name);
  return (uint32_t)side;
}

// ramp:legend{title=, vertical=, dark=, clear=, width=, height=, ticks={{at=, label=}, …},
// labels={…}, below=, above=, missing=} -> ra.buf | nil, err. Made on the spot.
static int l_legend(lua_State *L) {
  const ra_ramp *ramp = ra_bind_check_ramp(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  lists to;
  ra_legend legend = {.title = ra_bind_opt_string(L, 2, "title", ""),
                      .vertical = ra_bind_opt_boolean(L, 2, "vertical", false),
                      .dark = ra_bind_opt_boolean(L, 2, "dark", false),
                      .clear = ra_bind_opt_boolean(L, 2, "clear", false),
                      .width = read_side(L, "width"),
                      .height = read_side(L, "height"),
                      .below = ra_bind_opt_string(L, 2, "below", NULL),
                      .above = ra_bind_opt_string(L, 2, "above", NULL),
                      .missing = ra_bind_opt_string(L, 2, "missing", NULL)};
  read_ticks(L, &legend, &to);
  read_labels(L, &legend, &to, ra_ramp_count(ramp));
  ra_err err = {0};
  ra_buf *out;
  if (ra_legend_png(ramp, &legend, &out, &err) < 0) return ra_bind_fail(L, &err);
  ra_bind_push_buf(L, out);
  return 1;
}

static const luaL_Reg METHODS[] = {{"reversed", l_reversed}, {"digest", l_digest},
                                   {"kind", l_kind},         {"json", l_json},
                                   {"png", l_png},           {"entries", l_entries},
                                   {"marks", l_marks},       {"range", l_range},
                                   {"legend", l_legend},     {NULL, NULL}};
static const luaL_Reg FUNCTIONS[] = {{"parse", l_parse}, {NULL, NULL}};

static void setup(lua_State *L) { ra_bind_type(L, "ra.ramp", METHODS); }

const ra_bind_module RA_BIND_RAMP = {.name = "ramp", .functions = FUNCTIONS, .setup = setup};
