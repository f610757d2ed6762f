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
  bool resting;                   // a timer between two runs: it ends when its VM is replaced
  const char *plugin;             // interned (ra__intern); "" for the library's own
  const char *request;            // the id of the request that it answers, or NULL
  int args;                       // values on the coroutine's stack for the next resume
  uint64_t lua_ns, lua_limit_ns;  // used; 0: no limit
  uint64_t deadline_ns;           // 0: none
  ptrdiff_t heap;                 // growth of the Lua heap in its slices
  ra_handle *scope;               // newest first
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
  ra__queue late;    // preempted: one slice of one of them a turn of the loop
  ra_task *running;  // its slice is on; allocations are charged to it
  ra_task *acting;   // whose results are being pushed: the scope of new userdata
  uint64_t slice_end_ns;
  unsigned overtime;  // counts since the slice ended where it could not yield
  bool preempted;     // the hook has yielded; no operation is behind this yield
  bool overdue;       // the slice has ended where it could not yield
  bool pressure;      // an allocation was refused at the VM's cap
  bool pumping, started, draining;
  bool ending;               // ra_script_drain: no new jobs
  bool adopted;              // the loop runs its tasks
  bool retired;              // replaced by `newer`
  ra_script *newer, *older;  // VMs that live at the same time, by age
  char *note;                // of the last reload, JSON; NULL: none yet
  uint64_t turn_ns;          // Lua time of this turn of the loop
  ra_idle *pump;
  ra_timer *ticker;
  ra_timer *grace;
  void (*drained)(void *ctx);
  void *drained_ctx;
  int host_ref;  // what the library sees as its private `host` table
  int app_ref;   // what rastrum/app.lua returned
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

// task.c. A new task with no function yet: push the function and its arguments on task->co, then ra__task_start.
int ra__task_new(ra_script *script, ra_phase phase, const char *plugin, ra_task **out, ra_err *err);
void ra__task_start(ra_task *task, int args);
void ra__task_start_later(ra_task *task, int args);  // never before the caller has returned
// Runs a task to its end without the loop (load and setup, where nothing waits).
void ra__task_run(ra_task *task, int args);
void ra__task_drop(ra_task *task, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void ra__task_wake(ra_task *task);
// The running task is that plugin's from now on; raises when the plugin is switched off. `plugin` is held by the registry
// of plugins as long as the VM lives.
void ra__task_own(lua_State *L, ra_task *task, const char *plugin);
// Runs what is ready; at the beginning of a turn of the loop also one preempted task.
void ra__pump(ra_script *script, bool new_turn);

// slice.c
void ra__slice_init(ra_script *script);
void ra__slice_begin(ra_script *script, ra_task *task);
void ra__slice_end(ra_script *script, ra_task *task);
extern const luaL_Reg RA__HOST_SLICE[];  // host.*: what the coroutine wrappers need
bool ra__over_budget(const ra_task *task);
int ra__budget_error(const ra_task *task, ra_err *err);

// scope.c
void ra__scope_close(ra_task *task);
void ra__push_buf(lua_State *L,
                  ra_buf *buf);  // ra_bind_push_buf without its limit: never raises but for memory
extern const luaL_Reg RA__BUF_METHODS[];

// bind.c
void ra__bind_init(lua_State *L);
bool ra__op_unused(lua_State *L, int arg);  // an operation that was neither started nor taken?
bool ra__op_take(lua_State *L, int arg, ra_op **op, ra_bind_push *push);  // moves it out of its handle

// http_task.c, workflow.c, answer.c, plugin.c
extern const luaL_Reg RA__HOST_HTTP[];
extern const luaL_Reg RA__HOST_EMIT[];
extern const luaL_Reg RA__HOST_ANSWER[];
// Pushes app.<name>; false (nothing pushed) when it is no function.
bool ra__push_app(ra_script *script, lua_State *to, const char *name);
