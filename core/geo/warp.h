// warp.h - where the pixels of a destination raster fall in a source grid. One place for tile matrices, longitude
// wrapping and reprojection; sampling (render/, raster/resample) works on what this gives.
#pragma once
#include "base/arena.h"
#include "geo/crs.h"

// Web Mercator tile z/x/y (WebMercatorQuad of OGC 17-083r4): its affine in EPSG:3857 for `size` pixels a side.
int ra_mercator_tile(unsigned z, uint32_t x, uint32_t y, uint32_t size, double gt[6], ra_err *err);

// Source positions of destination pixel centres, in cells of the full grid, continuous: 0 is the left (top) edge of
// the first cell, i + 0.5 the centre of cell i. NaN: no such place. For a wrapping source x lies in [0, width).
typedef struct ra_warp {
  uint32_t width, height;  // of the destination
  bool separable;          // x[width], y[height]; else x[width*height], y[width*height], row by row
  double *x, *y;           // in the arena
  double x_step, y_step;   // typical source cells a destination pixel (for choosing the overview)
  // The window of source cells touched by finite positions, [x0, x1) × [y0, y1); empty when nothing falls inside.
  // For a wrapping source whose positions cross the seam, x1 may exceed width (columns modulo width).
  int64_t x0, y0, x1, y1;
} ra_warp;

// dst: affine (gt[2] and gt[4] zero). Separable where both axes are independent (lat/lon or Mercator to Web Mercator,
// or equal CRS); else PROJ at nodes refined until linear interpolation errs by less than `tolerance` source cells
// scaled to destination pixels (0.125 px). Positions are exact for equal inputs whatever the tile: neighbouring tiles
// agree on their common edge.
int ra_warp_new(const ra_crs *dst_crs, const double dst_gt[6], uint32_t width, uint32_t height,
                const ra_crs *src_crs, const ra_grid *src, double tolerance, ra_arena *arena,
                ra_warp *out, ra_err *err);

// One place in degrees (any longitude) to source cell coordinates; *inside false when it lies outside the grid.
int ra_warp_point(double lon, double lat, const ra_crs *crs, const ra_grid *grid, double *x,
                  double *y, bool *inside, ra_err *err);
// Great-circle distance in metres on a sphere of 6371008.8 m (IUGG mean radius).
double ra_geo_distance(double lon1, double lat1, double lon2, double lat2);
