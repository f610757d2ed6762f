// slice.c - how Lua code is made to share the loop: a count hook ends a slice after half a millisecond by yielding; where it
// cannot yield (inside a callback of table.sort or string.gsub) the code runs on, and past the budget an error is raised,
// again and again. The coroutine wrappers in rastrum/sandbox.lua carry a preemption out through nested coroutines.
#include <stdio.h>

#include "base/clock.h"
#include "script/host.h"

#define COUNT 1000  // instructions between two looks; fewer while they are slow ones
#define SLOW_NS (RA__SLICE_NS / 4)  // that many instructions took too long
#define FAST_NS 30000u

static uint64_t budget_ns(const ra_task *task) {
  return task->lua_limit_ns ? task->lua_limit_ns : task->owner->limits.lua_ms * 1000000u;
}

bool ra__over_budget(const ra_task *task) {
  return task->lua_limit_ns && task->lua_ns > task->lua_limit_ns;
}

int ra__budget_error(const ra_task *task, ra_err *err) {
  unsigned long long ms = budget_ns(task) / 1000000u;
  if (!(task->phase & (RA_PHASE_REQUEST | RA_PHASE_JOB))) {
    return ra_fail(err, RA_E_TIMEOUT, task->plugin,
                   "plugin '%s' used more than %llu ms of Lua time, the limit of reading a plugin",
                   task->plugin, ms);
  }
  ra__hint hint;
  return ra_fail(
      err, RA_E_TIMEOUT, task->plugin,
      "plugin '%s' used more than %llu ms of Lua time in one request; %s", task->plugin, ms,
      ra__limit_hint(task->owner, "lua_time", "lua_time", task->owner->own.lua_ms != 0, &hint));
}

// Jobs have no total, but none may hold the loop for longer than a request may where it cannot yield.
static void check_overtime(ra_script *script, ra_task *task, lua_State *L, uint64_t now) {
  uint64_t slice = now - script->slice_ns;
  uint64_t used = task->lua_limit_ns ? task->lua_ns + slice : slice;
  if (used <= budget_ns(task)) return;
  ra_err err = {0};
  ra__budget_error(task, &err);
  luaL_error(L, "%s", err.message);
}

static void preempt(ra_script *script, lua_State *L) {
  script->preempted = true;
  script->preemptions++;
  lua_yield(L, 0);  // a yield out of a hook does not return
}

static bool over(const ra_script *script, uint64_t now) {
  return script->cut || now - script->slice_ns >= RA__SLICE_NS;
}

static bool due(const ra_script *script, const ra_task *task, uint64_t now) {
  return task->heap > (ptrdiff_t)task->owner->limits.memory || over(script, now);
}

static void on_count(lua_State *L, lua_Debug *ar);

static void set_count(ra_script *script, unsigned count) {
  if (script->count == count) return;
  script->count = count;
  lua_sethook(script->L, on_count, LUA_MASKCOUNT, (int)count);
}

// An instruction may be a call into C that takes milliseconds: looks come closer while they do.
static void adapt(ra_script *script, ra_task *task, uint64_t now) {
  uint64_t took = now - script->hook_ns;
  unsigned count = script->count;
  script->hook_ns = now;
  if (took > SLOW_NS) {
    count = count > 10 ? count / 10 : 1;
  } else if (took < FAST_NS && count < COUNT) {
    count *= 10;
  }
  task->count = count;
  set_count(script, count);
}

static void on_count(lua_State *L, lua_Debug *ar) {
  (void)ar;
  ra_script *script = ra__script(L);
  ra_task *task = script->running;
  if (!task || script->preempted) return;
  uint64_t now = ra_clock_ns();
  if (!script->overdue) adapt(script, task, now);
  if (!script->overdue && !due(script, task, now)) return;
  if (lua_isyieldable(L)) preempt(script, L);
  if (!script->overdue) {
    script->overdue = true;
    script->overtime = 0;
    set_count(script, 1);  // so that it yields as soon as it can
  }
  if (script->overtime++ % 16 == 0) check_overtime(script, task, L, now);
}

void ra__slice_init(ra_script *script) { set_count(script, COUNT); }

void ra__slice_look_soon(ra_script *script) { set_count(script, 1); }

bool ra__slice_over(const ra_script *script) {
  return script->running && over(script, ra_clock_ns());
}

void ra__slice_cut(ra_script *script) {
  script->cut = true;
  ra__slice_look_soon(script);
}

void ra__slice_check_budget(ra_script *script, lua_State *L) {
  if (script->running) check_overtime(script, script->running, L, ra_clock_ns());
}

void ra__slice_begin(ra_script *script, ra_task *task) {
  script->preempted = false;
  script->overdue = false;
  set_count(script, task->count ? task->count : COUNT);
  script->cut = false;
  script->hook_ns = script->slice_ns = ra_clock_ns();
  script->running = task;
  script->slices++;
}

void ra__slice_end(ra_script *script, ra_task *task) {
  uint64_t used = ra_clock_ns() - script->slice_ns;
  script->running = NULL;
  script->turn_ns += used;
  task->lua_ns += used;
  if (task->heap < 0) task->heap = 0;
  ra__plugin_charge(task, used);
}

// host.preempted() -> true when the coroutine that just yielded was preempted and the caller has to pass that on. Where
// the caller cannot yield the inner coroutine simply goes on, in overtime.
static int l_preempted(lua_State *L) {
  ra_script *script = ra__script(L);
  bool pass_on = script->preempted && lua_isyieldable(L);
  if (script->preempted && !pass_on) {
    ra_task *task = script->running;
    script->preempted = false;
    if (task) check_overtime(script, task, L, ra_clock_ns());
    lua_pushnil(L);  // resume the inner one again
    return 1;
  }
  lua_pushboolean(L, pass_on);
  return 1;
}

// ---- callbacks of table.sort and string.gsub, which are written in Lua: a preemption passes through them, waiting may not.

bool ra__in_callback(lua_State *L) {
  const ra_task *task = ra__script(L)->running;
  for (unsigned i = 0; task && i < task->callback_count; i++) {
    if (task->callbacks[i].co == L) return true;
  }
  return false;
}

// host.callbacks(1 or -1): this coroutine enters or leaves such a callback. One that is inside can only be left by returning.
static int l_callbacks(lua_State *L) {
  ra_task *task = ra__script(L)->running;
  bool enter = lua_tointeger(L, 1) > 0;
  if (!task) return 0;
  ra__callback *top = task->callback_count ? &task->callbacks[task->callback_count - 1] : NULL;
  if (top && top->co == L) {
    top->depth += enter ? 1u : -1u;
    if (!top->depth) task->callback_count--;
  } else if (enter) {
    if (task->callback_count == RA__CALLBACKS_MOST)
      return luaL_error(L, "coroutines in callbacks are nested more than %d deep",
                        RA__CALLBACKS_MOST);
    task->callbacks[task->callback_count++] = (ra__callback){L, 1};
  }
  return 0;
}

static bool own(lua_State *L) {
  ra_script *script = ra__script(L);
  return script->running && script->running->co == L;
}

// coroutine.yield for plugins: only inside a coroutine of their own.
static int l_yield(lua_State *L) {
  if (own(L))
    return luaL_error(
        L, "coroutine.yield outside a coroutine of your own; to wait, call an operation");
  if (ra__in_callback(L))
    return luaL_error(L, "coroutine.yield inside a callback of table.sort or string.gsub");
  return lua_yield(L, lua_gettop(L));
}

// coroutine.running: nil in the task's own coroutine, which nobody else may resume.
static int l_running(lua_State *L) {
  if (own(L) || lua_pushthread(L)) lua_pushnil(L);
  return 1;
}

const luaL_Reg RA__HOST_SLICE[] = {{"preempted", l_preempted},
                                   {"yield", l_yield},
                                   {"running", l_running},
                                   {"callbacks", l_callbacks},
                                   {NULL, NULL}};
