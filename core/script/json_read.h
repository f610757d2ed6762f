// json_read.h - JSON to Lua values. It runs on the loop's thread for every body of a request, so it makes no tree of its
// own in between.
#pragma once
#include <lua.h>

#include "base/err.h"

// Pushes the value of one whole text (RFC 8259): lists have the metatable ra.array, null is a NULL light userdata, of equal
// keys the last counts. On failure nothing is pushed. Raises nothing, not even for want of memory.
int ra__json_read(lua_State *L, const char *text, size_t size, int depth, ra_err *err);
