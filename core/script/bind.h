// bind.h - what a bind_<noun>.c needs: how a Lua module is listed, how a call that waits becomes an operation, and how C
// memory is lent to Lua. Loop thread only. Order inside a binding: check arguments (may raise), then make the userdata or the
// operation, then acquire; a raise skips C clean-up. The world's failures are `nil, err`; the caller's mistakes raise.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include <lauxlib.h>
#include <lua.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "ops/op.h"

// It never returns, which its own header does not say.
LUALIB_API int(luaL_error)(lua_State *L, const char *fmt, ...) __attribute__((noreturn));

// When a function may be called. Operations wait, so they need REQUEST or JOB.
typedef enum ra_phase {
  RA_PHASE_LOAD = 1,     // a plugin's file is being read
  RA_PHASE_SETUP = 2,    // all are read; M.setup(config)
  RA_PHASE_REQUEST = 4,  // under a request's budget
  RA_PHASE_JOB = 8,      // timers, hooks, spawned tasks, workflow steps: sliced, without totals
  RA_PHASE_ANY = 15
} ra_phase;

typedef struct ra_bind_module {
  const char *name;           // "dataset" -> rastrum.dataset.*; "" -> rastrum.* itself
  const luaL_Reg *functions;  // plain calls; NULL-terminated; may be NULL
  const luaL_Reg *operations;  // builders: end with `return ra_bind_op(L, op, push)`. Registered twice: rastrum.x.f(…)
      // waits and gives the result, rastrum.op.x.f(…) gives the unstarted operation
  void (*setup)(lua_State *L);  // metatables (ra_bind_type); may be NULL; leaves the stack as it was
} ra_bind_module;

// The NULL-terminated list in modules.c.
extern const ra_bind_module *const RA_BIND_MODULES[];

// Pushes a finished operation's results and returns their count; takes references out of the operation's state. Called
// under protection, only for operations that succeeded; L is not the task's own coroutine, so keep nothing of it.
typedef int (*ra_bind_push)(lua_State *L, ra_op *op);

// Takes the caller's reference; raises in the wrong phase or coroutine; then yields (or returns the unstarted operation).
int ra_bind_op(lua_State *L, ra_op *op, ra_bind_push push);
ra_ops *ra_bind_ops(lua_State *L);
// Raises, naming both phases, unless the running task's phase is in the mask.
void ra_bind_phase(lua_State *L, unsigned phases, const char *what);
// The plugin whose task runs; "" outside any.
const char *ra_bind_plugin(lua_State *L);
// A folder of the running plugin's own, or NULL when none is configured.
const char *ra_bind_data_dir(lua_State *L);
// A text of the effective configuration by its key ("store", "catalog"); NULL when it is absent or no text.
const char *ra_bind_config(lua_State *L, const char *key);

// Pushes nil and {code = "not_found", message =, where =, retry =}; returns 2.
int ra_bind_fail(lua_State *L, const ra_err *err);

// Userdata types. Makes the metatable of a type once: methods (may be NULL), close() and keep(), __gc, __tostring.
void ra_bind_type(lua_State *L, const char *type, const luaL_Reg *methods);
// Pushes a zeroed userdata of a registered type. `close` (once; may be NULL) is called at the end of the task's scope, by
// :close() or the collector, whichever comes first; after :keep() no longer at the scope's end.
void *ra_bind_new(lua_State *L, size_t size, const char *type, void (*close)(void *));
// The payload; raises for another type and for a closed one.
void *ra_bind_check(lua_State *L, int arg, const char *type);
// The payload, or NULL for anything else or a closed one.
void *ra_bind_test(lua_State *L, int arg, const char *type);
// Closes it now.
void ra_bind_close(lua_State *L, void *payload);
// External bytes that this userdata holds, for limits and metrics; replaces what was said before.
void ra_bind_bytes(lua_State *L, void *payload, size_t bytes);

void ra_bind_push_buf(lua_State *L,
                      ra_buf *buf);  // takes the reference; "ra.buf": size() text() keep() close()
// Moves a finished operation's buffer from its state: *buf is NULL afterwards. Returns 1, the values pushed.
int ra_bind_take_buf(lua_State *L, ra_buf **buf);
ra_buf *ra_bind_check_buf(lua_State *L, int arg);  // borrowed
// A Lua string's bytes or a ra.buf's; raises otherwise. Borrowed.
const char *ra_bind_check_bytes(lua_State *L, int arg, size_t *size);

// Pushes a field of a caller's table, without metamethods: what has been checked stays so, and texts stay in the table.
void ra_bind_field(lua_State *L, int table, const char *field);
// Option tables. The value of a field, or the default where it is nil; raises "bad option 'x' (integer expected, …)".
double ra_bind_opt_number(lua_State *L, int table, const char *field, double fallback);
lua_Integer ra_bind_opt_integer(lua_State *L, int table, const char *field, lua_Integer fallback);
bool ra_bind_opt_boolean(lua_State *L, int table, const char *field, bool fallback);
const char *ra_bind_opt_string(lua_State *L, int table, const char *field,
                               const char *fallback);  // valid while the table is

// JSON text as Lua values: arrays tagged as rastrum.json.array does, null as rastrum.json.null. Depth and size are capped.
// Pushes one value, or returns a code and pushes nothing.
int ra_bind_push_json(lua_State *L, const char *text, size_t size, ra_err *err);
// Appends the JSON of the value at `index`.
int ra_bind_to_json(lua_State *L, int index, ra_str *out, ra_err *err);
