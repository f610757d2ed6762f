// tile.h - a map tile from chunks: plan, read, decode, warp, mask, stretch, colour, encode; synchronous, one pool job.
#pragma once
#include "base/arena.h"
#include "base/cancel.h"
#include "base/timing.h"
#include "format/dataset.h"
#include "raster/ramp.h"
#include "render/context.h"

typedef enum ra_resampling { RA_RESAMPLING_NEAREST, RA_RESAMPLING_BILINEAR } ra_resampling;
bool ra_resampling_parse(const char *name, ra_resampling *out);

typedef enum ra_tile_format { RA_TILE_PNG, RA_TILE_NPY } ra_tile_format;

// One source of pixels: a step of a variable. Sources are ordered; the first valid pixel wins.
typedef struct ra_tile_source {
  ra_dataset *dataset;  // the request holds a reference
  const ra_dataset_variable *variable;
  size_t step;  // 0 without time
} ra_tile_source;

enum { RA_TILE_SOURCES = 16, RA_TILE_BANDS = 16 };

typedef struct ra_tile_request {
  ra_tile_source sources[RA_TILE_SOURCES];
  unsigned source_count;          // 0: an empty tile
  unsigned bands[RA_TILE_BANDS];  // 0-based COG bands; png takes one, npy up to 16
  unsigned band_count;
  unsigned z;
  uint32_t x, y;
  uint32_t size;  // pixels a side, 64..1024
  ra_resampling resampling;
  bool unscale;     // decoded values (true) or stored numbers
  bool has_nodata;  // overrides the source's own
  double nodata;
  double rescale[2];  // png: values that become the ramp's ends; low < high
  ra_ramp *ramp;      // png; a reference is held
  ra_tile_format format;
  bool return_mask;  // png: alpha 0 where nothing is valid (default true)
} ra_tile_request;

// Gives up the references to datasets and ramp.
void ra_tile_request_deinit(ra_tile_request *request);
// What the request will fetch and hold, for admission; from tables only, no reading.
size_t ra_tile_cost(const ra_tile_request *request);
// npy: (bands + mask, size, size) of float32 or float64, mask 255 where valid; little-endian, C order.
int ra_tile_render(ra_render_context *context, const ra_tile_request *request, ra_cancel *cancel,
                   ra_timing *timing, ra_buf **out, ra_err *err);
