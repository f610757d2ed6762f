// What a plugin may use: each way to use too much is answered 503 with the plugin, the limit and what raises it, beside a
// heartbeat; limits of single plugins; what the metrics say of each.
#include "base/metrics.h"
#include "host_fixture.h"

static const char GREEDY[] =
    "local kept\n"
    "local function text() kept = ('x'):rep(5e8) return { body = 'made' } end\n"
    "local function joined() return { body = table.concat({ ('x'):rep(9e6), ('y'):rep(9e6) }) } "
    "end\n"
    "local function many() local t = {} for i = 1, 2e6 do t[i] = 'abcdefghij' end\n"
    "  return { body = table.concat(t, ',') } end\n"
    "local function formed() local s = ('x'):rep(9e6) return { body = ('%s%s'):format(s, s) } end\n"
    "local function quoted() return { body = ('%q'):format(('\\0'):rep(9e6)) } end\n"
    "local function replaced() return { body = (('x'):rep(1e6):gsub('x', ('y'):rep(100))) } end\n"
    "local function hundred() local t = {} local s = ('x'):rep(1e7)\n"
    "  for i = 1, 100 do t[i] = s .. s .. i end return { body = 'made' } end\n"
    "local function doubled() local s = 'x' while true do s = s .. s end end\n"
    "local function grows() local t = {} while true do t[#t + 1] = { #t } end end\n"
    "local function wide() local t = {} for i = 1, 1e9 do t[i] = i end end\n"
    "local function match() return { body = tostring((('a'):rep(28)):find(('a?'):rep(28) .. "
    "('a'):rep(28))) } end\n"
    "local function matches() while true do pcall(string.find, ('a'):rep(28), ('a?'):rep(28) .. "
    "('a'):rep(28)) end end\n"
    "local function lazily() return { body = tostring(('x'):rep(8e6):find('.-y')) } end\n"
    "local function json() local t = {} for _ = 1, 60 do t = { t, t } end return { body = "
    "rastrum.json.encode(t) } end\n"
    "local function json_long() local t = {} for i = 1, 20 do t[i] = ('x'):rep(1e6) end\n"
    "  return { body = rastrum.json.encode(t) } end\n"
    "local function ops() local t = {} for i = 1, 10000 do t[i] = rastrum.op.sleep(1) end return { "
    "body = 'made' } end\n"
    "local function deep() local function f(n) return 1 + f(n + 1) end return f(1) end\n"
    "local function sorts() local t = {} for i = 1, 3e5 do t[i] = (i * 7919) % 300007 end\n"
    "  while true do table.sort(t, function(a, b) return a > b end) end end\n"
    "local function sorts_plainly() local t = {} for i = 1, 3e5 do t[i] = (i * 7919) % 300007 end\n"
    "  while true do table.sort(t) table.sort(t, function(a, b) return a > b end) end end\n"
    "local function compares() table.sort({ 3, 2, 1 }, function() while true do end end) end\n"
    "local function calls_back() ('aaa'):gsub('a', function() while true do end end) end\n"
    "local function looks_up() ('aaa'):gsub('a', setmetatable({}, { __index = function() while "
    "true do end end })) end\n"
    "local function tells() return ('%s'):format(setmetatable({}, { __tostring = function() while "
    "true do end end })) end\n"
    "local function handles() xpcall(error, function() while true do end end) end\n"
    "local function joins_again() local a, b = ('x'):rep(4e6), ('y'):rep(4e6) local keep\n"
    "  while true do keep = a .. b end end\n"
    "local function repeats() while true do local s = ('xy'):rep(4e6) end end\n"
    "local function inserts() local t = {} for i = 1, 2e5 do t[i] = i end\n"
    "  while true do table.insert(t, 1, 0) table.remove(t, 1) end end\n"
    "local function joins_lists() local t = {} for i = 1, 2e5 do t[i] = 'x' end\n"
    "  while true do local s = table.concat(t) end end\n"
    "local function encodes() local t = {} for i = 1, 5e4 do t[i] = i end while true do "
    "rastrum.json.encode(t) end end\n"
    "local function sleeps() rastrum.sleep(60000) end\n"
    "local function ok() return { body = 'fine' } end\n"
    "local function size(req) return { body = tostring(#('x'):rep(2e6)) } end\n"
    "local function bytes() local keep = {} for i = 1, 40 do keep[i] = "
    "rastrum.json.buffer(('x'):rep(1e6)) end\n"
    "  return { body = 'made' } end\n"
    "local M = { name = NAME, api = 1, routes = {} }\n"
    "for name, fn in pairs { text = text, joined = joined, many = many, formed = formed, quoted = "
    "quoted,\n"
    "  replaced = replaced, hundred = hundred, doubled = doubled, grows = grows, wide = wide, "
    "match = match,\n"
    "  matches = matches, lazily = lazily, json = json, json_long = json_long, ops = ops, deep = "
    "deep, sorts = sorts,\n"
    "  sorts_plainly = sorts_plainly, compares = compares, calls_back = calls_back, looks_up = "
    "looks_up, tells = tells,\n"
    "  handles = handles, joins_again = joins_again, repeats = repeats, inserts = inserts, "
    "joins_lists = joins_lists,\n"
    "  encodes = encodes, sleeps = sleeps, ok = ok, size = size, bytes = bytes } do\n"
    "  M.routes[#M.routes + 1] = { 'GET', '/' .. NAME .. '/' .. name, fn } end\n"
    "return M\n";

static void write_plugin(fixture *f, const char *name) {
  char file[40];
  char *source = NULL;
  snprintf(file, sizeof file, "%s.lua", name);
  assert_true(asprintf(&source, "local NAME = '%s'\n%s", name, GREEDY) > 0);
  fixture_write(f, file, source);
  free(source);
}

static void expect(const reply *r, const char *path, int status, const char *part) {
  if (r->status != status || !strstr(r->body, part))
    fail_msg("%s: status %d, '%s'; %d and '%s' are wanted", path, r->status, r->body, status, part);
}

// The longest that the loop was held up.
typedef struct watch {
  uv_timer_t timer;
  uint64_t last, longest;
  unsigned beats;
} watch;

static void on_beat(uv_timer_t *timer) {
  watch *w = timer->data;
  uint64_t now = ra_clock_ns();
  if (w->last && now - w->last > w->longest) w->longest = now - w->last;
  w->last = now;
  w->beats++;
}

typedef struct greed {
  const char *path, *limit, *setting;
} greed;

static const greed MEMORY[] = {
    {"text", "string.rep would make 500000000 bytes", "lua_output"},
    {"joined", "table.concat would make 18000000 bytes", "lua_output"},
    {"many", "table.concat would make", "lua_output"},
    {"formed", "string.format would make 18000132 bytes", "lua_output"},
    {"quoted", "string.format would make 36000004 bytes", "lua_output"},
    {"replaced", "string.gsub would make", "lua_output"},
    {"hundred", "of the Lua heap", "lua_memory"},
    {"doubled", "for one text or table", "lua_output"},
    {"grows", "of the Lua heap", "lua_memory"},
    {"wide", "for one text or table", "lua_output"},
    {"match", "string.find took more than the 1000000 steps", "lua_steps"},
    {"lazily", "string.find took more than the 1000000 steps", "lua_steps"},
    {"json", "a JSON text of more than 1000000 values", "lua_steps"},
    {"json_long", "a JSON text of more than 16777216 bytes", "lua_output"},
    {"ops", "holds 5000 operations in one task", "lua_operations"},
    {"deep", "filled the Lua stack", "this limit is fixed"},
    {NULL, NULL, NULL}};

static const greed TIME[] = {{"matches", "200 ms of Lua time", "lua_time"},
                             {"sorts", "200 ms of Lua time", "lua_time"},
                             {"sorts_plainly", "200 ms of Lua time", "lua_time"},
                             {"compares", "200 ms of Lua time", "lua_time"},
                             {"calls_back", "200 ms of Lua time", "lua_time"},
                             {"looks_up", "200 ms of Lua time", "lua_time"},
                             {"tells", "200 ms of Lua time", "lua_time"},
                             {"handles", "200 ms of Lua time", "lua_time"},
                             {"joins_again", "200 ms of Lua time", "lua_time"},
                             {"repeats", "200 ms of Lua time", "lua_time"},
                             {"inserts", "200 ms of Lua time", "lua_time"},
                             {"joins_lists", "200 ms of Lua time", "lua_time"},
                             {"encodes", "200 ms of Lua time", "lua_time"},
                             {NULL, NULL, NULL}};

// Each is answered 503, and while it runs the loop turns at least so many times.
static void ask_for_each(fixture *f, const greed *list, unsigned beats) {
  reply r;
  watch w = {0};
  uv_timer_init(&f->loop, &w.timer);
  w.timer.data = &w;
  uv_timer_start(&w.timer, on_beat, 1, 1);
  for (; list->path; list++) {
    char path[80];
    snprintf(path, sizeof path, "/greedy/%s", list->path);
    w.last = w.longest = w.beats = 0;
    fixture_ask(f, "GET", path, &r);
    print_message("%-16s %3u turns, longest hold %5.1f ms\n", list->path, w.beats,
                  (double)w.longest / 1e6);
    if (w.beats < beats) fail_msg("%s held the loop up", path);
    expect(&r, path, 503, "plugin 'greedy'");
    expect(&r, path, 503, list->limit);
    expect(&r, path, 503, list->setting);
    fixture_ask(f, "GET", "/greedy/ok", &r);
    expect(&r, "/greedy/ok", 200, "fine");
  }
  uv_close((uv_handle_t *)&w.timer, NULL);
}

static void run_greed(const greed *list, const ra_script_limits *limits, unsigned beats) {
  fixture f;
  fixture_init(&f);
  write_plugin(&f, "greedy");
  fixture_load(&f, limits);
  ask_for_each(&f, list, beats);
  ra_script_collect(f.script);
  assert_true(ra_script_get_stats(f.script).heap_bytes < 4 << 20);
  fixture_deinit(&f);
}

static void test_memory(void **state) {
  (void)state;
  // Enough time to come to those limits, whatever else the machine does.
  const ra_script_limits limits = {.request_lua_ms = 5000, .request_wall_ms = 60000};
  run_greed(MEMORY, &limits, 0);
}

static void test_time(void **state) {
  (void)state;
  const ra_script_limits limits = {.request_lua_ms = 200, .request_wall_ms = 8000};
  run_greed(TIME, &limits, 8);
}

// ---- of single plugins

static void load_with(fixture *f, const ra_script_plugin_limits *list) {
  fixture_init(f);
  write_plugin(f, "greedy");
  write_plugin(f, "modest");
  write_plugin(f, "plain");
  f->plugin_limits = list;
  fixture_load(f, NULL);
}

static void test_limits_of_one_plugin(void **state) {
  (void)state;
  const ra_script_plugin_limits list[] = {{.plugin = "greedy", .lua_ms = 20, .wall_ms = 300},
                                          {.plugin = "plain", .lua_ms = 20000},
                                          {.plugin = "modest",
                                           .lua_ms = 20000,
                                           .memory = 1 << 20,
                                           .external = 10 << 20,
                                           .output = 1 << 20,
                                           .operations = 10,
                                           .steps = 1000},
                                          {0}};
  static const greed modest[] = {
      {"grows", "of the Lua heap in one task, more than its 1048576", "limits.modest.memory raises"},
      {"bytes", "more than its 10485760", "limits.modest.external raises"},
      {"size", "string.rep would make 2000000", "limits.modest.output raises"},
      {"ops", "holds 10 operations", "limits.modest.operations raises"},
      {"match", "more than the 1000 steps", "limits.modest.steps raises"}};
  fixture f;
  reply r;
  load_with(&f, list);
  fixture_ask(&f, "GET", "/greedy/sorts", &r);
  expect(&r, "sorts", 503,
         "used more than 20 ms of Lua time in one request; limits.greedy.lua_time raises");
  fixture_ask(&f, "GET", "/greedy/sleeps", &r);
  expect(&r, "sleeps", 503, "did not answer within 300 ms; limits.greedy.wall raises this limit");
  for (size_t i = 0; i < sizeof modest / sizeof *modest; i++) {
    char path[80];
    snprintf(path, sizeof path, "/modest/%s", modest[i].path);
    fixture_ask(&f, "GET", path, &r);
    expect(&r, path, 503, modest[i].limit);
    expect(&r, path, 503, modest[i].setting);
  }
  fixture_ask(&f, "GET", "/plain/size", &r);
  expect(&r, "size", 200, "2000000");
  fixture_ask(&f, "GET", "/plain/bytes", &r);
  expect(&r, "bytes", 200, "made");
  fixture_deinit(&f);
}

static void test_requests_at_a_time(void **state) {
  (void)state;
  const ra_script_plugin_limits list[] = {{.plugin = "greedy", .requests = 2, .wall_ms = 300}, {0}};
  fixture f;
  reply first, second, r;
  load_with(&f, list);
  fixture_start(&f, "GET", "/greedy/sleeps", NULL, &first);
  fixture_start(&f, "GET", "/greedy/sleeps", NULL, &second);
  fixture_ask(&f, "GET", "/greedy/ok", &r);
  expect(&r, "ok", 503,
         "plugin 'greedy' answers 2 requests already, the most at a time; "
         "limits.greedy.requests raises this limit");
  fixture_ask(&f, "GET", "/modest/ok", &r);
  expect(&r, "ok", 200, "fine");
  fixture_wait(&f, &first);
  fixture_wait(&f, &second);
  fixture_ask(&f, "GET", "/greedy/ok", &r);
  expect(&r, "ok", 200, "fine");
  fixture_deinit(&f);
}

// ---- metrics

// The value of a series with that beginning of a line.
static double metric(const fixture *f, const char *series) {
  ra_str text;
  ra_str_init(&text);
  ra_script_show_gauges(f->script);
  ra_metrics_text(&text);
  const char *at = strstr(text.ptr, series);
  if (!at) fail_msg("no %s", series);
  double value = strtod(at + strlen(series), NULL);
  ra_str_deinit(&text);
  return value;
}

static void test_metrics(void **state) {
  (void)state;
  const ra_script_plugin_limits list[] = {{.plugin = "metered", .memory = 4 << 20, .wall_ms = 300},
                                          {0}};
  fixture f;
  reply waiting, r;
  fixture_init(&f);
  write_plugin(&f, "metered");
  f.plugin_limits = list;
  fixture_load(&f, NULL);
  for (int i = 0; i < 3; i++) fixture_ask(&f, "GET", "/metered/ok", &r);
  fixture_ask(&f, "GET", "/metered/grows", &r);
  fixture_ask(&f, "GET", "/metered/compares", &r);
  fixture_start(&f, "GET", "/metered/sleeps", NULL, &waiting);
  assert_int_equal(metric(&f, "rastrum_plugin_requests_total{plugin=\"metered\"} "), 6);
  assert_true(metric(&f, "rastrum_plugin_lua_seconds_total{plugin=\"metered\"} ") >= 0.1);
  assert_true(metric(&f, "rastrum_plugin_heap_peak_bytes{plugin=\"metered\"} ") >= 4 << 20);
  assert_int_equal(metric(&f, "rastrum_plugin_tasks{plugin=\"metered\"} "), 1);
  fixture_wait(&f, &waiting);
  assert_int_equal(metric(&f, "rastrum_plugin_tasks{plugin=\"metered\"} "), 0);
  assert_int_equal(metric(&f, "rastrum_plugin_heap_bytes{plugin=\"metered\"} "), 0);
  assert_int_equal(metric(&f, "rastrum_plugin_external_bytes{plugin=\"metered\"} "), 0);
  assert_int_equal(
      metric(&f, "rastrum_lua_dropped_total{reason=\"no_memory\",plugin=\"metered\"} "), 1);
  assert_int_equal(metric(&f, "rastrum_lua_dropped_total{reason=\"timeout\",plugin=\"metered\"} "),
                   2);
  assert_int_equal(metric(&f, "rastrum_plugin_requests_total{plugin=\"metered\"} "), 6);
  fixture_deinit(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory), cmocka_unit_test(test_time),
                                     cmocka_unit_test(test_limits_of_one_plugin),
                                     cmocka_unit_test(test_requests_at_a_time),
                                     cmocka_unit_test(test_metrics)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
