// bind_expr.h - expressions as Lua values.
#pragma once
#include "raster/expr.h"
#include "script/bind.h"

// Borrowed; raises when it is none.
ra_expr *ra_bind_check_expr(lua_State *L, int arg);
