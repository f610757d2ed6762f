// geometry.h - GeoJSON geometries as points, lines and polygons in longitude and latitude, and whether two of them touch.
// Plane geometry within ±180 and ±90: what crosses 180 degrees has to be split there. Immutable once made.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef struct ra_geometry ra_geometry;

enum { RA_GEOMETRY_VERTICES = 10000 };

// Any GeoJSON geometry. RA_E_INVALID says what is wrong; over RA_GEOMETRY_VERTICES vertices: RA_E_TOOBIG.
int ra_geometry_parse(const char *json, size_t size, ra_geometry **out, ra_err *err);
// West, south, east, north; west > east is two boxes, at 180 degrees.
int ra_geometry_from_box(const double box[4], ra_geometry **out, ra_err *err);
void ra_geometry_free(ra_geometry *geometry);  // NULL is fine
// Do they share a point? Edges belong to polygons.
bool ra_geometry_intersects(const ra_geometry *a, const ra_geometry *b);
