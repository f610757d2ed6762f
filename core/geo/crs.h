// crs.h - coordinate reference systems, by PROJ. A CRS is immutable and shared between threads (it holds texts and
// facts); a transform belongs to one thread. Coordinates are always x, y = easting/longitude, northing/latitude
// whatever the authority's axis order; angles are degrees.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "raster/grid.h"

typedef struct ra_crs ra_crs;
typedef struct ra_transform ra_transform;

// definition: "EPSG:4326", WKT 1 or 2, PROJJSON, a PROJ string, "OGC:CRS84". RA_E_INVALID when PROJ does not know it.
int ra_crs_new(const char *definition, ra_crs **out, ra_err *err);
ra_crs *ra_crs_ref(ra_crs *crs);
void ra_crs_unref(ra_crs *crs);
// Whether the definition's own first axis is a northing or a latitude: how the authority writes a coordinate pair.
int ra_crs_northing_first(const char *definition, bool *out, ra_err *err);
int ra_crs_epsg(const ra_crs *crs);            // 0: none that says exactly this
bool ra_crs_is_geographic(const ra_crs *crs);  // degrees of plain longitude and latitude (not rotated)
bool ra_crs_is_rotated_pole(const ra_crs *crs);
const char *ra_crs_name(const ra_crs *crs);
const char *ra_crs_wkt2(const ra_crs *crs);      // WKT2:2019, one line
const char *ra_crs_projjson(const ra_crs *crs);  // one line
const char *ra_crs_key(const ra_crs *crs);  // short text, equal for equal definitions: for caches
bool ra_crs_equal(const ra_crs *a, const ra_crs *b);

// Appends "PROJ 9.1.1".
void ra_geo_versions(ra_str *out);

int ra_transform_new(const ra_crs *src, const ra_crs *dst, ra_transform **out, ra_err *err);
void ra_transform_free(ra_transform *transform);
// In place; where a point has no image both become NaN. Returns how many failed.
size_t ra_transform_points(ra_transform *transform, size_t n, double *x, double *y);
// This thread's own transform for the pair, made once and kept (a small LRU); never freed by the caller.
int ra_transform_get(const ra_crs *src, const ra_crs *dst, ra_transform **out, ra_err *err);

// CF grid mapping (CF 1.11 appendix F) to a CRS. `get` returns an attribute as text (numbers printed with 17
// digits, arrays separated by blanks) or NULL. x_units/y_units: of the projection coordinates ("m", "km", "radian",
// …); *unit_scale receives what coordinates are multiplied by to be in the CRS's own unit (1000 for km; the
// perspective height for geostationary radians). crs_wkt/spatial_ref is used where it is there and readable.
typedef struct ra_cf_mapping {
  const char *(*get)(void *ctx, const char *attribute);
  void *ctx;
  const char *name;  // of the grid mapping variable, for errors
  const char *x_units, *y_units;
} ra_cf_mapping;
int ra_crs_from_cf(const ra_cf_mapping *mapping, ra_crs **out, double *unit_scale, ra_err *err);

// GeoTIFF keys (OGC 19-008r4). directory: the GeoKeyDirectoryTag with its header; doubles, ascii: the other two tags.
typedef struct ra_geokeys {
  uint16_t directory[4 * 40];
  size_t directory_count;  // uint16 values used
  double doubles[32];
  size_t double_count;
  char ascii[1024];
  size_t ascii_count;  // bytes used, with '|' terminators and the final zero
} ra_geokeys;
// RA_E_UNSUPPORTED when keys can't say this CRS (rotated pole, …): the COG then has none and the item tells it.
int ra_crs_geokeys(const ra_crs *crs, ra_geokeys *out, ra_err *err);
// How many degrees the unit of angles with that code of the EPSG's has ("9104": arc seconds); false: none that we know.
bool ra_geokeys_angle(unsigned code, double *degrees);
int ra_crs_from_geokeys(const ra_geokeys *keys, ra_crs **out, ra_err *err);

// bbox: west, south, east, north in degrees within ±180 and ±90, from cell edges; west > east across 180. A grid
// that covers all longitudes gives -180, 180; one that holds a pole reaches ±90. `geometry` receives GeoJSON: a
// Polygon following projected edges (densified), a MultiPolygon split at 180.
int ra_grid_footprint(const ra_grid *grid, const ra_crs *crs, double bbox[4], ra_str *geometry,
                      ra_err *err);
