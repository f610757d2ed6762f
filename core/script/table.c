// table.c - a configuration file: Lua that returns a table, run in an empty environment of a VM of its own.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "script/host.h"

enum { CONFIG_MOST = 1 << 20, COUNT_MOST = 1000000, HEAP_MOST = 32 << 20 };

static void *allocate(void *ud, void *ptr, size_t old, size_t size) {
  size_t *heap = ud;
  size_t before = ptr ? old : 0;
  if (size == 0) {
    *heap -= before;
    free(ptr);
    return NULL;
  }
  if (size > before && *heap + (size - before) > HEAP_MOST) return NULL;
  void *grown = realloc(ptr, size);
  if (grown) *heap += size - before;
  return grown;
}

static void on_count(lua_State *L, lua_Debug *ar) {
  (void)ar;
  luaL_error(L, "it runs for too long; a configuration file only returns a table");
}

typedef struct loading {
  const char *path, *text;
  size_t size;
  ra_str *json;
  ra_err *err;
  int rc;
} loading;

static int run(lua_State *L) {
  loading *l = lua_touserdata(L, 1);
  const char *chunk = lua_pushfstring(L, "@%s", l->path);
  if (l->size && l->text[0] == 0x1b) return luaL_error(L, "bytecode; a Lua source text is wanted");
  if (luaL_loadbufferx(L, l->text, l->size, chunk, "t") != 0) return lua_error(L);
  lua_newtable(L);
  lua_setfenv(L, -2);
  lua_sethook(L, on_count, LUA_MASKCOUNT, COUNT_MOST);
  lua_call(L, 0, 1);
  lua_sethook(L, NULL, 0, 0);
  if (!lua_istable(L, -1))
    return luaL_error(L, "it returns a %s; `return { … }` is wanted", luaL_typename(L, -1));
  l->rc = ra__json_of_table(L, -1, l->json, l->err);
  return 0;
}

int ra_script_load_table(const char *path, ra_str *json, ra_err *err) {
  if (access(path, F_OK) != 0) return ra_fail(err, RA_E_NOTFOUND, path, "there is no such file");
  ra_str text;
  ra_str_init(&text);
  loading l = {.path = path, .json = json, .err = err};
  l.rc = ra__read_file(path, CONFIG_MOST, &text, err);
  size_t heap = 0;
  lua_State *L = l.rc == RA_OK ? lua_newstate(allocate, &heap) : NULL;
  if (L) {
    l.text = text.ptr ? text.ptr : "";
    l.size = text.len;
    if (lua_cpcall(L, run, &l) != 0) {
      const char *said = lua_tostring(L, -1);
      l.rc = ra_fail(err, RA_E_INVALID, path, "%s", said ? said : "an error that is no text");
    } else if (l.rc < 0 && err) {
      strncpy(err->where, path, sizeof err->where - 1);
    }
    lua_close(L);
  } else if (l.rc == RA_OK) {
    l.rc = ra_fail(err, RA_E_NOMEM, path, "no memory to read it");
  }
  ra_str_deinit(&text);
  return l.rc;
}
