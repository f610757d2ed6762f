// base64.h - RFC 4648's base64, with padding. Any thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

void ra_base64_add(ra_str *out, const void *data, size_t size);
// Decodes at most `cap` bytes; false where the text is no base64 or more comes out. Missing padding is fine.
bool ra_base64_decode(const char *text, size_t size, void *dst, size_t cap, size_t *got);
