// modules.c - the list of Lua modules made in C; each bind_<noun>.c is named here once.
#include "script/bind.h"

extern const ra_bind_module RA_BIND_CORE, RA_BIND_TASK, RA_BIND_JSON, RA_BIND_LOG, RA_BIND_SHARED,
    RA_BIND_TIME, RA_BIND_METRICS, RA_BIND_RENDER, RA_BIND_RAMP, RA_BIND_STORE, RA_BIND_DATASET,
    RA_BIND_SQL, RA_BIND_ITEMS, RA_BIND_PICK, RA_BIND_VERSIONS, RA_BIND_INGEST, RA_BIND_SEGMENT, RA_BIND_PROCESS;

const ra_bind_module *const RA_BIND_MODULES[] = {&RA_BIND_CORE,
                                                 &RA_BIND_TASK,
                                                 &RA_BIND_JSON,
                                                 &RA_BIND_LOG,
                                                 &RA_BIND_SHARED,
                                                 &RA_BIND_TIME,
                                                 &RA_BIND_METRICS,
                                                 &RA_BIND_RENDER,
                                                 &RA_BIND_RAMP,
                                                 &RA_BIND_STORE,
                                                 &RA_BIND_DATASET,
                                                 &RA_BIND_SQL,
                                                 &RA_BIND_ITEMS,
                                                 &RA_BIND_PICK,
                                                 &RA_BIND_VERSIONS,
                                                 &RA_BIND_INGEST,
                                                 &RA_BIND_SEGMENT,
                                                 &RA_BIND_PROCESS,
                                                 NULL};
