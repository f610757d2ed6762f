// bind_task.c - rastrum.sleep, rastrum.all, rastrum.spawn: waiting, joining and starting.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "script/guard.h"

// ---- sleep

typedef struct sleeping {
  ra_op *op;  // itself
  ra_timer *timer;
  uint64_t ms;
} sleeping;

static void on_timer(void *ctx) {
  sleeping *s = ctx;
  ra_op_finish(s->op, RA_OK, NULL);
}

static int sleep_start(ra_op *op, void *state, ra_err *err) {
  sleeping *s = state;
  s->op = op;
  int rc = ra_timer_new(ra_op_ops(op)->loop, false, on_timer, s, &s->timer, err);
  if (rc == RA_OK) ra_timer_start(s->timer, s->ms, 0);
  return rc;
}

static void sleep_cancelled(ra_op *op, void *state) {
  ra_timer_stop(((sleeping *)state)->timer);
  ra_err err = {0};
  ra_op_finish(op, ra_fail(&err, RA_E_CANCELLED, "sleep", "nobody waits any more"), &err);
}

static void sleep_deinit(void *state) { ra_timer_free(((sleeping *)state)->timer); }

static const ra_op_kind SLEEP = {.name = "sleep",
                                 .state_size = sizeof(sleeping),
                                 .start = sleep_start,
                                 .cancelled = sleep_cancelled,
                                 .deinit = sleep_deinit};

static int push_true(lua_State *L, ra_op *op) {
  (void)op;
  lua_pushboolean(L, 1);
  return 1;
}

// rastrum.sleep(ms)
static int l_sleep(lua_State *L) {
  double ms = luaL_checknumber(L, 1);
  luaL_argcheck(L, ms >= 0 && ms <= 86400000.0, 1, "0 to 86400000 ms expected");
  ra_op *op;
  ra_err err = {0};
  if (ra_op_new(ra_bind_ops(L), &SLEEP, &op, &err) < 0) return ra_bind_fail(L, &err);
  ((sleeping *)ra_op_state(op))->ms = (uint64_t)ceil(ms);
  return ra_bind_op(L, op, push_true);
}

// ---- all

enum { ALL_MOST = 10000 };

typedef struct part {
  ra_op *op;
  ra_bind_push push;
  bool in_flight;
} part;

typedef struct joining {
  ra_op *op;  // itself
  part *parts;
  size_t count, next, running, width;
  int rc;
  ra_err err;
} joining;

static void all_fail(joining *j, int rc, const ra_err *err) {
  if (j->rc < 0) return;
  j->rc = rc;
  j->err = *err;
  j->next = j->count;
  for (size_t i = 0; i < j->count; i++) {
    if (j->parts[i].in_flight) ra_op_cancel(j->parts[i].op);
  }
}

static void all_pump(joining *j);

static void on_part(void *ctx, ra_op *op, int rc, const ra_err *err) {
  joining *j = ctx;
  ra_op *self = ra_op_ref(j->op);  // finishing may let go of the last reference
  for (size_t i = 0; i < j->count; i++) {
    if (j->parts[i].op == op) j->parts[i].in_flight = false;
  }
  j->running--;
  ra_timing_add(ra_op_timing(j->op), ra_op_timing(op));
  if (rc < 0) all_fail(j, rc, err);
  all_pump(j);
  ra_op_unref(self);
}

static void all_pump(joining *j) {
  while (j->next < j->count && j->running < j->width) {
    part *p = &j->parts[j->next++];
    ra_err err = {0};
    j->running++;
    p->in_flight = true;
    int rc = ra_op_submit(p->op, on_part, j, &err);
    if (rc < 0) {
      p->in_flight = false;
      j->running--;
      all_fail(j, rc, &err);
    }
  }
  if (j->running == 0 && j->next == j->count) ra_op_finish(j->op, j->rc, &j->err);
}

static int all_start(ra_op *op, void *state, ra_err *err) {
  (void)err;
  joining *j = state;
  j->op = op;
  all_pump(j);
  return RA_OK;
}

static void all_cancelled(ra_op *op, void *state) {
  joining *j = state;
  ra_err err = {0};
  ra_fail(&err, RA_E_CANCELLED, "all", "nobody waits any more");
  ra_op_ref(op);
  all_fail(j, RA_E_CANCELLED, &err);
  all_pump(j);
  ra_op_unref(op);
}

static void all_deinit(void *state) {
  joining *j = state;
  for (size_t i = 0; i < j->count; i++) ra_op_unref(j->parts[i].op);
  free(j->parts);
}

static const ra_op_kind ALL = {.name = "all",
                               .state_size = sizeof(joining),
                               .start = all_start,
                               .cancelled = all_cancelled,
                               .deinit = all_deinit};

// A list of each operation's first result.
static int push_all(lua_State *L, ra_op *op) {
  joining *j = ra_op_state(op);
  lua_createtable(L, (int)j->count, 0);
  for (size_t i = 0; i < j->count; i++) {
    int top = lua_gettop(L);
    int n = j->parts[i].push ? j->parts[i].push(L, j->parts[i].op) : 0;
    if (n == 0) lua_pushboolean(L, 1);
    lua_settop(L, top + 1);
    lua_rawseti(L, top, (int)i + 1);
  }
  return 1;
}

static size_t check_parts(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t n = lua_objlen(L, 1);
  if (n > ALL_MOST) luaL_error(L, "all: at most %d operations", ALL_MOST);
  for (size_t i = 1; i <= n; i++) {
    lua_rawgeti(L, 1, (int)i);
    if (!ra__op_unused(L, -1))
      luaL_error(L, "all: entry %d is no unstarted operation; an operation is used once", (int)i);
    lua_pop(L, 1);
  }
  return n;
}

// rastrum.all({op, …}, max) -> {result, …} | nil, err
static int l_all(lua_State *L) {
  lua_Integer width = luaL_optinteger(L, 2, 8);
  luaL_argcheck(L, width >= 1 && width <= 1024, 2, "1 to 1024 expected");
  size_t n = check_parts(L);
  ra_op *op;
  ra_err err = {0};
  if (ra_op_new(ra_bind_ops(L), &ALL, &op, &err) < 0) return ra_bind_fail(L, &err);
  joining *j = ra_op_state(op);
  j->width = (size_t)width;
  j->parts = calloc(n ? n : 1, sizeof *j->parts);
  bool ok = j->parts != NULL;
  for (size_t i = 1; ok && i <= n; i++) {
    lua_rawgeti(L, 1, (int)i);
    ok = ra__op_take(L, -1, &j->parts[i - 1].op, &j->parts[i - 1].push);
    if (ok) j->count = i;
    lua_pop(L, 1);
  }
  if (ok) return ra_bind_op(L, op, push_all);
  ra_op_unref(op);
  return luaL_error(L, "all: an operation is used once");
}

// ---- spawn

static void on_spawned_end(ra_task *task, int rc, const ra_err *err) {
  if (rc < 0 && rc != RA_E_CANCELLED)
    ra_log(RA_LOG_ERROR, "a task of plugin '%s' ended: %s", task->plugin, err->message);
}

// rastrum.spawn(fn, …): a job of its own, which starts when this slice is over. Handles among the arguments have to be kept.
static int l_spawn(lua_State *L) {
  ra_script *script = ra__script(L);
  luaL_checktype(L, 1, LUA_TFUNCTION);
  ra_bind_phase(L, RA_PHASE_SETUP | RA_PHASE_REQUEST | RA_PHASE_JOB, "rastrum.spawn");
  int args = lua_gettop(L) - 1;
  if (args > 50) return luaL_error(L, "spawn: at most 50 arguments");
  ra_err err = {0};
  ra_task *task;
  // Requests are answered to the end, and may need a job for it; other jobs have been ended.
  bool ending = script->ending && script->running && script->running->phase == RA_PHASE_JOB;
  if (ending) return luaL_error(L, "spawn: the host is shutting down");
  const ra__plugin *plugin = ra__owner(script);
  unsigned jobs = plugin->tasks - plugin->requests, most = script->limits.tasks / 4;
  if (jobs >= most)
    ra__guard_raise(L, RA_E_BUSY,
                    "plugin '%s' has %u jobs that live, the most that may; this limit is fixed",
                    plugin->name, jobs);
  if (ra__task_new(script, RA_PHASE_JOB, ra_bind_plugin(L), &task, &err) < 0)
    return ra_bind_fail(L, &err);
  task->finish = on_spawned_end;
  lua_xmove(L, task->co, args + 1);
  ra__task_start(task, args);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg FUNCTIONS[] = {{"spawn", l_spawn}, {NULL, NULL}};
static const luaL_Reg OPERATIONS[] = {{"sleep", l_sleep}, {"all", l_all}, {NULL, NULL}};

const ra_bind_module RA_BIND_TASK = {.name = "", .functions = FUNCTIONS, .operations = OPERATIONS};
