// guard.h - library functions whose one call could outlast a slice or fill the memory: the same results as LuaJIT's own, within
// the limits of the running task's plugin. A call that reaches one raises an error of code "timeout" or "no_memory" that names
// the plugin, the limit and the setting. Loop thread only.
#pragma once
#include <string.h>

#include "script/host.h"

// guard.c
size_t ra__guard_output(lua_State *L);   // bytes that one call may make
uint64_t ra__guard_steps(lua_State *L);  // steps that one call may take
// Raises an error table, as rastrum.fail knows it.
void ra__guard_raise(lua_State *L, int code, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
void ra__guard_too_big(lua_State *L, const char *what, double bytes) __attribute__((noreturn));
void ra__guard_too_long(lua_State *L, const char *what) __attribute__((noreturn));
// After a call that took long: where the slice is over, the next instruction is its last. (The hook counts instructions, and
// each of them may be such a call.)
void ra__guard_spent(lua_State *L);
// Raises the budget error once the task's Lua time is used up: for loops in C.
void ra__guard_check_time(lua_State *L);

// A text in the making, capped. A short one is in the struct, a longer one in the host's scratch, of which there is one: no
// Lua code runs meanwhile. A raise leaves nothing behind.
typedef struct ra__text {
  lua_State *L;
  const char *what;  // "string.rep", for the error past the limit
  char *bytes;
  size_t size, room;
  char small[256];
} ra__text;

static inline void ra__text_init(ra__text *t, lua_State *L, const char *what) {
  t->L = L;
  t->what = what;
  t->bytes = t->small;
  t->size = 0;
  t->room = sizeof t->small;
}
void ra__text_grow(ra__text *t, double more);

// n bytes at its end, to be written.
static inline char *ra__text_room(ra__text *t, double n) {
  if (n > (double)(t->room - t->size)) ra__text_grow(t, n);
  char *end = t->bytes + t->size;
  t->size += (size_t)n;
  return end;
}

static inline void ra__text_add(ra__text *t, const char *bytes, size_t n) {
  if (n > t->room - t->size) ra__text_grow(t, (double)n);
  memcpy(t->bytes + t->size, bytes, n);
  t->size += n;
}

void ra__text_push(ra__text *t);  // as a Lua string

int ra__guard_int(lua_State *L, int arg);  // a number as LuaJIT makes it an integer
int ra__guard_opt_int(lua_State *L, int arg, int fallback);

// guard_match.c. A pattern on a subject, as LuaJIT matches it. Pattern and subject end with a zero byte and outlive it.
enum { RA__CAPTURES_MOST = 32 };

typedef struct ra__matcher {
  lua_State *L;
  const char *what;       // "string.find": for messages
  const char *from, *to;  // the subject
  ptrdiff_t left;         // steps to the next look at the clock and the limit
  uint64_t taken;         // steps until the last one
  int captures, depth;
  struct {
    const char *at;
    ptrdiff_t size;  // or one of the two below
  } capture[RA__CAPTURES_MOST];
} ra__matcher;

enum { RA__CAPTURE_OPEN = -1, RA__CAPTURE_POSITION = -2 };

void ra__match_init(ra__matcher *m, lua_State *L, const char *what, const char *subject, size_t size);
// The end of the match that begins at `at`, or NULL. Raises for malformed patterns and past the step limit.
const char *ra__match(ra__matcher *m, const char *at, const char *pattern);
// The first match at or after *at, which is moved to where it begins.
const char *ra__match_first(ra__matcher *m, const char **at, const char *pattern);
void ra__match_push_one(ra__matcher *m, int i, const char *at, const char *end);
// All captures, or the whole match where there are none and `at` is not NULL.
int ra__match_push(ra__matcher *m, const char *at, const char *end);
void ra__match_count(ra__matcher *m, size_t steps);
void ra__match_done(ra__matcher *m);

// guard_string.c, guard_table.c: host.* functions that rastrum/sandbox.lua makes the plugins' libraries from
extern const luaL_Reg RA__HOST_STRING[];
extern const luaL_Reg RA__HOST_TABLE[];
