// host.h - inside of the Lua host: the VM, its tasks and userdata. Only core/script includes it. Loop thread only.
#pragma once
#include <lauxlib.h>
#include <lua.h>

#include "base/timing.h"
#include "loop/idle.h"
#include "loop/timer.h"
#include "script/bind.h"
#include "script/script.h"

typedef enum ra_task_state {
  RA_TASK_READY,    // in the run queue
  RA_TASK_RUNNING,  // inside lua_resume
  RA_TASK_WAITING,  // an operation is in flight
  RA_TASK_DEAD      // finished or dropped; kept only until its operation is done
} ra_task_state;

typedef struct ra_handle ra_handle;  // C memory behind one userdata: scope.c

// A plugin as the host counts it, as long as the VM lives: limits.c.
typedef struct ra__plugin {
  struct ra__plugin *next;
  const char *name;                     // interned; "" for the library's own tasks
  ra_script_plugin_limits limits, own;  // what holds; what was configured for it alone (0: nothing)
  unsigned tasks, requests;             // live
  size_t heap, heap_peak, external;   // Lua heap charged to live tasks; bytes behind live userdata
  uint64_t pay_until_ns;              // its tasks wait until then; 0: they don't
  uint64_t started, lua_ns, paid_ns;  // requests; Lua time; time that they waited so
  uint64_t told_started, told_lua_ns, told_paid_ns;  // of these, what the metrics have
} ra__plugin;

// The last allocation that a task was refused.
typedef enum ra__refusal {
  RA__NOT_REFUSED,
  RA__BLOCK_TOO_BIG,
  RA__TASK_FULL,
  RA__VM_FULL
} ra__refusal;

// A coroutine that is inside callbacks, so many deep.
typedef struct ra__callback {
  lua_State *co;
  unsigned depth;
} ra__callback;

enum { RA__CALLBACKS_MOST = 8, RA__SLICE_NS = 500000 };

// One coroutine, one scope, one budget, at most one operation in flight.
struct ra_task {
  ra_script *script;
  ra_task *prev, *next;  // of all live tasks
  ra_task *queue_next;   // of the run queue
  lua_State *co;
  int ref;  // the coroutine's place in the registry
  ra_task_state state;
  ra_phase phase;
  bool cancelled;
  bool resting;                      // a timer between two runs: it ends when its VM is replaced
  const char *plugin;                // interned (ra__intern); "" for the library's own
  ra__plugin *owner;                 // the same
  const char *request;               // the id of the request that it answers, or NULL
  int args;                          // values on the coroutine's stack for the next resume
  uint64_t lua_ns, lua_limit_ns;     // used; 0: no limit
  uint64_t started_ns, deadline_ns;  // 0: none
  ptrdiff_t heap;                    // growth of the Lua heap in its slices
  size_t charged;                    // of it, what is in its plugin's sum
  ra__refusal refusal;
  size_t refused;                              // bytes that it was refused
  unsigned count;                              // instructions between two looks of the hook
  ra__callback callbacks[RA__CALLBACKS_MOST];  // of table.sort and string.gsub that are on: nothing may wait in them
  unsigned callback_count;
  unsigned unstarted;  // live handles of operations
  ra_handle *scope;    // newest first
  ra_timing timing;
  ra_op *op;  // in flight, or finished and to be pushed
  ra_bind_push push;
  int op_rc;
  ra_err op_err;
  // Once, before the scope closes. rc RA_OK: the results are the coroutine's stack.
  void (*finish)(ra_task *task, int rc, const ra_err *err);
  void *ctx;
};

// Tasks that can run, first come, first served.
typedef struct ra__queue {
  ra_task *head, **tail;
} ra__queue;

struct ra_script {
  lua_State *L;
  ra_script_config config;
  ra_script_limits limits;
  size_t heap, external, handles;
  unsigned task_count, dead_count;
  ra_task *tasks;
  ra__queue ready;   // woken by something: they go first
  ra__queue late;    // preempted or paying back: one slice of one of them a turn of the loop
  ra__queue held;    // spawned while the VM was built apart: they wait for ra_script_start
  ra_task *running;  // its slice is on; allocations are charged to it
  ra_task *acting;   // whose results are being pushed: the scope of new userdata
  uint64_t slice_ns, hook_ns;     // when the slice began; when the hook looked last
  uint64_t step_ns, step_cpu_ns;  // when the step began; the second only while `watching`
  unsigned watching;              // steps whose CPU time is still to be read: payback.c
  unsigned count;                 // instructions between two looks
  unsigned overtime;              // counts since the slice ended where it could not yield
  bool preempted;                 // the hook has yielded; no operation is behind this yield
  bool overdue;                   // the slice has ended where it could not yield
  bool cut;                       // the slice is over, however short it was
  bool collecting;                // inside the collector, which must not be refused what it needs
  bool pressure;                  // an allocation was refused at the VM's cap
  bool pumping, started, draining;
  bool ending;               // ra_script_drain: no new jobs
  bool adopted;              // the loop runs its tasks
  bool retired;              // replaced by `newer`
  ra_script *newer, *older;  // VMs that live at the same time, by age
  char *note;                // of the last reload, JSON; NULL: none yet
  uint64_t turn_ns;          // Lua time of this turn of the loop
  ra_idle *pump;
  ra_timer *ticker;
  ra_timer *waker;  // when all late tasks pay back
  ra_timer *grace;
  void (*drained)(void *ctx);
  void *drained_ctx;
  ra__plugin *plugins, *nobody;  // nobody: the library's own
  ra_shared *shared, *own_shared;
  ra_str scratch;  // where guarded functions make their results
  int host_ref;    // what the library sees as its private `host` table
  int app_ref;     // what rastrum/app.lua returned
  int sandbox_ref;
  int modules_ref;  // the real rastrum table, without proxies
  uint64_t slices, preemptions, drops;
  uint64_t collected_ns;
};

ra_script *ra__script(lua_State *L);

// vm.c
void ra__collect(ra_script *script);
const char *ra__intern(ra_script *script, const char *name);  // lives as long as the VM
// Calls fn(L) under protection on the main stack with `arg` as a light userdata; leaves `results` values (or one error).
int ra__protect(ra_script *script, lua_CFunction fn, void *arg, int results);
// The error value at the top of L as an ra_err; pops it.
int ra__take_error(lua_State *L, const char *plugin, ra_err *err);

// env.c
int ra__env_build(ra_script *script, ra_err *err);
// Compiles an entry of the bundle (text, no bytecode); leaves the chunk on L. chunk: name in messages.
int ra__load_source(lua_State *L, const char *name, const char *chunk, ra_err *err);
int ra__read_file(const char *path, size_t most, ra_str *out, ra_err *err);

// plugin.c
int ra__plugins_load(ra_script *script, ra_err *err);
extern const luaL_Reg RA__HOST_FILES[];  // host.* functions that read the bundle

// bind_crs.c
extern const luaL_Reg RA__HOST_CRS[];

// task.c. A new task with no function yet: push the function and its arguments on task->co, then ra__task_start.
int ra__task_new(ra_script *script, ra_phase phase, const char *plugin, ra_task **out, ra_err *err);
void ra__task_start(ra_task *task, int args);
void ra__task_start_later(ra_task *task, int args);  // never before the caller has returned
// Runs a task to its end without the loop (load and setup, where nothing waits).
void ra__task_run(ra_task *task, int args);
void ra__task_drop(ra_task *task, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void ra__task_wake(ra_task *task);
void ra__release_held(ra_script *script);
// The running task is that plugin's from now on; raises when the plugin is switched off. `plugin` is held by the registry
// of plugins as long as the VM lives.
void ra__task_own(lua_State *L, ra_task *task, const char *plugin);
// Runs what is ready; at the beginning of a turn of the loop also one preempted task.
void ra__pump(ra_script *script, bool new_turn);

// limits.c
int ra__plugins_init(ra_script *script, ra_err *err);
void ra__plugins_check(const ra_script *script);  // warns of limits of plugins that there are not
void ra__plugins_free(ra_script *script);
ra__plugin *ra__plugin_of(ra_script *script, const char *name);
void ra__plugin_enter(ra_task *task, const char *name);  // a new task
void ra__plugin_leave(ra_task *task);                    // its end
// The task is that plugin's from now on, under its limits; RA_E_BUSY when it answers too many requests already.
int ra__plugin_own(ra_task *task, const char *name, ra_err *err);
void ra__plugin_charge(ra_task *task, uint64_t lua_ns);  // after a slice
// The running task's plugin.
const ra__plugin *ra__owner(const ra_script *script);
typedef struct ra__hint {
  char text[160];
} ra__hint;
// "lua_time, or limits.tiles.lua_time, raises this limit". own: the plugin has a limit of its own.
const char *ra__limit_hint(const ra__plugin *plugin, const char *option, const char *key, bool own,
                           ra__hint *out);
void ra__plugins_count(const ra_script *script);  // counters to the metrics
void ra__plugins_show(const ra_script *script);   // and gauges, of all VMs that live

// slice.c
void ra__slice_init(ra_script *script);
void ra__slice_begin(ra_script *script, ra_task *task);
void ra__slice_end(ra_script *script, ra_task *task);
bool ra__in_callback(lua_State *L);      // of table.sort or string.gsub, in this coroutine
extern const luaL_Reg RA__HOST_SLICE[];  // host.*: what the coroutine wrappers need
// From inside a slice: the hook looks after the next instruction.
void ra__slice_look_soon(ra_script *script);
void ra__slice_cut(ra_script *script);  // and it is the last of the slice
bool ra__slice_over(const ra_script *script);
// Raises once the running task has used up its Lua time, where it could not yield.
void ra__slice_check_budget(ra_script *script, lua_State *L);
bool ra__over_budget(const ra_task *task);
int ra__budget_error(const ra_task *task, ra_err *err);

// payback.c
void ra__step_begin(ra_script *script);
void ra__step_end(ra_script *script, ra__plugin *plugin);  // whose task it was
static inline bool ra__paying(const ra__plugin *plugin, uint64_t now) {
  return plugin->pay_until_ns > now;
}
// Milliseconds until a late task may run; 0: one may now. Not for an empty queue.
uint64_t ra__payback_ms(const ra_script *script);

// scope.c
void ra__handle_count(void *payload,
                      unsigned *counter);  // *counter is one more while the handle is in its scope
void ra__scope_close(ra_task *task);
void ra__push_buf(lua_State *L,
                  ra_buf *buf);  // ra_bind_push_buf without its limit: never raises but for memory
extern const luaL_Reg RA__BUF_METHODS[];
extern const luaL_Reg RA__HOST_SCOPE[];

// bind.c
void ra__bind_init(lua_State *L);
bool ra__op_unused(lua_State *L, int arg);  // an operation that was neither started nor taken?
bool ra__op_take(lua_State *L, int arg, ra_op **op, ra_bind_push *push);  // moves it out of its handle

// bind_json.c: ra_bind_to_json of so many bytes at most, and in a VM that is no host's
int ra__json_capped(lua_State *L, int index, size_t most, ra_str *out, ra_err *err);
int ra__json_of_table(lua_State *L, int index, ra_str *out, ra_err *err);

// http_task.c, workflow.c, answer.c, plugin.c
extern const luaL_Reg RA__HOST_HTTP[];
extern const luaL_Reg RA__HOST_EMIT[];
extern const luaL_Reg RA__HOST_ANSWER[];
// Pushes app.<name>; false (nothing pushed) when it is no function.
bool ra__push_app(ra_script *script, lua_State *to, const char *name);
