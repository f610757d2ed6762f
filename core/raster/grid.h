// grid.h - an even grid of cells and where it lies in its CRS. gt is GDAL's affine order:
// x = gt[0] + col*gt[1] + row*gt[2], y = gt[3] + col*gt[4] + row*gt[5]; (0,0) is the outer corner of the first cell.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct ra_grid {
  int64_t width, height;  // cells
  double gt[6];
  bool wraps;  // longitudes: the last column's right edge is the first one's left edge, 360 degrees on
} ra_grid;
