// run_spec.c - runs one Lua spec in the real host, with the built-in plugins beside it: run_spec [--gc] SPEC.lua. Fails on a
// failed case, on handles or buffers left over, and on a workflow that does not end. --gc: the collector at full pressure.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/clock.h"
#include "net/store.h"
#include "script/host.h"

typedef struct runner {
  uv_loop_t loop;
  ra_ops ops;
  ra_script *script;
  char dir[64], plugins[80];
  bool done, drained;
  int failed;
  size_t handles;
} runner;

static void die(const char *what, const ra_err *err) {
  fprintf(stderr, "run_spec: %s: %s: %s\n", what, err->where, err->message);
  exit(1);
}

static void shell(const char *command) {
  if (system(command) != 0) {
    fprintf(stderr, "run_spec: failed: %s\n", command);
    exit(1);
  }
}

// The spec becomes the plugin "spec"; its folder also holds the text of all stubs of lua/meta.
static void lay_out(runner *r, const char *spec) {
  char command[3 * PATH_MAX];
  snprintf(r->dir, sizeof r->dir, "/tmp/rastrum-spec-XXXXXX");
  if (!mkdtemp(r->dir)) exit(1);
  snprintf(r->plugins, sizeof r->plugins, "%s/plugins", r->dir);
  snprintf(
      command, sizeof command,
      "mkdir -p %s/spec && cp '%s' %s/spec/init.lua && cat '%s'/lua/meta/*.lua > %s/spec/meta.txt",
      r->plugins, spec, r->plugins, RA_SOURCE_DIR, r->plugins);
  shell(command);
}

static void make_ops(runner *r) {
  const ra_lane_config cpu = {.name = "cpu", .width = 2, .depth = 1000},
                       io = {.name = "io", .width = 2, .depth = 1000};
  char url[100];
  ra_err err = {0};
  uv_loop_init(&r->loop);
  r->ops.loop = &r->loop;
  snprintf(url, sizeof url, "%s/store", r->dir);
  if (ra_lane_new(&r->loop, &cpu, &r->ops.cpu, &err) < 0 ||
      ra_lane_new(&r->loop, &io, &r->ops.io, &err) < 0 ||
      ra_store_open(url, true, &r->ops.store, &err) < 0) {
    die("setup", &err);
  }
  const ra_reader reader = ra_store_reader(r->ops.store);
  if (ra_render_context_new(&reader, 1 << 20, 8 << 20, &r->ops.render, &err) < 0)
    die("setup", &err);
}

static void load(runner *r) {
  const char *plugins[] = {RA_SOURCE_DIR "/plugins", r->plugins, NULL};
  static const char *const colormaps[] = {RA_SOURCE_DIR "/colormaps", NULL};
  char settings[400];
  ra_err err = {0};
  snprintf(settings, sizeof settings,
           "{\"specs\":true,\"store\":\"%s/store\",\"catalog_url\":\"sqlite:%s/"
           "catalog.db\",\"listen\":\"127.0.0.1:8080\","
           "\"allowed_hosts\":[\"maps.example.org\"],\"catalog_staleness\":5000,\"request_bytes\":"
           "134217728}",
           r->dir, r->dir);
  const ra_script_config config = {.ops = &r->ops,
                                   .library_dir = RA_SOURCE_DIR "/lua",
                                   .plugin_dirs = plugins,
                                   .colormap_dirs = colormaps,
                                   .settings_json = settings};
  if (ra_script_new(&config, &r->script, &err) < 0 || ra_script_load(r->script, &err) < 0)
    die("host", &err);
}

static void report(runner *r, const char *json) {
  json_t *result = json_loads(json, JSON_DECODE_ANY, NULL), *failure;
  size_t i;
  if (!json_is_object(result)) {
    fprintf(stderr, "the spec did not report: %s\n", json);
    r->failed++;
  }
  json_array_foreach(json_object_get(result, "failures"), i, failure) {
    fprintf(stderr, "FAILED %s\n", json_string_value(failure));
    r->failed++;
  }
  r->handles += (size_t)json_number_value(json_object_get(result, "kept"));
  printf("%d cases, %d failed\n", (int)json_number_value(json_object_get(result, "cases")),
         r->failed);
  if (json_number_value(json_object_get(result, "cases")) < 1) r->failed++;
  json_decref(result);
}

static void on_done(void *ctx, int rc, const char *json, const ra_err *err) {
  runner *r = ctx;
  r->done = true;
  if (rc == RA_OK) {
    report(r, json);
  } else {
    fprintf(stderr, "FAILED %s: %s\n", err->where, err->message);
    r->failed++;
  }
}

static void run(runner *r) {
  const ra_script_run what = {.workflow = "spec", .done = on_done, .ctx = r};
  ra_err err = {0};
  ra_script_collect(r->script);
  r->handles = ra_script_get_stats(r->script).handles;
  if (ra_script_run_workflow(r->script, &what, NULL, &err) < 0) die("run", &err);
  uint64_t end = ra_clock_ns() + 60000000000u;
  while (!r->done && ra_clock_ns() < end) uv_run(&r->loop, UV_RUN_ONCE);
  if (!r->done) {
    fprintf(stderr, "FAILED the spec did not end within a minute\n");
    exit(1);
  }
}

static void look_for_leaks(runner *r) {
  ra_script_collect(r->script);
  ra_script_stats stats = ra_script_get_stats(r->script);
  if (stats.handles > r->handles) {
    fprintf(stderr, "FAILED %zu handles are left, %zu were to be\n", stats.handles, r->handles);
    r->failed++;
  }
  if (stats.external_bytes || ra_buf_live_bytes()) {
    fprintf(stderr, "FAILED %zu bytes behind handles and %zu of buffers are left\n",
            stats.external_bytes, ra_buf_live_bytes());
    r->failed++;
  }
}

static void on_drained(void *ctx) { ((runner *)ctx)->drained = true; }

static void tear_down(runner *r) {
  char command[100];
  ra_script_drain(r->script, 0, on_drained, r);
  while (!r->drained) uv_run(&r->loop, UV_RUN_ONCE);
  ra_script_free(r->script);
  uv_run(&r->loop, UV_RUN_DEFAULT);
  ra_lane_free(r->ops.cpu);
  ra_lane_free(r->ops.io);
  uv_run(&r->loop, UV_RUN_DEFAULT);
  uv_loop_close(&r->loop);
  ra_render_context_free(r->ops.render);
  ra_store_free(r->ops.store);
  snprintf(command, sizeof command, "rm -rf %s", r->dir);
  shell(command);
}

int main(int argc, char **argv) {
  static runner r;
  bool pressure = argc == 3 && strcmp(argv[1], "--gc") == 0;
  if (argc != 2 && !pressure) {
    fprintf(stderr, "usage: run_spec [--gc] SPEC.lua\n");
    return 2;
  }
  lay_out(&r, argv[argc - 1]);
  make_ops(&r);
  load(&r);
  if (pressure) {
    lua_gc(r.script->L, LUA_GCSETPAUSE, 0);
    lua_gc(r.script->L, LUA_GCSETSTEPMUL, 100000);
  }
  run(&r);
  look_for_leaks(&r);
  tear_down(&r);
  return r.failed ? 1 : 0;
}
