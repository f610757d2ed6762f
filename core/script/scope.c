// scope.c - userdata that hold C memory. Each is in the scope of the task that made it and is closed at that task's end
// unless it was kept; the collector, which does not see malloc'd memory, comes second.
#include <string.h>

#include "script/guard.h"

struct ra_handle {
  ra_handle *next, **at;  // in the scope; at NULL: in none
  void (*close)(void *payload);
  const char *type;  // the metatable's name, which lives as long as the VM
  ra__plugin *owner;
  size_t bytes;
  unsigned *counter;    // of its task; while it is in the scope
  bool closed, pinned;  // pinned: the library's, which plugins may use and not close
  _Alignas(16) unsigned char payload[];
};

// A userdata's block is only 8-aligned; the payload starts at the next 16 within it.
static ra_handle *handle_of(void *block) {
  return (ra_handle *)(((uintptr_t)block + 15) & ~(uintptr_t)15);
}

static ra_handle *of_payload(void *payload) {
  return (ra_handle *)((unsigned char *)payload - offsetof(ra_handle, payload));
}

static void leave_scope(ra_handle *h) {
  if (!h->at) return;
  *h->at = h->next;
  if (h->next) h->next->at = h->at;
  h->at = NULL;
  if (h->counter) --*h->counter;
  h->counter = NULL;
}

void ra__handle_count(void *payload, unsigned *counter) {
  ra_handle *h = of_payload(payload);
  if (!h->at) return;
  h->counter = counter;
  ++*counter;
}

static void close_handle(ra_script *script, ra_handle *h) {
  if (h->closed) return;
  h->closed = true;
  leave_scope(h);
  script->handles--;
  script->external -= h->bytes;
  h->owner->external -= h->bytes;
  h->bytes = 0;
  if (h->close) h->close(h->payload);
}

void ra__scope_close(ra_task *task) {
  while (task->scope) close_handle(task->script, task->scope);
}

// The handle at arg when it is a userdata of ours; type NULL: any type.
static ra_handle *find(lua_State *L, int arg, const char *type) {
  void *block = lua_touserdata(L, arg);
  if (!block || lua_islightuserdata(L, arg) || !lua_getmetatable(L, arg)) return NULL;
  if (type) {
    lua_getfield(L, LUA_REGISTRYINDEX, type);
  } else {
    lua_getfield(L, -1, "ra.type");
    type = lua_tostring(L, -1);
    lua_getfield(L, LUA_REGISTRYINDEX, type ? type : "");
    lua_remove(L, -2);
  }
  bool same = type && lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return same ? handle_of(block) : NULL;
}

void *ra_bind_test(lua_State *L, int arg, const char *type) {
  ra_handle *h = find(L, arg, type);
  return h && !h->closed ? h->payload : NULL;
}

void *ra_bind_check(lua_State *L, int arg, const char *type) {
  ra_handle *h = find(L, arg, type);
  if (!h) {
    luaL_error(L, "bad argument: %s expected, got %s", type, luaL_typename(L, arg));
    return NULL;  // not reached
  }
  if (h->closed)
    luaL_error(L, "this %s was closed; keep() it to use it after its task's end", type);
  return h->payload;
}

void ra_bind_close(lua_State *L, void *payload) {
  close_handle(ra__script(L), of_payload(payload));
}

static int l_collect(lua_State *L) {
  ra_handle *h = find(L, 1, NULL);
  if (h) close_handle(ra__script(L), h);
  return 0;
}

static int l_close(lua_State *L) {
  ra_handle *h = find(L, 1, NULL);
  if (h && h->pinned && !h->closed)
    return luaL_error(L, "close() on a %s that all plugins use", h->type);
  if (h) close_handle(ra__script(L), h);
  return 0;
}

// host.pin(handle) -> it, kept until host.close(handle); plugins cannot close it
static int l_pin(lua_State *L) {
  ra_handle *h = find(L, 1, NULL);
  if (!h || h->closed) return luaL_error(L, "pin() on something that is no open handle");
  leave_scope(h);
  h->pinned = true;
  lua_settop(L, 1);
  return 1;
}

const luaL_Reg RA__HOST_SCOPE[] = {{"pin", l_pin}, {"close", l_collect}, {NULL, NULL}};

static int l_keep(lua_State *L) {
  ra_handle *h = find(L, 1, NULL);
  if (!h || h->closed) return luaL_error(L, "keep() on something that is no open handle");
  leave_scope(h);
  lua_settop(L, 1);
  return 1;
}

static int l_tostring(lua_State *L) {
  ra_handle *h = find(L, 1, NULL);
  lua_pushfstring(L, "%s%s", h ? h->type : "?", h && h->closed ? " (closed)" : "");
  return 1;
}

static const luaL_Reg COMMON[] = {{"close", l_close}, {"keep", l_keep}, {NULL, NULL}};

void ra_bind_type(lua_State *L, const char *type, const luaL_Reg *methods) {
  if (!luaL_newmetatable(L, type)) {
    lua_pop(L, 1);
    return;
  }
  lua_newtable(L);
  luaL_register(L, NULL, COMMON);
  if (methods) luaL_register(L, NULL, methods);
  lua_setfield(L, -2, "__index");
  lua_pushstring(L, type);
  lua_setfield(L, -2, "ra.type");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pushcfunction(L, l_collect);
  lua_setfield(L, -2, "__gc");
  lua_pushcfunction(L, l_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
}

static void enter_scope(ra_script *script, ra_handle *h) {
  ra_task *task = script->acting ? script->acting : script->running;
  h->owner = task ? task->owner : script->nobody;
  if (!task) return;
  h->next = task->scope;
  if (h->next) h->next->at = &h->next;
  h->at = &task->scope;
  task->scope = h;
}

void *ra_bind_new(lua_State *L, size_t size, const char *type, void (*close)(void *)) {
  ra_script *script = ra__script(L);
  luaL_checkstack(L, 4, "no room for a handle");
  void *block = lua_newuserdata(L, sizeof(ra_handle) + size + 15);
  memset(block, 0, sizeof(ra_handle) + size + 15);
  ra_handle *h = handle_of(block);
  lua_getfield(L, LUA_REGISTRYINDEX, type);
  if (!lua_istable(L, -1)) luaL_error(L, "type '%s' was not registered", type);
  lua_getfield(L, -1, "ra.type");
  h->type = lua_tostring(L, -1);
  lua_pop(L, 1);
  h->close = close;
  enter_scope(script, h);
  script->handles++;
  lua_setmetatable(L, -2);
  return h->payload;
}

void ra_bind_bytes(lua_State *L, void *payload, size_t bytes) {
  ra_script *script = ra__script(L);
  ra_handle *h = of_payload(payload);
  script->external += bytes - h->bytes;
  h->owner->external += bytes - h->bytes;
  h->bytes = bytes;
  const ra__plugin *plugin = h->owner;
  if (plugin->external > plugin->limits.external) {
    ra__hint hint;
    ra__guard_raise(
        L, RA_E_NOMEM, "plugin '%s' holds %zu bytes in buffers, more than its %zu; %s",
        plugin->name, plugin->external, plugin->limits.external,
        ra__limit_hint(plugin, "external_memory", "external", plugin->own.external != 0, &hint));
  }
  if (script->external > script->limits.external_hard) {
    ra__guard_raise(L, RA_E_NOMEM,
                    "plugin '%s': %zu bytes are held in buffers, the most that may are %zu; "
                    "external_memory raises this limit",
                    plugin->name, script->external, script->limits.external_hard);
  }
}

// ---- ra.buf

typedef struct buf_handle {
  ra_buf *buf;
} buf_handle;

static void close_buf(void *payload) {
  buf_handle *h = payload;
  ra_buf_unref(h->buf);
  h->buf = NULL;
}

static buf_handle *push_buf(lua_State *L, ra_buf *buf) {
  buf_handle *h = ra_bind_new(L, sizeof *h, "ra.buf", close_buf);
  h->buf = buf;
  return h;
}

void ra__push_buf(lua_State *L, ra_buf *buf) { push_buf(L, buf); }

void ra_bind_push_buf(lua_State *L, ra_buf *buf) {
  ra_bind_bytes(L, push_buf(L, buf), ra_buf_size(buf));
}

int ra_bind_take_buf(lua_State *L, ra_buf **buf) {
  ra_buf *taken = *buf;
  *buf = NULL;
  ra_bind_push_buf(L, taken);
  return 1;
}

ra_buf *ra_bind_check_buf(lua_State *L, int arg) {
  return ((buf_handle *)ra_bind_check(L, arg, "ra.buf"))->buf;
}

const char *ra_bind_check_bytes(lua_State *L, int arg, size_t *size) {
  if (lua_type(L, arg) == LUA_TSTRING) return lua_tolstring(L, arg, size);
  ra_buf *buf = ra_bind_check_buf(L, arg);
  *size = ra_buf_size(buf);
  return (const char *)ra_buf_data(buf);
}

static int l_buf_size(lua_State *L) {
  lua_pushnumber(L, (lua_Number)ra_buf_size(ra_bind_check_buf(L, 1)));
  return 1;
}

// buf:text() -> its bytes as a Lua string; at most 16 MiB
static int l_buf_text(lua_State *L) {
  ra_buf *buf = ra_bind_check_buf(L, 1);
  if (ra_buf_size(buf) > (size_t)16 << 20) {
    return luaL_error(L, "a buffer of %d bytes is too big for a Lua string (16 MiB)",
                      (int)ra_buf_size(buf));
  }
  lua_pushlstring(L, (const char *)ra_buf_data(buf), ra_buf_size(buf));
  return 1;
}

const luaL_Reg RA__BUF_METHODS[] = {{"size", l_buf_size}, {"text", l_buf_text}, {NULL, NULL}};
