// warp_internal.h - what warp.c and mesh.c share: a source grid ready for asking, and the reach of what was asked.
#pragma once
#include "geo/warp.h"

typedef struct ra__source {
  const ra_grid *grid;
  double inverse[6];  // cell x = inverse[0] + X*inverse[1] + Y*inverse[2], cell y = inverse[3] + …
  bool upright;       // gt[2] and gt[4] are zero
  double period;      // cells in 360 degrees of longitude; 0: x is no longitude
  double low;         // x is brought into [low, low + period)
} ra__source;

int ra__source_init(ra__source *source, const ra_crs *crs, const ra_grid *grid, ra_err *err);
// The one place where longitudes wrap.
double ra__source_wrap(const ra__source *source, double x);
// CRS coordinates to unwrapped cell coordinates, in place.
void ra__source_cells(const ra__source *source, size_t n, double *x, double *y);

// The cells touched so far.
typedef struct ra__reach {
  int64_t x0, y0, x1, y1;  // x0 ≥ x1: none
  bool wraps;
  int64_t width;
  uint8_t ring[1024];  // which parts of a wrapping source's columns are touched
} ra__reach;

void ra__reach_init(ra__reach *reach, const ra_grid *grid);
void ra__reach_add(ra__reach *reach, double x_min, double x_max, double y_min, double y_max);
void ra__reach_end(ra__reach *reach, ra_warp *warp);

typedef struct ra__mesh {
  ra_transform *transform;  // destination CRS to source CRS
  const ra__source *source;
  const double *gt;  // of the destination
  uint32_t width, height;
  double tolerance;  // destination pixels
  double *x, *y;     // positions, row by row
  ra__reach reach;
  double *x_steps, *y_steps;  // one a block that has an image
  size_t step_count;
} ra__mesh;

// Edge of the blocks in which positions are interpolated: fixed, so that positions do not depend on the tile's size.
enum { RA__MESH_BLOCK = 128 };

void ra__mesh_fill(ra__mesh *mesh);
