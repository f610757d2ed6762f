// series.h - values along time at points, from time-shaped Zarr; and values at one place in the map layout. Pool jobs.
#pragma once
#include "base/cancel.h"
#include "base/timing.h"
#include "format/dataset.h"
#include "render/context.h"
#include "render/tile.h"

typedef enum ra_series_format { RA_SERIES_JSON, RA_SERIES_CSV, RA_SERIES_COVJSON } ra_series_format;

typedef struct ra_series_point {
  double lon, lat;
} ra_series_point;

// One dataset's share of a series of one variable: the steps that lie in the asked time range, in the source's order;
// extra[i] is the chosen index of the variable's i-th extra dimension.
typedef struct ra_series_part {
  ra_dataset *dataset;  // a reference is held; NULL: this segment lacks the variable
  const ra_dataset_variable *variable;
  size_t *steps;      // indexes, malloc'd; NULL: all `step_count` from 0
  size_t step_count;  // 1 when there is no time
  size_t extra[RA_DATASET_DIMS];
} ra_series_part;

// Where the value of a step is missing, other datasets that have the same time are asked, in this order.
typedef struct ra_series_fallback {
  ra_dataset *dataset;  // a reference is held
  const ra_dataset_variable *variable;
  unsigned line;  // the number of the request's variable
  int64_t run;    // only steps of this reference time; RA_TIME_NONE: all
  size_t extra[RA_DATASET_DIMS];
} ra_series_fallback;

typedef struct ra_series_request {
  char *collection;  // malloc'd
  unsigned variable_count;
  unsigned segment_count;
  ra_series_part *parts;          // malloc'd; parts[v * segment_count + s]
  ra_series_fallback *fallbacks;  // malloc'd
  unsigned fallback_count;
  ra_series_point *points;  // malloc'd
  unsigned point_count;
  bool bilinear;
  ra_series_format format;
  uint64_t max_bytes;  // over this many raw bytes: RA_E_TOOBIG with the cost and a cheaper request
} ra_series_request;

void ra_series_request_deinit(ra_series_request *request);
// Raw bytes of the chunks that will be read; from tables only (an upper estimate is fine before headers are read).
int ra_series_cost(const ra_series_request *request, uint64_t *chunks, uint64_t *bytes, ra_err *err);
// The whole JSON or CSV body of contracts.md §11, or CoverageJSON 1.0 (a Coverage, or a CoverageCollection for several
// variables or points).
int ra_series_render(ra_render_context *context, const ra_series_request *request,
                     ra_cancel *cancel, ra_timing *timing, ra_buf **out, ra_err *err);

// Values of one place in COGs: body {"coordinates":[lon,lat],"values":[…|null],"band_names":[…]}.
typedef struct ra_point_request {
  ra_tile_source sources[RA_TILE_SOURCES];  // one an asset
  unsigned source_count;
  unsigned bands[256];  // chosen bands, 0-based; band_count 0: all
  unsigned band_count;
  double lon, lat;
  bool unscale;
} ra_point_request;
void ra_point_request_deinit(ra_point_request *request);
int ra_point_render(ra_render_context *context, const ra_point_request *request, ra_cancel *cancel,
                    ra_timing *timing, ra_buf **out, ra_err *err);
