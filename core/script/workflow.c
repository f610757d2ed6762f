// workflow.c - what is started from C by name: workflows (for the command line), hooks and timers of plugins.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "script/host.h"

typedef struct running {
  ra_script_run run;  // workflow and args_json are not used after the start
} running;

static const char *result_json(ra_task *task, ra_str *out, ra_err *err) {
  lua_State *L = task->script->L;
  lua_settop(task->co, 1);
  lua_xmove(task->co, L, 1);
  int rc = ra_bind_to_json(L, -1, out, err);
  lua_pop(L, 1);
  return rc == RA_OK ? out->ptr : NULL;
}

static void on_end(ra_task *task, int rc, const ra_err *err) {
  running *r = task->ctx;
  ra_str json;
  ra_err own = {0};
  ra_str_init(&json);
  const char *text = rc == RA_OK ? result_json(task, &json, &own) : NULL;
  if (rc == RA_OK && !text) {
    rc = own.code;
    err = &own;
  }
  r->run.done(r->run.ctx, rc, text, err);
  ra_str_deinit(&json);
  free(r);
}

typedef struct starting {
  const char *json;
  lua_State *co;
} starting;

static int push_args(lua_State *L) {
  starting *s = lua_touserdata(L, 1);
  ra_err err = {0};
  if (ra_bind_push_json(L, s->json, strlen(s->json), &err) < 0)
    return luaL_error(L, "arguments: %s", err.message);
  return 1;
}

int ra_script_run_workflow(ra_script *script, const ra_script_run *run, ra_task **out, ra_err *err) {
  starting s = {.json = run->args_json ? run->args_json : "{}"};
  if (ra__protect(script, push_args, &s, 1) < 0) return ra__take_error(script->L, "", err);
  running *r = malloc(sizeof *r);
  ra_task *task = NULL;
  int rc = RA_E_NOMEM;
  if (r) {
    rc = ra__task_new(script, RA_PHASE_JOB, "", &task, err);
  } else {
    ra_fail(err, rc, "", "no memory for a task");
  }
  if (!r || !task) {
    free(r);
    lua_pop(script->L, 1);
    return rc;
  }
  r->run = *run;
  task->finish = on_end;
  task->ctx = r;
  if (!ra__push_app(script, task->co, "run_workflow")) lua_pushnil(task->co);
  lua_pushstring(task->co, run->workflow);
  lua_xmove(script->L, task->co, 1);
  if (out) *out = task;
  ra__task_start_later(task, 2);
  return RA_OK;
}

// rastrum.emit{…}: an event for whoever started the workflow
static int l_emit(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  ra_task *task = ra__script(L)->running;
  if (!task || task->finish != on_end) return 0;
  running *r = task->ctx;
  if (!r->run.event) return 0;
  ra_str json;
  ra_err err = {0};
  ra_str_init(&json);
  int rc = ra_bind_to_json(L, 1, &json, &err);
  if (rc == RA_OK) r->run.event(r->run.ctx, json.ptr);
  ra_str_deinit(&json);
  return rc < 0 ? luaL_error(L, "emit: %s", err.message) : 0;
}

// host.own(plugin): the running job is that plugin's from now on
static int l_own(lua_State *L) {
  const char *plugin = luaL_checkstring(L, 1);
  ra_task *task = ra__script(L)->running;
  if (task) ra__task_own(L, task, plugin);
  return 0;
}

// host.rest(whether): the running job is a timer that waits for its next run
static int l_rest(lua_State *L) {
  ra_task *task = ra__script(L)->running;
  if (task) task->resting = lua_toboolean(L, 1);
  return 0;
}

// host.retired(): another VM has taken this one's place
static int l_retired(lua_State *L) {
  lua_pushboolean(L, ra__script(L)->retired);
  return 1;
}

// host.note() -> JSON of the last reload, or nil
static int l_note(lua_State *L) {
  lua_pushstring(L, ra__script(L)->note);
  return 1;
}

const luaL_Reg RA__HOST_EMIT[] = {{"emit", l_emit},       {"own", l_own},   {"rest", l_rest},
                                  {"retired", l_retired}, {"note", l_note}, {NULL, NULL}};

static void on_start_end(ra_task *task, int rc, const ra_err *err) {
  (void)task;
  if (rc < 0 && rc != RA_E_CANCELLED)
    ra_log(RA_LOG_ERROR, "the plugins' hooks did not start: %s", err->message);
}

void ra_script_start(ra_script *script) {
  ra_err err = {0};
  ra_task *task;
  script->started = true;
  ra__release_held(script);
  if (ra__task_new(script, RA_PHASE_JOB, "", &task, &err) < 0) {
    ra_log(RA_LOG_ERROR, "the plugins' hooks did not start: %s", err.message);
    return;
  }
  task->finish = on_start_end;
  if (!ra__push_app(script, task->co, "start_hooks")) lua_pushnil(task->co);
  ra__task_start(task, 0);
}

typedef struct asking {
  const char *name;
  ra_str *out;
  int rc;
  ra_err *err;
} asking;

static int ask(lua_State *L) {
  asking *a = lua_touserdata(L, 1);
  if (!ra__push_app(ra__script(L), L, a->name)) return luaL_error(L, "the plugins are not loaded");
  lua_call(L, 0, 1);
  a->rc = ra_bind_to_json(L, -1, a->out, a->err);
  return 0;
}

// The JSON of what app.<name>() returns.
static int app_json(ra_script *script, const char *name, ra_str *out, ra_err *err) {
  asking a = {.name = name, .out = out, .err = err};
  if (ra__protect(script, ask, &a, 0) < 0) return ra__take_error(script->L, "", err);
  return a.rc;
}

int ra_script_plugins_json(ra_script *script, ra_str *out, ra_err *err) {
  return app_json(script, "plugins", out, err);
}

int ra_script_refused_json(ra_script *script, ra_str *out, ra_err *err) {
  return app_json(script, "refused", out, err);
}

int ra_script_hot_json(ra_script *script, ra_str *out, ra_err *err) {
  return app_json(script, "hot", out, err);
}

void ra_script_set_note(ra_script *script, const char *json) {
  char *copy = strdup(json);
  if (!copy) return;
  free(script->note);
  script->note = copy;
}
