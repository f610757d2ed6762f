// Tasks, slices, budgets, scopes and operations, through requests to plugins that misbehave.
#include "host_fixture.h"

#include <lauxlib.h>
#include <lualib.h>

static const char SPIN[] =
    "local M = { name = 'spin', api = 1 }\n"
    "local function ok() return { status = 200, type = 'text/plain', body = 'fine' } end\n"
    "local function forever() while true do end end\n"
    "local function protected() while true do pcall(function() while true do end end) end end\n"
    "local function handled() while true do xpcall(forever, function() while true do end end) end "
    "end\n"
    "local function nested() local f = forever for _ = 1, 5 do local g = f f = coroutine.wrap(g) "
    "end\n"
    "  while true do pcall(f) f = coroutine.wrap(forever) end end\n"
    "local function sorted() table.sort({3, 2, 1, 5, 4}, function() while true do end end) end\n"
    "local function sorted_protected() while true do pcall(table.sort, {3, 2, 1, 5}, function() "
    "while true do end end) end end\n"
    "local function substituted() return ('aaa'):gsub('a', function() while true do end end) end\n"
    "local function wrapped_sort() local f = coroutine.wrap(forever) table.sort({3, 2, 1}, "
    "function() f() end) end\n"
    "local function meta() local m = setmetatable({}, {__index = function() while true do end "
    "end}) return m.x end\n"
    "local function iterate() for _ in function() while true do end end do end end\n"
    "local function finite() local x = 0 for i = 1, 2e5 do x = x + i end return { body = 'sum ' .. "
    "x } end\n"
    "local function finite_nested()\n"
    "  local g = coroutine.wrap(function() local x = 0 for i = 1, 4e5 do x = x + i if i % 1e5 == 0 "
    "then coroutine.yield(x) end end end)\n"
    "  return { body = table.concat({ g(), g(), g(), g() }, ' ') } end\n"
    "M.routes = { {'GET', '/ok', ok}, {'GET', '/forever', forever}, {'GET', '/protected', "
    "protected},\n"
    "  {'GET', '/handled', handled}, {'GET', '/nested', nested}, {'GET', '/sorted', sorted},\n"
    "  {'GET', '/sorted_protected', sorted_protected}, {'GET', '/substituted', substituted},\n"
    "  {'GET', '/wrapped_sort', wrapped_sort}, {'GET', '/meta', meta}, {'GET', '/iterate', "
    "iterate},\n"
    "  {'GET', '/finite', finite}, {'GET', '/finite_nested', finite_nested} }\n"
    "return M\n";

enum { BEATS = 20000 };

typedef struct heart {
  uv_timer_t timer;
  uint64_t last, gaps[BEATS];
  size_t count;
} heart;

static void beat(uv_timer_t *timer) {
  heart *h = timer->data;
  uint64_t now = ra_clock_ns();
  if (h->last && h->count < BEATS) h->gaps[h->count++] = now - h->last;
  h->last = now;
}

static int by_size(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

static double median_ms(heart *h) {
  assert_true(h->count > 10);
  qsort(h->gaps, h->count, sizeof *h->gaps, by_size);
  double median = (double)h->gaps[h->count / 2] / 1e6;
  h->count = 0;
  h->last = 0;
  return median;
}

static void start_heart(fixture *f, heart *h) {
  *h = (heart){0};
  uv_timer_init(&f->loop, &h->timer);
  h->timer.data = h;
  uv_timer_start(&h->timer, beat, 1, 1);
}

static double idle_median(fixture *f, heart *h) {
  uint64_t end = ra_clock_ns() + 300000000u;
  while (ra_clock_ns() < end) uv_run(&f->loop, UV_RUN_ONCE);
  return median_ms(h);
}

static void stop_heart(fixture *f, heart *h) {
  uv_close((uv_handle_t *)&h->timer, NULL);
  uv_run(&f->loop, UV_RUN_NOWAIT);
}

// Each spinner is answered 503 with the plugin's name, the limit and the setting; a request beside it is answered.
static void test_spinners_are_dropped(void **state) {
  (void)state;
  static const char *const paths[] = {"/forever", "/protected", "/handled",
                                      "/nested",  "/meta",      "/iterate"};
  fixture f;
  heart h;
  fixture_init(&f);
  fixture_write(&f, "spin.lua", SPIN);
  fixture_load(&f, NULL);
  start_heart(&f, &h);
  double idle = idle_median(&f, &h);
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    reply bad, good;
    fixture_start(&f, "GET", paths[i], NULL, &bad);
    fixture_ask(&f, "GET", "/ok", &good);
    assert_int_equal(good.status, 200);
    assert_false(bad.done);
    fixture_wait(&f, &bad);
    assert_int_equal(bad.status, 503);
    assert_string_equal(bad.type, "application/problem+json");
    assert_non_null(strstr(bad.body, "plugin 'spin'"));
    assert_non_null(strstr(bad.body, "100 ms"));
    assert_non_null(strstr(bad.body, "lua_time"));
  }
  double busy = median_ms(&h);
  print_message("heartbeat: %.3f ms idle, %.3f ms beside spinners\n", idle, busy);
  assert_true(busy <= 2 * idle);
  stop_heart(&f, &h);
  fixture_deinit(&f);
}

static void test_ten_spinners_at_once(void **state) {
  (void)state;
  fixture f;
  heart h;
  reply r[10];
  fixture_init(&f);
  fixture_write(&f, "spin.lua", SPIN);
  fixture_load(&f, NULL);
  start_heart(&f, &h);
  double idle = idle_median(&f, &h);
  for (int i = 0; i < 10; i++)
    fixture_start(&f, "GET", i % 2 ? "/forever" : "/nested", NULL, &r[i]);
  for (int i = 0; i < 10; i++) fixture_wait(&f, &r[i]);
  double busy = median_ms(&h);
  print_message("heartbeat: %.3f ms idle, %.3f ms beside ten spinners\n", idle, busy);
  for (int i = 0; i < 10; i++) assert_int_equal(r[i].status, 503);
  assert_true(busy <= 2 * idle);
  stop_heart(&f, &h);
  fixture_deinit(&f);
}

// Where it cannot yield the code runs on to its budget; then it ends too.
static void test_callbacks_end_at_their_budget(void **state) {
  (void)state;
  static const char *const paths[] = {"/sorted", "/sorted_protected", "/substituted",
                                      "/wrapped_sort"};
  fixture f;
  fixture_init(&f);
  fixture_write(&f, "spin.lua", SPIN);
  fixture_load(&f, NULL);
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    reply r;
    uint64_t from = ra_clock_ns();
    fixture_ask(&f, "GET", paths[i], &r);
    assert_true(ra_clock_ns() - from < 1000000000u);
    assert_int_equal(r.status, 503);
    assert_non_null(strstr(r.body, "spin"));
    fixture_ask(&f, "GET", "/ok", &r);
    assert_int_equal(r.status, 200);
  }
  fixture_deinit(&f);
}

static void test_preemption_changes_no_result(void **state) {
  (void)state;
  fixture f;
  reply r;
  fixture_init(&f);
  fixture_write(&f, "spin.lua", SPIN);
  const ra_script_limits limits = {.request_lua_ms = 5000};
  fixture_load(&f, &limits);
  for (int i = 0; i < 5; i++) {
    fixture_ask(&f, "GET", "/finite", &r);
    assert_string_equal(r.body, "sum 20000100000");
    fixture_ask(&f, "GET", "/finite_nested", &r);
    assert_string_equal(r.body, "5000050000 20000100000 45000150000 80000200000");
  }
  assert_true(ra_script_get_stats(f.script).preempted > 0);
  fixture_deinit(&f);
}

static const char OPS[] =
    "local M = { name = 'ops', api = 1 }\n"
    "local said = {}\n"
    "local function say(fn) return function(req) return { body = tostring(fn(req)) } end end\n"
    "local function nap() return rastrum.sleep(5) end\n"
    "local function twice() local op = rastrum.op.sleep(1) rastrum.all({ op })\n"
    "  local ok, err = pcall(rastrum.all, { op }) return tostring(ok) .. ' ' .. tostring(err) end\n"
    "local function same() local op = rastrum.op.sleep(1) local ok, err = pcall(rastrum.all, { op, "
    "op })\n"
    "  return tostring(ok) .. ' ' .. tostring(err) end\n"
    "local function in_sort() local ok, err = pcall(table.sort, { 3, 2, 1 }, function(a, b) "
    "rastrum.sleep(1) return a < b end)\n"
    "  return tostring(ok) .. ' ' .. tostring(err) end\n"
    "local function in_coroutine() local co = coroutine.create(function() rastrum.sleep(1) end)\n"
    "  local ok, err = coroutine.resume(co) return tostring(ok) .. ' ' .. tostring(err) end\n"
    "local function plain_yield() local ok, err = pcall(coroutine.yield, 1) return tostring(ok) .. "
    "' ' .. tostring(err) end\n"
    "local function in_pcall() local ok, value = pcall(rastrum.sleep, 2) return tostring(ok) .. ' "
    "' .. tostring(value) end\n"
    "local function many() local list = {} for i = 1, 100 do list[i] = rastrum.op.sleep(i % 7) "
    "end\n"
    "  return #rastrum.all(list, 10) end\n"
    "local function spawn() rastrum.spawn(function(a, b) rastrum.sleep(2) "
    "rastrum.shared.set('spawned', a + b) end, 3, 4) return 'ok' end\n"
    "local function spawned() return rastrum.shared.get('spawned') end\n"
    "local function slow() rastrum.sleep(60000) return 'never' end\n"
    "local held\n"
    "local function stash() held = rastrum.json.buffer({ 1 }) return held:size() end\n"
    "local function use() local ok, err = pcall(held.text, held) return tostring(ok) .. ' ' .. "
    "tostring(err) end\n"
    "local function keep() held = rastrum.json.buffer({ 1, 2 }):keep() return held:text() end\n"
    "local function boom() error('no such luck') end\n"
    "local function boom_table() error({ code = 'not_found', message = 'gone away' }) end\n"
    "local function nothing() end\n"
    "local loading = pcall(rastrum.sleep, 1)\n"
    "local why = select(2, pcall(rastrum.sleep, 1))\n"
    "M.routes = {}\n"
    "for name, fn in pairs { nap = say(nap), twice = say(twice), same = say(same), in_sort = "
    "say(in_sort),\n"
    "  in_coroutine = say(in_coroutine), plain_yield = say(plain_yield), in_pcall = say(in_pcall), "
    "many = say(many),\n"
    "  spawn = say(spawn), spawned = say(spawned), slow = say(slow), stash = say(stash), use = "
    "say(use), keep = say(keep),\n"
    "  boom = boom, boom_table = boom_table, nothing = nothing,\n"
    "  phase = say(function() return tostring(loading) .. ' ' .. why end) } do\n"
    "  M.routes[#M.routes + 1] = { 'GET', '/' .. name, fn } end\n"
    "return M\n";

static void expect(fixture *f, const char *path, const char *part) {
  reply r;
  fixture_ask(f, "GET", path, &r);
  if (!strstr(r.body, part)) fail_msg("%s: '%s' is not in '%s'", path, part, r.body);
}

static void test_operations(void **state) {
  (void)state;
  fixture f;
  reply r;
  fixture_init(&f);
  fixture_write(&f, "ops.lua", OPS);
  const ra_script_limits limits = {.request_wall_ms = 300};
  fixture_load(&f, &limits);
  expect(&f, "/nap", "true");
  expect(&f, "/twice", "false");
  expect(&f, "/twice", "an operation is used once");
  expect(&f, "/same", "an operation is used once");
  expect(&f, "/in_sort", "cannot wait inside a callback");
  expect(&f, "/in_coroutine", "call from the handler's own coroutine");
  expect(&f, "/plain_yield", "coroutine of your own");
  expect(&f, "/in_pcall", "true true");
  expect(&f, "/many", "100");
  expect(&f, "/spawn", "ok");
  expect(&f, "/phase", "phase request or job, and this is phase load");
  uint64_t end = ra_clock_ns() + 50000000u;
  while (ra_clock_ns() < end) uv_run(&f.loop, UV_RUN_NOWAIT);
  expect(&f, "/spawned", "7");
  fixture_ask(&f, "GET", "/slow", &r);
  assert_int_equal(r.status, 503);
  assert_non_null(strstr(r.body, "plugin 'ops' did not answer within 300 ms; request_timeout"));
  fixture_ask(&f, "GET", "/boom", &r);
  assert_int_equal(r.status, 500);
  assert_non_null(strstr(r.body, "plugin 'ops'"));
  assert_null(strstr(r.body, "luck"));
  fixture_ask(&f, "GET", "/boom_table", &r);
  assert_int_equal(r.status, 404);
  assert_non_null(strstr(r.body, "gone away"));
  fixture_ask(&f, "GET", "/nothing", &r);
  assert_int_equal(r.status, 500);
  fixture_deinit(&f);
}

static void test_scopes(void **state) {
  (void)state;
  fixture f;
  fixture_init(&f);
  fixture_write(&f, "ops.lua", OPS);
  fixture_load(&f, NULL);
  size_t handles = ra_script_get_stats(f.script).handles;
  expect(&f, "/stash", "3");
  assert_int_equal(ra_buf_live_bytes(), 0);
  expect(&f, "/use", "this ra.buf was closed");
  expect(&f, "/keep", "[1,2]");
  assert_true(ra_buf_live_bytes() > 0);
  expect(&f, "/use", "true [1,2]");
  expect(&f, "/stash", "3");  // the kept one is garbage now
  ra_script_collect(f.script);
  assert_int_equal(ra_buf_live_bytes(), 0);
  assert_int_equal(ra_script_get_stats(f.script).handles, handles);
  fixture_deinit(&f);
}

// Requests that make a buffer of a megabyte each hold about one at a time.
static void test_buffers_do_not_pile_up(void **state) {
  (void)state;
  fixture f;
  reply r;
  fixture_init(&f);
  fixture_write(&f, "big.lua",
                "local text = ('x'):rep(1048576 - 2)\n"
                "local function big() local b = rastrum.json.buffer(text) return { body = "
                "tostring(b:size()) } end\n"
                "return { name = 'big', api = 1, routes = { { 'GET', '/big', big } } }\n");
  fixture_load(&f, NULL);
  size_t most = 0;
  for (int i = 0; i < 500; i++) {
    fixture_ask(&f, "GET", "/big", &r);
    assert_string_equal(r.body, "1048576");
    if (ra_buf_live_bytes() > most) most = ra_buf_live_bytes();
  }
  assert_true(most <= 2 << 20);
  assert_true(ra_script_get_stats(f.script).heap_bytes < 32 << 20);
  fixture_deinit(&f);
}

static void test_memory_is_capped(void **state) {
  (void)state;
  fixture f;
  reply r;
  fixture_init(&f);
  fixture_write(
      &f, "greedy.lua",
      "local function grow() local t = {} for i = 1, 1e9 do t[i] = ('y'):rep(1000) .. i end end\n"
      "local function hoard() local t = {} while true do pcall(function() for i = 1, 1e9 do t[#t + "
      "1] = ('y'):rep(1e5) .. i end end) end end\n"
      "local function once() return { body = ('z'):rep(5e8) } end\n"
      "local function garbage() local n = 0 for i = 1, 3000 do local s = ('x'):rep(1e5) .. i n = n "
      "+ #s end return { body = '' .. n } end\n"
      "local function ok() return { body = 'fine' } end\n"
      "return { name = 'greedy', api = 1, routes = { { 'GET', '/grow', grow }, { 'GET', '/hoard', "
      "hoard },\n"
      "  { 'GET', '/once', once }, { 'GET', '/garbage', garbage }, { 'GET', '/ok', ok } } }\n");
  const ra_script_limits limits = {
      .request_lua_ms = 20000, .heap_hard = 64 << 20, .task_heap = 16 << 20};
  fixture_load(&f, &limits);
  fixture_ask(&f, "GET", "/grow", &r);
  assert_int_equal(r.status, 503);
  assert_non_null(strstr(r.body, "greedy"));
  fixture_ask(&f, "GET", "/hoard", &r);
  assert_int_equal(r.status, 503);
  fixture_ask(&f, "GET", "/once", &r);
  assert_int_equal(r.status, 503);
  assert_non_null(strstr(r.body, "plugin 'greedy': string.rep would make 500000000 bytes"));
  fixture_ask(&f, "GET", "/garbage", &r);
  assert_int_equal(r.status, 200);
  fixture_ask(&f, "GET", "/ok", &r);
  assert_int_equal(r.status, 200);
  ra_script_collect(f.script);
  assert_true(ra_script_get_stats(f.script).heap_bytes < 4 << 20);
  fixture_deinit(&f);
}

static void test_bad_plugins_are_refused_alone(void **state) {
  (void)state;
  fixture f;
  reply r;
  fixture_init(&f);
  fixture_write(&f, "a_spins.lua", "while true do end");
  fixture_write(&f, "b_syntax.lua", "return {");
  fixture_write(&f, "c_api.lua", "return { name = 'c_api', api = 2 }");
  fixture_write(&f, "d_field.lua", "return { name = 'd_field', api = 1, rutes = {} }");
  fixture_write(&f, "e_good.lua",
                "return { name = 'e_good', api = 1, routes = { { 'GET', '/good', function() return "
                "{ body = 'good' } end } } }");
  fixture_write(&f, "f_taken.lua",
                "return { name = 'f_taken', api = 1, routes = { { 'GET', '/mine', function() end "
                "}, { 'GET', '/good', function() end } } }");
  fixture_write(&f, "g_setup.lua",
                "return { name = 'g_setup', api = 1, setup = function() error('not today') end,\n"
                "  routes = { { 'GET', '/setup', function() end } } }");
  const ra_script_limits limits = {.load_lua_ms = 50};
  fixture_load(&f, &limits);
  ra_str json;
  ra_str_init(&json);
  assert_int_equal(ra_script_plugins_json(f.script, &json, NULL), RA_OK);
  static const char *const reasons[] = {
      "a_spins",  "reading a plugin",      "b_syntax",
      "api is 2", "did you mean 'routes'", "plugin 'e_good' answers GET /good already",
      "not today"};
  for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
    if (!strstr(json.ptr, reasons[i])) fail_msg("'%s' is not in %s", reasons[i], json.ptr);
  }
  ra_str_deinit(&json);
  fixture_ask(&f, "GET", "/good", &r);
  assert_string_equal(r.body, "good");
  fixture_ask(&f, "GET", "/mine", &r);
  assert_int_equal(r.status, 404);
  fixture_ask(&f, "GET", "/setup", &r);
  assert_int_equal(r.status, 404);
  fixture_deinit(&f);
}

typedef struct outcome {
  bool done;
  int rc;
  char result[256], message[512], events[1024];
} outcome;

static void on_event(void *ctx, const char *json) {
  outcome *o = ctx;
  strncat(o->events, json, sizeof o->events - strlen(o->events) - 1);
}

static void on_done(void *ctx, int rc, const char *json, const ra_err *err) {
  outcome *o = ctx;
  o->done = true;
  o->rc = rc;
  if (json) snprintf(o->result, sizeof o->result, "%s", json);
  if (err) snprintf(o->message, sizeof o->message, "%s", err->message);
}

static outcome run(fixture *f, const char *workflow, const char *args) {
  outcome o = {0};
  ra_err err = {0};
  const ra_script_run what = {
      .workflow = workflow, .args_json = args, .event = on_event, .done = on_done, .ctx = &o};
  assert_int_equal(ra_script_run_workflow(f->script, &what, NULL, &err), RA_OK);
  while (!o.done) uv_run(&f->loop, UV_RUN_ONCE);
  return o;
}

// Bytecode of the running LuaJIT, as a plugin's file: bare, behind a byte order mark, behind a first line of a shell.
static void test_bytecode_is_refused(void **state) {
  (void)state;
  static const char *const names[] = {"bare.lua", "marked.lua", "shell.lua"};
  static const char *const heads[] = {"", "\xef\xbb\xbf", "#!/bin/sh\n"};
  fixture f;
  ra_str json;
  fixture_init(&f);
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  assert_int_equal(
      luaL_dostring(L, "return string.dump(loadstring('return { name = ..., api = 1 }'))"), 0);
  size_t size;
  const char *code = lua_tolstring(L, -1, &size);
  for (int i = 0; i < 3; i++) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", f.dir, names[i]);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fputs(heads[i], file);
    assert_int_equal(fwrite(code, 1, size, file), size);
    fclose(file);
  }
  lua_close(L);
  fixture_load(&f, NULL);
  ra_str_init(&json);
  assert_int_equal(ra_script_refused_json(f.script, &json, NULL), RA_OK);
  for (int i = 0; i < 3; i++) {
    char name[20];
    snprintf(name, sizeof name, "\"%.*s\"", (int)strlen(names[i]) - 4, names[i]);
    if (!strstr(json.ptr, name)) fail_msg("%s is not refused: %s", name, json.ptr);
  }
  ra_str_deinit(&json);
  fixture_deinit(&f);
}

static void test_workflows(void **state) {
  (void)state;
  fixture f;
  fixture_init(&f);
  fixture_write(&f, "flow.lua",
                "local M = { name = 'flow', api = 1 }\n"
                "M.workflows = { sum = { steps = {\n"
                "  { 'read', function(ctx) rastrum.sleep(1) ctx.n = ctx.args.a end },\n"
                "  { 'add', function(ctx) ctx.result = { n = ctx.n + ctx.args.b } rastrum.emit { "
                "event = 'added' } end } } },\n"
                "  fails = { steps = { { 'try', function() return nil, { code = 'conflict', "
                "message = 'lost the race' } end } } },\n"
                "  bare = function(ctx) ctx.result = 'bare' end }\n"
                "return M\n");
  fixture_load(&f, NULL);
  outcome o = run(&f, "sum", "{\"a\":1,\"b\":2}");
  assert_int_equal(o.rc, RA_OK);
  assert_string_equal(o.result, "{\"n\":3}");
  assert_non_null(strstr(o.events, "\"step\":\"read\""));
  assert_non_null(strstr(o.events, "{\"event\":\"added\"}"));
  o = run(&f, "fails", NULL);
  assert_int_equal(o.rc, RA_E_CONFLICT);
  assert_string_equal(o.message, "lost the race");
  o = run(&f, "bare", NULL);
  assert_string_equal(o.result, "\"bare\"");
  o = run(&f, "summ", NULL);
  assert_int_equal(o.rc, RA_E_NOTFOUND);
  assert_non_null(strstr(o.message, "did you mean 'sum'"));
  fixture_deinit(&f);
}

static void test_config_files(void **state) {
  (void)state;
  char path[] = "/tmp/rastrum-config-XXXXXX";
  int fd = mkstemp(path);
  ra_err err = {0};
  ra_str json;
  ra_str_init(&json);
  assert_true(dprintf(fd, "return { listen = '127.0.0.1:1', list = { 1, 2 } }") > 0);
  assert_int_equal(ra_script_load_table(path, &json, &err), RA_OK);
  assert_non_null(strstr(json.ptr, "\"listen\":\"127.0.0.1:1\""));
  assert_non_null(strstr(json.ptr, "\"list\":[1,2]"));
  static const char *const bad[] = {"while true do end",
                                    "os.exit(1)",
                                    "return 5",
                                    "return {",
                                    "local s = 'x' while true do s = s .. s end",
                                    "return { f = function() end }"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(ftruncate(fd, 0), 0);
    lseek(fd, 0, SEEK_SET);
    assert_true(dprintf(fd, "%s", bad[i]) > 0);
    assert_int_equal(ra_script_load_table(path, &json, &err), RA_E_INVALID);
    assert_string_equal(err.where, path);
  }
  close(fd);
  unlink(path);
  assert_int_equal(ra_script_load_table(path, &json, &err), RA_E_NOTFOUND);
  ra_str_deinit(&json);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_spinners_are_dropped),
      cmocka_unit_test(test_ten_spinners_at_once),
      cmocka_unit_test(test_callbacks_end_at_their_budget),
      cmocka_unit_test(test_preemption_changes_no_result),
      cmocka_unit_test(test_operations),
      cmocka_unit_test(test_scopes),
      cmocka_unit_test(test_buffers_do_not_pile_up),
      cmocka_unit_test(test_memory_is_capped),
      cmocka_unit_test(test_bad_plugins_are_refused_alone),
      cmocka_unit_test(test_bytecode_is_refused),
      cmocka_unit_test(test_workflows),
      cmocka_unit_test(test_config_files),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
