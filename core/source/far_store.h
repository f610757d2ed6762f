// far_store.h - a Zarr store of a server as objects to read: its consolidated metadata say what is in it, since a server lists
// no folder; what has no object there (404) was never written. Any thread once it is open.
#pragma once
#include <stdbool.h>

#include "base/reader.h"
#include "base/str.h"

typedef struct ra_far_store ra_far_store;

// Whether a URL is taken for a store's: it ends in ".zarr" or in a slash.
bool ra_far_store_is(const char *url);
// RA_E_UNSUPPORTED, saying what is missing, where there are no consolidated metadata.
int ra_far_store_open(const char *url, ra_far_store **out, ra_err *err);
void ra_far_store_free(ra_far_store *store);  // NULL is fine
// Of the metadata: "path/.zarray", "path/zarr.json", …
size_t ra_far_store_count(const ra_far_store *store);
const char *ra_far_store_name(const ra_far_store *store, size_t i);
ra_reader ra_far_store_reader(ra_far_store *store);
// The metadata's text, and what told their file from others.
void ra_far_store_identity(const ra_far_store *store, ra_str *out);
