// bind_ramp.h - ramp handles ("ra.ramp") for other bindings.
#pragma once
#include "raster/ramp.h"
#include "script/bind.h"

ra_ramp *ra_bind_check_ramp(lua_State *L,
                            int arg);  // borrowed; raises for anything else and for a closed one
