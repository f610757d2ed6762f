// slice.c - how Lua code is made to share the loop: a count hook ends a slice after a millisecond by yielding; where it
// cannot yield (inside a callback of table.sort or string.gsub) the code runs on, and past the budget an error is raised,
// again and again. The coroutine wrappers in rastrum/sandbox.lua carry a preemption out through nested coroutines.
#include <stdio.h>

#include "base/clock.h"
#include "script/host.h"

#define SLICE_NS 1000000u
#define COUNT 1000

static uint64_t budget_ns(const ra_script *script, const ra_task *task) {
  return task->lua_limit_ns ? task->lua_limit_ns : script->limits.request_lua_ms * 1000000u;
}

bool ra__over_budget(const ra_task *task) {
  return task->lua_limit_ns && task->lua_ns > task->lua_limit_ns;
}

int ra__budget_error(const ra_task *task, ra_err *err) {
  bool request = task->phase & (RA_PHASE_REQUEST | RA_PHASE_JOB);
  return ra_fail(err, RA_E_TIMEOUT, task->plugin,
                 "plugin '%s' used more than %llu ms of Lua time, the limit of %s", task->plugin,
                 (unsigned long long)(budget_ns(task->script, task) / 1000000u),
                 request ? "one request; lua_time raises it" : "reading a plugin");
}

// Jobs have no total, but none may hold the loop for longer than a request may where it cannot yield.
static void check_overtime(ra_script *script, ra_task *task, lua_State *L) {
  uint64_t now = ra_clock_ns();
  uint64_t slice = now + SLICE_NS - script->slice_end_ns;
  uint64_t used = task->lua_limit_ns ? task->lua_ns + slice : slice;
  if (used <= budget_ns(script, task)) return;
  ra_err err = {0};
  ra__budget_error(task, &err);
  luaL_error(L, "%s", err.message);
}

static void preempt(ra_script *script, lua_State *L) {
  script->preempted = true;
  script->preemptions++;
  lua_yield(L, 0);  // a yield out of a hook does not return
}

static bool due(const ra_script *script, const ra_task *task) {
  return task->heap > (ptrdiff_t)script->limits.task_heap || ra_clock_ns() >= script->slice_end_ns;
}

static void on_count(lua_State *L, lua_Debug *ar) {
  (void)ar;
  ra_script *script = ra__script(L);
  ra_task *task = script->running;
  if (!task || script->preempted) return;
  if (!script->overdue && !due(script, task)) return;
  if (lua_isyieldable(L)) preempt(script, L);
  if (!script->overdue) {
    script->overdue = true;
    script->overtime = 0;
    lua_sethook(L, on_count, LUA_MASKCOUNT, 1);  // so that it yields as soon as it can
  }
  if (script->overtime++ % COUNT == 0) check_overtime(script, task, L);
}

void ra__slice_init(ra_script *script) { lua_sethook(script->L, on_count, LUA_MASKCOUNT, COUNT); }

void ra__slice_begin(ra_script *script, ra_task *task) {
  script->preempted = false;
  if (script->overdue) {
    script->overdue = false;
    lua_sethook(script->L, on_count, LUA_MASKCOUNT, COUNT);
  }
  script->slice_end_ns = ra_clock_ns() + SLICE_NS;
  script->running = task;
  script->slices++;
}

void ra__slice_end(ra_script *script, ra_task *task) {
  uint64_t used = ra_clock_ns() + SLICE_NS - script->slice_end_ns;
  script->running = NULL;
  script->turn_ns += used;
  task->lua_ns += used;
  if (task->heap < 0) task->heap = 0;
}

// host.preempted() -> true when the coroutine that just yielded was preempted and the caller has to pass that on. Where
// the caller cannot yield the inner coroutine simply goes on, in overtime.
static int l_preempted(lua_State *L) {
  ra_script *script = ra__script(L);
  bool pass_on = script->preempted && lua_isyieldable(L);
  if (script->preempted && !pass_on) {
    ra_task *task = script->running;
    script->preempted = false;
    if (task) check_overtime(script, task, L);
    lua_pushnil(L);  // resume the inner one again
    return 1;
  }
  lua_pushboolean(L, pass_on);
  return 1;
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
  return lua_yield(L, lua_gettop(L));
}

// coroutine.running: nil in the task's own coroutine, which nobody else may resume.
static int l_running(lua_State *L) {
  if (own(L) || lua_pushthread(L)) lua_pushnil(L);
  return 1;
}

const luaL_Reg RA__HOST_SLICE[] = {
    {"preempted", l_preempted}, {"yield", l_yield}, {"running", l_running}, {NULL, NULL}};
