// plugin.c - reading plugins: which there are in the bundle, each read under the load budget in a task of its own, so
// that one that fails or spins is refused alone. What a plugin's table must be is checked by rastrum/plugin.lua.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/path.h"
#include "script/host.h"

enum { PLUGINS_MOST = 500 };

typedef struct found {
  char name[80];
  char dir[100];     // of the bundle; "": a plugin of one file
  const char *file;  // its name in the bundle
  unsigned first_rank;  // of the folder where that name was first seen: built-in ones come before all others
} found;

typedef struct list {
  found items[PLUGINS_MOST];
  size_t count;
} list;

static found *slot(list *l, const char *name, unsigned rank) {
  for (size_t i = 0; i < l->count; i++) {
    if (strcmp(l->items[i].name, name) == 0) return &l->items[i];
  }
  if (l->count == PLUGINS_MOST) return NULL;
  found *f = &l->items[l->count++];
  f->first_rank = rank;
  return f;
}

// An entry "plugins/RANK/REST" of the bundle: REST is NAME.lua, or NAME/init.lua; anything else is no plugin's beginning.
static void look_at(list *l, const char *file) {
  unsigned rank;
  int at = 0;
  char name[80];
  if (sscanf(file, "plugins/%u/%n", &rank, &at) != 1 || !at) return;
  const char *rest = file + at, *slash = strchr(rest, '/');
  size_t n = slash ? (size_t)(slash - rest) : strlen(rest);
  if (slash ? strcmp(slash, "/init.lua") != 0 : n < 5 || strcmp(rest + n - 4, ".lua") != 0) return;
  if (!slash) n -= 4;
  if (n >= sizeof name) return;
  snprintf(name, sizeof name, "%.*s", (int)n, rest);
  found *f = ra_name_valid(name) ? slot(l, name, rank) : NULL;
  if (!f) return;
  memcpy(f->name, name, sizeof name);
  f->file = file;
  snprintf(f->dir, sizeof f->dir, "%.*s", slash ? (int)(slash - file) : 0, file);
}

static void look_into(list *l, const ra_bundle *bundle) {
  for (size_t i = ra_bundle_first(bundle, "plugins/"); i < ra_bundle_count(bundle); i++) {
    const char *name = ra_bundle_at(bundle, i)->name;
    if (strncmp(name, "plugins/", 8) != 0) break;
    look_at(l, name);
  }
}

static int by_rank(const void *a, const void *b) {
  const found *one = a, *other = b;
  if (one->first_rank != other->first_rank) return one->first_rank < other->first_rank ? -1 : 1;
  return strcmp(one->name, other->name);
}

static bool disabled(const ra_script *script, const char *name) {
  for (const char *const *d = script->config.disabled; *d; d++) {
    if (strcmp(*d, name) == 0) return true;
  }
  return false;
}

// ---- calling rastrum/app.lua

bool ra__push_app(ra_script *script, lua_State *to, const char *name) {
  lua_rawgeti(to, LUA_REGISTRYINDEX, script->app_ref);
  lua_pushstring(to, name);
  lua_rawget(to, -2);
  lua_remove(to, -2);
  if (lua_isfunction(to, -1)) return true;
  lua_pop(to, 1);
  return false;
}

typedef struct result {
  int rc;
  ra_err err;
} result;

static void keep_result(ra_task *task, int rc, const ra_err *err) {
  result *r = task->ctx;
  r->rc = rc;
  if (rc < 0) r->err = *err;
}

// Calls app.<fn>(name, a, b) in a task of that phase and plugin.
static int call(ra_script *script, ra_phase phase, const char *fn, const char *name, const char *a,
                const char *b, ra_err *err) {
  ra_task *task;
  result r = {0};
  int rc = ra__task_new(script, phase, ra__intern(script, name), &task, err);
  if (rc < 0) return rc;
  task->finish = keep_result;
  task->ctx = &r;
  if (!ra__push_app(script, task->co, fn)) lua_pushnil(task->co);
  lua_pushstring(task->co, name);
  lua_pushstring(task->co, a);
  lua_pushstring(task->co, b);
  ra__task_run(task, 3);
  if (r.rc < 0 && err) *err = r.err;
  return r.rc;
}

static void refuse(ra_script *script, const char *name, const char *reason) {
  ra_err err = {0};
  if (call(script, RA_PHASE_SETUP, "refuse", name, reason, NULL, &err) < 0) {
    ra_log(RA_LOG_ERROR, "plugin '%s' is refused: %s", name, reason);
  }
}

// Calls app.<fn> for every plugin that is not switched off; one that fails is refused.
static void call_each(ra_script *script, const list *l, ra_phase phase, const char *fn) {
  for (size_t i = 0; i < l->count; i++) {
    const found *f = &l->items[i];
    ra_err err = {0};
    if (disabled(script, f->name)) continue;
    if (call(script, phase, fn, f->name, f->file, f->dir[0] ? f->dir : NULL, &err) < 0)
      refuse(script, f->name, err.message);
  }
}

static int load_app(lua_State *L) {
  ra_script *script = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, script->sandbox_ref);
  lua_getfield(L, -1, "require");
  lua_pushstring(L, "rastrum.app");
  lua_call(L, 1, 1);
  luaL_checktype(L, -1, LUA_TTABLE);
  lua_pushvalue(L, -1);
  script->app_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_getfield(L, -1, "start");
  lua_rawgeti(L, LUA_REGISTRYINDEX, script->sandbox_ref);
  lua_call(L, 1, 0);
  return 0;
}

static int read_bundle(ra_script *script, ra_err *err) {
  const ra_script_config *config = &script->config;
  const ra_bundle_dirs dirs = {.library = config->library_dir,
                               .plugins = config->plugin_dirs,
                               .colormaps = config->colormap_dirs,
                               .tile_matrix_sets = config->tileset_dirs};
  return config->bundle ? RA_OK : ra_bundle_read(&dirs, NULL, &script->config.bundle, err);
}

int ra_script_build(ra_script *script, ra_err *err) {
  int rc = read_bundle(script, err);
  if (rc == RA_OK) rc = ra__env_build(script, err);
  if (rc < 0) return rc;
  if (ra__protect(script, load_app, script, 0) < 0) return ra__take_error(script->L, "", err);
  list *found_all = calloc(1, sizeof *found_all);
  if (!found_all) return ra_fail(err, RA_E_NOMEM, "", "no memory to read the plugins");
  look_into(found_all, script->config.bundle);
  qsort(found_all->items, found_all->count, sizeof *found_all->items, by_rank);
  call_each(script, found_all, RA_PHASE_LOAD, "load");
  call_each(script, found_all, RA_PHASE_SETUP, "setup");
  call_each(script, found_all, RA_PHASE_SETUP, "self_test");
  free(found_all);
  ra__plugins_check(script);
  rc = call(script, RA_PHASE_SETUP, "loaded", "", NULL, NULL, err);
  if (rc == RA_OK && script->config.refused)
    rc = call(script, RA_PHASE_SETUP, "verify", "", script->config.refused, NULL, err);
  return rc;
}

int ra_script_load(ra_script *script, ra_err *err) {
  int rc = ra_script_adopt(script, err);
  return rc < 0 ? rc : ra_script_build(script, err);
}

// ---- host.* functions that read the bundle

// host.load(entry, name) -> chunk | nil, err
static int l_load(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  const char *chunk = lua_pushfstring(L, "@%s", luaL_checkstring(L, 2));
  ra_err err = {0};
  return ra__load_source(L, name, chunk, &err) < 0 ? ra_bind_fail(L, &err) : 1;
}

static bool has_suffix(const char *name, const char *suffix) {
  size_t n = strlen(name), m = strlen(suffix);
  return n > m && strcmp(name + n - m, suffix) == 0;
}

// The name of a bundle's entry below "DIR/", or NULL when it is elsewhere or deeper.
static const char *below(const ra_bundle_entry *entry, const char *dir) {
  size_t n = strlen(dir);
  bool inside = strncmp(entry->name, dir, n) == 0 && entry->name[n] == '/';
  return inside && !strchr(entry->name + n + 1, '/') ? entry->name + n + 1 : NULL;
}

// host.assets(dir) -> {name = text} of the files beside a plugin that are no Lua
static int l_assets(lua_State *L) {
  const char *dir = luaL_checkstring(L, 1);
  const ra_bundle *bundle = ra__script(L)->config.bundle;
  lua_newtable(L);
  for (size_t i = ra_bundle_first(bundle, dir); i < ra_bundle_count(bundle); i++) {
    const ra_bundle_entry *entry = ra_bundle_at(bundle, i);
    const char *name = below(entry, dir);
    if (strncmp(entry->name, dir, strlen(dir)) != 0) break;
    if (!name || entry->failed || has_suffix(name, ".lua")) continue;
    lua_pushlstring(L, entry->text, entry->size);
    lua_setfield(L, -2, name);
  }
  return 1;
}

// host.files("colormaps" or "tile_matrix_sets") -> {{file="x.json", text=, failed=, folder=0}, …}: folder by folder; what failed
// has the reason as its text
static int l_files(lua_State *L) {
  size_t n;
  const char *kind = luaL_checklstring(L, 1, &n);
  const ra_bundle *bundle = ra__script(L)->config.bundle;
  lua_newtable(L);
  for (size_t i = ra_bundle_first(bundle, kind); i < ra_bundle_count(bundle); i++) {
    const ra_bundle_entry *entry = ra_bundle_at(bundle, i);
    if (strncmp(entry->name, kind, n) != 0 || entry->name[n] != '/') break;
    lua_createtable(L, 0, 4);
    lua_pushstring(L, strrchr(entry->name, '/') + 1);
    lua_setfield(L, -2, "file");
    lua_pushlstring(L, entry->text, entry->size);
    lua_setfield(L, -2, "text");
    lua_pushboolean(L, entry->failed);
    lua_setfield(L, -2, "failed");
    lua_pushinteger(L, atoi(entry->name + n + 1));
    lua_setfield(L, -2, "folder");
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
  }
  return 1;
}

const luaL_Reg RA__HOST_FILES[] = {
    {"load", l_load}, {"assets", l_assets}, {"files", l_files}, {NULL, NULL}};
