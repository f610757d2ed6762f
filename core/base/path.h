// path.h - names of things in a store. A key is a relative path of parts separated by '/': bytes
// [A-Za-z0-9._=-], no empty part, no "." and no "..".
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

bool ra_key_valid(const char *key);
// [a-z0-9_-]+, at most 64 bytes: ramp and plugin names.
bool ra_name_valid(const char *name);
// Appends one key part made of `text`: bytes outside [A-Za-z0-9._-] become "=XX"; a leading '.' too. A '/'
// stays where keep_slash is set (groups).
void ra_key_escape(ra_str *out, const char *text, bool keep_slash);
// The same for the path of an array or group of any name; '=' stays, so that what is a key stays as it is.
void ra_key_add_path(ra_str *out, const char *name);
// The name again, of a path written so.
void ra_key_add_name(ra_str *out, const char *path);
// A collection or dataset id from any text: allowed bytes [A-Za-z0-9._-] stay, runs of others become one
// '-', none at the ends; "data" when nothing is left. At most 200 bytes.
void ra_id_sanitise(const char *text, char *out, size_t size);
// 1..200 bytes of [A-Za-z0-9._-], not starting with '.'.
bool ra_id_valid(const char *id);
