// zarr_source.h - Zarr arrays of the store for renderers: parsed metadata, kept in the context's cache; and one step of a
// variable as a map, whose cells are read from its array or from a coarser level of it, whoever wrote them. Pool threads.
#pragma once
#include "base/buf.h"
#include "base/cancel.h"
#include "base/timing.h"
#include "format/dataset.h"
#include "format/zarr.h"
#include "raster/packing.h"
#include "render/context.h"
#include "render/tile.h"

// An array of a dataset: *path is its key, malloc'd, *out a new reference. On failure *path may be set, too.
int ra__render_zarr(ra_render_context *context, const ra_dataset *dataset,
                    const ra_dataset_array *array, char **path, ra_zarr_array **out, ra_err *err);
// Whether its cells are of the variable's type, in as many dimensions.
bool ra__zarr_holds(const ra_zarr_info *info, const ra_dataset_variable *variable);

// A level of a map, and how its cells become values.
typedef struct ra__zarr_map {
  const ra_dataset_variable *variable;
  size_t step;
  ra_packing packing;
  bool unscale;
  ra_dtype value_dtype;   // F32 or F64: what values are
  int64_t width, height;  // of the level, as the map has it
  int64_t roll;           // the source's column (once turned) that stands in column 0
  char *path;
  ra_zarr_array *array;
  int64_t block_width, block_height;  // what is decoded and kept at once: whole chunks
} ra__zarr_map;

// level 0 is the array itself. nodata (NULL: none) masks that stored value in addition to the variable's own.
int ra__zarr_map_init(ra_render_context *context, const ra_tile_source *source, size_t level,
                      bool unscale, const double *nodata, ra__zarr_map *out, ra_err *err);
void ra__zarr_map_deinit(ra__zarr_map *map);

// A window of the map's cells. Columns of a map that wraps may lie beyond its width.
typedef struct ra__zarr_window {
  unsigned band;
  int64_t x0, x1, y0, y1;
} ra__zarr_window;
// Its values, row by row, of value_dtype, NaN where missing. RA_E_CANCELLED when cancel is set meanwhile.
int ra__zarr_map_read(ra_render_context *context, const ra__zarr_map *map,
                      const ra__zarr_window *window, void *values, ra_cancel *cancel,
                      ra_timing *timing, ra_err *err);
// What reading a window of so many cells of the array itself decodes, in bytes, from tables only; saturates.
uint64_t ra__zarr_map_cost(const ra_dataset_variable *variable, uint64_t width, uint64_t height);
