// host_fixture.h - a host on a loop of its own, with plugins written by the test into a temporary folder.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include <cmocka.h>

#include "base/clock.h"
#include "script/script.h"

typedef struct fixture {
  uv_loop_t loop;
  ra_ops ops;
  ra_script *script;
  char dir[64];
  const char *dirs[2];
  const char *disabled[2];
  const ra_script_plugin_limits *plugin_limits;
  ra_shared *shared;
} fixture;

typedef struct reply {
  bool done;
  int status;
  char type[128];
  char body[16384];
  size_t size;
} reply;

static inline void fixture_init(fixture *f) {
  *f = (fixture){0};
  assert_int_equal(uv_loop_init(&f->loop), 0);
  f->ops.loop = &f->loop;
  const ra_lane_config config = {.name = "io", .width = 2, .depth = 1000};
  assert_int_equal(ra_lane_new(&f->loop, &config, &f->ops.io, NULL), RA_OK);
  snprintf(f->dir, sizeof f->dir, "/tmp/rastrum-test-XXXXXX");
  assert_non_null(mkdtemp(f->dir));
  f->dirs[0] = f->dir;
  assert_int_equal(ra_shared_new(1 << 20, &f->shared, NULL), RA_OK);
}

static inline void fixture_write(fixture *f, const char *name, const char *source) {
  char path[160];
  snprintf(path, sizeof path, "%s/%s", f->dir, name);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(source, file);
  fclose(file);
}

static inline void fixture_load(fixture *f, const ra_script_limits *limits) {
  static const char *const none[] = {NULL};
  ra_script_config config = {.ops = &f->ops,
                             .library_dir = RA_SOURCE_DIR "/lua",
                             .plugin_dirs = f->dirs,
                             .colormap_dirs = none,
                             .shared = f->shared,
                             .disabled = f->disabled,
                             .plugin_limits = f->plugin_limits,
                             .settings_json = "{\"listen\":\"127.0.0.1:8080\",\"list\":[1,2]}"};
  if (limits) config.limits = *limits;
  ra_err err = {0};
  if (ra_script_new(&config, &f->script, &err) < 0) fail_msg("%s: %s", err.where, err.message);
  if (ra_script_load(f->script, &err) < 0) fail_msg("%s: %s", err.where, err.message);
}

static inline void fixture_drained(void *ctx) { *(bool *)ctx = true; }

static inline void fixture_deinit(fixture *f) {
  bool drained = false;
  ra_script_drain(f->script, 0, fixture_drained, &drained);
  while (!drained) uv_run(&f->loop, UV_RUN_ONCE);
  ra_script_free(f->script);
  uv_run(&f->loop, UV_RUN_DEFAULT);  // VMs that are freed apart
  ra_lane_free(f->ops.io);
  uv_run(&f->loop, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  ra_shared_free(f->shared);
  char command[100];
  snprintf(command, sizeof command, "rm -rf %s", f->dir);
  assert_int_equal(system(command), 0);
  assert_int_equal(ra_buf_live_bytes(), 0);
}

static inline void fixture_answered(void *ctx, const ra_script_answer *answer) {
  reply *r = ctx;
  r->done = true;
  r->status = answer->status;
  snprintf(r->type, sizeof r->type, "%s", answer->content_type);
  r->size = answer->body ? ra_buf_size(answer->body) : 0;
  size_t n = r->size < sizeof r->body - 1 ? r->size : sizeof r->body - 1;
  if (n) memcpy(r->body, ra_buf_data(answer->body), n);
  r->body[n] = 0;
}

static inline void fixture_start(fixture *f, const char *method, const char *target, ra_buf *body,
                                 reply *r) {
  ra_err err = {0};
  r->done = false;
  if (ra_script_request(f->script, method, target, body, fixture_answered, r, &err) < 0) {
    fail_msg("%s: %s", err.where, err.message);
  }
}

static inline void fixture_wait(fixture *f, const reply *r) {
  while (!r->done) uv_run(&f->loop, UV_RUN_ONCE);
}

static inline void fixture_ask(fixture *f, const char *method, const char *target, reply *r) {
  fixture_start(f, method, target, NULL, r);
  fixture_wait(f, r);
}
