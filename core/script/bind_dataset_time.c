// bind_dataset_time.c - the dataset handle's items and steps: what is valid when. Times are milliseconds in the proleptic
// Gregorian calendar for items (STAC) and texts in the data's own calendar for steps (tiles and series).
#include <stdlib.h>
#include <string.h>

#include "script/bind_dataset.h"

static const char *const MATCHES[] = {"exact", "nearest", "ffill", "bfill", NULL};

static const ra_dataset_variable *check_variable(lua_State *L, const ra_dataset *dataset) {
  const char *name = luaL_checkstring(L, 2);
  const ra_dataset_variable *variable = ra_dataset_find_variable(dataset, name);
  if (!variable) luaL_error(L, "dataset '%s' has no variable '%s'", ra_dataset_id(dataset), name);
  return variable;
}

// ds:items() -> count
static int l_items(lua_State *L) {
  lua_pushnumber(L, (lua_Number)ra_dataset_item_count(ra_bind_check_dataset(L, 1)));
  return 1;
}

static void set_number(lua_State *L, const char *key, double value) {
  lua_pushnumber(L, value);
  lua_setfield(L, -2, key);
}

static void set_times(lua_State *L, const ra_dataset_item *item) {
  char text[40];
  set_number(L, "ms", (double)item->iso_ms);
  set_number(L, "axis", item->axis_index + 1);
  set_number(L, "step", (double)item->step);
  ra_time_format(item->axis->calendar, item->true_ms, text);
  lua_pushstring(L, text);
  lua_setfield(L, -2, "time");
}

// ds:item(i) -> {id=, ordinal=, ms=, axis=, step=, time=}; the last four only with time
static int l_item(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  lua_Integer i = luaL_checkinteger(L, 2);
  if (i < 1 || (size_t)i > ra_dataset_item_count(dataset)) return 0;
  const ra_dataset_item *item = ra_dataset_get_item(dataset, (size_t)i - 1);
  ra_str id;
  ra_str_init(&id);
  ra_dataset_item_id(dataset, (size_t)i - 1, &id);
  lua_newtable(L);
  lua_pushlstring(L, id.ptr ? id.ptr : "", id.len);
  ra_str_deinit(&id);
  lua_setfield(L, -2, "id");
  set_number(L, "ordinal", item->ordinal);
  if (item->axis) set_times(L, item);
  return 1;
}

// ds:find_item(id) -> i | nil
static int l_find_item(lua_State *L) {
  size_t i;
  if (!ra_dataset_find_item(ra_bind_check_dataset(L, 1), luaL_checkstring(L, 2), &i)) return 0;
  lua_pushnumber(L, (lua_Number)i + 1);
  return 1;
}

// ds:item_step(variable, i) -> the variable's step at that item's time; 0 without time; nil where it has none
static int l_item_step(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  lua_Integer i = luaL_checkinteger(L, 3);
  const ra_dataset_variable *variable = check_variable(L, dataset);
  if (i < 1 || (size_t)i > ra_dataset_item_count(dataset))
    luaL_error(L, "item %d is out of range", (int)i);
  size_t step = 0;
  if (variable->axis && !ra_dataset_item_step(dataset, (size_t)i - 1, variable->axis_index, &step))
    return 0;
  lua_pushnumber(L, (lua_Number)step);
  return 1;
}

static int64_t to_ms(lua_Number value) {
  const double most = 4e18;
  return value >= most ? INT64_MAX : value <= -most ? INT64_MIN : (int64_t)value;
}

// ds:lower(ms) -> the first item at or after ms; count + 1 when there is none
static int l_lower(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  lua_pushnumber(L, (lua_Number)ra_dataset_item_lower(dataset, to_ms(luaL_checknumber(L, 2))) + 1);
  return 1;
}

// ds:span() -> first, last item's ms; nothing without time
static int l_span(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  const ra_dataset_item *first = ra_dataset_get_item(dataset, 0);
  const ra_dataset_item *last = ra_dataset_get_item(dataset, ra_dataset_item_count(dataset) - 1);
  if (!first->axis) return 0;
  lua_pushnumber(L, (lua_Number)first->iso_ms);
  lua_pushnumber(L, (lua_Number)last->iso_ms);
  return 2;
}

// A date of the data's calendar; else an ISO date, moved to the nearest that exists there.
static int parse_time(ra_calendar calendar, const char *text, int64_t *ms, bool *exists, ra_err *err) {
  *exists = true;
  if (ra_time_parse(calendar, text, ms, err) == RA_OK) return RA_OK;
  int64_t iso;
  if (ra_time_parse(RA_CALENDAR_PROLEPTIC_GREGORIAN, text, &iso, NULL) < 0) return RA_E_INVALID;
  *ms = ra_time_from_iso(calendar, iso, exists);
  return RA_OK;
}

static int fail_datetime(lua_State *L, ra_err *err) {
  snprintf(err->where, sizeof err->where, "datetime");
  return ra_bind_fail(L, err);
}

// The run that argument `arg` names: RA_TIME_NONE when it is absent. 0: the variable has no such run.
static int check_run(lua_State *L, int arg, const ra_dataset_axis *axis, int64_t *run, ra_err *err) {
  *run = RA_TIME_NONE;
  if (lua_isnoneornil(L, arg)) return 1;
  int64_t ms;
  bool exists = true;
  ra_calendar calendar = axis ? axis->calendar : RA_CALENDAR_PROLEPTIC_GREGORIAN;
  if (parse_time(calendar, luaL_checkstring(L, arg), &ms, &exists, err) < 0) return RA_E_INVALID;
  return exists && ra_dataset_axis_find_run(axis, ms, run);
}

static int fail_run(lua_State *L, ra_err *err) {
  snprintf(err->where, sizeof err->where, "run");
  return ra_bind_fail(L, err);
}

static void push_instant(lua_State *L, int64_t ms) {
  if (ms == RA_TIME_NONE)
    lua_pushnil(L);
  else
    lua_pushnumber(L, (lua_Number)ms);
}

// ds:find_step(variable, text, mode, run) -> step, the step's ms in its own calendar, distance in ms, its run's ms | nil,
// err. No step: nil alone. text nil: the latest; run nil: any, the latest first. Without time: 0, nil, 0.
static int l_find_step(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  const ra_dataset_variable *variable = check_variable(L, dataset);
  const char *text = luaL_optstring(L, 3, NULL);
  ra_time_match match =
      text ? (ra_time_match)luaL_checkoption(L, 4, "exact", MATCHES) : RA_TIME_FLOOR;
  int64_t ms = INT64_MAX, run;
  bool exists = true;
  ra_err err = {0};
  ra_calendar calendar = variable->axis ? variable->axis->calendar : RA_CALENDAR_PROLEPTIC_GREGORIAN;
  if (text && parse_time(calendar, text, &ms, &exists, &err) < 0) return fail_datetime(L, &err);
  int named = check_run(L, 5, variable->axis, &run, &err);
  if (named < 0) return fail_run(L, &err);
  size_t step = 0;
  if (!named || (match == RA_TIME_EXACT && !exists)) return 0;
  if (!variable->axis) {
    lua_pushnumber(L, 0);
    lua_pushnil(L);
    lua_pushnumber(L, 0);
    return 3;
  }
  if (!ra_dataset_axis_find(variable->axis, ms, match, run, &step)) return 0;
  int64_t found = variable->axis->ms[step];
  lua_pushnumber(L, (lua_Number)step);
  lua_pushnumber(L, (lua_Number)found);
  lua_pushnumber(L, text ? (lua_Number)llabs(found - ms) : 0);
  push_instant(L, ra_dataset_axis_run(variable->axis, step));
  return 4;
}

// ds:other_runs(variable, step) -> {{step, ms of its run}, …}: the steps of other runs that are valid at the same time
static int l_other_runs(lua_State *L) {
  const ra_dataset_axis *axis = check_variable(L, ra_bind_check_dataset(L, 1))->axis;
  lua_Integer step = luaL_checkinteger(L, 3);
  lua_newtable(L);
  if (!axis || axis->runs < 2 || step < 0 || (size_t)step >= axis->count) return 1;
  int n = 0;
  for (size_t i = 0; i < axis->count; i++) {
    if (axis->ms[i] != axis->ms[step] || i == (size_t)step) continue;
    lua_createtable(L, 2, 0);
    lua_pushnumber(L, (lua_Number)i);
    lua_rawseti(L, -2, 1);
    push_instant(L, ra_dataset_axis_run(axis, i));
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

// ds:runs(variable) -> {{ms =, time =}, …}: the reference times of a forecast, in the file's order; empty for what is none
static int l_runs(lua_State *L) {
  const ra_dataset_axis *axis = check_variable(L, ra_bind_check_dataset(L, 1))->axis;
  lua_newtable(L);
  int n = 0;
  for (size_t i = 0; axis && i < axis->runs; i++) {
    char text[40];
    if (axis->run_ms[i] == RA_TIME_NONE) continue;
    ra_time_format(axis->calendar, axis->run_ms[i], text);
    lua_createtable(L, 0, 2);
    set_number(L, "ms", (double)axis->run_ms[i]);
    lua_pushstring(L, text);
    lua_setfield(L, -2, "time");
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

typedef struct span {
  int64_t first, last;
} span;

// "a", "a/b", "a/..", "../b": inclusive, with half a second's room.
static int parse_span(ra_calendar calendar, const char *text, span *out, ra_err *err) {
  const char *slash = strchr(text, '/');
  char ends[2][64];
  size_t n = slash ? (size_t)(slash - text) : strlen(text);
  const char *rest = slash ? slash + 1 : text;
  if (n >= sizeof *ends || strlen(rest) >= sizeof *ends)
    return ra_fail(err, RA_E_INVALID, "datetime",
                   "the datetime is too long: it takes a time or start/end");
  memcpy(ends[0], text, n);
  ends[0][n] = 0;
  snprintf(ends[1], sizeof ends[1], "%s", rest);
  bool open[2], exists;
  int64_t ms[2] = {INT64_MIN, INT64_MAX};
  for (int i = 0; i < 2; i++) {
    open[i] = slash && (!*ends[i] || !strcmp(ends[i], ".."));
    if (!open[i] && parse_time(calendar, ends[i], &ms[i], &exists, err) < 0) return RA_E_INVALID;
  }
  if (open[0] && open[1] && !strcmp(text, "/"))
    return ra_fail(err, RA_E_INVALID, "datetime",
                   "the datetime is '/': it takes a time or start/end, '..' for an open end");
  if (ms[0] > ms[1])
    return ra_fail(err, RA_E_INVALID, "datetime", "the datetime '%.80s' ends before it starts", text);
  out->first = open[0] ? INT64_MIN : ms[0] - 500;
  out->last = open[1] ? INT64_MAX : ms[1] + 500;
  return RA_OK;
}

// ds:steps(variable, text) -> list of zero-based steps in the source's order | nil, err. Without time: {0}.
static int l_steps(lua_State *L) {
  const ra_dataset *dataset = ra_bind_check_dataset(L, 1);
  const ra_dataset_variable *variable = check_variable(L, dataset);
  const char *text = luaL_checkstring(L, 3);
  const ra_dataset_axis *axis = variable->axis;
  span wanted = {0, 0};
  ra_err err = {0};
  ra_calendar calendar = axis ? axis->calendar : RA_CALENDAR_PROLEPTIC_GREGORIAN;
  if (parse_span(calendar, text, &wanted, &err) < 0) return fail_datetime(L, &err);
  lua_newtable(L);
  int n = 0;
  for (size_t i = 0; i < (axis ? axis->count : 1); i++) {
    if (axis &&
        (axis->ms[i] == RA_TIME_NONE || axis->ms[i] < wanted.first || axis->ms[i] > wanted.last))
      continue;
    lua_pushnumber(L, (lua_Number)i);
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

// ds:times(variable) -> list of texts in the data's calendar, false where the time is missing; nil without time
static int l_times(lua_State *L) {
  const ra_dataset_axis *axis = check_variable(L, ra_bind_check_dataset(L, 1))->axis;
  if (!axis) return 0;
  lua_createtable(L, (int)axis->count, 0);
  for (size_t i = 0; i < axis->count; i++) {
    char text[40];
    if (axis->ms[i] == RA_TIME_NONE) {
      lua_pushboolean(L, false);
    } else {
      ra_time_format(axis->calendar, axis->ms[i], text);
      lua_pushstring(L, text);
    }
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

extern const luaL_Reg RA__DATASET_TIMES[];
const luaL_Reg RA__DATASET_TIMES[] = {
    {"items", l_items}, {"item", l_item}, {"find_item", l_find_item},   {"item_step", l_item_step},
    {"lower", l_lower}, {"span", l_span}, {"find_step", l_find_step},   {"steps", l_steps},
    {"times", l_times}, {"runs", l_runs}, {"other_runs", l_other_runs}, {NULL, NULL}};
