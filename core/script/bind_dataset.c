// bind_dataset.c - rastrum.dataset.parse and the dataset handle. A handle holds one reference; the tables that describe
// variables are made once a handle and kept in its environment, so they are for reading only.
#include "script/bind_dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "format/stac_item.h"
#include "ops/op_dataset.h"

enum { TEXTS_MAX = 100000 };

ra_dataset *ra_bind_check_dataset(lua_State *L, int arg) {
  return *(ra_dataset **)ra_bind_check(L, arg, "ra.dataset");
}

static void close_dataset(void *payload) {
  ra_dataset **dataset = payload;
  ra_dataset_unref(*dataset);
  *dataset = NULL;
}

static void push_handle(lua_State *L, ra_dataset **taken) {
  ra_dataset **handle = ra_bind_new(L, sizeof(ra_dataset *), "ra.dataset", close_dataset);
  *handle = *taken;
  *taken = NULL;
  ra_bind_bytes(L, handle, ra_dataset_memory(*handle));
  lua_newtable(L);
  lua_setfenv(L, -2);
}

// ---- parsing

static int push_one(lua_State *L, ra_op *op) {
  push_handle(L, ((ra_op_parse *)ra_op_state(op))->datasets);
  return 1;
}

static int push_list(lua_State *L, ra_op *op) {
  ra_op_parse *parse = ra_op_state(op);
  lua_createtable(L, (int)parse->count, 0);
  for (size_t i = 0; i < parse->count; i++) {
    push_handle(L, &parse->datasets[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

static int start_parse(lua_State *L, ra_op *op, int rc, const ra_err *err, ra_bind_push push) {
  if (rc == RA_OK) return ra_bind_op(L, op, push);
  ra_op_unref(op);
  return ra_bind_fail(L, err);
}

// rastrum.dataset.parse(text) -> dataset
static int l_parse(lua_State *L) {
  size_t size;
  const char *text = ra_bind_check_bytes(L, 1, &size);
  ra_err err = {0};
  ra_op *op;
  if (ra_op_new(ra_bind_ops(L), &RA_OP_PARSE, &op, &err) < 0) return ra_bind_fail(L, &err);
  int rc = ra_op_parse_init(ra_op_state(op), 1, &err);
  if (rc == RA_OK) rc = ra_op_parse_set(ra_op_state(op), 0, text, size, &err);
  return start_parse(L, op, rc, &err, push_one);
}

// rastrum.dataset.parse_list({text, …}) -> {dataset, …}
static int l_parse_list(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t count = lua_objlen(L, 1);
  if (count > TEXTS_MAX) luaL_error(L, "at most %d texts", TEXTS_MAX);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 1, (int)i + 1);
    if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "entry %d is no string", (int)i + 1);
    lua_pop(L, 1);
  }
  ra_err err = {0};
  ra_op *op;
  if (ra_op_new(ra_bind_ops(L), &RA_OP_PARSE, &op, &err) < 0) return ra_bind_fail(L, &err);
  int rc = ra_op_parse_init(ra_op_state(op), count, &err);
  for (size_t i = 0; rc == RA_OK && i < count; i++) {
    size_t size;
    lua_rawgeti(L, 1, (int)i + 1);
    const char *text = lua_tolstring(L, -1, &size);
    rc = ra_op_parse_set(ra_op_state(op), i, text, size, &err);
    lua_pop(L, 1);
  }
  return start_parse(L, op, rc, &err, push_list);
}

// ---- plain facts

static int l_id(lua_State *L) {
  lua_pushstring(L, ra_dataset_id(ra_bind_check_dataset(L, 1)));
  return 1;
}

static int l_collection(lua_State *L) {
  lua_pushstring(L, ra_dataset_collection(ra_bind_check_dataset(L, 1)));
  return 1;
}

static int l_version(lua_State *L) {
  lua_pushstring(L, ra_dataset_version(ra_bind_check_dataset(L, 1)));
  return 1;
}

static int l_zarr_format(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)ra_dataset_store_format(ra_bind_check_dataset(L, 1)));
  return 1;
}

// dataset:store() -> "data.zarr" | "source" | nil
static int l_store(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  if (!ra_dataset_store(dataset)) return 0;
  lua_pushstring(L, ra_dataset_store(dataset));
  return 1;
}

static int l_body(lua_State *L) {
  size_t size;
  const char *body = ra_dataset_body(ra_bind_check_dataset(L, 1), &size);
  lua_pushlstring(L, body, size);
  return 1;
}

static void set_text(lua_State *L, const char *key, const char *text) {
  lua_pushstring(L, text);
  lua_setfield(L, -2, key);
}

// A number that is none stays nil.
static void set_number(lua_State *L, const char *key, double value) {
  if (isnan(value)) return;
  lua_pushnumber(L, value);
  lua_setfield(L, -2, key);
}

static int l_about(lua_State *L) {
  const ra_dataset_about *about = ra_dataset_get_about(ra_bind_check_dataset(L, 1));
  lua_newtable(L);
  set_text(L, "created", about->created);
  set_text(L, "source_name", about->source_name);
  set_text(L, "title", about->title);
  set_text(L, "summary", about->summary);
  set_text(L, "institution", about->institution);
  set_text(L, "license", about->license);
  return 1;
}

static void push_bbox(lua_State *L, const double bbox[4]) {
  lua_createtable(L, 4, 0);
  for (int i = 0; i < 4; i++) {
    lua_pushnumber(L, bbox[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

static int l_bbox(lua_State *L) {
  double bbox[4];
  if (!ra_dataset_bbox(ra_bind_check_dataset(L, 1), bbox)) return 0;
  push_bbox(L, bbox);
  return 1;
}

static int l_geometry(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  if (!ra_dataset_grid_count(dataset)) return 0;
  lua_pushstring(L, ra_dataset_get_grid(dataset, 0)->geometry);
  return 1;
}

// ds:cube() -> JSON object with "cube:dimensions" and "cube:variables" of all its variables
static int l_cube(lua_State *L) {
  ra_str text;
  ra_str_init(&text);
  ra_stac_cube(ra_bind_check_dataset(L, 1), &text);
  lua_pushlstring(L, text.ptr ? text.ptr : "{}", text.len);
  ra_str_deinit(&text);
  return 1;
}

// ---- variables

static void push_extra(lua_State *L, const ra_dataset_extra *extra) {
  lua_newtable(L);
  set_text(L, "name", extra->name);
  set_text(L, "units", extra->units);
  set_number(L, "size", (double)extra->size);
  lua_pushboolean(L, extra->vertical);
  lua_setfield(L, -2, "vertical");
  if (!extra->values) return;
  lua_createtable(L, (int)extra->size, 0);
  for (size_t i = 0; i < extra->size; i++) {
    lua_pushnumber(L, extra->values[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "values");
}

static void set_extras(lua_State *L, const ra_dataset_variable *variable) {
  lua_createtable(L, (int)variable->extra_count, 0);
  for (unsigned i = 0; i < variable->extra_count; i++) {
    push_extra(L, &variable->extra[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "extra");
}

static void set_shape(lua_State *L, const ra_dataset_variable *variable) {
  lua_createtable(L, (int)variable->ndim, 0);
  lua_createtable(L, (int)variable->ndim, 0);
  for (unsigned i = 0; i < variable->ndim; i++) {
    lua_pushnumber(L, (lua_Number)variable->shape[i]);
    lua_rawseti(L, -3, (int)i + 1);
    lua_pushstring(L, variable->dims[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -3, "dims");
  lua_setfield(L, -2, "shape");
}

// The smaller side of a cell in degrees, roughly where the CRS is projected.
static double cell_degrees(const ra_dataset_grid *grid) {
  const double *gt = grid->grid.gt;
  double x = hypot(gt[1], gt[4]), y = hypot(gt[2], gt[5]), side = x < y ? x : y;
  if (ra_crs_is_geographic(grid->crs) || ra_crs_is_rotated_pole(grid->crs)) return side;
  double span = grid->bbox[3] - grid->bbox[1];
  return span > 0 && grid->grid.height > 0 ? span / (double)grid->grid.height : side / 111320;
}

static void set_grid(lua_State *L, const ra_dataset_grid *grid) {
  set_text(L, "grid", grid->id);
  push_bbox(L, grid->bbox);
  lua_setfield(L, -2, "bbox");
  set_number(L, "cell_degrees", cell_degrees(grid));
  set_number(L, "epsg", ra_crs_epsg(grid->crs) ? (double)ra_crs_epsg(grid->crs) : NAN);
  set_number(L, "rows", (double)grid->grid.height);
  set_number(L, "columns", (double)grid->grid.width);
}

// flags = {{value=, meaning=}, …}, where the variable has meanings; values as decoded.
static void set_flags(lua_State *L, const ra_dataset_variable *variable) {
  if (variable->flag_count == 0 || !variable->flag_values || !variable->flag_meanings) return;
  lua_createtable(L, (int)variable->flag_count, 0);
  for (unsigned i = 0; i < variable->flag_count; i++) {
    lua_createtable(L, 0, 2);
    set_number(L, "value",
               variable->flag_values[i] * variable->packing.scale + variable->packing.offset);
    set_text(L, "meaning", variable->flag_meanings[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "flags");
}

static void push_variable(lua_State *L, const ra_dataset_variable *variable) {
  lua_newtable(L);
  set_text(L, "name", variable->name);
  set_text(L, "long_name", variable->long_name);
  set_text(L, "standard_name", variable->standard_name);
  set_text(L, "units", variable->units);
  set_text(L, "cell_methods", variable->cell_methods);
  set_text(L, "mapped_from", variable->mapped_from_zarr ? "zarr" : "cog");
  set_text(L, "dtype", ra_dtype_name(variable->dtype));
  lua_pushboolean(L, variable->mappable);
  lua_setfield(L, -2, "mappable");
  lua_pushboolean(L, variable->categorical);
  lua_setfield(L, -2, "categorical");
  set_number(L, "bands", variable->bands);
  set_number(L, "min", variable->minimum);
  set_number(L, "max", variable->maximum);
  set_number(L, "p2", variable->p2);
  set_number(L, "p98", variable->p98);
  set_extras(L, variable);
  set_flags(L, variable);
  set_shape(L, variable);
  if (variable->grid) set_grid(L, variable->grid);
  if (!variable->axis) return;
  set_number(L, "axis", variable->axis_index + 1);
  set_text(L, "calendar", ra_calendar_name(variable->axis->calendar));
}

// ds:variable(name) -> table | nil
static int l_variable(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  const char *name = luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_getfenv(L, 1);
  ra_bind_field(L, 3, name);
  if (!lua_isnil(L, -1)) return 1;
  const ra_dataset_variable *variable = ra_dataset_find_variable(dataset, name);
  if (!variable) return 1;
  push_variable(L, variable);
  lua_pushvalue(L, -1);
  lua_setfield(L, 3, name);
  return 1;
}

// ds:variables() -> list of tables
static int l_variables(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  size_t count = ra_dataset_variable_count(dataset);
  lua_createtable(L, (int)count, 0);
  for (size_t i = 0; i < count; i++) {
    lua_pushcfunction(L, l_variable);
    lua_pushvalue(L, 1);
    lua_pushstring(L, ra_dataset_get_variable(dataset, i)->name);
    lua_call(L, 2, 1);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

static const ra_dataset_variable *check_variable(lua_State *L, const ra_dataset *dataset, int arg) {
  const char *name = luaL_checkstring(L, arg);
  const ra_dataset_variable *variable = ra_dataset_find_variable(dataset, name);
  if (!variable) luaL_error(L, "dataset '%s' has no variable '%s'", ra_dataset_id(dataset), name);
  return variable;
}

// ds:signature() -> a text, equal for datasets whose variables are described alike
static int l_signature(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  ra_str text;
  ra_str_init(&text);
  for (size_t i = 0; i < ra_dataset_variable_count(dataset); i++) {
    const ra_dataset_variable *variable = ra_dataset_get_variable(dataset, i);
    ra_str_addf(&text, "%s:%d:%d:%u:%s", variable->name, (int)variable->dtype,
                variable->axis != NULL, variable->bands, variable->units);
    for (int k = 0; variable->grid && k < 4; k++)
      ra_str_addf(&text, ":%.9g", variable->grid->bbox[k]);
    ra_str_add_char(&text, ';');
  }
  lua_pushlstring(L, text.ptr ? text.ptr : "", text.len);
  ra_str_deinit(&text);
  return 1;
}

// ds:kind() -> 32 hexadecimal digits, equal for datasets that can be joined along time; nil without time
static int l_kind(lua_State *L) {
  ra_str text;
  char digits[65];
  ra_str_init(&text);
  bool timed = ra_dataset_kind(ra_bind_check_dataset(L, 1), &text) && !text.failed;
  if (timed) ra_sha256_of(text.ptr ? text.ptr : "", text.len, digits);
  ra_str_deinit(&text);
  if (!timed) return 0;
  lua_pushlstring(L, digits, 32);
  return 1;
}

// ds:steps_per_axis() -> list of counts, one a time axis
static int l_steps_per_axis(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  size_t count = ra_dataset_axis_count(dataset);
  lua_createtable(L, (int)count, 0);
  for (size_t k = 0; k < count; k++) {
    lua_pushnumber(L, (lua_Number)ra_dataset_get_axis(dataset, k)->count);
    lua_rawseti(L, -2, (int)k + 1);
  }
  return 1;
}

// ---- extra dimensions

static bool to_double(const char *text, double *out) {
  char *end;
  *out = strtod(text, &end);
  return end != text && !*end && isfinite(*out);
}

static bool near(double a, double b) {
  return a == b || fabs(a - b) <= 1e-6 * fmax(fabs(a), fabs(b));
}

static int fail_extra(lua_State *L, const ra_dataset_extra *extra, const char *text) {
  ra_err err = {0};
  if (!extra->values)
    ra_fail(&err, RA_E_INVALID, extra->name, "%s is '%s'; it takes an index from 0 to %zu",
            extra->name, text, extra->size - 1);
  else
    ra_fail(&err, RA_E_INVALID, extra->name,
            "%s has no value '%s'; it goes from %g to %g in %zu steps", extra->name, text,
            extra->values[0], extra->values[extra->size - 1], extra->size);
  return ra_bind_fail(L, &err);
}

// ds:extra_index(variable, dim, text) -> zero-based index | nil, err
static int l_extra_index(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  const ra_dataset_variable *variable = check_variable(L, dataset, 2);
  const char *dim = luaL_checkstring(L, 3), *text = luaL_checkstring(L, 4);
  const ra_dataset_extra *extra = NULL;
  for (unsigned i = 0; i < variable->extra_count; i++)
    if (!strcmp(variable->extra[i].name, dim)) extra = &variable->extra[i];
  if (!extra)
    return luaL_error(L, "variable '%s' has no extra dimension '%s'", variable->name, dim);
  double wanted;
  if (!to_double(text, &wanted)) return fail_extra(L, extra, text);
  if (!extra->values) {
    if (wanted < 0 || wanted >= (double)extra->size || wanted != floor(wanted))
      return fail_extra(L, extra, text);
    lua_pushnumber(L, wanted);
    return 1;
  }
  size_t best = extra->size;  // dates as numbers (20200101) are near each other too
  for (size_t i = 0; i < extra->size; i++) {
    bool closer =
        best == extra->size || fabs(extra->values[i] - wanted) < fabs(extra->values[best] - wanted);
    if (near(extra->values[i], wanted) && closer) best = i;
  }
  if (best == extra->size) return fail_extra(L, extra, text);
  lua_pushnumber(L, (lua_Number)best);
  return 1;
}

static const luaL_Reg OPERATIONS[] = {{"parse", l_parse}, {"parse_list", l_parse_list}, {NULL, NULL}};
extern const luaL_Reg RA__DATASET_TIMES[];  // bind_dataset_time.c: items and steps

static const luaL_Reg METHODS[] = {{"id", l_id},
                                   {"collection", l_collection},
                                   {"version", l_version},
                                   {"zarr_format", l_zarr_format},
                                   {"body", l_body},
                                   {"store", l_store},
                                   {"about", l_about},
                                   {"bbox", l_bbox},
                                   {"cube", l_cube},
                                   {"geometry", l_geometry},
                                   {"variable", l_variable},
                                   {"variables", l_variables},
                                   {"signature", l_signature},
                                   {"kind", l_kind},
                                   {"steps_per_axis", l_steps_per_axis},
                                   {"extra_index", l_extra_index},
                                   {NULL, NULL}};

static void setup(lua_State *L) {
  luaL_Reg all[40];
  size_t n = 0;
  for (const luaL_Reg *reg = METHODS; reg->name; reg++) all[n++] = *reg;
  for (const luaL_Reg *reg = RA__DATASET_TIMES; reg->name; reg++) all[n++] = *reg;
  all[n] = (luaL_Reg){NULL, NULL};
  ra_bind_type(L, "ra.dataset", all);
}

const ra_bind_module RA_BIND_DATASET = {.name = "dataset", .operations = OPERATIONS, .setup = setup};
