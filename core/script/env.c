// env.c - makes the VM's libraries, the `rastrum` table of C modules and the library's private `host` table, and hands all
// to rastrum/sandbox.lua, which makes the environments. Also: files into chunks (text only, no bytecode).
#include <errno.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "script/guard.h"

int ra__read_file(const char *path, size_t most, ra_str *out, ra_err *err) {
  FILE *file = fopen(path, "rbe");
  if (!file) return ra_fail_errno(err, errno, path, "cannot open it");
  struct stat info;
  if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
    fclose(file);
    return ra_fail(err, RA_E_INVALID, path, "not a regular file");
  }
  char piece[8192];
  size_t n;
  while ((n = fread(piece, 1, sizeof piece, file)) > 0 && out->len <= most)
    ra_str_add_bytes(out, piece, n);
  bool failed = ferror(file) || out->failed;
  fclose(file);
  if (failed) return ra_fail(err, RA_E_IO, path, "cannot read it");
  if (out->len > most) return ra_fail(err, RA_E_TOOBIG, path, "larger than %zu bytes", most);
  return RA_OK;
}

int ra__load_source(lua_State *L, const char *name, const char *chunk, ra_err *err) {
  const ra_bundle_entry *entry = ra_bundle_find(ra__script(L)->config.bundle, name);
  if (!entry) return ra_fail(err, RA_E_NOTFOUND, name, "no such file");
  if (entry->failed) return ra_fail(err, RA_E_IO, name, "%s", entry->text);
  if (entry->size && entry->text[0] == 0x1b)
    return ra_fail(err, RA_E_INVALID, name, "bytecode; a Lua source text is wanted");
  if (luaL_loadbufferx(L, entry->text, entry->size, chunk, "t") == 0) return RA_OK;
  const char *text = lua_tostring(L, -1);
  int rc = ra_fail(err, RA_E_INVALID, name, "%s", text ? text : "cannot be compiled");
  lua_pop(L, 1);
  return rc;
}

// ---- the rastrum table

static void subtable(lua_State *L, const char *name) {
  if (!*name) {
    lua_pushvalue(L, -1);
    return;
  }
  lua_getfield(L, -1, name);
  if (!lua_isnil(L, -1)) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, name);
}

// Adds functions to the table at the top; `unstarted` is their first upvalue (ra_bind_op looks at it).
static void add_functions(lua_State *L, const luaL_Reg *list, bool unstarted) {
  for (; list && list->name; list++) {
    lua_pushboolean(L, unstarted);
    lua_pushcclosure(L, list->func, 1);
    lua_setfield(L, -2, list->name);
  }
}

static void add_module(lua_State *L, const ra_bind_module *module) {
  if (module->setup) module->setup(L);
  subtable(L, module->name);
  add_functions(L, module->functions, false);
  add_functions(L, module->operations, false);
  lua_pop(L, 1);
  if (!module->operations) return;
  lua_getfield(L, -1, "op");
  subtable(L, module->name);
  add_functions(L, module->operations, true);
  lua_pop(L, 2);
}

static void push_config(lua_State *L, const ra_script *script) {
  ra_err err = {0};
  const char *json = script->config.settings_json;
  if (ra_bind_push_json(L, json, strlen(json), &err) < 0 || !lua_istable(L, -1)) {
    luaL_error(L, "settings: %s", err.message);
  }
  lua_pushvalue(L, -1);
  lua_setfield(L, LUA_REGISTRYINDEX, "ra.config");
}

static void push_modules(lua_State *L, ra_script *script) {
  lua_newtable(L);
  lua_newtable(L);
  lua_setfield(L, -2, "op");
  for (const ra_bind_module *const *m = RA_BIND_MODULES; *m; m++) add_module(L, *m);
  lua_getfield(L, -1, "json");
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  lua_pop(L, 1);
  push_config(L, script);
  lua_setfield(L, -2, "config");
  lua_pushstring(L, script->config.role);
  lua_setfield(L, -2, "role");
  lua_pushstring(L, RA_VERSION);
  lua_setfield(L, -2, "version");
}

// host.library("rastrum.x") -> chunk | nil, err
static int l_library(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  ra_err err = {0};
  size_t n = strlen(name);
  if (strncmp(name, "rastrum.", 8) != 0 || strspn(name + 8, "abcdefghijklmnopqrstuvwxyz_") != n - 8) {
    ra_fail(&err, RA_E_NOTFOUND, name, "no such module");
    return ra_bind_fail(L, &err);
  }
  const char *entry = lua_pushfstring(L, "library/%s.lua", name + 8);
  const char *chunk = lua_pushfstring(L, "@%s.lua", name);
  return ra__load_source(L, entry, chunk, &err) < 0 ? ra_bind_fail(L, &err) : 1;
}

static int l_draining(lua_State *L) {
  lua_pushboolean(L, ra__script(L)->draining);
  return 1;
}

static const luaL_Reg HOST[] = {{"library", l_library}, {"draining", l_draining}, {NULL, NULL}};

static void push_host(lua_State *L) {
  lua_newtable(L);
  luaL_register(L, NULL, HOST);
  luaL_register(L, NULL, RA__HOST_SLICE);
  luaL_register(L, NULL, RA__HOST_SCOPE);
  luaL_register(L, NULL, RA__HOST_STRING);
  luaL_register(L, NULL, RA__HOST_TABLE);
  luaL_register(L, NULL, RA__HOST_FILES);
  luaL_register(L, NULL, RA__HOST_CRS);
  luaL_register(L, NULL, RA__HOST_HTTP);
  luaL_register(L, NULL, RA__HOST_EMIT);
  luaL_register(L, NULL, RA__HOST_ANSWER);
}

static void open_library(lua_State *L, const char *name, lua_CFunction open) {
  lua_pushcfunction(L, open);
  lua_pushstring(L, name);
  lua_call(L, 1, 0);
}

static void open_libraries(lua_State *L) {
  open_library(L, "", luaopen_base);
  open_library(L, LUA_TABLIBNAME, luaopen_table);
  open_library(L, LUA_STRLIBNAME, luaopen_string);
  open_library(L, LUA_MATHLIBNAME, luaopen_math);
  open_library(L, LUA_BITLIBNAME, luaopen_bit);
  open_library(L, LUA_OSLIBNAME, luaopen_os);
  lua_getglobal(L, "math");
  lua_getfield(L, -1, "randomseed");
  lua_pushnumber(L, (lua_Number)(ra_clock_ns() % 1000000007u));
  lua_call(L, 1, 0);
  lua_pop(L, 1);
}

static int build(lua_State *L) {
  ra_script *script = lua_touserdata(L, 1);
  lua_newtable(L);
  lua_setfield(L, LUA_REGISTRYINDEX, "ra.names");
  open_libraries(L);
  ra__bind_init(L);
  ra_err err = {0};
  if (ra__load_source(L, "library/sandbox.lua", "@rastrum.sandbox.lua", &err) < 0)
    return luaL_error(L, "the library's sandbox.lua: %s", err.message);
  push_host(L);
  lua_pushvalue(L, -1);
  script->host_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  push_modules(L, script);
  lua_call(L, 2, 1);
  script->sandbox_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

int ra__env_build(ra_script *script, ra_err *err) {
  if (ra__protect(script, build, script, 0) < 0) return ra__take_error(script->L, "", err);
  ra__slice_init(script);
  return RA_OK;
}
