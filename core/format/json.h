// json.h - JSON as Zarr's writers give it, which is not always JSON: Python writes NaN and Infinity bare, and whole numbers
// of any length. Any thread.
#pragma once
#include <jansson.h>

// The value, whose owner is the caller. Bare NaN, Infinity and -Infinity come as texts, and so do whole numbers of 19
// digits or more where any passes 2^63 - 1. NULL: no JSON, as *why (which may be NULL) says.
json_t *ra_json_load(const char *text, size_t size, json_error_t *why);
