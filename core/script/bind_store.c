// bind_store.c - rastrum.store.open(key): an object of the store, to be sent as a response's `file`; rastrum.store.check().
#include "script/bind_store.h"

#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "ops/op_store.h"

static void close_file(void *payload) {
  ra_store_file *h = payload;  // fd -1: taken
  if (h->fd >= 0) close(h->fd);
  h->fd = -1;
}

bool ra_bind_take_file(lua_State *L, int arg, ra_http_file *out) {
  ra_store_file *h = ra_bind_test(L, arg, "ra.file");
  if (!h || h->fd < 0) return false;
  *out = (ra_http_file){.fd = h->fd, .offset = h->offset, .size = h->size};
  h->fd = -1;
  return true;
}

static int push_file(lua_State *L, ra_op *op) {
  ra_op_open *object = ra_op_state(op);
  ra_store_file *h = ra_bind_new(L, sizeof *h, "ra.file", close_file);
  *h = object->file;
  object->file.fd = -1;
  return 1;
}

// rastrum.store.open(key) -> file | nil, err
static int l_open(lua_State *L) {
  size_t size;
  const char *key = luaL_checklstring(L, 1, &size);
  ra_err err = {0};
  ra_op *op;
  if (size >= sizeof((ra_op_open *)0)->key || strlen(key) != size || !ra_key_valid(key)) {
    ra_fail(&err, RA_E_NOTFOUND, "", "no such object");
    return ra_bind_fail(L, &err);
  }
  if (ra_op_new(ra_bind_ops(L), &RA_OP_OPEN, &op, &err) < 0) return ra_bind_fail(L, &err);
  ra_op_open *object = ra_op_state(op);
  object->file.fd = -1;
  memcpy(object->key, key, size + 1);
  return ra_bind_op(L, op, push_file);
}

static int l_size(lua_State *L) {
  lua_pushnumber(L, (lua_Number)((ra_store_file *)ra_bind_check(L, 1, "ra.file"))->size);
  return 1;
}

static int push_true(lua_State *L, ra_op *op) {
  (void)op;
  lua_pushboolean(L, 1);
  return 1;
}

// rastrum.store.check() -> true | nil, err
static int l_check(lua_State *L) {
  ra_err err = {0};
  ra_op *op;
  if (ra_op_new(ra_bind_ops(L), &RA_OP_STORE_CHECK, &op, &err) < 0) return ra_bind_fail(L, &err);
  return ra_bind_op(L, op, push_true);
}

static const luaL_Reg METHODS[] = {{"size", l_size}, {NULL, NULL}};
static const luaL_Reg OPERATIONS[] = {{"open", l_open}, {"check", l_check}, {NULL, NULL}};

static void setup(lua_State *L) { ra_bind_type(L, "ra.file", METHODS); }

const ra_bind_module RA_BIND_STORE = {.name = "store", .operations = OPERATIONS, .setup = setup};
