// bind_core.c - rastrum.* itself and the small modules: hash, rastrum.log, rastrum.time, rastrum.metrics.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/caltime.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/sha256.h"
#include "script/guard.h"

// rastrum.hash(text or buf, …) -> 32 hex digits that depend on every text and on where one ends
static int l_hash(lua_State *L) {
  ra_str joined;
  int n = lua_gettop(L);
  double total = 0;
  for (int i = 1; i <= n; i++) {
    size_t size;
    if (lua_type(L, i) == LUA_TNUMBER || lua_isboolean(L, i) || lua_isnil(L, i)) continue;
    ra_bind_check_bytes(L, i, &size);
    total += (double)size;
  }
  if (total > (double)ra__guard_output(L)) ra__guard_too_big(L, "rastrum.hash", total);
  ra_str_init(&joined);
  for (int i = 1; i <= n; i++) {
    size_t size = 1;
    const char *bytes = lua_isnil(L, i)       ? "-"
                        : lua_isboolean(L, i) ? (lua_toboolean(L, i) ? "t" : "f")
                                              : NULL;
    char number[32];
    if (lua_type(L, i) == LUA_TNUMBER) {
      size = (size_t)snprintf(number, sizeof number, "%.17g", lua_tonumber(L, i));
      bytes = number;
    }
    if (!bytes) bytes = ra_bind_check_bytes(L, i, &size);
    ra_str_addf(&joined, "%zu:", size);
    ra_str_add_bytes(&joined, bytes, size);
  }
  char hex[65];
  ra_sha256_of(joined.ptr ? joined.ptr : "", joined.len, hex);
  bool failed = joined.failed;
  ra_str_deinit(&joined);
  if (failed) return luaL_error(L, "hash: not enough memory");
  lua_pushlstring(L, hex, 32);
  return 1;
}

static int l_plugin(lua_State *L) {
  lua_pushstring(L, ra_bind_plugin(L));
  return 1;
}

static int l_phase(lua_State *L) {
  static const char *const names[] = {[RA_PHASE_LOAD] = "load",
                                      [RA_PHASE_SETUP] = "setup",
                                      [RA_PHASE_REQUEST] = "request",
                                      [RA_PHASE_JOB] = "job"};
  ra_task *task = ra__script(L)->running;
  lua_pushstring(L, task ? names[task->phase] : "none");
  return 1;
}

// rastrum.etag_matches(if_none_match, etag)
static int l_etag_matches(lua_State *L) {
  lua_pushboolean(L, ra_http_etag_matches(luaL_checkstring(L, 1), luaL_checkstring(L, 2)));
  return 1;
}

static const luaL_Reg CORE[] = {{"hash", l_hash},
                                {"plugin", l_plugin},
                                {"phase", l_phase},
                                {"etag_matches", l_etag_matches},
                                {NULL, NULL}};
const ra_bind_module RA_BIND_CORE = {.name = "", .functions = CORE};

// ---- rastrum.log.info(message, fields)

enum { MESSAGE_MOST = 8 << 10, FIELDS_MOST = 64 << 10 };

static int write_log(lua_State *L, ra_log_level level) {
  size_t size;
  const char *message = luaL_checklstring(L, 1, &size);
  if (!ra_log_enabled(level)) return 0;
  if (size > MESSAGE_MOST) {
    lua_pushlstring(L, message, MESSAGE_MOST);
    message = lua_tostring(L, -1);
  }
  ra_str fields;
  ra_str_init(&fields);
  ra_str_add(&fields, "\"plugin\":");
  ra_str_add_json(&fields, ra_bind_plugin(L));
  ra_err err = {0};
  int rc = RA_OK;
  if (lua_istable(L, 2)) {
    ra_str_add(&fields, ",\"data\":");
    rc = ra__json_capped(L, 2, FIELDS_MOST, &fields, &err);
  }
  if (rc == RA_OK) ra_log_fields(level, message, fields.ptr);
  ra_str_deinit(&fields);
  return rc < 0 ? luaL_error(L, "log: %s", err.message) : 0;
}

static int l_debug(lua_State *L) { return write_log(L, RA_LOG_DEBUG); }
static int l_info(lua_State *L) { return write_log(L, RA_LOG_INFO); }
static int l_warn(lua_State *L) { return write_log(L, RA_LOG_WARN); }
static int l_error(lua_State *L) { return write_log(L, RA_LOG_ERROR); }

static const luaL_Reg LOG[] = {
    {"debug", l_debug}, {"info", l_info}, {"warn", l_warn}, {"error", l_error}, {NULL, NULL}};
const ra_bind_module RA_BIND_LOG = {.name = "log", .functions = LOG};

// ---- rastrum.time

static ra_calendar check_calendar(lua_State *L, int arg) {
  ra_calendar calendar = RA_CALENDAR_PROLEPTIC_GREGORIAN;
  const char *name = luaL_optstring(L, arg, "proleptic_gregorian");
  if (!ra_calendar_parse(name, &calendar)) luaL_error(L, "time: unknown calendar '%s'", name);
  return calendar;
}

// time.parse(text, calendar) -> ms since 1970-01-01 in that calendar | nil, err
static int l_time_parse(lua_State *L) {
  const char *text = luaL_checkstring(L, 1);
  int64_t ms;
  ra_err err = {0};
  if (ra_time_parse(check_calendar(L, 2), text, &ms, &err) < 0) return ra_bind_fail(L, &err);
  lua_pushnumber(L, (lua_Number)ms);
  return 1;
}

static int64_t check_ms(lua_State *L, int arg) {
  double ms = luaL_checknumber(L, arg);
  luaL_argcheck(L, fabs(ms) <= 9e15, arg, "milliseconds expected");
  return (int64_t)ms;
}

// time.format(ms, calendar) -> "2020-02-30T06:00:00Z"
static int l_time_format(lua_State *L) {
  char out[40];
  ra_time_format(check_calendar(L, 2), check_ms(L, 1), out);
  lua_pushstring(L, out);
  return 1;
}

// time.to_iso(ms, calendar) -> ms of the same date in the ISO calendar, whether it exists there
static int l_time_to_iso(lua_State *L) {
  bool exact = true;
  lua_pushnumber(L, (lua_Number)ra_time_to_iso(check_calendar(L, 2), check_ms(L, 1), &exact));
  lua_pushboolean(L, exact);
  return 2;
}

static int l_time_from_iso(lua_State *L) {
  bool exact = true;
  lua_pushnumber(L, (lua_Number)ra_time_from_iso(check_calendar(L, 2), check_ms(L, 1), &exact));
  lua_pushboolean(L, exact);
  return 2;
}

static int l_time_now(lua_State *L) {
  lua_pushnumber(L, (lua_Number)ra_clock_wall_ms());
  return 1;
}

// time.clock() -> monotonic seconds
static int l_time_clock(lua_State *L) {
  lua_pushnumber(L, (lua_Number)ra_clock_ns() / 1e9);
  return 1;
}

static const luaL_Reg TIME[] = {{"parse", l_time_parse},
                                {"format", l_time_format},
                                {"to_iso", l_time_to_iso},
                                {"from_iso", l_time_from_iso},
                                {"now", l_time_now},
                                {"clock", l_time_clock},
                                {NULL, NULL}};
const ra_bind_module RA_BIND_TIME = {.name = "time", .functions = TIME};

// ---- rastrum.metrics

// metrics.text() -> all metrics in Prometheus' text format
static int l_metrics_text(lua_State *L) {
  ra_script_show_gauges(ra__script(L));
  ra_str out;
  ra_str_init(&out);
  ra_metrics_text(&out);
  ra_err err = {0};
  ra_buf *buf;
  if (ra_str_take(&out, &buf, &err) < 0) return ra_bind_fail(L, &err);
  ra_bind_push_buf(L, buf);
  return 1;
}

static bool metric_name_ok(const char *name) {
  return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) &&
         strlen(name) < 100;
}

// metrics.count(name, help, amount): a counter of the plugin's own, rastrum_plugin_<name>_total{plugin="…"}
static int l_metrics_count(lua_State *L) {
  const char *name = luaL_checkstring(L, 1), *help = luaL_optstring(L, 2, name);
  double amount = luaL_optnumber(L, 3, 1);
  luaL_argcheck(L, metric_name_ok(name), 1, "a name of [a-z0-9_] expected");
  luaL_argcheck(L, amount >= 0 && isfinite(amount), 3, "a number that is not negative expected");
  char full[160];
  snprintf(full, sizeof full, "rastrum_plugin_%s_total", name);
  ra_str labels;
  ra_str_init(&labels);
  ra_str_add(&labels, "plugin=\"");
  ra_metric_escape(&labels, ra_bind_plugin(L));
  ra_str_add_char(&labels, '"');
  ra_metric_add(ra_metric_get(RA_METRIC_COUNTER, full, help, NULL, 0), labels.ptr, amount);
  ra_str_deinit(&labels);
  return 0;
}

static const luaL_Reg METRICS[] = {
    {"text", l_metrics_text}, {"count", l_metrics_count}, {NULL, NULL}};
const ra_bind_module RA_BIND_METRICS = {.name = "metrics", .functions = METRICS};
