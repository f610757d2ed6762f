// tile_level.h - which overview answers a resolution.
#pragma once
#include <stddef.h>

#include "geo/crs.h"
#include "raster/grid.h"

// The CRS of the tiles, made once a process; NULL when PROJ can't (its error is in err).
const ra_crs *ra__mercator(ra_err *err);
// The coarsest level whose cells are not larger than a pixel of `pixel` units of the tiles' CRS. ratios: how many cells of
// the grid a level's cell is wide, the grid itself first. It depends on the grid and the resolution only, not on the tile:
// neighbours use the same level.
size_t ra__tile_level(const double *ratios, size_t count, const ra_grid *grid, const ra_crs *crs,
                      const ra_crs *tiles, double pixel);
