// lattice.h - the cell centres of a curvilinear grid (2-D latitudes and longitudes), and the regular map that suits it.
// Plain values; the memory is the caller's. Any thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "raster/grid.h"

#define RA_PLACE_UNIT 1e-7     // degrees: 1 cm
#define RA_NO_PLACE INT32_MIN  // as a latitude: the cell has no place

typedef struct ra_lattice {
  int64_t width, height;  // at least 2
  int32_t *lon, *lat;     // in RA_PLACE_UNIT, row by row; -180 to 180
  bool cyclic;            // a row's last cell is the neighbour of its first one
} ra_lattice;

// Sets one cell; what is no place on Earth becomes RA_NO_PLACE.
void ra_lattice_put(ra_lattice *lattice, size_t cell, double lon, double lat);
// The unit vector of a cell; columns of a cyclic lattice go round. false: outside, or no place.
bool ra_lattice_vector(const ra_lattice *lattice, int64_t row, int64_t column, double out[3]);
// How far a cell is from the next in its row and in its column, at most, in degrees of arc; 0: it has no neighbour there.
void ra_lattice_reach(const ra_lattice *lattice, int64_t row, int64_t column, double *along,
                      double *across);
// The longitudes behind the longest arc without cells, to a tenth of a degree: west from -180, east less than a turn on.
void ra_lattice_arc(const ra_lattice *lattice, double *west, double *east);
// Finds out whether rows are closed, and chooses the map: EPSG:4326, north-up, as fine as the finest cells but for a
// twentieth of them, of at most 16 times as many pixels as there are cells. RA_E_INVALID: no cell has a place.
int ra_lattice_map(ra_lattice *lattice, ra_grid *map, ra_err *err);
