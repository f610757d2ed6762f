// map_source.h - one step of a variable as a map, wherever its cells are: in a COG (cog_source) or in a Zarr array and its
// coarser levels (zarr_source). Pool threads.
#pragma once
#include "render/cog_source.h"
#include "render/zarr_source.h"

typedef struct ra__map_source {
  bool is_zarr;
  ra__cog_source cog;
  ra__zarr_map zarr;
  const char *key;  // for messages
  unsigned bands;
  ra_dtype value_dtype;  // F32 or F64
  size_t level;
  int64_t width, height;    // of the level
  double x_scale, y_scale;  // its cells a cell of the full map
} ra__map_source;

// The level that pixels of `pixel` units of the tiles' CRS want (tile_level.h); tiles NULL: the map itself. nodata (NULL:
// none) masks that stored value, too.
int ra__map_source_init(ra_render_context *context, const ra_tile_source *source, bool unscale,
                        const double *nodata, const ra_crs *tiles, double pixel, ra_timing *timing,
                        ra__map_source *out, ra_err *err);
void ra__map_source_deinit(ra__map_source *map);
// The value of one cell of the map itself.
int ra__map_source_cell(ra_render_context *context, const ra__map_source *map, unsigned band,
                        int64_t column, int64_t row, ra_cancel *cancel, ra_timing *timing,
                        double *value, ra_err *err);
