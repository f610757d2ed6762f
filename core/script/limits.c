// limits.c - plugins as the host counts them: each has limits (its own, or those of all) and a tally of what its tasks use.
// A record lives as long as its VM; tasks and handles point to it. See host.h.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "script/host.h"

static const ra_script_plugin_limits *configured(const ra_script *script, const char *name) {
  const ra_script_plugin_limits *l = script->config.plugin_limits;
  while (l && l->plugin && strcmp(l->plugin, name) != 0) l++;
  return l && l->plugin ? l : NULL;
}

#define SET(field, common) \
  if (!limits->field) limits->field = common

static void fill(ra_script_plugin_limits *limits, const ra_script_limits *all) {
  SET(lua_ms, all->request_lua_ms);
  SET(wall_ms, all->request_wall_ms);
  SET(memory, all->task_heap);
  SET(external, all->external_hard);
  SET(requests, all->plugin_requests);
  SET(operations, all->operations);
  SET(output, all->output);
  SET(steps, all->steps);
}

static ra__plugin *make(ra_script *script, const char *name) {
  ra__plugin *plugin = calloc(1, sizeof *plugin);
  if (!plugin) return NULL;
  const ra_script_plugin_limits *own = configured(script, name);
  if (own) plugin->limits = *own;
  plugin->own = plugin->limits;
  plugin->limits.plugin = plugin->name = name;
  fill(&plugin->limits, &script->limits);
  plugin->next = script->plugins;
  script->plugins = plugin;
  return plugin;
}

ra__plugin *ra__plugin_of(ra_script *script, const char *name) {
  for (ra__plugin *p = script->plugins; p; p = p->next) {
    if (p->name == name) return p;  // interned: nearly always the same pointer
  }
  for (ra__plugin *p = script->plugins; p; p = p->next) {
    if (strcmp(p->name, name) == 0) return p;
  }
  ra__plugin *made = make(script, ra__intern(script, name));
  return made ? made : script->nobody;
}

int ra__plugins_init(ra_script *script, ra_err *err) {
  script->nobody = make(script, "");
  return script->nobody ? RA_OK : ra_fail(err, RA_E_NOMEM, "", "no memory for the Lua host");
}

void ra__plugins_check(const ra_script *script) {
  const ra_script_plugin_limits *l = script->config.plugin_limits;
  for (; l && l->plugin; l++) {
    const ra__plugin *p = script->plugins;
    while (p && strcmp(p->name, l->plugin) != 0) p = p->next;
    if (!p) ra_log(RA_LOG_WARN, "limits: there is no plugin '%s'", l->plugin);
  }
}

void ra__plugins_free(ra_script *script) {
  while (script->plugins) {
    ra__plugin *gone = script->plugins;
    script->plugins = gone->next;
    free(gone);
  }
}

const ra__plugin *ra__owner(const ra_script *script) {
  return script->running ? script->running->owner : script->nobody;
}

const char *ra__limit_hint(const ra__plugin *plugin, const char *option, const char *key, bool own,
                           ra__hint *out) {
  if (!*plugin->name) {
    snprintf(out->text, sizeof out->text, "%s raises this limit", option);
  } else if (own) {
    snprintf(out->text, sizeof out->text, "limits.%s.%s raises this limit", plugin->name, key);
  } else {
    snprintf(out->text, sizeof out->text, "%s, or limits.%s.%s, raises this limit", option,
             plugin->name, key);
  }
  return out->text;
}

// ---- whose a task is

static void count_in(ra_task *task) {
  task->owner->tasks++;
  if (task->phase == RA_PHASE_REQUEST) task->owner->requests++;
}

static void count_out(ra_task *task) {
  ra__plugin *plugin = task->owner;
  plugin->tasks--;
  if (task->phase == RA_PHASE_REQUEST) plugin->requests--;
  plugin->heap -= task->charged;
  task->charged = 0;
}

void ra__plugin_enter(ra_task *task, const char *name) {
  task->owner = ra__plugin_of(task->script, name);
  task->plugin = task->owner->name;
  count_in(task);
}

void ra__plugin_leave(ra_task *task) {
  bool nobodys = task->owner == task->script->nobody;
  if (nobodys && task->phase == RA_PHASE_REQUEST) task->owner->started++;
  count_out(task);
}

static int refuse(const ra_task *task, ra_err *err) {
  const ra__plugin *plugin = task->owner;
  ra__hint hint;
  ra_fail(err, RA_E_BUSY, plugin->name,
          "plugin '%s' answers %u requests already, the most at a time; %s", plugin->name,
          plugin->limits.requests,
          ra__limit_hint(plugin, "plugin_requests", "requests", plugin->own.requests != 0, &hint));
  err->retry = true;
  return RA_E_BUSY;
}

int ra__plugin_own(ra_task *task, const char *name, ra_err *err) {
  if (task->owner->name == name) return RA_OK;
  count_out(task);
  ra__plugin_enter(task, name);
  const ra__plugin *plugin = task->owner;
  if (task->phase != RA_PHASE_REQUEST) return RA_OK;
  task->owner->started++;
  task->lua_limit_ns = plugin->limits.lua_ms * 1000000u;
  task->deadline_ns = task->started_ns + plugin->limits.wall_ms * 1000000u;
  return plugin->limits.requests && plugin->requests > plugin->limits.requests ? refuse(task, err)
                                                                               : RA_OK;
}

void ra__plugin_charge(ra_task *task, uint64_t lua_ns) {
  ra__plugin *plugin = task->owner;
  size_t held = task->heap > 0 ? (size_t)task->heap : 0;
  plugin->lua_ns += lua_ns;
  plugin->heap += held - task->charged;
  task->charged = held;
  if (plugin->heap > plugin->heap_peak) plugin->heap_peak = plugin->heap;
}

// ---- metrics

typedef struct series {
  const char *name, *help;
} series;

static void tell(ra_metric_type type, const series *s, const char *labels, double value) {
  ra_metric *metric = ra_metric_get(type, s->name, s->help, NULL, 0);
  if (type == RA_METRIC_COUNTER) {
    ra_metric_add(metric, labels, value);
  } else {
    ra_metric_set(metric, labels, value);
  }
}

static void tell_counters(ra__plugin *plugin, const char *labels) {
  static const series seconds = {"rastrum_plugin_lua_seconds_total",
                                 "Lua time of a plugin's tasks."},
                      requests = {"rastrum_plugin_requests_total",
                                  "Requests that a plugin was to answer."},
                      payback = {"rastrum_plugin_payback_seconds_total",
                                 "Time that a plugin's tasks waited since one had held the loop."};
  tell(RA_METRIC_COUNTER, &seconds, labels, (double)(plugin->lua_ns - plugin->told_lua_ns) / 1e9);
  tell(RA_METRIC_COUNTER, &requests, labels, (double)(plugin->started - plugin->told_started));
  tell(RA_METRIC_COUNTER, &payback, labels, (double)(plugin->paid_ns - plugin->told_paid_ns) / 1e9);
  plugin->told_lua_ns = plugin->lua_ns;
  plugin->told_paid_ns = plugin->paid_ns;
  plugin->told_started = plugin->started;
}

// A plugin of the same name in the VMs that a reload has replaced counts too.
static ra__plugin sum_of(const ra_script *script, const char *name) {
  ra__plugin sum = {0};
  for (const ra_script *vm = script; vm; vm = vm->older) {
    for (const ra__plugin *p = vm->plugins; p; p = p->next) {
      if (strcmp(p->name, name) != 0) continue;
      sum.heap += p->heap;
      sum.external += p->external;
      sum.tasks += p->tasks;
      if (p->heap_peak > sum.heap_peak) sum.heap_peak = p->heap_peak;
    }
  }
  return sum;
}

static void tell_gauges(const ra__plugin *sum, const char *labels) {
  static const series heap = {"rastrum_plugin_heap_bytes",
                              "Lua heap charged to a plugin's live tasks."},
                      peak = {"rastrum_plugin_heap_peak_bytes", "The most that ever was."},
                      external = {"rastrum_plugin_external_bytes",
                                  "Bytes behind a plugin's userdata."},
                      tasks = {"rastrum_plugin_tasks", "A plugin's live tasks."};
  tell(RA_METRIC_GAUGE, &heap, labels, (double)sum->heap);
  tell(RA_METRIC_GAUGE_MAX, &peak, labels, (double)sum->heap_peak);
  tell(RA_METRIC_GAUGE, &external, labels, (double)sum->external);
  tell(RA_METRIC_GAUGE, &tasks, labels, sum->tasks);
}

static void labels_of(const ra__plugin *plugin, ra_str *labels) {
  ra_str_init(labels);
  ra_str_add(labels, "plugin=\"");
  ra_metric_escape(labels, *plugin->name ? plugin->name : "none");
  ra_str_add_char(labels, '"');
}

void ra__plugins_count(const ra_script *script) {
  for (ra__plugin *p = script->plugins; p; p = p->next) {
    ra_str labels;
    labels_of(p, &labels);
    if (labels.ptr && !labels.failed) tell_counters(p, labels.ptr);
    ra_str_deinit(&labels);
  }
}

void ra__plugins_show(const ra_script *script) {
  while (script->newer) script = script->newer;
  for (const ra_script *vm = script; vm; vm = vm->older) ra__plugins_count(vm);
  for (const ra__plugin *p = script->plugins; p; p = p->next) {
    ra_str labels;
    labels_of(p, &labels);
    const ra__plugin sum = sum_of(script, p->name);
    if (labels.ptr && !labels.failed) tell_gauges(&sum, labels.ptr);
    ra_str_deinit(&labels);
  }
}
