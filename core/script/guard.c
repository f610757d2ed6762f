// guard.c - what all guarded functions share: the limits of the running task, their errors, and the end of a slice after a
// call that took long. See guard.h.
#include "script/guard.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t ra__guard_output(lua_State *L) { return ra__owner(ra__script(L))->limits.output; }
uint64_t ra__guard_steps(lua_State *L) { return ra__owner(ra__script(L))->limits.steps; }

void ra__guard_raise(lua_State *L, int code, const char *fmt, ...) {
  ra_err err = {0};
  char text[sizeof err.message];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  ra__guard_spent(L);  // who catches the error and tries again is preempted
  ra_fail(&err, code, ra_bind_plugin(L), "%s", text);
  ra_bind_fail(L, &err);
  lua_error(L);
  __builtin_unreachable();
}

void ra__guard_too_big(lua_State *L, const char *what, double bytes) {
  const ra__plugin *plugin = ra__owner(ra__script(L));
  ra__hint hint;
  ra__guard_raise(L, RA_E_NOMEM,
                  "plugin '%s': %s would make %.0f bytes, more than the %zu that one call may; %s",
                  plugin->name, what, bytes, plugin->limits.output,
                  ra__limit_hint(plugin, "lua_output", "output", plugin->own.output != 0, &hint));
}

void ra__guard_too_long(lua_State *L, const char *what) {
  const ra__plugin *plugin = ra__owner(ra__script(L));
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

static void drop_large(ra_str *scratch) {
  if (scratch->cap <= SCRATCH_KEPT && !scratch->failed) return;
  ra_str_deinit(scratch);
  ra_str_init(scratch);
}

void ra__text_grow(ra__text *t, double more) {
  ra_str *scratch = &ra__script(t->L)->scratch;
  size_t most = ra__guard_output(t->L);
  double size = (double)t->size + more;
  if (size > (double)most) ra__guard_too_big(t->L, t->what, size);
  bool first = t->bytes == t->small;
  if (first) drop_large(scratch);
  scratch->len = first ? 0 : t->size;
  char *end = ra_str_room(scratch, (size_t)size - scratch->len);
  if (!end) luaL_error(t->L, "not enough memory");
  if (first) memcpy(end, t->small, t->size);
  t->bytes = scratch->ptr;
  t->room = scratch->cap < most ? scratch->cap : most;
}

void ra__text_push(ra__text *t) {
  lua_pushlstring(t->L, t->bytes, t->size);
  if (t->size > SCRATCH_KEPT / 16) ra__guard_spent(t->L);
}

int ra__guard_int(lua_State *L, int arg) {
  double value = luaL_checknumber(L, arg);
  return value > -2147483649.0 && value < 2147483648.0 ? (int)value : INT_MIN;
}

int ra__guard_opt_int(lua_State *L, int arg, int fallback) {
  return lua_isnoneornil(L, arg) ? fallback : ra__guard_int(L, arg);
}
