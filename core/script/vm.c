// vm.c - the VM: its allocator with caps and charges, its life, its numbers. See script.h and host.h.
#include <luajit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "script/host.h"

enum {
  BIG = 128 << 10,        // an allocation that takes long enough to look at the clock
  SHARED_MOST = 64 << 20  // where the configuration has no shared values
};

// Why the running task may not have `growth` bytes more in a block of `size`.
static inline ra__refusal refusal(ra_script *script, const ra_task *task, size_t size, size_t growth) {
  const ra_script_plugin_limits *limits = &task->owner->limits;
  size_t charged = task->heap > 0 ? (size_t)task->heap : 0;
  if (size < BIG && growth + charged <= limits->memory &&
      script->heap + growth <= script->limits.heap_hard)
    return RA__NOT_REFUSED;
  if (size > 2 * limits->output) return RA__BLOCK_TOO_BIG;
  if (growth + charged > 2 * limits->memory) return RA__TASK_FULL;
  if (script->heap + growth > script->limits.heap_hard) return RA__VM_FULL;
  if (growth >= BIG || growth + charged > limits->memory) ra__slice_look_soon(script);
  return RA__NOT_REFUSED;
}

// Growth is charged to the running task and capped only inside its slice: outside, an error has nobody to catch it.
static void *allocate(void *ud, void *ptr, size_t old, size_t size) {
  ra_script *script = ud;
  if (size == 0) {
    free(ptr);
    script->heap -= ptr ? old : 0;
    if (script->running) script->running->heap -= (ptrdiff_t)(ptr ? old : 0);
    return NULL;
  }
  size_t before = ptr ? old : 0;
  ra_task *task = script->running;
  if (task && size > before && !script->collecting) {
    ra__refusal why = refusal(script, task, size, size - before);
    if (why != RA__NOT_REFUSED) {
      task->refusal = why;
      task->refused = size;
      script->pressure |= why == RA__VM_FULL;
      return NULL;
    }
  }
  void *grown = realloc(ptr, size);
  if (!grown) return NULL;
  script->heap += size - before;
  if (task) task->heap += (ptrdiff_t)size - (ptrdiff_t)before;
  return grown;
}

ra_script *ra__script(lua_State *L) {
  void *ud = NULL;
  lua_getallocf(L, &ud);
  return ud;
}

static int panic(lua_State *L) {
  const char *text = lua_tostring(L, -1);
  ra_log(RA_LOG_ERROR, "the Lua host cannot go on: %s", text ? text : "error without a text");
  abort();
}

static void fill_limits(ra_script_limits *l) {
  const size_t mib = (size_t)1 << 20;
  if (!l->request_lua_ms) l->request_lua_ms = 100;
  if (!l->request_wall_ms) l->request_wall_ms = 30000;
  if (!l->load_lua_ms) l->load_lua_ms = 2000;
  if (!l->heap_hard) l->heap_hard = 256 * mib;
  if (!l->task_heap) l->task_heap = l->heap_hard / 4;
  if (!l->heap_soft) l->heap_soft = l->heap_hard / 4 * 3;
  if (!l->external_hard) l->external_hard = 1024 * mib;
  if (!l->external_soft) l->external_soft = l->external_hard / 2;
  if (!l->tasks) l->tasks = 20000;
  if (!l->operations) l->operations = 5000;
  if (!l->output) l->output = 16 * mib;
  if (!l->steps) l->steps = 1000000;
}

static char *copy_text(const char *text) { return text ? strdup(text) : NULL; }

static const char **copy_list(const char *const *list) {
  size_t n = 0;
  while (list && list[n]) n++;
  const char **copy = calloc(n + 1, sizeof *copy);
  for (size_t i = 0; copy && i < n; i++) copy[i] = strdup(list[i]);
  return copy;
}

static void free_list(const char *const *list) {
  for (size_t i = 0; list && list[i]; i++) free((char *)list[i]);
  free((void *)list);
}

static ra_script_plugin_limits *copy_limits(const ra_script_plugin_limits *list) {
  size_t n = 0;
  while (list && list[n].plugin) n++;
  ra_script_plugin_limits *copy = calloc(n + 1, sizeof *copy);
  for (size_t i = 0; copy && i < n; i++) {
    copy[i] = list[i];
    copy[i].plugin = strdup(list[i].plugin);
  }
  return copy;
}

static void free_limits(const ra_script_plugin_limits *list) {
  for (size_t i = 0; list && list[i].plugin; i++) free((char *)list[i].plugin);
  free((void *)list);
}

static void copy_config(ra_script *script, const ra_script_config *config) {
  script->config = *config;
  script->config.library_dir = copy_text(config->library_dir);
  script->config.plugin_dirs = copy_list(config->plugin_dirs);
  script->config.colormap_dirs = copy_list(config->colormap_dirs);
  script->config.tileset_dirs = copy_list(config->tileset_dirs);
  script->config.disabled = copy_list(config->disabled);
  script->config.data_dir = copy_text(config->data_dir);
  script->config.role = copy_text(config->role ? config->role : "serve");
  script->config.settings_json = copy_text(config->settings_json ? config->settings_json : "{}");
  script->config.bundle = ra_bundle_ref(config->bundle);
  script->config.refused = copy_text(config->refused);
  script->config.plugin_limits = copy_limits(config->plugin_limits);
  script->limits = config->limits;
  fill_limits(&script->limits);
}

static void free_config(ra_script_config *config) {
  free((char *)config->library_dir);
  free_list(config->plugin_dirs);
  free_list(config->colormap_dirs);
  free_list(config->tileset_dirs);
  free_list(config->disabled);
  free((char *)config->data_dir);
  free((char *)config->role);
  free((char *)config->settings_json);
  free((char *)config->refused);
  free_limits(config->plugin_limits);
  ra_bundle_unref(config->bundle);
}

static void on_pump(void *ctx) {
  ra_script *script = ctx;
  ra__pump(script, true);
}

// Wall time is looked at ten times a second; every task with a deadline is on the list.
static void on_tick(void *ctx) {
  ra_script *script = ctx;
  uint64_t now = ra_clock_ns();
  for (ra_task *task = script->tasks, *next; task; task = next) {
    next = task->next;
    if (!task->deadline_ns || now < task->deadline_ns) continue;
    const ra__plugin *plugin = task->owner;
    ra__hint hint;
    ra__task_drop(task, RA_E_TIMEOUT, "plugin '%s' did not answer within %llu ms; %s", task->plugin,
                  (unsigned long long)plugin->limits.wall_ms,
                  ra__limit_hint(plugin, "request_timeout", "wall", plugin->own.wall_ms, &hint));
    next = script->tasks;  // dropping may have ended others: begin anew
  }
}

static int make_timers(ra_script *script, ra_err *err) {
  uv_loop_t *loop = script->config.ops->loop;
  int rc = ra_idle_new(loop, on_pump, script, &script->pump, err);
  if (rc == RA_OK) rc = ra_timer_new(loop, true, on_tick, script, &script->ticker, err);
  if (rc == RA_OK) rc = ra_timer_new(loop, false, on_pump, script, &script->waker, err);
  if (rc == RA_OK) ra_timer_start(script->ticker, 100, 100);
  return rc;
}

int ra_script_adopt(ra_script *script, ra_err *err) {
  int rc = make_timers(script, err);
  if (rc < 0) return rc;
  script->adopted = true;
  if (script->ready.head) {  // jobs of a setup: they are for the VM that serves
    script->held = script->ready;
    script->ready = (ra__queue){.tail = &script->ready.head};
  }
  return RA_OK;
}

int ra_script_new(const ra_script_config *config, ra_script **out, ra_err *err) {
  ra_script *script = calloc(1, sizeof *script);
  if (!script) return ra_fail(err, RA_E_NOMEM, "", "no memory for the Lua host");
  copy_config(script, config);
  ra_str_init(&script->scratch);
  script->ready.tail = &script->ready.head;
  script->late.tail = &script->late.head;
  script->held.tail = &script->held.head;
  int rc = ra__plugins_init(script, err);
  if (rc == RA_OK && !config->shared) rc = ra_shared_new(SHARED_MOST, &script->own_shared, err);
  script->shared = config->shared ? config->shared : script->own_shared;
  script->L = rc == RA_OK ? lua_newstate(allocate, script) : NULL;
  if (rc == RA_OK && !script->L) rc = ra_fail(err, RA_E_NOMEM, "", "no memory for the Lua host");
  if (rc == RA_OK) {
    lua_atpanic(script->L, panic);
    // Compiled loops cannot be stopped by a hook; glue gains nothing from the compiler.
    luaJIT_setmode(script->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
  }
  if (rc < 0) {
    ra_script_free(script);
    return rc;
  }
  *out = script;
  return RA_OK;
}

// What belongs to the loop: tasks, timers, the place among the living VMs.
static void leave_loop(ra_script *script) {
  while (script->tasks) ra__task_drop(script->tasks, RA_E_CANCELLED, "the host ends");
  ra__plugins_count(script);
  ra_idle_free(script->pump);
  ra_timer_free(script->ticker);
  ra_timer_free(script->waker);
  ra_timer_free(script->grace);
  if (script->newer) script->newer->older = script->older;
  if (script->older) script->older->newer = script->newer;
}

static void close_vm(void *ctx) {
  ra_script *script = ctx;
  if (script->L) lua_close(script->L);
  ra__plugins_free(script);
  ra_str_deinit(&script->scratch);
  ra_shared_free(script->own_shared);
  free_config(&script->config);
  free(script->note);
  free(script);
}

void ra_script_free(ra_script *script) {
  if (!script) return;
  leave_loop(script);
  close_vm(script);
}

static void on_closed(void *ctx, int rc) {
  (void)ctx;
  (void)rc;
}

void ra_script_free_apart(ra_script *script) {
  if (!script) return;
  leave_loop(script);
  const ra_job job = {.run = close_vm, .done = on_closed, .ctx = script, .priority = 1};
  ra_lane *lane = script->config.ops->io;
  if (!lane || ra_lane_submit(lane, &job, NULL) < 0) close_vm(script);
}

void ra__collect(ra_script *script) {
  script->collecting = true;
  lua_gc(script->L, LUA_GCCOLLECT, 0);
  script->collecting = false;
  script->collected_ns = ra_clock_ns();
}

void ra_script_collect(ra_script *script) {
  ra__collect(script);
  ra__collect(script);  // what finalizers let go of
}

static int intern(lua_State *L) {
  const char *name = lua_touserdata(L, 1);
  lua_getfield(L, LUA_REGISTRYINDEX, "ra.names");
  lua_pushstring(L, name);
  lua_pushvalue(L, -1);
  lua_pushboolean(L, 1);
  lua_rawset(L, -4);
  return 1;
}

const char *ra__intern(ra_script *script, const char *name) {
  if (!name || !*name || ra__protect(script, intern, (void *)name, 1) < 0) {
    if (name && *name) lua_pop(script->L, 1);
    return "";
  }
  const char *text = lua_tostring(script->L, -1);
  lua_pop(script->L, 1);
  return text;
}

int ra__protect(ra_script *script, lua_CFunction fn, void *arg, int results) {
  lua_State *L = script->L;
  lua_pushcfunction(L, fn);
  lua_pushlightuserdata(L, arg);
  return lua_pcall(L, 1, results, 0) == 0 ? RA_OK : RA_E_INTERNAL;
}

ra_script_stats ra_script_get_stats(const ra_script *script) {
  return (ra_script_stats){.heap_bytes = script->heap,
                           .external_bytes = script->external,
                           .handles = script->handles,
                           .tasks = script->task_count,
                           .slices = script->slices,
                           .preempted = script->preemptions,
                           .dropped = script->drops};
}

static void gauge(const char *name, const char *help, double value) {
  ra_metric_set(ra_metric_get(RA_METRIC_GAUGE, name, help, NULL, 0), NULL, value);
}

// Of all VMs that live: one that is replaced still answers what it has begun.
static ra_script_stats sum_of_all(const ra_script *script, unsigned *count) {
  ra_script_stats sum = {0};
  while (script->newer) script = script->newer;
  for (; script; script = script->older, ++*count) {
    sum.heap_bytes += script->heap;
    sum.external_bytes += script->external;
    sum.handles += script->handles;
    sum.tasks += script->task_count;
  }
  return sum;
}

void ra_script_show_gauges(const ra_script *script) {
  unsigned count = 0;
  const ra_script_stats sum = sum_of_all(script, &count);
  gauge("rastrum_lua_vms", "Lua VMs: the one that serves and those that a reload has replaced.",
        count);
  gauge("rastrum_lua_heap_bytes", "Lua heap.", (double)sum.heap_bytes);
  gauge("rastrum_lua_tasks", "Live tasks.", sum.tasks);
  gauge("rastrum_lua_handles", "Userdata that hold C memory.", (double)sum.handles);
  gauge("rastrum_lua_external_bytes", "Bytes behind userdata.", (double)sum.external_bytes);
  ra__plugins_show(script);
  gauge("rastrum_external_bytes", "Bytes of all live buffers.", (double)ra_buf_live_bytes());
  gauge("rastrum_external_buffers", "Live buffers.", (double)ra_buf_live_count());
  ra_metric_set(ra_metric_get(RA_METRIC_GAUGE_MAX, "rastrum_build_info",
                              "Always 1; the version is a label.", NULL, 0),
                "version=\"" RA_VERSION "\",lua=\"" LUAJIT_VERSION "\"", 1);
}

const char *ra_script_lua_version(void) { return LUAJIT_VERSION; }
