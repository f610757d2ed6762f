// bind_render.c - rastrum.tile, rastrum.series, rastrum.point: option tables to requests. Each is read twice: first into
// plain values where a mistake may raise while nothing is held, then into the operation, where nothing can raise.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ops/op_render.h"
#include "script/bind_dataset.h"
#include "script/bind_expr.h"
#include "script/bind_ramp.h"

// The list in field `name` of the table at 1, left on the stack; its length. Raises when it is no table.
static size_t list_field(lua_State *L, const char *name, bool required) {
  ra_bind_field(L, 1, name);
  if (lua_isnil(L, -1) && !required) return 0;
  if (!lua_istable(L, -1)) luaL_error(L, "bad option '%s' (table expected)", name);
  return lua_objlen(L, -1);
}

// A source table at the top of the stack, borrowed.
static ra_tile_source check_source(lua_State *L) {
  int table = lua_gettop(L);
  if (!lua_istable(L, table)) luaL_error(L, "bad option 'sources' (a list of tables expected)");
  ra_bind_field(L, table, "dataset");
  ra_tile_source source = {.dataset = ra_bind_check_dataset(L, -1)};
  const char *name = ra_bind_opt_string(L, table, "variable", "");
  source.variable = ra_dataset_find_variable(source.dataset, name);
  if (!source.variable) {
    luaL_error(L, "dataset '%s' has no variable '%s'", ra_dataset_id(source.dataset), name);
    return source;  // not reached
  }
  lua_Integer step = ra_bind_opt_integer(L, table, "step", 0);
  size_t steps = source.variable->axis ? source.variable->axis->count : 1;
  if (step < 0 || (size_t)step >= steps)
    luaL_error(L, "step %d of '%s' is out of range", (int)step, name);
  source.step = (size_t)step;
  lua_settop(L, table);
  return source;
}

static unsigned check_sources(lua_State *L, ra_tile_source *out) {
  size_t count = list_field(L, "sources", true);
  if (count > RA_TILE_SOURCES) luaL_error(L, "at most %d sources", RA_TILE_SOURCES);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, -1, (int)i + 1);
    out[i] = check_source(L);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return (unsigned)count;
}

static unsigned check_bands(lua_State *L, unsigned *out, size_t most) {
  size_t count = list_field(L, "bands", false);
  if (count > most) luaL_error(L, "at most %d bands", (int)most);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, -1, (int)i + 1);
    lua_Integer band = luaL_checkinteger(L, -1);
    if (band < 0 || band > 0xffff) luaL_error(L, "band %d is out of range", (int)band);
    out[i] = (unsigned)band;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return (unsigned)count;
}

// {low, high}, or as many pairs as channels in one list. One pair serves all.
static void check_rescale(lua_State *L, double *out) {
  size_t count = list_field(L, "rescale", false);
  if (count % 2 || count > 2 * RA_TILE_CHANNELS) luaL_error(L, "bad option 'rescale'");
  for (size_t i = 0; count && i < 2 * RA_TILE_CHANNELS; i++) {
    lua_rawgeti(L, -1, (int)(i < count ? i : i % 2) + 1);
    out[i] = luaL_checknumber(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static uint32_t check_u32(lua_State *L, const char *name, double most) {
  double value = ra_bind_opt_number(L, 1, name, -1);
  if (!(value >= 0 && value <= most && value == floor(value)))
    luaL_error(L, "bad option '%s'", name);
  return (uint32_t)value;
}

static void check_nodata(lua_State *L, ra_tile_request *request) {
  ra_bind_field(L, 1, "nodata");
  request->has_nodata = !lua_isnil(L, -1);
  if (request->has_nodata) request->nodata = luaL_checknumber(L, -1);
  lua_pop(L, 1);
}

// operands = {{first =, count =, band =}, …}: one a name, sources counted from 1.
static void check_operands(lua_State *L, ra_tile_request *request) {
  unsigned names = ra_expr_name_count(request->expr);
  if (list_field(L, "operands", true) != names) luaL_error(L, "bad option 'operands'");
  for (unsigned k = 0; k < names; k++) {
    lua_rawgeti(L, -1, (int)k + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    int table = lua_gettop(L);
    lua_Integer first = ra_bind_opt_integer(L, table, "first", 0);
    lua_Integer count = ra_bind_opt_integer(L, table, "count", 0);
    lua_Integer band = ra_bind_opt_integer(L, table, "band", 0);
    if (first < 1 || count < 0 || first - 1 + count > request->source_count || band < 0 ||
        band > 0xffff) {
      luaL_error(L, "bad option 'operands'");
    }
    request->operands[k] = (ra_tile_operand){(unsigned)first - 1, (unsigned)count, (unsigned)band};
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  request->band_count = ra_expr_result_count(request->expr);
}

static void check_tile(lua_State *L, ra_tile_request *request) {
  luaL_checktype(L, 1, LUA_TTABLE);
  request->source_count = check_sources(L, request->sources);
  request->band_count = check_bands(L, request->bands, RA_TILE_BANDS);
  if (request->band_count == 0) request->band_count = 1;
  ra_bind_field(L, 1, "expression");
  if (!lua_isnil(L, -1)) request->expr = ra_bind_check_expr(L, -1);
  lua_pop(L, 1);
  if (request->expr) check_operands(L, request);
  request->z = check_u32(L, "z", 30);
  request->x = check_u32(L, "x", 4294967295.0);
  request->y = check_u32(L, "y", 4294967295.0);
  request->left = ra_bind_opt_number(L, 1, "left", 0);
  request->top = ra_bind_opt_number(L, 1, "top", 0);
  request->pixel = ra_bind_opt_number(L, 1, "pixel", 0);
  request->size = (uint32_t)ra_bind_opt_integer(L, 1, "size", 256);
  const char *method = ra_bind_opt_string(L, 1, "resampling", "nearest");
  if (!ra_resampling_parse(method, &request->resampling))
    luaL_error(L, "bad option 'resampling' (%s)", method);
  request->unscale = ra_bind_opt_boolean(L, 1, "unscale", true);
  check_nodata(L, request);
  for (int i = 0; i < RA_TILE_CHANNELS; i++) request->rescale[2 * i + 1] = 1;
  check_rescale(L, request->rescale);
  ra_bind_field(L, 1, "ramp");
  if (!lua_isnil(L, -1)) request->ramp = ra_bind_check_ramp(L, -1);
  lua_pop(L, 1);
  const char *format = ra_bind_opt_string(L, 1, "format", "png");
  if (!ra_tile_format_parse(format, &request->format))
    luaL_error(L, "bad option 'format' (%s)", format);
  request->buffer = (uint32_t)ra_bind_opt_integer(L, 1, "buffer", 0);
  request->deep = ra_bind_opt_integer(L, 1, "bits", 8) == 16;
  request->return_mask = ra_bind_opt_boolean(L, 1, "return_mask", true);
}

static void hold_sources(ra_tile_source *sources, unsigned count) {
  for (unsigned i = 0; i < count; i++) ra_dataset_ref(sources[i].dataset);
}

static int push_tile(lua_State *L, ra_op *op) {
  return ra_bind_take_buf(L, &((ra_op_tile *)ra_op_state(op))->out);
}

static int l_tile(lua_State *L) {
  ra_tile_request request = {0};
  ra_err err = {0};
  ra_op *op;
  check_tile(L, &request);
  const char *formula = ra_bind_opt_string(L, 1, "color_formula", "");
  const char *crs = ra_bind_opt_string(L, 1, "crs", "");
  if (ra_formula_parse(formula, strlen(formula), &request.formula, &err) < 0 ||
      (*crs && ra_tile_crs(crs, &request.crs, &err) < 0)) {
    return ra_bind_fail(L, &err);
  }
  if (ra_op_new(ra_bind_ops(L), &RA_OP_TILE, &op, &err) < 0) return ra_bind_fail(L, &err);
  hold_sources(request.sources, request.source_count);
  if (request.ramp) ra_ramp_ref(request.ramp);
  if (request.expr) ra_expr_ref(request.expr);
  ((ra_op_tile *)ra_op_state(op))->request = request;
  return ra_bind_op(L, op, push_tile);
}

static int push_point(lua_State *L, ra_op *op) {
  return ra_bind_take_buf(L, &((ra_op_point *)ra_op_state(op))->out);
}

static int l_point(lua_State *L) {
  ra_point_request request = {0};
  ra_err err = {0};
  ra_op *op;
  luaL_checktype(L, 1, LUA_TTABLE);
  request.source_count = check_sources(L, request.sources);
  request.band_count = check_bands(L, request.bands, sizeof request.bands / sizeof *request.bands);
  request.lon = ra_bind_opt_number(L, 1, "lon", NAN);
  request.lat = ra_bind_opt_number(L, 1, "lat", NAN);
  request.unscale = ra_bind_opt_boolean(L, 1, "unscale", true);
  if (ra_op_new(ra_bind_ops(L), &RA_OP_POINT, &op, &err) < 0) return ra_bind_fail(L, &err);
  hold_sources(request.sources, request.source_count);
  ((ra_op_point *)ra_op_state(op))->request = request;
  return ra_bind_op(L, op, push_point);
}

// ---- series: {collection=, variables = {{part…}, …}, points = {{lon, lat}, …}, fallbacks=, method=, format=, max_bytes=}; a part is
// false (this dataset lacks the variable) or {dataset=, variable=, first=, count= | steps = {…}, extra = {…}}.

static void check_steps(lua_State *L, int part, size_t most) {
  ra_bind_field(L, part, "steps");
  if (lua_istable(L, -1)) {
    size_t n = lua_objlen(L, -1);
    for (size_t i = 1; i <= n; i++) {
      lua_rawgeti(L, -1, (int)i);
      double step = luaL_checknumber(L, -1);
      if (!(step >= 0 && step < (double)most)) luaL_error(L, "a step is out of range");
      lua_pop(L, 1);
    }
  } else {
    lua_Integer first = ra_bind_opt_integer(L, part, "first", 0);
    lua_Integer count = ra_bind_opt_integer(L, part, "count", (lua_Integer)most);
    if (first < 0 || count < 0 || (size_t)first > most || (size_t)count > most - (size_t)first) {
      luaL_error(L, "steps are out of range");
    }
  }
  lua_pop(L, 1);
}

static void check_extra(lua_State *L, int part, const ra_dataset_variable *variable) {
  ra_bind_field(L, part, "extra");
  if (lua_istable(L, -1)) {
    for (unsigned i = 0; i < variable->extra_count; i++) {
      lua_rawgeti(L, -1, (int)i + 1);
      double index = lua_isnil(L, -1) ? 0 : luaL_checknumber(L, -1);
      if (!(index >= 0 && index < (double)variable->extra[i].size)) {
        luaL_error(L, "index of dimension '%s' is out of range", variable->extra[i].name);
      }
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
}

static void check_part(lua_State *L) {
  if (!lua_toboolean(L, -1)) return;
  ra_tile_source source = check_source(L);
  int part = lua_gettop(L);
  check_steps(L, part, source.variable->axis ? source.variable->axis->count : 1);
  check_extra(L, part, source.variable);
}

// fallbacks = {{line =, dataset =, variable =, run =, extra =}, …}: see ra_series_fallback. Leaves the list on the stack.
static void check_fallbacks(lua_State *L, ra_series_request *request) {
  request->fallback_count = (unsigned)list_field(L, "fallbacks", false);
  for (unsigned i = 0; i < request->fallback_count; i++) {
    lua_rawgeti(L, -1, (int)i + 1);
    ra_tile_source source = check_source(L);
    int table = lua_gettop(L);
    lua_Integer line = ra_bind_opt_integer(L, table, "line", 0);
    if (line < 1 || (unsigned)line > request->variable_count)
      luaL_error(L, "bad option 'fallbacks' (line %d is no variable)", (int)line);
    ra_bind_opt_number(L, table, "run", 0);
    check_extra(L, table, source.variable);
    lua_pop(L, 1);
  }
}

// Leaves the lists `variables` (at 2), `points` (at 3) and `fallbacks` (at 4) on the stack.
static void check_series(lua_State *L, ra_series_request *request) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  request->variable_count = (unsigned)list_field(L, "variables", true);
  request->point_count = (unsigned)list_field(L, "points", true);
  for (unsigned v = 0; v < request->variable_count; v++) {
    lua_rawgeti(L, 2, (int)v + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    unsigned segments = (unsigned)lua_objlen(L, -1);
    if (v && segments != request->segment_count)
      luaL_error(L, "all variables need the same number of parts");
    request->segment_count = segments;
    for (unsigned s = 0; s < segments; s++) {
      lua_rawgeti(L, -1, (int)s + 1);
      check_part(L);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  for (unsigned p = 0; p < request->point_count; p++) {
    lua_rawgeti(L, 3, (int)p + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    for (int i = 1; i <= 2; i++) {
      lua_rawgeti(L, -1, i);
      luaL_checknumber(L, -1);
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  check_fallbacks(L, request);
  request->bilinear = strcmp(ra_bind_opt_string(L, 1, "method", "nearest"), "bilinear") == 0;
  const char *format = ra_bind_opt_string(L, 1, "format", "json");
  request->format = strcmp(format, "csv") == 0       ? RA_SERIES_CSV
                    : strcmp(format, "covjson") == 0 ? RA_SERIES_COVJSON
                                                     : RA_SERIES_JSON;
  request->max_bytes = (uint64_t)ra_bind_opt_number(L, 1, "max_bytes", 128.0 * 1024 * 1024);
  ra_bind_opt_string(L, 1, "collection", "");
}

static bool fill_steps(lua_State *L, int part, ra_series_part *out, size_t most) {
  ra_bind_field(L, part, "steps");
  bool listed = lua_istable(L, -1);
  size_t first = listed ? 0 : (size_t)ra_bind_opt_integer(L, part, "first", 0);
  out->step_count =
      listed ? lua_objlen(L, -1) : (size_t)ra_bind_opt_integer(L, part, "count", (lua_Integer)most);
  if (listed || first) {
    out->steps = malloc((out->step_count ? out->step_count : 1) * sizeof *out->steps);
    if (!out->steps) return false;
    for (size_t i = 0; i < out->step_count; i++) {
      if (listed) lua_rawgeti(L, -1, (int)i + 1);
      out->steps[i] = listed ? (size_t)lua_tonumber(L, -1) : first + i;
      if (listed) lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  return true;
}

static void fill_extra(lua_State *L, int part, const ra_dataset_variable *variable, size_t *extra) {
  ra_bind_field(L, part, "extra");
  for (unsigned i = 0; lua_istable(L, -1) && i < variable->extra_count; i++) {
    lua_rawgeti(L, -1, (int)i + 1);
    extra[i] = (size_t)lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static bool fill_fallbacks(lua_State *L, ra_series_request *request) {
  unsigned count = request->fallback_count;
  request->fallback_count = 0;
  request->fallbacks = calloc(count ? count : 1, sizeof *request->fallbacks);
  for (unsigned i = 0; request->fallbacks && i < count; i++) {
    lua_rawgeti(L, 4, (int)i + 1);
    ra_tile_source source = check_source(L);
    int table = lua_gettop(L);
    ra_series_fallback *out = &request->fallbacks[request->fallback_count++];
    double run = ra_bind_opt_number(L, table, "run", NAN);
    out->dataset = ra_dataset_ref(source.dataset);
    out->variable = source.variable;
    out->line = (unsigned)ra_bind_opt_integer(L, table, "line", 1) - 1;
    out->run = isnan(run) ? RA_TIME_NONE : (int64_t)run;
    fill_extra(L, table, source.variable, out->extra);
    lua_pop(L, 1);
  }
  return request->fallbacks;
}

// The part at the top of the stack, already checked; false without memory.
static bool fill_part(lua_State *L, ra_series_part *out) {
  if (!lua_toboolean(L, -1)) return true;
  ra_tile_source source = check_source(L);
  int part = lua_gettop(L);
  out->dataset = ra_dataset_ref(source.dataset);
  out->variable = source.variable;
  fill_extra(L, part, source.variable, out->extra);
  return fill_steps(L, part, out, source.variable->axis ? source.variable->axis->count : 1);
}

static bool fill_points(lua_State *L, ra_series_request *request) {
  request->points = calloc(request->point_count ? request->point_count : 1, sizeof *request->points);
  if (!request->points) return false;
  for (unsigned p = 0; p < request->point_count; p++) {
    lua_rawgeti(L, 3, (int)p + 1);
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    request->points[p] = (ra_series_point){.lon = lua_tonumber(L, -2), .lat = lua_tonumber(L, -1)};
    lua_pop(L, 3);
  }
  return true;
}

static bool fill_series(lua_State *L, ra_series_request *request) {
  size_t count = (size_t)request->variable_count * request->segment_count;
  request->collection = strdup(ra_bind_opt_string(L, 1, "collection", ""));
  request->parts = calloc(count ? count : 1, sizeof *request->parts);
  bool filled = fill_points(L, request) && fill_fallbacks(L, request);
  if (!request->collection || !request->parts || !filled) return false;
  for (unsigned v = 0; v < request->variable_count; v++) {
    lua_rawgeti(L, 2, (int)v + 1);
    for (unsigned s = 0; s < request->segment_count; s++) {
      lua_rawgeti(L, -1, (int)s + 1);
      if (!fill_part(L, &request->parts[v * request->segment_count + s])) return false;
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  return true;
}

static int push_series(lua_State *L, ra_op *op) {
  return ra_bind_take_buf(L, &((ra_op_series *)ra_op_state(op))->out);
}

static int l_series(lua_State *L) {
  ra_series_request request = {0};
  ra_err err = {0};
  ra_op *op;
  check_series(L, &request);
  if (ra_op_new(ra_bind_ops(L), &RA_OP_SERIES, &op, &err) < 0) return ra_bind_fail(L, &err);
  ra_op_series *series = ra_op_state(op);
  series->request = request;
  if (!fill_series(L, &series->request)) {
    ra_op_unref(op);
    ra_fail(&err, RA_E_NOMEM, "", "no memory for a series request");
    return ra_bind_fail(L, &err);
  }
  return ra_bind_op(L, op, push_series);
}

static const luaL_Reg OPERATIONS[] = {
    {"tile", l_tile}, {"series", l_series}, {"point", l_point}, {NULL, NULL}};

const ra_bind_module RA_BIND_RENDER = {.name = "", .operations = OPERATIONS};
