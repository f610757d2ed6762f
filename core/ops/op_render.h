// op_render.h - tiles, series and point values as operations: one pool job each, in the cpu lane. A binding makes the
// operation, fills its state, and hands it to the runner; the state owns the request and, afterwards, the result.
#pragma once
#include "ops/op.h"
#include "render/series.h"
#include "render/tile.h"

typedef struct ra_op_tile {
  ra_tile_request request;
  ra_buf *out;  // the body; the binding may take it
} ra_op_tile;

typedef struct ra_op_series {
  ra_series_request request;
  ra_buf *out;
} ra_op_series;

typedef struct ra_op_point {
  ra_point_request request;
  ra_buf *out;
} ra_op_point;

extern const ra_op_kind RA_OP_TILE, RA_OP_SERIES, RA_OP_POINT;
