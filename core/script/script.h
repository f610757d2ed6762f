// script.h - the Lua host as app/ sees it: one VM with its plugins, which answers exchanges, runs workflows and timers.
// Everything on the loop thread. The host owns its tasks; what it is given (ops, strings of the configuration) is copied or
// must outlive it, as said below.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "cache/shared.h"
#include "net/http.h"
#include "ops/op.h"
#include "script/bundle.h"

typedef struct ra_script ra_script;

typedef struct ra_script_limits {  // 0: the default in brackets
  uint64_t request_lua_ms;         // Lua time of one request                                [100]
  uint64_t request_wall_ms;  // wall time of one request                               [30,000]
  uint64_t load_lua_ms;      // Lua time for reading one plugin, and for its setup     [2,000]
  size_t task_heap;  // Lua heap growth charged to one task                    [heap_hard / 4]
  size_t heap_soft,
      heap_hard;  // of the VM: full collection; the greediest task dropped [192 MiB, 256 MiB]
  size_t external_soft,
      external_hard;    // bytes behind userdata: full collection; requests refused [512 MiB, 1 GiB]
  unsigned tasks;       // live tasks                                             [20,000]
  unsigned operations;  // unstarted ones of one task                              [5,000]
  size_t output;        // bytes that one call of the string library may make           [16 MiB]
  uint64_t steps;       // steps of one pattern match                                   [1,000,000]
  unsigned plugin_requests;  // that one plugin answers at a time                        [no limit]
} ra_script_limits;

// Limits of one plugin; 0: as for all.
typedef struct ra_script_plugin_limits {
  const char *plugin;
  uint64_t lua_ms, wall_ms;  // of one request
  size_t memory;             // Lua heap of one task
  size_t external;           // bytes behind the userdata of all its tasks
  unsigned requests;         // at a time
  unsigned operations;       // unstarted ones of one task
  size_t output;             // of one call
  uint64_t steps;            // of one pattern match
} ra_script_plugin_limits;

typedef struct ra_script_config {
  ra_ops *ops;        // must outlive the host
  ra_shared *shared;  // what outlives a reload; must outlive the host; NULL: one of its own
  ra_bundle *bundle;  // what is loaded (a reference is taken); NULL: the folders below are read
  const char *library_dir;  // folder that holds rastrum/*.lua
  const char *const *plugin_dirs;  // NULL-terminated; a later folder replaces plugins of an earlier by name
  const char *const *colormap_dirs;  // likewise, for ramps
  const char *const *tileset_dirs;   // likewise, for tile matrix sets; NULL: none
  const char *const *disabled;  // names of plugins that are not loaded; NULL-terminated or NULL
  const char *data_dir;  // folder in which each plugin may have a folder of its own; NULL: none
  const char *role;      // "serve", "ingest", "cli": rastrum.role
  const char *settings_json;  // an object: rastrum.config (no secrets); NULL: {}
  ra_script_limits limits;
  const ra_script_plugin_limits *plugin_limits;  // ends with plugin NULL; NULL: none
  // A reload: what the VM that serves has refused (ra_script_refused_json). Building then fails when another plugin is
  // refused, or one for another reason, or the routes make no OpenAPI document. NULL: the first start, which serves with
  // the plugins that load.
  const char *refused;
} ra_script_config;

// An empty VM. Copies the configuration. Any thread.
int ra_script_new(const ra_script_config *config, ra_script **out, ra_err *err);
// Reads the library and all plugins, then calls their setup and their self_test. A plugin that fails is refused and
// recorded with its reason (log, /plugins); the call fails only when the host itself cannot work. Takes up to seconds: on
// any thread, as long as nobody else uses the VM and the lanes; jobs that a setup spawns wait for ra_script_start.
int ra_script_build(ra_script *script, ra_err *err);
// From now on the VM is the loop's, which runs its tasks.
int ra_script_adopt(ra_script *script, ra_err *err);
// Both, where nothing else runs yet.
int ra_script_load(ra_script *script, ra_err *err);
// Starts hooks.on_start and hooks.on_timer of the plugins; they run as jobs from now on.
void ra_script_start(ra_script *script);

// ra_http_config.handle: answers the exchange, now or later.
void ra_script_handle(ra_script *script, ra_http_exchange *exchange);
// ra_http_config.log: request metrics and one log line.
void ra_script_log(const ra_http_exchange *exchange, int status, uint64_t bytes_sent, uint64_t ns);

// The answer of ra_script_request; valid during the call.
typedef struct ra_script_answer {
  int status;
  const char *content_type;  // "" when there is none
  ra_buf *body;              // NULL: none
  int fd;                    // -1, or a file body (closed after the call)
  uint64_t offset, size;     // of the file body
  const ra_timing *timing;
} ra_script_answer;

// The same request without a server (CLI, tests). target: "/tiles/…?datetime=…". body may be NULL. An error is returned
// when the task could not be started; then `done` is not called.
int ra_script_request(ra_script *script, const char *method, const char *target, ra_buf *body,
                      void (*done)(void *ctx, const ra_script_answer *answer), void *ctx,
                      ra_err *err);

typedef struct ra_script_run {
  const char *workflow;                        // name in a plugin's `workflows`
  const char *args_json;                       // its argument; NULL: {}
  void (*event)(void *ctx, const char *json);  // rastrum.emit{…}, one object a call; may be NULL
  // rc and err, or the workflow's result as JSON ("null" when it has none). Called from the loop, once.
  void (*done)(void *ctx, int rc, const char *result_json, const ra_err *err);
  void *ctx;
} ra_script_run;

typedef struct ra_task ra_task;

// Starts a workflow as a job. *out (may be NULL) is valid until `done`, for ra_script_cancel.
int ra_script_run_workflow(ra_script *script, const ra_script_run *run, ra_task **out, ra_err *err);
void ra_script_cancel(ra_task *task);

// What loaded, what was refused and why: the JSON of /plugins.
int ra_script_plugins_json(ra_script *script, ra_str *out, ra_err *err);
// What was refused: {"name": "reason"}.
int ra_script_refused_json(ra_script *script, ra_str *out, ra_err *err);
// The collections whose snapshots are in memory, as the argument of the workflow "rastrum.warm" that reads them in
// another VM.
int ra_script_hot_json(ra_script *script, ra_str *out, ra_err *err);
// What /plugins tells of the last reload: a JSON object.
void ra_script_set_note(ra_script *script, const char *json);

// /readyz says 503 from now on.
void ra_script_set_draining(ra_script *script);
// Ends jobs at once, lets requests finish until grace_ms, then drops them; then `drained`.
void ra_script_drain(ra_script *script, uint64_t grace_ms, void (*drained)(void *ctx), void *ctx);
// `newer` has taken its place: timers end where they rest, what has begun goes on until grace_ms, then is dropped
// (requests: 503); then `drained`. May be followed by ra_script_drain.
void ra_script_retire(ra_script *script, ra_script *newer, uint64_t grace_ms,
                      void (*drained)(void *ctx), void *ctx);
// After drained and not from inside it (or before anything was started). NULL is fine.
void ra_script_free(ra_script *script);
// The same, without holding the loop up: the VM is taken apart in the io lane.
void ra_script_free_apart(ra_script *script);

typedef struct ra_script_stats {
  size_t heap_bytes;      // Lua heap
  size_t external_bytes;  // behind live userdata
  size_t handles;         // live (not closed) userdata
  unsigned tasks;         // live
  uint64_t slices, preempted, dropped;
} ra_script_stats;
ra_script_stats ra_script_get_stats(const ra_script *script);
// Sets the host's gauges (heap, external bytes, tasks); called before /metrics is written.
void ra_script_show_gauges(const ra_script *script);
// A full collection, for tests and tidy shutdown.
void ra_script_collect(ra_script *script);

// Runs a configuration file in an empty environment under limits, and appends the table it returns as a JSON object.
// RA_E_NOTFOUND when there is no such file.
int ra_script_load_table(const char *path, ra_str *json, ra_err *err);
// "LuaJIT 2.1.0-beta3".
const char *ra_script_lua_version(void);
