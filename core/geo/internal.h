// internal.h - what the files of geo/ share: this thread's PROJ context, the inside of a CRS, and the table of
// projection methods from which CF grid mappings and GeoTIFF keys are read and written.
#pragma once
#include <proj.h>
#include <stdatomic.h>

#include "geo/crs.h"

struct ra_crs {
  atomic_int refs;
  int epsg;
  bool geographic;  // plain longitude and latitude in degrees
  bool rotated;     // longitude and latitude of a rotated pole
  char *name, *wkt2, *projjson;
  char key[40];
};

// The thread's own context: no network, and no file but those of PROJ's data folders. NULL: out of memory.
PJ_CONTEXT *ra__proj_context(void);
// What PROJ said last in this thread; never NULL.
const char *ra__proj_error(PJ_CONTEXT *ctx);
// The horizontal 2-D CRS of a definition as a PROJ object (the caller's, proj_destroy).
int ra__proj_crs(PJ_CONTEXT *ctx, const char *definition, PJ **out, ra_err *err);
// A CRS without its Helmert transformation to WGS 84 (BoundCRS); a new object.
PJ *ra__proj_unbound(PJ_CONTEXT *ctx, const PJ *crs);
// The EPSG code that says exactly this CRS (axis order aside), or 0.
int ra__proj_epsg(PJ_CONTEXT *ctx, const PJ *crs);

enum { RA__METHOD_PARAMS = 8 };

typedef enum ra__unit { RA__DEGREE, RA__METRE, RA__UNITY } ra__unit;

typedef struct ra__param {
  const char *name;  // EPSG's word for it
  int epsg;          // its EPSG code
  const char *cf;    // CF attribute; "standard_parallel#2" is the second number
  uint16_t key;      // GeoTIFF key; 0: not written
  ra__unit unit;
  double standard;  // when absent
} ra__param;

typedef struct ra__method {
  const char *name;                     // EPSG's or PROJ's
  int epsg;                             // EPSG code; 0: none
  const char *cf;                       // grid_mapping_name; NULL: not one of CF's
  uint16_t ct;                          // GeoTIFF coordinate transformation; 0: GeoTIFF has none
  ra__param params[RA__METHOD_PARAMS];  // ends with name NULL
} ra__method;

extern const ra__method RA__METHODS[];
extern const size_t RA__METHOD_COUNT;
const ra__method *ra__method_by_name(const char *name, int epsg);  // NULL: unknown
size_t ra__method_param_count(const ra__method *method);
// Values of a PROJ conversion in the order of the method's parameters: degrees, metres.
int ra__method_values(PJ_CONTEXT *ctx, const PJ *conversion, const ra__method *method,
                      double values[RA__METHOD_PARAMS]);

// The figure of the Earth that a CRS stands on.
typedef struct ra__datum {
  int epsg;               // of the geographic CRS; then nothing else counts
  const char *name;       // of the datum; NULL: unknown. One that PROJ knows brings its ellipsoid
  const char *ellipsoid;  // name; NULL: unknown
  double a, inverse;      // metres; inverse flattening, 0 for a sphere. a 0: not given
  const char *meridian;   // name of the prime meridian; NULL
  double meridian_degrees;
  bool has_towgs84;
  double towgs84[7];
} ra__datum;

// A geographic CRS (method NULL), a projected one with axes in `unit` metres, or that of a rotated pole. Values are in
// degrees and metres.
int ra__crs_build(const char *name, const ra__datum *datum, const ra__method *method,
                  const double *values, double unit, const char *where, ra_crs **out, ra_err *err);
