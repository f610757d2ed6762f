// uneven.h - the centres of an axis that no affine fits, and the even cells that its map is drawn with. Plain functions;
// any thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ra_uneven {
  const double *centres;  // rising or falling; a single one has all places
  size_t count;
  double period;  // of longitudes: 360; else 0
  bool closed;    // they go round the Earth: the last cell is the first one's neighbour
} ra_uneven;

// Rising or falling throughout.
bool ra_uneven_is_monotonic(const double *centres, size_t count);
// Where a coordinate lies, in cells: i + 0.5 at the centre of cell i, i halfway between two centres, and as far beyond
// the outermost centres as half their distance to the next. NaN: outside.
double ra_uneven_position(const ra_uneven *axis, double at);
// The outer edges, first of the first cell.
void ra_uneven_edges(const ra_uneven *axis, double edges[2]);
// Even cells between two edges: at most half as large as the least distance of two centres, so that each shows a cell
// that it lies in; fewer where that would be more than `most`.
int64_t ra_uneven_even_count(const ra_uneven *axis, double extent, int64_t most);
