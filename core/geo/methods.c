// methods.c - the projections that CF grid mappings and GeoTIFF keys can name, in one table: EPSG's words and codes,
// CF's attributes (CF 1.11 appendix F), GeoTIFF's keys (OGC 19-008r4 and what GDAL writes).
#include <math.h>
#include <stdlib.h>
#include <strings.h>

#include "geo/internal.h"

#define LAT_ORIGIN(cf, key) \
  { "Latitude of natural origin", 8801, cf, key, RA__DEGREE, 0 }
#define LON_ORIGIN(cf, key) \
  { "Longitude of natural origin", 8802, cf, key, RA__DEGREE, 0 }
#define SCALE(cf, key) \
  { "Scale factor at natural origin", 8805, cf, key, RA__UNITY, 1 }
#define FALSE_EASTING \
  { "False easting", 8806, "false_easting", 3082, RA__METRE, 0 }
#define FALSE_NORTHING \
  { "False northing", 8807, "false_northing", 3083, RA__METRE, 0 }
#define PARALLEL_1 \
  { "Latitude of 1st standard parallel", 8823, "standard_parallel", 3078, RA__DEGREE, 0 }
#define PARALLEL_2 \
  { "Latitude of 2nd standard parallel", 8824, "standard_parallel#2", 3079, RA__DEGREE, 0 }
#define FALSE_ORIGIN(lat_key, lon_key, east_key, north_key)                                         \
  {"Latitude of false origin", 8821, "latitude_of_projection_origin", lat_key, RA__DEGREE, 0},      \
      {"Longitude of false origin", 8822, "longitude_of_central_meridian", lon_key, RA__DEGREE, 0}, \
      PARALLEL_1, PARALLEL_2,                                                                       \
      {"Easting at false origin", 8826, "false_easting", east_key, RA__METRE, 0}, {                 \
    "Northing at false origin", 8827, "false_northing", north_key, RA__METRE, 0                     \
  }
#define CENTRE(azimuth_key, angle_key, scale_key, east, east_epsg, north, north_epsg)                \
  {"Latitude of projection centre", 8811, "latitude_of_projection_origin", 3089, RA__DEGREE, 0},     \
      {"Longitude of projection centre",                                                             \
       8812,                                                                                         \
       "longitude_of_projection_origin",                                                             \
       3088,                                                                                         \
       RA__DEGREE,                                                                                   \
       0},                                                                                           \
      {"Azimuth at projection centre", 8813, "azimuth_of_central_line", azimuth_key, RA__DEGREE, 0}, \
      {"Angle from Rectified to Skew Grid", 8814, "", angle_key, RA__DEGREE, 0},                     \
      {"Scale factor at projection centre",                                                          \
       8815,                                                                                         \
       "scale_factor_at_projection_origin",                                                          \
       scale_key,                                                                                    \
       RA__UNITY,                                                                                    \
       1},                                                                                           \
      {east, east_epsg, "false_easting", 3082, RA__METRE, 0}, {                                      \
    north, north_epsg, "false_northing", 3083, RA__METRE, 0                                          \
  }
#define PROJECTION_LAT "latitude_of_projection_origin"
#define PROJECTION_LON "longitude_of_projection_origin"
#define MERIDIAN "longitude_of_central_meridian"
#define POLE_LON "straight_vertical_longitude_from_pole"
#define ORIGIN_SCALE "scale_factor_at_projection_origin"
#define HEIGHT "perspective_point_height"

// Several rows of one grid_mapping_name: geo/crs_cf.c chooses. Of several rows of one `ct` the reader of keys chooses.
const ra__method RA__METHODS[] = {
    {"Transverse Mercator",
     9807,
     "transverse_mercator",
     1,
     {LAT_ORIGIN(PROJECTION_LAT, 3081), LON_ORIGIN(MERIDIAN, 3080),
      SCALE("scale_factor_at_central_meridian", 3092), FALSE_EASTING, FALSE_NORTHING}},
    {"Lambert Conic Conformal (1SP)",
     9801,
     "lambert_conformal_conic",
     9,
     {LAT_ORIGIN("standard_parallel", 3081), LON_ORIGIN(MERIDIAN, 3080), SCALE(ORIGIN_SCALE, 3092),
      FALSE_EASTING, FALSE_NORTHING}},
    {"Lambert Conic Conformal (2SP)",
     9802,
     "lambert_conformal_conic",
     8,
     {FALSE_ORIGIN(3085, 3084, 3086, 3087)}},
    {"Albers Equal Area", 9822, "albers_conical_equal_area", 11, {FALSE_ORIGIN(3081, 3080, 3082, 3083)}},
    {"Mercator (variant A)",
     9804,
     "mercator",
     7,
     {LAT_ORIGIN("", 3081), LON_ORIGIN(PROJECTION_LON, 3080), SCALE(ORIGIN_SCALE, 3092),
      FALSE_EASTING, FALSE_NORTHING}},
    {"Mercator (variant B)",
     9805,
     "mercator",
     7,
     {PARALLEL_1, LON_ORIGIN(PROJECTION_LON, 3080), FALSE_EASTING, FALSE_NORTHING}},
    {"Polar Stereographic (variant A)",
     9810,
     "polar_stereographic",
     15,
     {LAT_ORIGIN(PROJECTION_LAT, 3081), LON_ORIGIN(POLE_LON, 3095), SCALE(ORIGIN_SCALE, 3092),
      FALSE_EASTING, FALSE_NORTHING}},
    {"Polar Stereographic (variant B)",
     9829,
     "polar_stereographic",
     15,
     {{"Latitude of standard parallel", 8832, "standard_parallel", 3081, RA__DEGREE, 0},
      {"Longitude of origin", 8833, POLE_LON, 3095, RA__DEGREE, 0},
      FALSE_EASTING,
      FALSE_NORTHING}},
    {"Stereographic",
     0,
     "stereographic",
     14,
     {LAT_ORIGIN(PROJECTION_LAT, 3089), LON_ORIGIN(PROJECTION_LON, 3088), SCALE(ORIGIN_SCALE, 3092),
      FALSE_EASTING, FALSE_NORTHING}},
    {"Oblique Stereographic",
     9809,
     NULL,
     16,
     {LAT_ORIGIN("", 3081), LON_ORIGIN("", 3080), SCALE("", 3092), FALSE_EASTING, FALSE_NORTHING}},
    {"Lambert Azimuthal Equal Area",
     9820,
     "lambert_azimuthal_equal_area",
     10,
     {LAT_ORIGIN(PROJECTION_LAT, 3089), LON_ORIGIN(PROJECTION_LON, 3088), FALSE_EASTING,
      FALSE_NORTHING}},
    {"Lambert Azimuthal Equal Area (Spherical)",
     1027,
     NULL,
     10,
     {LAT_ORIGIN("", 3089), LON_ORIGIN("", 3088), FALSE_EASTING, FALSE_NORTHING}},
    {"Modified Azimuthal Equidistant",
     9832,
     "azimuthal_equidistant",
     12,  // PROJ's word before 9.2
     {LAT_ORIGIN(PROJECTION_LAT, 3089), LON_ORIGIN(PROJECTION_LON, 3088), FALSE_EASTING,
      FALSE_NORTHING}},
    {"Azimuthal Equidistant",
     1125,
     NULL,
     12,
     {LAT_ORIGIN("", 3089), LON_ORIGIN("", 3088), FALSE_EASTING, FALSE_NORTHING}},
    {"Orthographic",
     9840,
     "orthographic",
     21,
     {LAT_ORIGIN(PROJECTION_LAT, 3089), LON_ORIGIN(PROJECTION_LON, 3088), FALSE_EASTING,
      FALSE_NORTHING}},
    {"Sinusoidal", 0, "sinusoidal", 24, {LON_ORIGIN(PROJECTION_LON, 3088), FALSE_EASTING, FALSE_NORTHING}},
    {"Lambert Cylindrical Equal Area",
     9835,
     "lambert_cylindrical_equal_area",
     28,
     {PARALLEL_1, LON_ORIGIN(MERIDIAN, 3080), FALSE_EASTING, FALSE_NORTHING}},
    {"Lambert Cylindrical Equal Area (Spherical)",
     9834,
     NULL,
     28,
     {PARALLEL_1, LON_ORIGIN("", 3080), FALSE_EASTING, FALSE_NORTHING}},
    {"Hotine Oblique Mercator (variant B)",
     9815,
     "oblique_mercator",
     9815,
     {CENTRE(3094, 3096, 3093, "Easting at projection centre", 8816,
             "Northing at projection centre", 8817)}},
    {"Hotine Oblique Mercator (variant A)",
     9812,
     NULL,
     3,
     {CENTRE(3094, 3096, 3093, "False easting", 8806, "False northing", 8807)}},
    {"Equidistant Cylindrical",
     1028,
     NULL,
     17,
     {PARALLEL_1, LAT_ORIGIN("", 3089), LON_ORIGIN("", 3088), FALSE_EASTING, FALSE_NORTHING}},
    {"Equidistant Cylindrical (Spherical)",
     1029,
     NULL,
     17,
     {PARALLEL_1, LAT_ORIGIN("", 3089), LON_ORIGIN("", 3088), FALSE_EASTING, FALSE_NORTHING}},
    {"Geostationary Satellite (Sweep X)",
     0,
     "geostationary",
     0,
     {LON_ORIGIN(PROJECTION_LON, 0),
      {"Satellite Height", 0, HEIGHT, 0, RA__METRE, 0},
      FALSE_EASTING,
      FALSE_NORTHING}},
    {"Geostationary Satellite (Sweep Y)",
     0,
     "geostationary",
     0,
     {LON_ORIGIN(PROJECTION_LON, 0),
      {"Satellite Height", 0, HEIGHT, 0, RA__METRE, 0},
      FALSE_EASTING,
      FALSE_NORTHING}},
    {"Vertical Perspective",
     9838,
     "vertical_perspective",
     0,
     {{"Latitude of topocentric origin", 8834, PROJECTION_LAT, 0, RA__DEGREE, 0},
      {"Longitude of topocentric origin", 8835, PROJECTION_LON, 0, RA__DEGREE, 0},
      {"Ellipsoidal height of topocentric origin", 8836, "", 0, RA__METRE, 0},
      {"Viewpoint height", 8840, HEIGHT, 0, RA__METRE, 0},
      FALSE_EASTING,
      FALSE_NORTHING}},
    {"Pole rotation (netCDF CF convention)",
     0,
     "rotated_latitude_longitude",
     0,
     {{"Grid north pole latitude (netCDF CF convention)", 0, "grid_north_pole_latitude", 0,
       RA__DEGREE, 0},
      {"Grid north pole longitude (netCDF CF convention)", 0, "grid_north_pole_longitude", 0,
       RA__DEGREE, 0},
      {"North pole grid longitude (netCDF CF convention)", 0, "north_pole_grid_longitude", 0,
       RA__DEGREE, 0}}},
};
const size_t RA__METHOD_COUNT = sizeof RA__METHODS / sizeof *RA__METHODS;

const ra__method *ra__method_by_name(const char *name, int epsg) {
  for (size_t i = 0; i < RA__METHOD_COUNT; i++) {
    const ra__method *method = &RA__METHODS[i];
    if (epsg && method->epsg == epsg) return method;
    if (name && !strcasecmp(method->name, name)) return method;
  }
  return NULL;
}

size_t ra__method_param_count(const ra__method *method) {
  size_t n = 0;
  while (n < RA__METHOD_PARAMS && method->params[n].name) n++;
  return n;
}

// A value in degrees, metres or one from PROJ's value and the factor to its SI unit.
static double to_own_unit(ra__unit unit, double value, double factor, const char *unit_name) {
  if (unit != RA__DEGREE) return value * factor;
  if (unit_name && !strcasecmp(unit_name, "degree")) return value;
  return value * factor * (180 / M_PI);
}

int ra__method_values(PJ_CONTEXT *ctx, const PJ *conversion, const ra__method *method,
                      double values[RA__METHOD_PARAMS]) {
  size_t n = ra__method_param_count(method);
  for (size_t i = 0; i < n; i++) values[i] = method->params[i].standard;
  int count = proj_coordoperation_get_param_count(ctx, conversion);
  for (int j = 0; j < count; j++) {
    const char *name, *code, *unit;
    double value, factor;
    if (!proj_coordoperation_get_param(ctx, conversion, j, &name, NULL, &code, &value, NULL,
                                       &factor, &unit, NULL, NULL, NULL)) {
      return RA_E_INVALID;
    }
    int epsg = code ? (int)strtol(code, NULL, 10) : 0;
    for (size_t i = 0; i < n; i++) {
      const ra__param *param = &method->params[i];
      if ((epsg && epsg == param->epsg) || !strcasecmp(name, param->name)) {
        values[i] = to_own_unit(param->unit, value, factor, unit);
      }
    }
  }
  return RA_OK;
}
