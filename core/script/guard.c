// guard.c - what all guarded functions share: the limits of the running task, their errors, and the end of a slice after a
// call that took long. See guard.h.
#include "script/guard.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t ra__guard_output(lua_State *L) { return ra__limits(ra__script(L))->output; }
uint64_t ra__guard_steps(lua_State *L) { return ra__limits(ra__script(L))->steps; }

void ra__guard_raise(lua_State *L, int code, const char *fmt, ...) {
  ra_err err = {0};
  char text[sizeof err.message];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  ra_fail(&err, code, ra_bind_plugin(L), "%s", text);
  ra_bind_fail(L, &err);
  lua_error(L);
  __builtin_unreachable();
}

static const ra__plugin *plugin_of(lua_State *L) {
  const ra_script *script = ra__script(L);
  return script->running ? script->running->owner : script->nobody;
}

void ra__guard_too_big(lua_State *L, const char *what, double bytes) {
  const ra__plugin *plugin = plugin_of(L);
  ra__hint hint;
  ra__guard_raise(L, RA_E_NOMEM,
                  "plugin '%s': %s would make %.0f bytes, more than the %zu that one call may; %s",
                  plugin->name, what, bytes, plugin->limits.output,
                  ra__limit_hint(plugin, "lua_output", "output", plugin->own.output != 0, &hint));
}

void ra__guard_too_long(lua_State *L, const char *what) {
  const ra__plugin *plugin = plugin_of(L);
  ra__hint hint;
  ra__guard_raise(L, RA_E_TIMEOUT,
                  "plugin '%s': %s took more than the %llu steps that one call may; %s",
                  plugin->name, what, (unsigned long long)plugin->limits.steps,
                  ra__limit_hint(plugin, "lua_steps", "steps", plugin->own.steps != 0, &hint));
}

void ra__guard_spent(lua_State *L) {
  ra_script *script = ra__script(L);
  if (ra__slice_over(script)) ra__slice_look_soon(script);
}

void ra__guard_check_time(lua_State *L) { ra__slice_check_budget(ra__script(L), L); }

// ---- results

enum { SCRATCH_KEPT = 1 << 20 };

void ra__guard_begin(lua_State *L) {
  ra_str *scratch = &ra__script(L)->scratch;
  if (scratch->cap > SCRATCH_KEPT || scratch->failed) {
    ra_str_deinit(scratch);
    ra_str_init(scratch);
  }
  scratch->len = 0;
}

char *ra__guard_room(lua_State *L, const char *what, double n) {
  ra_str *scratch = &ra__script(L)->scratch;
  double size = (double)scratch->len + n;
  if (size > (double)ra__guard_output(L)) ra__guard_too_big(L, what, size);
  char *room = ra_str_room(scratch, (size_t)n + 1);
  if (!room) luaL_error(L, "not enough memory");
  ra_str_wrote(scratch, (size_t)n);
  return room;
}

void ra__guard_add(lua_State *L, const char *what, const void *bytes, size_t n) {
  if (n) memcpy(ra__guard_room(L, what, (double)n), bytes, n);
}

void ra__guard_push(lua_State *L) {
  const ra_str *scratch = &ra__script(L)->scratch;
  lua_pushlstring(L, scratch->ptr ? scratch->ptr : "", scratch->len);
  if (scratch->len > SCRATCH_KEPT / 16) ra__guard_spent(L);
}

int ra__guard_int(lua_State *L, int arg) {
  double value = luaL_checknumber(L, arg);
  return value > -2147483649.0 && value < 2147483648.0 ? (int)value : INT_MIN;
}

int ra__guard_opt_int(lua_State *L, int arg, int fallback) {
  return lua_isnoneornil(L, arg) ? fallback : ra__guard_int(L, arg);
}
