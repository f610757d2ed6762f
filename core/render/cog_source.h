// cog_source.h - a COG of the store as decoded blocks: header and blocks come from the context's caches, or are read
// and made there once. Pool threads. For tiles and for points in the map layout.
#pragma once
#include "base/buf.h"
#include "base/cancel.h"
#include "base/timing.h"
#include "format/cog.h"
#include "raster/packing.h"
#include "render/context.h"
#include "render/tile.h"

// The parsed header of an object; *out is a new reference. 16 KiB are read first, more only when they don't do.
int ra__render_cog(ra_render_context *context, const char *key, ra_timing *timing, ra_cog **out,
                   ra_err *err);

// One COG and how its cells become values.
typedef struct ra__cog_source {
  ra_cog *cog;
  char *key;
  ra_packing packing;
  bool unscale;
  ra_dtype value_dtype;  // F32 or F64: what blocks hold
} ra__cog_source;

// The COG of a step of a variable. nodata (NULL: none) masks that stored value in addition to the variable's own.
int ra__cog_source_init(ra_render_context *context, const ra_tile_source *source, bool unscale,
                        const double *nodata, ra_timing *timing, ra__cog_source *out, ra_err *err);
void ra__cog_source_deinit(ra__cog_source *source);

// A decoded block: block_width × block_height values of value_dtype, NaN where missing; cells past the image's edge
// are meaningless. *out is a new reference. RA_E_CANCELLED when cancel is set before the block is read.
int ra__cog_block(ra_render_context *context, const ra__cog_source *source, size_t level,
                  unsigned band, uint32_t column, uint32_t row, ra_cancel *cancel,
                  ra_timing *timing, ra_buf **out, ra_err *err);
const void *ra__cog_block_cells(const ra_buf *block);
bool ra__cog_block_has_missing(const ra_buf *block);  // inside the image
