// regrid.h - which native cells each pixel of a regular map is made of, found once for a grid: for uneven axes the cell
// that the pixel lies in; for curvilinear grids the four centres round it, and where between them it lies. Immutable
// once made; any thread.
#pragma once
#include "geo/lattice.h"
#include "geo/uneven.h"

typedef struct ra_regrid ra_regrid;

int ra_regrid_axes(const ra_uneven *x, const ra_uneven *y, const ra_grid *map, ra_regrid **out,
                   ra_err *err);
int ra_regrid_lattice(const ra_lattice *lattice, const ra_grid *map, ra_regrid **out, ra_err *err);
void ra_regrid_free(ra_regrid *regrid);  // NULL is fine
// Bytes that a regrid of this map takes at most.
size_t ra_regrid_memory(const ra_grid *map);

// A pixel is the mean of `cells` by `weights`, which add up to 1; the first one is the cell that it lies in. Cells of
// weight 0 repeat the first.
typedef struct ra_regrid_pixel {
  uint32_t cells[4];
  float weights[4];
} ra_regrid_pixel;
// false: no cell lies there.
bool ra_regrid_get(const ra_regrid *regrid, int64_t row, int64_t column, ra_regrid_pixel *out);
