// outline.h - a ring of longitudes that may leave ±180, made into GeoJSON: simplified, cut at 180, closed round a pole.
#pragma once
#include <stddef.h>

#include "base/str.h"

enum { RA__EDGE_POINTS = 128, RA__RING_POINTS = 4 * RA__EDGE_POINTS };

typedef struct ra__point {
  double x, y;  // degrees
} ra__point;

typedef struct ra__ring {
  ra__point points[RA__RING_POINTS + 8];
  size_t count;  // without a repeated last point
  double turn;   // 360 or -360 when it goes round a pole, else 0
} ra__ring;

// Fewer points, the four corners (every RA__EDGE_POINTS-th) among them.
void ra__ring_simplify(const ra__ring *ring, ra__ring *out);
// Closes a ring with a turn over the pole at latitude 90 or -90, from -180 to 180.
void ra__ring_close_over_pole(ra__ring *ring, double pole);
// Polygon, or MultiPolygon where the ring leaves ±180; counter-clockwise, 1e-7 degrees.
void ra__ring_write(const ra__ring *ring, ra_str *out);
double ra__round_degrees(double value);
