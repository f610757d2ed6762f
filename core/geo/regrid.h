// regrid.h - which native cells each pixel of a regular map is made of, found once for a grid: for uneven axes the cell
// that the pixel lies in; for curvilinear grids the four centres round it, and where between them it lies. Immutable
// once made; any thread.
#pragma once
#include "geo/lattice.h"
#include "geo/uneven.h"

typedef struct ra_regrid ra_regrid;

// A pixel of a map as a regrid keeps it.
typedef struct ra_regrid_place {
  uint32_t cell;  // of the four round it the one with the lowest row and column; UINT32_MAX: no cell lies there
  uint16_t u, v;  // along its row and column, to the next centre, in 65535ths
} ra_regrid_place;

// Where the places of large maps wait: appended by the thread that makes the regrid, read by any.
typedef struct ra_regrid_keep {
  void *ctx;
  int (*append)(void *ctx, const void *data, size_t size, uint64_t *offset, ra_err *err);
  int (*read)(void *ctx, uint64_t offset, void *dst, size_t size, ra_err *err);
} ra_regrid_keep;

int ra_regrid_axes(const ra_uneven *x, const ra_uneven *y, const ra_grid *map, ra_regrid **out,
                   ra_err *err);
// keep NULL: the whole map stays in memory. Else strips of `rows` rows are found one after the other and kept there; the
// lattice is gone through for each, but for those of its rows that do not reach the strip.
int ra_regrid_lattice(const ra_lattice *lattice, const ra_grid *map, int64_t rows,
                      const ra_regrid_keep *keep, ra_regrid **out, ra_err *err);
void ra_regrid_free(ra_regrid *regrid);  // NULL is fine
// Bytes of so many rows of a map's places.
size_t ra_regrid_memory(const ra_grid *map, int64_t rows);

// A pixel is the mean of `cells` by `weights`, which add up to 1; the first one is the cell that it lies in. Cells of
// weight 0 repeat the first.
typedef struct ra_regrid_pixel {
  uint32_t cells[4];
  float weights[4];
} ra_regrid_pixel;
// A row of places: those in memory, or `room` (as many as the map is wide) filled with them. NULL: they cannot be read.
const ra_regrid_place *ra_regrid_row(const ra_regrid *regrid, int64_t row, ra_regrid_place *room,
                                     ra_err *err);
// false: no cell lies there.
bool ra_regrid_pixel_of(const ra_regrid *regrid, const ra_regrid_place *place, ra_regrid_pixel *out);
