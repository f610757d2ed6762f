// tile_extent.c - which pixels of a tile lie on a source's grid: only there can a value be missing.
#include <math.h>

#include "raster/resample.h"
#include "render/tile_job.h"

static bool is_on(const ra_axis *axis, double position) {
  return !isnan(ra_axis_cell(axis, position));
}

void ra__tile_mark_extent(const ra_warp *warp, const ra_grid *grid, uint8_t *on_grid) {
  const ra_axis x_axis = ra_axis_plain(grid->width, grid->wraps);
  const ra_axis y_axis = ra_axis_plain(grid->height, false);
  for (size_t row = 0, i = 0; row < warp->height; row++) {
    bool row_is_on = !warp->separable || is_on(&y_axis, warp->y[row]);
    for (size_t column = 0; column < warp->width; column++, i++) {
      if (!row_is_on || on_grid[i]) continue;
      on_grid[i] = is_on(&x_axis, warp->x[warp->separable ? column : i]) &&
                   (warp->separable || is_on(&y_axis, warp->y[i]));
    }
  }
}
