// One VM takes another's place: built on another thread, self-tested, the old one finishes what it has begun.
#include <uv.h>

#include "host_fixture.h"

static const char SLOW[] =
    "local M = { name = 'slow', api = 1, _v = 'old' }\n"
    "local function slow(req) rastrum.sleep(req.params.ms) return { body = M._v } end\n"
    "local function job() rastrum.spawn(function() rastrum.sleep(50) rastrum.shared.incr('job') "
    "end)\n"
    "  return { body = 'started' } end\n"
    "local function shared(req) return { body = tostring(rastrum.shared.get(req.params.key)) } "
    "end\n"
    "function M.setup() rastrum.spawn(function() rastrum.shared.incr('spawned') end) end\n"
    "M.hooks = { on_start = function() rastrum.shared.incr('starts') end,\n"
    "  on_timer = { { every = 10, run = function() rastrum.shared.incr(M._v) end } } }\n"
    "M.routes = { {'GET', '/slow/{ms:int}', slow}, {'GET', '/job', job}, {'GET', '/shared/{key}', "
    "shared} }\n"
    "return M\n";

typedef struct building {
  ra_script *script;
  ra_err err;
  int rc;
} building;

static void build(void *arg) {
  building *b = arg;
  b->rc = ra_script_build(b->script, &b->err);
}

// A second VM of what the folder holds now, built on a thread of its own while the loop runs.
static int build_apart(fixture *f, const char *refused, building *b) {
  static const char *const none[] = {NULL};
  const ra_script_config config = {.ops = &f->ops,
                                   .shared = f->shared,
                                   .library_dir = RA_SOURCE_DIR "/lua",
                                   .plugin_dirs = f->dirs,
                                   .colormap_dirs = none,
                                   .disabled = f->disabled,
                                   .refused = refused};
  uv_thread_t thread;
  *b = (building){0};
  assert_int_equal(ra_script_new(&config, &b->script, NULL), RA_OK);
  assert_int_equal(uv_thread_create(&thread, build, b), 0);
  for (int i = 0; i < 20; i++) uv_run(&f->loop, UV_RUN_NOWAIT);
  uv_thread_join(&thread);
  return b->rc;
}

static void wait_ms(fixture *f, uint64_t ms) {
  uint64_t end = ra_clock_ns() + ms * 1000000u;
  while (ra_clock_ns() < end) uv_run(&f->loop, UV_RUN_NOWAIT);
}

static void assert_shared(fixture *f, const char *key, const char *value) {
  char target[60];
  reply r;
  snprintf(target, sizeof target, "/shared/%s", key);
  fixture_ask(f, "GET", target, &r);
  assert_string_equal(r.body, value);
}

static void test_the_old_one_finishes(void **state) {
  (void)state;
  fixture f;
  building b;
  reply slow, job, quick;
  bool drained = false;
  fixture_init(&f);
  fixture_write(&f, "slow.lua", SLOW);
  fixture_load(&f, NULL);
  ra_script_start(f.script);
  wait_ms(&f, 40);
  assert_shared(&f, "spawned", "1");
  char *newer = strdup(SLOW);
  char *version = strstr(newer, "old");
  version[0] = 'n', version[1] = 'e', version[2] = 'w';
  fixture_write(&f, "slow.lua", newer);
  free(newer);
  assert_int_equal(build_apart(&f, "{}", &b), RA_OK);
  assert_shared(&f, "spawned", "1");  // nothing of the new one runs yet
  assert_shared(&f, "new", "nil");
  fixture_start(&f, "GET", "/slow/200", NULL, &slow);
  fixture_ask(&f, "GET", "/job", &job);
  ra_script *old = f.script;
  assert_int_equal(ra_script_adopt(b.script, NULL), RA_OK);
  wait_ms(&f, 20);
  assert_shared(&f, "spawned", "1");  // it is tested now; its jobs are for the one that serves
  f.script = b.script;
  ra_script_retire(old, b.script, 20000, fixture_drained, &drained);
  ra_script_start(f.script);
  fixture_ask(&f, "GET", "/slow/0", &quick);
  assert_string_equal(quick.body, "new");
  assert_false(slow.done || drained);
  while (!drained) uv_run(&f.loop, UV_RUN_ONCE);
  assert_true(slow.done);
  assert_string_equal(slow.body, "old");
  assert_shared(&f, "job", "1");  // a job of the old one has finished too
  assert_shared(&f, "starts", "2");
  assert_shared(&f, "spawned", "2");
  ra_script_free_apart(old);
  reply before, after;
  fixture_ask(&f, "GET", "/shared/old", &before);
  wait_ms(&f, 50);
  fixture_ask(&f, "GET", "/shared/old", &after);
  assert_string_equal(before.body, after.body);  // its timer is over
  fixture_deinit(&f);
}

static void test_what_does_not_end_gets_a_503(void **state) {
  (void)state;
  fixture f;
  building b;
  reply slow;
  bool drained = false;
  fixture_init(&f);
  fixture_write(&f, "slow.lua", SLOW);
  fixture_load(&f, NULL);
  fixture_start(&f, "GET", "/slow/60000", NULL, &slow);
  assert_int_equal(build_apart(&f, "{}", &b), RA_OK);
  ra_script *old = f.script;
  assert_int_equal(ra_script_adopt(b.script, NULL), RA_OK);
  f.script = b.script;
  ra_script_retire(old, b.script, 30, fixture_drained, &drained);
  while (!drained) uv_run(&f.loop, UV_RUN_ONCE);
  assert_true(slow.done);
  assert_int_equal(slow.status, 503);
  assert_non_null(strstr(slow.body, "loaded its plugins anew"));
  ra_script_free_apart(old);
  fixture_deinit(&f);
}

static void assert_fails(fixture *f, const char *refused, const char *why) {
  building b;
  assert_true(build_apart(f, refused, &b) < 0);
  if (!strstr(b.err.message, why)) fail_msg("'%s' is not in: %s", why, b.err.message);
  ra_script_free_apart(b.script);
}

static void test_what_a_new_one_must_pass(void **state) {
  (void)state;
  fixture f;
  building b;
  fixture_init(&f);
  fixture_write(&f, "slow.lua", SLOW);
  fixture_load(&f, NULL);
  fixture_write(&f, "new.lua", "return {");
  assert_fails(&f, "{}", "plugin 'new': new.lua:1:");
  ra_str refused;
  ra_str_init(&refused);
  fixture_write(&f, "new.lua",
                "local M = { name = 'new', api = 1 }\n"
                "function M.self_test() error('no ramp', 0) end return M\n");
  assert_fails(&f, "{}", "plugin 'new': no ramp");
  // As it was refused before, it stops nobody.
  assert_int_equal(build_apart(&f, "{\"new\":\"no ramp\"}", &b), RA_OK);
  assert_int_equal(ra_script_refused_json(b.script, &refused, NULL), RA_OK);
  assert_string_equal(refused.ptr, "{\"new\":\"no ramp\"}");
  ra_script_free_apart(b.script);
  fixture_write(&f, "new.lua",
                "local M = { name = 'new', api = 1 }\n"
                "function M.self_test() while true do end end return M\n");
  assert_fails(&f, "{\"new\":\"no ramp\"}", "plugin 'new': plugin 'new' used more than");
  ra_str_deinit(&refused);
  fixture_deinit(&f);
}

// What was read stays together: a module that is required late is that of its time.
static void test_a_late_require_is_of_its_time(void **state) {
  (void)state;
  fixture f;
  reply r;
  fixture_init(&f);
  char folder[100];
  snprintf(folder, sizeof folder, "mkdir %s/late", f.dir);
  assert_int_equal(system(folder), 0);
  fixture_write(&f, "late/init.lua",
                "local M = { name = 'late', api = 1 }\n"
                "M.routes = { {'GET', '/late', function() return { body = require 'part' } end} }\n"
                "return M\n");
  fixture_write(&f, "late/part.lua", "return 'first'");
  fixture_load(&f, NULL);
  fixture_write(&f, "late/part.lua", "return 'second'");
  fixture_ask(&f, "GET", "/late", &r);
  assert_string_equal(r.body, "first");
  fixture_deinit(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_old_one_finishes),
      cmocka_unit_test(test_what_does_not_end_gets_a_503),
      cmocka_unit_test(test_what_a_new_one_must_pass),
      cmocka_unit_test(test_a_late_require_is_of_its_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
