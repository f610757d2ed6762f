// bind_items.c - rastrum.items{…}: a page of STAC items; rastrum.times{…}: all times of a variable. Options are read twice: first where a mistake may raise while
// nothing is held, then into the operation.
#include <stdlib.h>
#include <string.h>

#include "ops/op_items.h"
#include "ops/op_times.h"
#include "script/bind_dataset.h"

enum { LIMIT_MAX = 10000, IDS_MAX = 10000 };
static const size_t ID_BYTES = 64u << 20;

static const char *const FIELDS[] = {"datetime", "id", "collection", "created", NULL};

static size_t list_length(lua_State *L, const char *name, size_t most) {
  ra_bind_field(L, 1, name);
  size_t n = 0;
  if (!lua_isnil(L, -1)) {
    if (!lua_istable(L, -1)) luaL_error(L, "bad option '%s' (table expected)", name);
    n = lua_objlen(L, -1);
  }
  lua_pop(L, 1);
  if (n > most) luaL_error(L, "bad option '%s' (at most %d entries)", name, (int)most);
  return n;
}

static int field_of(const char *name) {
  for (int i = 0; FIELDS[i]; i++)
    if (!strcmp(FIELDS[i], name)) return i;
  return -1;
}

static void check_lists(lua_State *L) {
  size_t datasets = list_length(L, "datasets", SIZE_MAX / 2), ids = list_length(L, "ids", IDS_MAX);
  size_t sorts = list_length(L, "sortby", RA_ITEMS_SORTS);
  ra_bind_field(L, 1, "datasets");
  for (size_t i = 1; i <= datasets; i++) {
    lua_rawgeti(L, -1, (int)i);
    ra_bind_check_dataset(L, -1);
    lua_pop(L, 1);
  }
  ra_bind_field(L, 1, "ids");
  for (size_t i = 1; i <= ids; i++) {
    lua_rawgeti(L, -1, (int)i);
    luaL_checkstring(L, -1);
    lua_pop(L, 1);
  }
  if (list_length(L, "segments", datasets) % (datasets ? datasets : 1))
    luaL_error(L, "bad option 'segments' (one for each dataset expected)");
  ra_bind_field(L, 1, "segments");
  for (size_t i = 1; lua_istable(L, -1) && i <= datasets; i++) {
    lua_rawgeti(L, -1, (int)i);
    luaL_checkstring(L, -1);
    lua_pop(L, 1);
  }
  ra_bind_field(L, 1, "sortby");
  for (size_t i = 1; i <= sorts; i++) {
    lua_rawgeti(L, -1, (int)i);
    const char *name = luaL_checkstring(L, -1);
    if (field_of(name + (*name == '-')) < 0) luaL_error(L, "bad option 'sortby' (%s)", name);
    lua_pop(L, 1);
  }
  lua_settop(L, 1);
}

static void check_options(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  check_lists(L);
  ra_bind_opt_string(L, 1, "base_url", "");
  ra_bind_opt_string(L, 1, "token", "");
  ra_bind_opt_string(L, 1, "fields", "");
  ra_bind_opt_string(L, 1, "intersects", "");
  ra_bind_opt_number(L, 1, "first", 0);
  ra_bind_opt_number(L, 1, "last", 0);
  ra_bind_opt_number(L, 1, "run", 0);
  ra_bind_opt_integer(L, 1, "max_bytes", 0);
  lua_Integer limit = ra_bind_opt_integer(L, 1, "limit", 10);
  if (limit < 1 || limit > LIMIT_MAX) luaL_error(L, "bad option 'limit' (1 to %d)", LIMIT_MAX);
  size_t box = list_length(L, "bbox", 4);
  if (box != 0 && box != 4) luaL_error(L, "bad option 'bbox' (four numbers expected)");
}

static int64_t to_ms(double value) {
  const double most = 4e18;
  return value >= most ? INT64_MAX : value <= -most ? INT64_MIN : (int64_t)value;
}

static const char *copy_text(lua_State *L, ra_arena *arena, const char *name, bool *ok) {
  const char *copy = ra_arena_strdup(arena, ra_bind_opt_string(L, 1, name, ""));
  *ok = *ok && copy;
  return copy;
}

// New references; NULL when out of memory.
static ra_dataset **read_datasets(lua_State *L, size_t *count) {
  ra_bind_field(L, 1, "datasets");
  size_t n = lua_istable(L, -1) ? lua_objlen(L, -1) : 0;
  ra_dataset **datasets = calloc(n + 1, sizeof(ra_dataset *));
  for (size_t i = 0; datasets && i < n; i++) {
    lua_rawgeti(L, -1, (int)i + 1);
    datasets[(*count)++] = ra_dataset_ref(ra_bind_check_dataset(L, -1));
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return datasets;
}

// A list of texts, already checked; NULL where there is none. false: out of memory.
static bool read_texts(lua_State *L, ra_arena *arena, const char *name, const char *const **out,
                       size_t *count) {
  ra_bind_field(L, 1, name);
  bool given = lua_istable(L, -1), ok = true;
  *count = given ? lua_objlen(L, -1) : 0;
  const char **list = given ? ra_arena_calloc(arena, *count + 1, sizeof *list) : NULL;
  for (size_t i = 0; list && ok && i < *count; i++) {
    lua_rawgeti(L, -1, (int)i + 1);
    list[i] = ra_arena_strdup(arena, lua_tostring(L, -1));
    ok = list[i];
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  *out = list;
  return ok && (list || !given);
}

static bool read_lists(lua_State *L, ra_op_items *items) {
  size_t segments;
  return read_texts(L, &items->arena, "segments", &items->segments, &segments) &&
         read_texts(L, &items->arena, "ids", &items->ids, &items->id_count);
}

static void read_sorts(lua_State *L, ra_op_items *items) {
  ra_bind_field(L, 1, "sortby");
  for (int i = 1; lua_istable(L, -1) && i <= (int)lua_objlen(L, -1); i++) {
    lua_rawgeti(L, -1, i);
    const char *name = lua_tostring(L, -1);
    items->sorts[items->sort_count++] =
        (ra_items_sort){(ra_items_field)field_of(name + (*name == '-')), *name == '-'};
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  if (!items->sort_count)
    items->sorts[items->sort_count++] = (ra_items_sort){RA_ITEMS_DATETIME, true};
}

static int read_place(lua_State *L, ra_op_items *items, ra_err *err) {
  const char *json = ra_bind_opt_string(L, 1, "intersects", "");
  if (*json) return ra_geometry_parse(json, strlen(json), &items->geometry, err);
  ra_bind_field(L, 1, "bbox");
  int rc = RA_OK;
  if (lua_istable(L, -1)) {
    double box[4];
    for (int i = 0; i < 4; i++) {
      lua_rawgeti(L, -1, i + 1);
      box[i] = lua_tonumber(L, -1);
      lua_pop(L, 1);
    }
    rc = ra_geometry_from_box(box, &items->geometry, err);
  }
  lua_pop(L, 1);
  return rc;
}

static int read_options(lua_State *L, ra_op_items *items, ra_err *err) {
  ra_arena_init(&items->arena, ID_BYTES);
  items->datasets = read_datasets(L, &items->dataset_count);
  bool ok = items->datasets && read_lists(L, items);
  read_sorts(L, items);
  items->base_url = copy_text(L, &items->arena, "base_url", &ok);
  items->token = copy_text(L, &items->arena, "token", &ok);
  items->fields = copy_text(L, &items->arena, "fields", &ok);
  items->first = to_ms(ra_bind_opt_number(L, 1, "first", -1e300));
  items->last = to_ms(ra_bind_opt_number(L, 1, "last", 1e300));
  double run = ra_bind_opt_number(L, 1, "run", -1e300);
  items->run = run <= -1e300 ? RA_TIME_NONE : to_ms(run);
  items->limit = (size_t)ra_bind_opt_integer(L, 1, "limit", 10);
  items->max_bytes = (size_t)ra_bind_opt_integer(L, 1, "max_bytes", 4 << 20);
  if (!ok) return ra_fail(err, RA_E_NOMEM, "", "out of memory for a page of items");
  return read_place(L, items, err);
}

// -> buf (a JSON list), {count=, matched=, next=token|nil}
static int push_items(lua_State *L, ra_op *op) {
  ra_op_items *items = ra_op_state(op);
  ra_bind_take_buf(L, &items->out);
  lua_newtable(L);
  lua_pushnumber(L, (lua_Number)items->count);
  lua_setfield(L, -2, "count");
  lua_pushnumber(L, (lua_Number)items->matched);
  lua_setfield(L, -2, "matched");
  if (items->next.len) {
    lua_pushlstring(L, items->next.ptr, items->next.len);
    lua_setfield(L, -2, "next");
  }
  return 2;
}

// rastrum.items{datasets=, segments=, base_url=, first=, last=, run=, ids=, bbox=, intersects=, sortby={"-datetime"}, token=, limit=,
// max_bytes=, fields=}: see plugins/stac
static int l_items(lua_State *L) {
  check_options(L);
  ra_err err = {0};
  ra_op *op;
  if (ra_op_new(ra_bind_ops(L), &RA_OP_ITEMS, &op, &err) < 0) return ra_bind_fail(L, &err);
  if (read_options(L, ra_op_state(op), &err) < 0) {
    ra_op_unref(op);
    return ra_bind_fail(L, &err);
  }
  return ra_bind_op(L, op, push_items);
}

static int push_times(lua_State *L, ra_op *op) {
  return ra_bind_take_buf(L, &((ra_op_times *)ra_op_state(op))->out);
}

static bool read_times(lua_State *L, ra_op_times *times) {
  bool ok = true;
  times->datasets = read_datasets(L, &times->dataset_count);
  times->collection = copy_text(L, &times->arena, "collection", &ok);
  times->variable = copy_text(L, &times->arena, "variable", &ok);
  times->generation = copy_text(L, &times->arena, "generation", &ok);
  times->run = copy_text(L, &times->arena, "run", &ok);
  times->most = (size_t)ra_bind_opt_number(L, 1, "most", 1e9);
  times->first = to_ms(ra_bind_opt_number(L, 1, "first", -1e300));
  times->last = to_ms(ra_bind_opt_number(L, 1, "last", 1e300));
  return ok && times->datasets;
}

// rastrum.times{datasets=, collection=, variable=, generation=, first=, last=, run=, most=} -> buf of JSON; datasets: the
// latest published first; run: a reference time; most: how many datasets one map is drawn from
static int l_times(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  check_lists(L);
  for (const char *const *name =
           (const char *const[]){"collection", "variable", "generation", "run", NULL};
       *name; name++)
    ra_bind_opt_string(L, 1, *name, "");
  ra_bind_opt_number(L, 1, "first", 0);
  ra_bind_opt_number(L, 1, "last", 0);
  ra_bind_opt_number(L, 1, "most", 0);
  ra_err err = {0};
  ra_op *op;
  if (ra_op_new(ra_bind_ops(L), &RA_OP_TIMES, &op, &err) < 0) return ra_bind_fail(L, &err);
  if (!read_times(L, ra_op_state(op))) {
    ra_op_unref(op);
    ra_fail(&err, RA_E_NOMEM, "", "out of memory for the times");
    return ra_bind_fail(L, &err);
  }
  return ra_bind_op(L, op, push_times);
}

static const luaL_Reg OPERATIONS[] = {{"items", l_items}, {"times", l_times}, {NULL, NULL}};
const ra_bind_module RA_BIND_ITEMS = {.name = "", .operations = OPERATIONS};
