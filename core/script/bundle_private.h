// bundle_private.h - how a bundle's block is written: entries one after the other, in any order.
#pragma once
#include "base/str.h"
#include "script/bundle.h"

void ra__bundle_add(ra_str *block, const char *name, bool failed, const char *text, size_t size);
// Takes the block's memory over, also on failure.
int ra__bundle_index(ra_str *block, ra_bundle **out, ra_err *err);
