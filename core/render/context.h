// context.h - what renderers share: where bytes come from and what is kept between requests. Made once by app/, used
// from pool threads.
#pragma once
#include "base/reader.h"
#include "cache/cache.h"

typedef struct ra_render_context {
  ra_reader reader;   // the store
  ra_cache *headers;  // parsed COG headers and Zarr arrays
  ra_cache *blocks;   // decoded blocks
} ra_render_context;

// Makes both caches (bytes each); reader is copied.
int ra_render_context_new(const ra_reader *reader, size_t header_bytes, size_t block_bytes,
                          ra_render_context **out, ra_err *err);
void ra_render_context_free(ra_render_context *context);
