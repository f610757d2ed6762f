// bind_ingest.c - rastrum.ingest.*: the primitives that ingest workflows are made of.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "ingest/run.h"
#include "script/host.h"
#include "source/fetched.h"

enum { PATH_SIZE = PATH_MAX, LIST_SIZE = 4096, WAIT_MOST = 60000 };

// What every operation here carries: plain copies of the arguments, and the results.
typedef struct work {
  char path[PATH_SIZE];
  char collection[256], dataset[256], variables[LIST_SIZE], datetime[64], scratch[PATH_SIZE];
  ra_ingest_options options;  // its texts point into the arrays above
  ra_ingest_run *run;
  unsigned wait_ms;
  bool done, estimate;
  ra_str text;
} work;

static void work_deinit(void *state) {
  work *w = state;
  ra_ingest_run_unref(w->run);
  ra_str_deinit(&w->text);
}

typedef struct handle {
  ra_ingest_run *run;
} handle;

static void handle_close(void *payload) {
  handle *h = payload;
  if (h->run) ra_ingest_run_cancel(h->run);
  ra_ingest_run_unref(h->run);
  h->run = NULL;
}

static ra_ingest_run *check_run(lua_State *L, int arg) {
  return ((handle *)ra_bind_check(L, arg, "ra.ingest"))->run;
}

// NULL, and `nil, err` on the stack, when there is no operation to be had.
static work *new_work(lua_State *L, const ra_op_kind *kind, ra_op **op) {
  ra_err err = {0};
  *op = NULL;
  if (strcmp(ra__script(L)->config.role, "serve") == 0)
    luaL_error(L, "%s: `rastrum ingest` reads files, the server does not", kind->name);
  if (ra_op_new(ra_bind_ops(L), kind, op, &err) >= 0) return ra_op_state(*op);
  ra_bind_fail(L, &err);
  return NULL;
}

// ---- arguments: read into plain values first, since each of these may raise

typedef struct arguments {
  const char *path, *collection, *dataset, *variables, *datetime, *compress, *scratch;
  double memory;
  lua_Integer jobs, zarr_format;
  bool estimate, in_place, copy, by_reference;
} arguments;

static const char *option(lua_State *L, const char *name, size_t room) {
  const char *text = lua_istable(L, 2) ? ra_bind_opt_string(L, 2, name, "") : "";
  if (strlen(text) >= room) luaL_error(L, "bad option '%s' (too long)", name);
  return text;
}

static arguments check_arguments(lua_State *L) {
  arguments a = {.path = luaL_checkstring(L, 1)};
  luaL_argcheck(L, strlen(a.path) < PATH_SIZE, 1, "path too long");
  a.collection = option(L, "collection", sizeof((work *)0)->collection);
  a.dataset = option(L, "dataset", sizeof((work *)0)->dataset);
  a.variables = option(L, "variables", LIST_SIZE);
  a.datetime = option(L, "datetime", sizeof((work *)0)->datetime);
  a.compress = option(L, "cog_compress", 16);
  a.scratch = option(L, "scratch", PATH_SIZE);
  bool known = !*a.compress || !strcmp(a.compress, "zstd") || !strcmp(a.compress, "deflate");
  if (!known)
    luaL_error(L, "bad option 'cog_compress' ('%s'; zstd or deflate expected)", a.compress);
  bool table = lua_istable(L, 2);
  a.memory = table ? ra_bind_opt_number(L, 2, "memory", 0) : 0;
  a.jobs = table ? ra_bind_opt_integer(L, 2, "jobs", 0) : 0;
  a.zarr_format = table ? ra_bind_opt_integer(L, 2, "zarr_format", 3) : 3;
  a.in_place = table && ra_bind_opt_boolean(L, 2, "in_place", false);
  a.by_reference = table && ra_bind_opt_boolean(L, 2, "virtual", false);
  a.copy = table && ra_bind_opt_boolean(L, 2, "copy", false);
  a.estimate = table && ra_bind_opt_boolean(L, 2, "estimate", false);
  if (!(a.memory >= 0 && a.memory < 1e15)) luaL_error(L, "bad option 'memory' (bytes expected)");
  if (a.zarr_format != 2 && a.zarr_format != 3)
    luaL_error(L, "bad option 'zarr_format' (3 or 2 expected)");
  if (a.jobs < 0 || a.jobs > 1024) luaL_error(L, "bad option 'jobs' (0 to 1024 expected)");
  return a;
}

static void copy_arguments(const arguments *a, work *w) {
  snprintf(w->path, sizeof w->path, "%s", a->path);
  snprintf(w->collection, sizeof w->collection, "%s", *a->collection ? a->collection : "data");
  snprintf(w->dataset, sizeof w->dataset, "%s", *a->dataset ? a->dataset : "data");
  snprintf(w->variables, sizeof w->variables, "%s", a->variables);
  snprintf(w->datetime, sizeof w->datetime, "%s", a->datetime);
  snprintf(w->scratch, sizeof w->scratch, "%s", a->scratch);
  w->estimate = a->estimate;
  w->options = (ra_ingest_options){
      .collection = w->collection,
      .dataset = w->dataset,
      .variables = *w->variables ? w->variables : NULL,
      .datetime = *w->datetime ? w->datetime : NULL,
      .compress = strcmp(a->compress, "deflate") ? RA_COG_ZSTD : RA_COG_DEFLATE,
      .zarr_format = (unsigned)a->zarr_format,
      .in_place = a->in_place,
      .copy = a->copy,
      .by_reference = a->by_reference,
      .memory = (size_t)a->memory,
      .scratch = *w->scratch ? w->scratch : NULL,
      .jobs = (unsigned)a->jobs,
  };
}

// ---- rastrum.ingest.open(path, options) -> handle, plan | nil, err

static int open_run(ra_op *op, void *state, ra_err *err) {
  work *w = state;
  ra_ingest *ingest;
  int rc = ra_ingest_open(w->path, &w->options, &ingest, err);
  if (rc < 0) return rc;
  if (w->estimate) rc = ra_ingest_estimate(ingest, ra_op_cancel_flag(op), err);
  if (rc >= 0) rc = ra_ingest_plan_json(ingest, &w->text, err);
  if (rc >= 0) rc = ra_ingest_run_new(ingest, &w->run, err);
  if (rc < 0) ra_ingest_free(ingest);
  return rc;
}

static const ra_op_kind OPEN = {.name = "ingest.open",
                                .state_size = sizeof(work),
                                .lane = RA_OP_IO,
                                .run = open_run,
                                .deinit = work_deinit};

static int push_open(lua_State *L, ra_op *op) {
  work *w = ra_op_state(op);
  ra_err err = {0};
  handle *h = ra_bind_new(L, sizeof *h, "ra.ingest", handle_close);
  h->run = w->run;
  w->run = NULL;
  if (ra_bind_push_json(L, w->text.ptr, w->text.len, &err) < 0) lua_newtable(L);
  return 2;
}

static int l_open(lua_State *L) {
  arguments a = check_arguments(L);
  ra_op *op;
  work *w = new_work(L, &OPEN, &op);
  if (!w) return 2;
  copy_arguments(&a, w);
  return ra_bind_op(L, op, push_open);
}

// ---- rastrum.ingest.fingerprint(handle) -> version, fingerprint | nil, err

static int fingerprint_run(ra_op *op, void *state, ra_err *err) {
  return ra_ingest_fingerprint(ra_ingest_run_get(((work *)state)->run), ra_op_cancel_flag(op), err);
}

static const ra_op_kind FINGERPRINT = {.name = "ingest.fingerprint",
                                       .state_size = sizeof(work),
                                       .lane = RA_OP_IO,
                                       .run = fingerprint_run,
                                       .deinit = work_deinit};

static int push_fingerprint(lua_State *L, ra_op *op) {
  const ra_ingest *ingest = ra_ingest_run_get(((work *)ra_op_state(op))->run);
  lua_pushstring(L, ra_ingest_version(ingest));
  lua_pushstring(L, ra_ingest_get_fingerprint(ingest));
  return 2;
}

// An operation on a handle, without other arguments.
static int start_on_handle(lua_State *L, const ra_op_kind *kind, unsigned wait_ms, ra_bind_push push) {
  ra_ingest_run *run = check_run(L, 1);
  ra_op *op;
  work *w = new_work(L, kind, &op);
  if (!w) return 2;
  w->run = ra_ingest_run_ref(run);
  w->wait_ms = wait_ms;
  return ra_bind_op(L, op, push);
}

static int l_fingerprint(lua_State *L) {
  return start_on_handle(L, &FINGERPRINT, 0, push_fingerprint);
}

// ---- rastrum.ingest.convert(handle, wait_ms) -> progress | nil, err: starts it, then watches it

static int convert_run(ra_op *op, void *state, ra_err *err) {
  work *w = state;
  ra_store *store = ra_op_ops(op)->store;
  if (!store) return ra_fail(err, RA_E_NOTFOUND, "", "this process has no store");
  return ra_ingest_run_wait(w->run, store, w->wait_ms, &w->done, err);
}

static const ra_op_kind CONVERT = {.name = "ingest.convert",
                                   .state_size = sizeof(work),
                                   .lane = RA_OP_IO,
                                   .run = convert_run,
                                   .deinit = work_deinit};

static void set_number(lua_State *L, const char *name, uint64_t value) {
  lua_pushnumber(L, (lua_Number)value);
  lua_setfield(L, -2, name);
}

static int push_progress(lua_State *L, ra_op *op) {
  work *w = ra_op_state(op);
  ra_ingest_progress p = ra_ingest_get_progress(ra_ingest_run_get(w->run));
  lua_createtable(L, 0, 8);
  lua_pushboolean(L, w->done);
  lua_setfield(L, -2, "done");
  set_number(L, "bytes_done", p.bytes_done);
  set_number(L, "bytes_total", p.bytes_total);
  set_number(L, "bytes_written", p.bytes_written);
  set_number(L, "objects", p.objects);
  set_number(L, "steps_done", p.steps_done);
  set_number(L, "steps_total", p.steps_total);
  set_number(L, "chunks_read", p.chunks_read);
  set_number(L, "scratch_peak", p.scratch_peak);
  return 1;
}

static int l_convert(lua_State *L) {
  lua_Integer ms = luaL_optinteger(L, 2, 1000);
  luaL_argcheck(L, ms >= 0 && ms <= WAIT_MOST, 2, "0 to 60000 ms expected");
  return start_on_handle(L, &CONVERT, (unsigned)ms, push_progress);
}

// ---- rastrum.ingest.discard(handle) -> true | nil, err

static int discard_run(ra_op *op, void *state, ra_err *err) {
  ra_store *store = ra_op_ops(op)->store;
  if (!store) return RA_OK;
  return ra_ingest_discard(ra_ingest_run_get(((work *)state)->run), store, err);
}

static const ra_op_kind DISCARD = {.name = "ingest.discard",
                                   .state_size = sizeof(work),
                                   .lane = RA_OP_IO,
                                   .run = discard_run,
                                   .deinit = work_deinit};

static int push_true(lua_State *L, ra_op *op) {
  (void)op;
  lua_pushboolean(L, 1);
  return 1;
}

static int l_discard(lua_State *L) { return start_on_handle(L, &DISCARD, 0, push_true); }

// ---- rastrum.ingest.inspect(path, options) -> JSON text | nil, err

static int inspect_run(ra_op *op, void *state, ra_err *err) {
  work *w = state;
  return ra_ingest_inspect(w->path, &w->options, ra_op_cancel_flag(op), &w->text, err);
}

static const ra_op_kind INSPECT = {.name = "ingest.inspect",
                                   .state_size = sizeof(work),
                                   .lane = RA_OP_IO,
                                   .run = inspect_run,
                                   .deinit = work_deinit};

static int push_text(lua_State *L, ra_op *op) {
  const work *w = ra_op_state(op);
  lua_pushlstring(L, w->text.ptr ? w->text.ptr : "", w->text.len);
  return 1;
}

static int l_inspect(lua_State *L) {
  arguments a = check_arguments(L);
  ra_op *op;
  work *w = new_work(L, &INSPECT, &op);
  if (!w) return 2;
  copy_arguments(&a, w);
  return ra_bind_op(L, op, push_text);
}

// ---- rastrum.ingest.locate(path) -> absolute path | nil, err

static int locate_run(ra_op *op, void *state, ra_err *err) {
  (void)op;
  work *w = state;
  // A URL is asked for when it is opened.
  char *real = ra_is_url(w->path) ? strdup(w->path) : realpath(w->path, NULL);
  if (!real) return ra_fail(err, RA_E_NOTFOUND, w->path, "no such file");
  ra_str_add(&w->text, real);
  free(real);
  return RA_OK;
}

static const ra_op_kind LOCATE = {.name = "ingest.locate",
                                  .state_size = sizeof(work),
                                  .lane = RA_OP_IO,
                                  .run = locate_run,
                                  .deinit = work_deinit};

static int l_locate(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  luaL_argcheck(L, strlen(path) < PATH_SIZE, 1, "path too long");
  ra_op *op;
  work *w = new_work(L, &LOCATE, &op);
  if (!w) return 2;
  snprintf(w->path, sizeof w->path, "%s", path);
  return ra_bind_op(L, op, push_text);
}

// ---- plain calls

// rastrum.ingest.describe(handle) -> body text | nil, err
static int l_describe(lua_State *L) {
  ra_ingest_run *run = check_run(L, 1);
  ra_err err = {0};
  ra_str body;
  ra_str_init(&body);
  int rc = ra_ingest_describe(ra_ingest_run_get(run), &body, &err);
  if (rc >= 0) lua_pushlstring(L, body.ptr, body.len);
  ra_str_deinit(&body);
  return rc < 0 ? ra_bind_fail(L, &err) : 1;
}

// rastrum.ingest.id(text) -> a collection or dataset id made of it
static int l_id(lua_State *L) {
  char id[256];
  ra_id_sanitise(luaL_checkstring(L, 1), id, sizeof id);
  lua_pushstring(L, id);
  return 1;
}

// rastrum.ingest.keep(handle)
static int l_keep(lua_State *L) {
  ra_ingest_keep(ra_ingest_run_get(check_run(L, 1)));
  return 0;
}

static const luaL_Reg FUNCTIONS[] = {
    {"describe", l_describe}, {"id", l_id}, {"keep", l_keep}, {NULL, NULL}};
static const luaL_Reg OPERATIONS[] = {{"open", l_open},
                                      {"fingerprint", l_fingerprint},
                                      {"convert", l_convert},
                                      {"discard", l_discard},
                                      {"inspect", l_inspect},
                                      {"locate", l_locate},
                                      {NULL, NULL}};

static void setup(lua_State *L) { ra_bind_type(L, "ra.ingest", NULL); }

const ra_bind_module RA_BIND_INGEST = {
    .name = "ingest", .functions = FUNCTIONS, .operations = OPERATIONS, .setup = setup};
