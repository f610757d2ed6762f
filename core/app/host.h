// host.h - one process's set of objects: loop, lanes, store, renderer, Lua host; built once, handed down, taken apart in
// reverse. Subcommands are a few lines on top of it.
#pragma once
#include "app/config.h"
#include "ops/op.h"
#include "script/script.h"

typedef struct ra_host {
  uv_loop_t loop;
  ra_ops ops;
  ra_shared *shared;  // of all its VMs
  ra_script *script;
  bool loop_open;
} ra_host;

// role: "serve", "ingest" or "cli". create_store: the store's folder is made when missing. The plugins are loaded.
int ra_host_init(ra_host *host, const ra_config *config, const char *role, bool create_store,
                 ra_err *err);
typedef struct ra_host_start {
  const char *role;
  ra_bundle *bundle;    // borrowed; NULL: what the configuration's folders hold
  const char *refused;  // see ra_script_config
  bool create_store;
} ra_host_start;
int ra_host_init_from(ra_host *host, const ra_config *config, const ra_host_start *start,
                      ra_err *err);
// Another VM on the same objects, not yet built (ra_script_build). Any thread.
int ra_host_script(ra_host *host, const ra_config *config, const ra_host_start *start,
                   ra_script **out, ra_err *err);
// Ends jobs, runs the loop until it is empty, frees everything.
void ra_host_deinit(ra_host *host);

// Runs one workflow to its end. Events go to `event` (may be NULL) as they come; SIGINT and SIGTERM cancel. On success
// `result` receives the workflow's result as JSON.
int ra_host_run(ra_host *host, const char *workflow, const char *args_json,
                void (*event)(void *ctx, const char *json), void *ctx, ra_str *result, ra_err *err);
// Answers one GET request as the server would. Returns its status (0: not started, see err); body in *body (may be NULL).
int ra_host_get(ra_host *host, const char *target, ra_buf **body, ra_err *err);

// "sqlite:<store>/catalog.db" unless configured.
void ra_host_catalog_url(const ra_config *config, ra_str *out);
