// config.h - the effective settings: defaults, then rastrum.lua, then RASTRUM_*, then flags; each value knows where it
// came from and was checked when it was set. One object a process, read-only after start.
#pragma once
#include <stdint.h>

#include "app/options.h"
#include "base/str.h"
#include "script/script.h"

typedef struct ra_config ra_config;

int ra_config_new(unsigned command, ra_config **out, ra_err *err);
void ra_config_free(ra_config *config);
// Sets one option from a text. origin: "flag", "environment", "rastrum.lua:…"; where a list is set again from another
// origin it begins anew.
int ra_config_set(ra_config *config, const char *name, const char *text, const char *origin,
                  ra_err *err);
// RASTRUM_* of the environment. An unknown RASTRUM_ name is an error, but for the few that are not settings.
int ra_config_environment(ra_config *config, char **environment, ra_err *err);
// The JSON of rastrum.lua's table (from ra_script_load_table). `plugin_settings` (an object) passes through to Lua;
// `limits` are those of single plugins (limits.h).
int ra_config_file(ra_config *config, const char *path, const char *json, size_t size, ra_err *err);

// The JSON that ra_config_file was given; NULL: there was no file.
const char *ra_config_file_json(const ra_config *config);
// Gives an option the value that it has in `from`; true when it had another one.
bool ra_config_keep(ra_config *config, const ra_config *from, const char *name);

const char *ra_config_text(const ra_config *config, const char *name);  // NULL when unset
bool ra_config_bool(const ra_config *config, const char *name);
int64_t ra_config_int(const ra_config *config, const char *name);
uint64_t ra_config_bytes(const ra_config *config, const char *name);
uint64_t ra_config_ms(const ra_config *config, const char *name);
// NULL-terminated; empty when unset.
const char *const *ra_config_list(const ra_config *config, const char *name);
// Limits of single plugins; ends with plugin NULL; NULL: none.
const ra_script_plugin_limits *ra_config_limits(const ra_config *config);
// A text as a value of that type (bytes, milliseconds, a whole number); -1 when it is none.
int64_t ra_config_parse(ra_option_type type, const char *text);
bool ra_config_is_flag(const ra_config *config, const char *name);  // set on the command line
bool ra_config_is_set(const ra_config *config, const char *name);   // by anything but the default

// All settings as a JSON object for Lua (numbers as numbers, bytes in bytes, durations in milliseconds) …
void ra_config_json(const ra_config *config, ra_str *out);
// … and for people: `rastrum config`: a rastrum.lua with each value's origin as a comment, or JSON {name:{value,origin}}.
void ra_config_print(const ra_config *config, bool json, ra_str *out);
