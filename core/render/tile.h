// tile.h - a map tile from chunks: plan, read, decode, warp, mask, stretch, colour, encode; synchronous, one pool job.
#pragma once
#include "base/arena.h"
#include "base/cancel.h"
#include "base/timing.h"
#include "format/dataset.h"
#include "raster/expr.h"
#include "raster/formula.h"
#include "raster/ramp.h"
#include "render/context.h"

typedef enum ra_resampling {
  RA_RESAMPLING_NEAREST,
  RA_RESAMPLING_BILINEAR,
  RA_RESAMPLING_CUBIC,  // from here on: raster/filter.h
  RA_RESAMPLING_CUBIC_SPLINE,
  RA_RESAMPLING_LANCZOS,
  RA_RESAMPLING_GAUSS,
  RA_RESAMPLING_AVERAGE,
  RA_RESAMPLING_MODE,
  RA_RESAMPLING_RMS
} ra_resampling;
bool ra_resampling_parse(const char *name, ra_resampling *out);

// Pictures (png, jpg, webp) and values (npy, tif).
typedef enum ra_tile_format {
  RA_TILE_PNG,
  RA_TILE_JPG,
  RA_TILE_WEBP,
  RA_TILE_NPY,
  RA_TILE_TIF
} ra_tile_format;
bool ra_tile_format_parse(const char *name, ra_tile_format *out);
bool ra_tile_is_picture(ra_tile_format format);

// One source of pixels: a step of a variable. Sources are ordered; the first valid pixel wins.
typedef struct ra_tile_source {
  ra_dataset *dataset;  // the request holds a reference
  const ra_dataset_variable *variable;
  size_t step;  // 0 without time
} ra_tile_source;

enum { RA_TILE_SOURCES = 16, RA_TILE_BANDS = 16, RA_TILE_CHANNELS = 3 };

// What a name of an expression stands for: one band of some of the request's sources.
typedef struct ra_tile_operand {
  unsigned first, count;  // of the sources
  unsigned band;
} ra_tile_operand;

typedef struct ra_tile_request {
  ra_tile_source sources[RA_TILE_SOURCES];
  unsigned source_count;  // 0: an empty tile
  unsigned bands[RA_TILE_BANDS];  // 0-based COG bands; a picture takes one with a ramp or three without, values all
  unsigned band_count;  // with an expression: of its results, and `bands` is not looked at
  ra_expr *expr;        // NULL: the bands are drawn as they are; a reference is held
  ra_tile_operand operands[RA_EXPR_NAMES];
  const ra_crs *crs;  // of another tile matrix set than WebMercatorQuad (ra_tile_crs); NULL: z, x and y say the tile
  double left, top, pixel;  // with crs: where the tile lies, in its units
  unsigned z;
  uint32_t x, y;
  uint32_t size;  // pixels a side, 64..1024, without the buffer
  uint32_t buffer;  // half pixels that are added at each side: the picture has size + buffer pixels a side
  ra_resampling resampling;
  bool unscale;     // decoded values (true) or stored numbers
  bool has_nodata;  // overrides the source's own
  double nodata;
  double rescale[2 * RA_TILE_CHANNELS];  // pictures: a low and a high of each channel, the ramp's ends; low < high
  ra_formula formula;                    // pictures: between the stretch and the ramp
  ra_ramp *ramp;                         // pictures of one band; a reference is held
  ra_tile_format format;
  bool deep;  // png: 16-bit grey over the range, without a ramp
  bool return_mask;  // png, webp: alpha 0 where nothing is valid; npy: a mask behind the bands (default true)
} ra_tile_request;

// The CRS of a definition (geo/crs.h) of a tile matrix set: made once, and kept as long as the process. Any thread.
int ra_tile_crs(const char *definition, const ra_crs **out, ra_err *err);

// Gives up the references to datasets and ramp.
void ra_tile_request_deinit(ra_tile_request *request);
// What the request will fetch and hold, for admission; from tables only, no reading.
size_t ra_tile_cost(const ra_tile_request *request);
// npy: (bands + mask, size, size) of float32 or float64, mask 255 where valid; little-endian, C order. tif: the same
// values as a GeoTIFF without a mask, NaN where nothing is.
int ra_tile_render(ra_render_context *context, const ra_tile_request *request, ra_cancel *cancel,
                   ra_timing *timing, ra_buf **out, ra_err *err);
