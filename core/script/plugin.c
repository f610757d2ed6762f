// plugin.c - reading plugins: which folders and files there are, each read under the load budget in a task of its own, so
// that one that fails or spins is refused alone. What a plugin's table must be is checked by rastrum/plugin.lua.
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/path.h"
#include "script/host.h"

enum { PLUGINS_MOST = 500, ASSET_MOST = 4 << 20 };

typedef struct found {
  char *name, *dir, *file;  // dir: NULL for a plugin of one file
  unsigned rank;  // of the folder where that name was first seen: built-in ones come before all others
} found;

typedef struct list {
  found items[PLUGINS_MOST];
  size_t count;
  unsigned rank;  // of the folder that is being read
} list;

static char *join(const char *dir, const char *name, const char *rest) {
  char *path = NULL;
  return asprintf(&path, "%s/%s%s", dir, name, rest) < 0 ? NULL : path;
}

static void clear(found *f) {
  free(f->name);
  free(f->dir);
  free(f->file);
  *f = (found){0};
}

static found *slot(list *l, const char *name) {
  for (size_t i = 0; i < l->count; i++) {
    if (strcmp(l->items[i].name, name) == 0) {
      unsigned rank = l->items[i].rank;
      clear(&l->items[i]);
      l->items[i].rank = rank;
      return &l->items[i];
    }
  }
  if (l->count == PLUGINS_MOST) return NULL;
  l->items[l->count].rank = l->rank;
  return &l->items[l->count++];
}

// An entry of a plugin folder: <name>/init.lua, or <name>.lua.
static void look_at(list *l, const char *dir, const char *entry) {
  char name[80];
  size_t n = strlen(entry);
  bool single = n > 4 && strcmp(entry + n - 4, ".lua") == 0;
  if (n >= sizeof name || (n > 9 && strcmp(entry + n - 9, "_spec.lua") == 0)) return;
  snprintf(name, sizeof name, "%.*s", (int)(single ? n - 4 : n), entry);
  char *file = single ? join(dir, entry, "") : join(dir, entry, "/init.lua");
  found *f = file && ra_name_valid(name) && access(file, R_OK) == 0 ? slot(l, name) : NULL;
  if (f) {
    f->name = strdup(name);
    f->dir = single ? NULL : join(dir, entry, "");
    f->file = file;
  } else {
    free(file);
  }
}

static int by_rank(const void *a, const void *b) {
  const found *one = a, *other = b;
  if (one->rank != other->rank) return one->rank < other->rank ? -1 : 1;
  return strcmp(one->name, other->name);
}

static void look_into(list *l, const char *dir) {
  DIR *open = opendir(dir);
  if (!open) {
    ra_log(RA_LOG_WARN, "plugins: cannot read %s: %s", dir, strerror(errno));
    return;
  }
  for (struct dirent *e; (e = readdir(open));) look_at(l, dir, e->d_name);
  closedir(open);
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

static void load_all(ra_script *script, list *l) {
  ra_err err = {0};
  qsort(l->items, l->count, sizeof *l->items, by_rank);
  for (size_t i = 0; i < l->count; i++) {
    found *f = &l->items[i];
    if (disabled(script, f->name)) continue;
    if (call(script, RA_PHASE_LOAD, "load", f->name, f->file, f->dir, &err) < 0)
      refuse(script, f->name, err.message);
  }
  for (size_t i = 0; i < l->count; i++) {
    const char *name = l->items[i].name;
    if (disabled(script, name)) continue;
    if (call(script, RA_PHASE_SETUP, "setup", name, NULL, NULL, &err) < 0)
      refuse(script, name, err.message);
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

int ra_script_load(ra_script *script, ra_err *err) {
  if (ra__protect(script, load_app, script, 0) < 0) return ra__take_error(script->L, "", err);
  list *found_all = calloc(1, sizeof *found_all);
  if (!found_all) return ra_fail(err, RA_E_NOMEM, "", "no memory to read the plugins");
  for (const char *const *dir = script->config.plugin_dirs; *dir; dir++) {
    look_into(found_all, *dir);
    found_all->rank++;
  }
  load_all(script, found_all);
  for (size_t i = 0; i < found_all->count; i++) clear(&found_all->items[i]);
  free(found_all);
  script->loaded = true;
  return call(script, RA_PHASE_SETUP, "loaded", "", NULL, NULL, err);
}

// ---- host.* functions that read files

// host.load(path, name) -> chunk | nil, err
static int l_load(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  const char *chunk = lua_pushfstring(L, "@%s", luaL_checkstring(L, 2));
  ra_err err = {0};
  return ra__load_file(L, path, chunk, &err) < 0 ? ra_bind_fail(L, &err) : 1;
}

static bool has_suffix(const char *name, const char *suffix) {
  size_t n = strlen(name), m = strlen(suffix);
  return n > m && strcmp(name + n - m, suffix) == 0;
}

typedef struct reading {  // so that a raise closes what is open
  DIR *dir;
  ra_str text;
} reading;

static void close_reading(void *payload) {
  reading *r = payload;
  if (r->dir) closedir(r->dir);
  r->dir = NULL;
  ra_str_deinit(&r->text);
}

static reading *start_reading(lua_State *L, const char *dir) {
  ra_bind_type(L, "ra.reading", NULL);
  reading *r = ra_bind_new(L, sizeof *r, "ra.reading", close_reading);
  r->dir = opendir(dir);
  return r;
}

// Sets field `name` of the table below the reading to the file's text. Files that cannot be read are left out.
static void add_text(lua_State *L, reading *r, const char *dir, const char *entry, const char *name) {
  ra_err err = {0};
  const char *path = lua_pushfstring(L, "%s/%s", dir, entry);
  r->text.len = 0;
  if (ra__read_file(path, ASSET_MOST, &r->text, &err) == RA_OK) {
    lua_pushlstring(L, r->text.ptr ? r->text.ptr : "", r->text.len);
    lua_setfield(L, -4, name);
  } else if (err.code != RA_E_INVALID) {
    ra_log(RA_LOG_WARN, "%s: %s", path, err.message);
  }
  lua_pop(L, 1);
}

// host.assets(dir) -> {name = text} of the files beside a plugin that are no Lua
static int l_assets(lua_State *L) {
  const char *dir = luaL_checkstring(L, 1);
  lua_newtable(L);
  reading *r = start_reading(L, dir);
  for (struct dirent *e; r->dir && (e = readdir(r->dir));) {
    if (e->d_name[0] == '.' || has_suffix(e->d_name, ".lua")) continue;
    add_text(L, r, dir, e->d_name, e->d_name);
  }
  close_reading(r);
  lua_pop(L, 1);
  return 1;
}

// host.colormaps() -> {name = JSON text}; a later folder replaces by name
static int l_colormaps(lua_State *L) {
  lua_newtable(L);
  for (const char *const *dir = ra__script(L)->config.colormap_dirs; *dir; dir++) {
    reading *r = start_reading(L, *dir);
    for (struct dirent *e; r->dir && (e = readdir(r->dir));) {
      char name[80];
      size_t n = strlen(e->d_name);
      if (n >= sizeof name || !has_suffix(e->d_name, ".json")) continue;
      snprintf(name, sizeof name, "%.*s", (int)n - 5, e->d_name);
      if (ra_name_valid(name)) add_text(L, r, *dir, e->d_name, name);
    }
    close_reading(r);
    lua_pop(L, 1);
  }
  return 1;
}

const luaL_Reg RA__HOST_FILES[] = {
    {"load", l_load}, {"assets", l_assets}, {"colormaps", l_colormaps}, {NULL, NULL}};
