// bind_store.h - opened objects ("ra.file") for the response writer.
#pragma once
#include "net/http.h"
#include "script/bind.h"

// Moves the descriptor of the handle at `arg` into *out (offset 0, whole size); false when it is no open file handle.
bool ra_bind_take_file(lua_State *L, int arg, ra_http_file *out);
