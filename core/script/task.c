// task.c - tasks: their life, the run queue, and ra_task_step, the one place where coroutines are resumed. An operation
// is submitted here, after the coroutine has yielded it.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/pulse.h"
#include "script/host.h"

#define TURN_NS \
  RA__SLICE_NS  // Lua time of one turn of the loop, over which the rest waits for the next

int ra__task_new(ra_script *script, ra_phase phase, const char *plugin, ra_task **out, ra_err *err) {
  if (script->task_count >= script->limits.tasks) {
    ra_fail(err, RA_E_BUSY, plugin, "%u tasks are live, which is the most that may",
            script->task_count);
    if (err) err->retry = true;
    return RA_E_BUSY;
  }
  ra_task *task = calloc(1, sizeof *task);
  if (!task) return ra_fail(err, RA_E_NOMEM, plugin, "no memory for a task");
  task->script = script;
  task->phase = phase;
  ra__plugin_enter(task, plugin ? plugin : "");
  task->state = RA_TASK_WAITING;
  ra_task *running = script->running;
  script->running = NULL;  // no caps here: an error on the main state would have nobody to catch it
  task->co = lua_newthread(script->L);
  task->ref = luaL_ref(script->L, LUA_REGISTRYINDEX);
  script->running = running;
  task->next = script->tasks;
  if (task->next) task->next->prev = task;
  script->tasks = task;
  script->task_count++;
  *out = task;
  return RA_OK;
}

static void unlink_task(ra_task *task) {
  ra_script *script = task->script;
  if (task->next) task->next->prev = task->prev;
  if (task->prev) {
    task->prev->next = task->next;
  } else {
    script->tasks = task->next;
  }
  script->task_count--;
}

static bool unqueue_from(ra__queue *queue, ra_task *task) {
  for (ra_task **at = &queue->head; *at; at = &(*at)->queue_next) {
    if (*at != task) continue;
    *at = task->queue_next;
    if (queue->tail == &task->queue_next) queue->tail = at;
    return true;
  }
  return false;
}

static void unqueue(ra_task *task) {
  ra_script *script = task->script;
  if (unqueue_from(&script->ready, task) || unqueue_from(&script->late, task)) return;
  unqueue_from(&script->held, task);
}

static void enqueue_in(ra__queue *queue, ra_task *task) {
  task->state = RA_TASK_READY;
  task->queue_next = NULL;
  *queue->tail = task;
  queue->tail = &task->queue_next;
}

static void enqueue(ra_task *task) { enqueue_in(&task->script->ready, task); }

static void report_drained(ra_script *script) {
  if (!script->drained || script->task_count || script->dead_count) return;
  void (*drained)(void *ctx) = script->drained;
  script->drained = NULL;
  if (script->grace) ra_timer_stop(script->grace);
  drained(script->drained_ctx);
}

// The end of a task, whichever way. Its operation, if one is in flight, is told that nobody waits, and keeps the struct.
static void end(ra_task *task, int rc, const ra_err *err) {
  ra_script *script = task->script;
  if (task->state == RA_TASK_READY) unqueue(task);
  bool in_flight = task->state == RA_TASK_WAITING && task->op;
  task->state = RA_TASK_DEAD;
  unlink_task(task);
  if (in_flight) {
    script->dead_count++;
  } else {
    ra_op_unref(task->op);
  }
  if (task->finish) task->finish(task, rc, err);
  ra__scope_close(task);
  ra__plugin_leave(task);
  luaL_unref(script->L, LUA_REGISTRYINDEX, task->ref);
  if (in_flight) {
    ra_op_cancel(task->op);  // last: it may be done at once, which frees the task
  } else {
    free(task);
    report_drained(script);
  }
}

static void count_drop(ra_task *task, int code) {
  task->script->drops++;
  ra_str labels;
  ra_str_init(&labels);
  ra_str_addf(&labels, "reason=\"%s\",plugin=\"", ra_err_name(code));
  ra_metric_escape(&labels, task->plugin);
  ra_str_add_char(&labels, '"');
  ra_metric_add(ra_metric_get(RA_METRIC_COUNTER, "rastrum_lua_dropped_total",
                              "Tasks that were ended from outside, by reason.", NULL, 0),
                labels.ptr, 1);
  ra_str_deinit(&labels);
}

static void drop(ra_task *task, const ra_err *err) {
  count_drop(task, err->code);
  if (task->state != RA_TASK_RUNNING) {
    end(task, err->code, err);
  } else {  // from inside its own slice: as soon as the slice is over
    task->cancelled = true;
    task->op_err = *err;
  }
}

void ra__task_drop(ra_task *task, int code, const char *fmt, ...) {
  char text[sizeof((ra_err *)0)->message];
  va_list args;
  va_start(args, fmt);
  vsnprintf(text, sizeof text, fmt, args);
  va_end(args);
  ra_err err = {0};
  ra_fail(&err, code, task->plugin, "%s", text);
  drop(task, &err);
}

void ra_script_cancel(ra_task *task) {
  ra__task_drop(task, RA_E_CANCELLED, "nobody waits for the result any more");
}

void ra__task_own(lua_State *L, ra_task *task, const char *plugin) {
  ra_err err = {0};
  char reason[sizeof err.message];
  int rc = ra__plugin_own(task, plugin, &err);
  ra_pulse_name(plugin);
  if (ra_pulse_blocked(plugin, reason, sizeof reason))
    rc = ra_fail(&err, RA_E_BUSY, plugin, "%s", reason);
  if (ra__paying(task->owner, ra_clock_ns())) ra__slice_cut(task->script);
  if (rc == RA_OK) return;
  ra_bind_fail(L, &err);
  lua_error(L);
}

static const char *memory_hint(const ra__plugin *plugin, ra__hint *hint) {
  return ra__limit_hint(plugin, "lua_memory", "memory", plugin->own.memory != 0, hint);
}

// What the allocator refused, instead of "not enough memory".
static int refused(const ra_task *task, ra_err *err) {
  const ra__plugin *plugin = task->owner;
  ra__hint hint;
  switch (task->refusal) {
    case RA__BLOCK_TOO_BIG:
      return ra_fail(
          err, RA_E_NOMEM, plugin->name,
          "plugin '%s' wanted %zu bytes for one text or table, more than the %zu that it may; %s",
          plugin->name, task->refused, 2 * plugin->limits.output,
          ra__limit_hint(plugin, "lua_output", "output", plugin->own.output != 0, &hint));
    case RA__VM_FULL:
      return ra_fail(err, RA_E_NOMEM, plugin->name,
                     "plugin '%s' found the Lua heap of all plugins full (%zu bytes); lua_memory "
                     "raises this limit",
                     plugin->name, task->script->limits.heap_hard);
    default:
      return ra_fail(err, RA_E_NOMEM, plugin->name,
                     "plugin '%s' wanted more than the %zu bytes of the Lua heap that one task may "
                     "hold; %s",
                     plugin->name, plugin->limits.memory, memory_hint(plugin, &hint));
  }
}

// The error at the top of L, which ended the task.
static int take_error(lua_State *L, ra_task *task, ra_err *err) {
  ra__take_error(L, task->plugin, err);
  if (err->code == RA_E_INTERNAL && strstr(err->message, "stack overflow")) {
    return ra_fail(
        err, RA_E_NOMEM, task->plugin,
        "plugin '%s' filled the Lua stack: calls are nested too deeply; this limit is fixed",
        task->plugin);
  }
  bool plain = err->code == RA_E_NOMEM && strstr(err->message, "not enough memory");
  return plain && task->refusal != RA__NOT_REFUSED ? refused(task, err) : err->code;
}

typedef struct pushing {
  ra_task *task;
  int count;
} pushing;

static int push_results(lua_State *L) {
  pushing *p = lua_touserdata(L, 1);
  ra_task *task = p->task;
  task->script->running = task;  // what the results take is the task's, under its caps
  lua_settop(L, 0);
  if (task->op_rc < 0) {
    p->count = ra_bind_fail(L, &task->op_err);
  } else {
    p->count = task->push ? task->push(L, task->op) : 0;
  }
  return p->count;
}

// Moves the results of the finished operation (or its error) to the coroutine as what the yield returns.
static int take_results(ra_task *task, ra_err *err) {
  ra_script *script = task->script;
  lua_State *L = script->L;
  int top = lua_gettop(L);
  pushing p = {.task = task};
  int rc = ra__protect(script, push_results, &p, LUA_MULTRET);
  script->running = NULL;
  ra_op_unref(task->op);
  task->op = NULL;
  if (rc < 0) return take_error(L, task, err);
  task->args = lua_gettop(L) - top;
  lua_xmove(L, task->co, task->args);
  return RA_OK;
}

static void on_op_done(void *ctx, ra_op *op, int rc, const ra_err *err) {
  ra_task *task = ctx;
  ra_script *script = task->script;
  if (task->state == RA_TASK_DEAD) {
    ra_op_unref(op);
    script->dead_count--;
    free(task);
    report_drained(script);
    return;
  }
  ra_timing_add(&task->timing, ra_op_timing(op));
  task->op_rc = rc;
  if (rc < 0 && err) task->op_err = *err;
  ra__task_wake(task);
}

static void submit(ra_task *task) {
  task->state = RA_TASK_WAITING;
  ra_op_set_priority(task->op, task->phase == RA_PHASE_JOB ? 1 : 0);
  task->op_err = (ra_err){0};
  task->op_rc = ra_op_submit(task->op, on_op_done, task, &task->op_err);
  if (task->op_rc < 0) enqueue(task);
}

// After a slice: is the task over a limit? Fills err and returns a code if so.
static int check_limits(ra_task *task, ra_err *err) {
  ra_script *script = task->script;
  if (task->cancelled) {
    *err = task->op_err;
    return err->code;
  }
  if (ra__over_budget(task)) return ra__budget_error(task, err);
  const ra__plugin *plugin = task->owner;
  if (task->heap <= (ptrdiff_t)plugin->limits.memory) return RA_OK;
  script->running = task;  // what the collection frees is credited to it
  ra__collect(script);
  script->running = NULL;
  if (task->heap <= (ptrdiff_t)plugin->limits.memory) return RA_OK;
  ra__hint hint;
  return ra_fail(err, RA_E_NOMEM, plugin->name,
                 "plugin '%s' held %td bytes of the Lua heap in one task, more than its %zu; %s",
                 plugin->name, task->heap, plugin->limits.memory, memory_hint(plugin, &hint));
}

static void drop_greediest(ra_script *script) {
  ra_task *greediest = script->tasks;
  for (ra_task *task = script->tasks; task; task = task->next) {
    if (task->heap > greediest->heap) greediest = task;
  }
  if (!greediest) return;
  ra__task_drop(greediest, RA_E_NOMEM,
                "the Lua heap of all plugins is full (%zu bytes) and plugin '%s' held most of it; "
                "lua_memory raises this limit",
                script->limits.heap_hard, greediest->plugin);
}

// The caps of the VM: at the soft one a full collection, not more often than ten times a second; at the hard one somebody
// has to go.
static void relieve(ra_script *script) {
  bool pressure = script->pressure;
  script->pressure = false;
  if (script->heap <= script->limits.heap_soft && !pressure) return;
  if (!pressure && ra_clock_ns() - script->collected_ns < 100000000u) return;
  ra__collect(script);
  if (pressure && script->heap > script->limits.heap_soft) drop_greediest(script);
}

static void fail_task(ra_task *task) {
  ra_err err = {0};
  if (ra__over_budget(task)) {  // the error is what ended a callback that could not yield
    count_drop(task, ra__budget_error(task, &err));
    end(task, err.code, &err);
    return;
  }
  lua_State *co = task->co;
  if (lua_isstring(co, -1) && task->phase != RA_PHASE_LOAD) {
    luaL_traceback(co, co, lua_tostring(co, -1), 0);
    ra_str fields;
    ra_str_init(&fields);
    ra_str_add(&fields, "\"plugin\":");
    ra_str_add_json(&fields, task->plugin);
    ra_str_add(&fields, ",\"error\":");
    ra_str_add_json(&fields, lua_tostring(co, -1));
    ra_log_fields(RA_LOG_ERROR, "a plugin failed", fields.ptr);
    ra_str_deinit(&fields);
    lua_pop(co, 1);
  }
  take_error(co, task, &err);
  bool limit = err.code == RA_E_TIMEOUT || err.code == RA_E_NOMEM || err.code == RA_E_BUSY;
  if (limit) count_drop(task, err.code);
  end(task, err.code, &err);
}

// What to do after the coroutine came back with `status`; false when that ended the task.
static bool after_slice(ra_task *task, int status) {
  ra_script *script = task->script;
  bool preempted = script->preempted, lives = false;
  script->preempted = false;
  ra_err err = {0};
  if (status != LUA_YIELD && status != 0) {
    fail_task(task);
  } else if (status == 0) {
    end(task, RA_OK, NULL);
  } else if (check_limits(task, &err) < 0) {
    if (!preempted && task->op) {  // yielded, but not submitted
      ra_op_unref(task->op);
      task->op = NULL;
    }
    task->state = RA_TASK_WAITING;
    if (!task->cancelled) count_drop(task, err.code);
    end(task, err.code, &err);
  } else if (preempted) {
    enqueue_in(&script->late, task);
    lives = true;
  } else {
    submit(task);
    lives = true;
  }
  relieve(script);
  return lives;
}

// The only caller of lua_resume; returns its status.
static int resume(ra_task *task) {
  ra_script *script = task->script;
  task->state = RA_TASK_RUNNING;
  bool watched = script->adopted;  // else this may be another thread than the one whose pulse it is
  if (watched) ra_pulse_begin(task->plugin, task->request);
  ra__slice_begin(script, task);
  int args = task->args;
  task->args = 0;
  int status = lua_resume(task->co, args);
  ra__slice_end(script, task);
  if (watched) ra_pulse_end();
  return status;
}

// One slice of a task with all that it brings; false when the task has ended by it.
static bool ra_task_step(ra_task *task) {
  ra_script *script = task->script;
  ra_err err = {0};
  bool lives = false;
  ra__step_begin(script);
  bool ready = !task->op || take_results(task, &err) == RA_OK;
  int status = ready ? resume(task) : LUA_ERRRUN;
  ra__plugin *owner = task->owner;
  if (ready) {
    lives = after_slice(task, status);
  } else {
    end(task, err.code, &err);
  }
  ra__step_end(script, owner);
  return lives;
}

static ra_task *dequeue(ra__queue *queue) {
  ra_task *task = queue->head;
  queue->head = task->queue_next;
  if (!queue->head) queue->tail = &queue->head;
  task->state = RA_TASK_WAITING;
  return task;
}

static void step_ready(ra_script *script) {
  ra_task *task = dequeue(&script->ready);
  if (task->owner->pay_until_ns && ra__paying(task->owner, ra_clock_ns())) {
    enqueue_in(&script->late, task);
  } else {
    ra_task_step(task);
  }
}

static void step_late(ra_script *script) {
  ra_task *task = script->late.head;
  uint64_t turn_ns = script->turn_ns, now = task ? ra_clock_ns() : 0;
  while (task && ra__paying(task->owner, now)) task = task->queue_next;
  if (!task) return;
  unqueue_from(&script->late, task);
  task->state = RA_TASK_WAITING;
  ra_task_step(task);
  script->turn_ns = turn_ns;  // those who come now don't wait for it twice
}

// When the next turn has to come: as soon as possible, when the first debt is paid, or when something wakes a task.
static void plan_turn(ra_script *script) {
  uint64_t wait_ms = script->late.head ? ra__payback_ms(script) : 0;
  if (script->ready.head || script->turn_ns >= TURN_NS || (script->late.head && !wait_ms)) {
    ra_idle_start(script->pump);
    return;
  }
  ra_idle_stop(script->pump);
  if (script->late.head) ra_timer_start(script->waker, wait_ms, 0);
}

void ra__pump(ra_script *script, bool new_turn) {
  if (script->pumping) return;
  script->pumping = true;
  if (new_turn) script->turn_ns = 0;
  while (script->ready.head && script->turn_ns < TURN_NS) step_ready(script);
  if (new_turn) step_late(script);
  script->pumping = false;
  if (script->adopted) plan_turn(script);
}

static void pump_soon(ra_script *script) {
  if (script->adopted && !script->pumping) ra_idle_start(script->pump);
}

void ra__release_held(ra_script *script) {
  if (!script->held.head) return;
  *script->ready.tail = script->held.head;
  script->ready.tail = script->held.tail;
  script->held = (ra__queue){.tail = &script->held.head};
  pump_soon(script);
}

void ra__task_wake(ra_task *task) {
  ra_script *script = task->script;
  enqueue(task);
  if (script->running || script->pumping) {  // started by Lua code: after its slice
    pump_soon(script);
  } else {
    ra__pump(script, false);
  }
}

static void set_limits(ra_task *task) {
  const ra_script_limits *limits = &task->script->limits;
  if (task->phase == RA_PHASE_REQUEST) {
    task->lua_limit_ns = limits->request_lua_ms * 1000000u;
    task->started_ns = ra_clock_ns();
    task->deadline_ns = task->started_ns + limits->request_wall_ms * 1000000u;
  } else if (task->phase != RA_PHASE_JOB) {
    task->lua_limit_ns = limits->load_lua_ms * 1000000u;
  }
}

void ra__task_start(ra_task *task, int args) {
  task->args = args;
  set_limits(task);
  ra__task_wake(task);
}

void ra__task_start_later(ra_task *task, int args) {
  task->args = args;
  set_limits(task);
  enqueue(task);
  pump_soon(task->script);
}

typedef struct waiting {
  void (*finish)(ra_task *task, int rc, const ra_err *err);
  void *ctx;
  bool done;
} waiting;

static void on_end(ra_task *task, int rc, const ra_err *err) {
  waiting *w = task->ctx;
  task->ctx = w->ctx;
  if (w->finish) w->finish(task, rc, err);
  w->done = true;
}

void ra__task_run(ra_task *task, int args) {
  waiting w = {.finish = task->finish, .ctx = task->ctx};
  task->finish = on_end;
  task->ctx = &w;
  task->args = args;
  set_limits(task);
  task->state = RA_TASK_READY;
  ra_script *script = task->script;
  while (ra_task_step(task) && !w.done) unqueue(task);
  script->turn_ns = 0;
}

static void on_grace(void *ctx) {
  ra_script *script = ctx;
  const char *why =
      script->retired ? "the server has loaded its plugins anew" : "the server is shutting down";
  while (script->tasks) ra__task_drop(script->tasks, RA_E_BUSY, "%s; try again", why);
}

static void drop_jobs(ra_script *script, bool resting_only) {
  for (ra_task *task = script->tasks, *next; task; task = next) {
    next = task->next;
    if (task->phase != RA_PHASE_JOB || task->cancelled || (resting_only && !task->resting))
      continue;
    ra__task_drop(task, RA_E_CANCELLED, "the host ends");
    next = script->tasks;
  }
}

static void wait_for_tasks(ra_script *script, uint64_t grace_ms, void (*drained)(void *ctx),
                           void *ctx) {
  script->drained = drained;
  script->drained_ctx = ctx;
  ra_err err = {0};
  if (script->task_count || script->dead_count) {
    if (!script->grace &&
        ra_timer_new(script->config.ops->loop, false, on_grace, script, &script->grace, &err) < 0) {
      on_grace(script);
    } else {
      ra_timer_start(script->grace, grace_ms, 0);
    }
  }
  report_drained(script);
}

void ra_script_drain(ra_script *script, uint64_t grace_ms, void (*drained)(void *ctx), void *ctx) {
  script->draining = script->ending = true;
  drop_jobs(script, false);
  wait_for_tasks(script, grace_ms, drained, ctx);
}

void ra_script_retire(ra_script *script, ra_script *newer, uint64_t grace_ms,
                      void (*drained)(void *ctx), void *ctx) {
  script->retired = true;
  script->newer = newer;
  newer->older = script;
  drop_jobs(script, true);
  wait_for_tasks(script, grace_ms, drained, ctx);
}

void ra_script_set_draining(ra_script *script) { script->draining = true; }
