// limits.h - the table `limits` of rastrum.lua: limits of single plugins,
//   limits = { tiles = { lua_time = "200ms", wall = "10s", memory = "64M", external = "256M", requests = 100 } }
#pragma once
#include <jansson.h>

#include "script/script.h"

// A list that ends with plugin NULL; the caller frees it. `where`: the file, for messages.
int ra_limits_parse(const json_t *object, const char *where, ra_script_plugin_limits **out,
                    ra_err *err);
void ra_limits_free(ra_script_plugin_limits *list);
// Appends the table as Lua or as JSON.
void ra_limits_print(const json_t *object, bool json, ra_str *out);
