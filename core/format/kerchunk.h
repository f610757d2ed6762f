// kerchunk.h - kerchunk's reference files (JSON, version 0 and 1): a Zarr store's keys, each with its bytes or with where they
// lie. No IO. (contracts.md §7)
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

typedef struct ra_kerchunk ra_kerchunk;

typedef struct ra_kerchunk_ref {
  const char *key;
  const char *bytes;      // of an inline value, `size` of them; NULL: elsewhere
  const char *target;     // else: a path or URL as it stands, templates filled in
  uint64_t offset, size;  // size UINT64_MAX: the whole target
} ra_kerchunk_ref;

// RA_E_UNSUPPORTED for what is no reference file, for generated references ("gen") and for templates with arguments.
int ra_kerchunk_parse(const char *json, size_t size, ra_kerchunk **out, ra_err *err);
void ra_kerchunk_free(ra_kerchunk *refs);
size_t ra_kerchunk_count(const ra_kerchunk *refs);
const ra_kerchunk_ref *ra_kerchunk_get(const ra_kerchunk *refs, size_t i);  // in the order of keys
const ra_kerchunk_ref *ra_kerchunk_find(const ra_kerchunk *refs, const char *key);  // NULL: none
