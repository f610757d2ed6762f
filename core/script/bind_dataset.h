// bind_dataset.h - dataset handles ("ra.dataset") for other bindings.
#pragma once
#include "format/dataset.h"
#include "script/bind.h"

// The dataset behind a handle; raises for anything else and for a closed one. Borrowed: valid while the handle is.
ra_dataset *ra_bind_check_dataset(lua_State *L, int arg);
