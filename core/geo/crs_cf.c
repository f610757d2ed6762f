// crs_cf.c - the grid mapping of a NetCDF file (CF 1.11 §5.6 and appendix F) to a CRS. A WKT in the file wins where it
// can be read; else the attributes of appendix F, by the table in methods.c; else a PROJ string. Where the file says
// nothing about the figure of the Earth it is WGS 84.
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "geo/internal.h"

static const char *text_of(const ra_cf_mapping *mapping, const char *attribute) {
  const char *text = mapping->get(mapping->ctx, attribute);
  return text && *text ? text : NULL;
}

// Texts of a mapping that are kept while others are asked for: what `get` gives lives until its next call.
typedef struct names {
  char mapping[64], crs[128], datum[128], ellipsoid[64], meridian[64];
} names;

static bool says_nothing(const char *name) {
  return !name || !*name || !strcasecmp(name, "unknown") || !strcasecmp(name, "undefined") ||
         !strcasecmp(name, "none");
}

// The index-th of an attribute's numbers, which blanks or commas separate.
static bool number_of(const ra_cf_mapping *mapping, const char *attribute, int index, double *out) {
  const char *text = text_of(mapping, attribute);
  for (int i = 0; text; i++) {
    char *end;
    double value = strtod(text, &end);
    if (end == text) return false;
    if (i == index) {
      *out = value;
      return isfinite(value);
    }
    while (isspace((unsigned char)*end) || *end == ',') end++;
    text = end;
  }
  return false;
}

static bool number(const ra_cf_mapping *mapping, const char *attribute, double *out) {
  return number_of(mapping, attribute, 0, out);
}

static bool from_text(const ra_cf_mapping *mapping, const char *const *attributes, ra_crs **out) {
  for (size_t i = 0; attributes[i]; i++) {
    const char *text = text_of(mapping, attributes[i]);
    if (text && !says_nothing(text) && ra_crs_new(text, out, NULL) == RA_OK) return true;
  }
  return false;
}

// Nothing said, or the numbers of WGS 84 (those of GRS 80 differ by 1.5e-6).
static bool is_wgs84_figure(const ra__datum *datum) {
  if (datum->a == 0) return !datum->ellipsoid || !strcasecmp(datum->ellipsoid, "WGS 84");
  return datum->a == 6378137 && fabs(datum->inverse - 298.257223563) < 5e-7;
}

static const char *keep(const ra_cf_mapping *mapping, const char *attribute, char *out, size_t size) {
  const char *text = text_of(mapping, attribute);
  if (says_nothing(text)) return NULL;
  snprintf(out, size, "%s", text);
  return out;
}

static bool is_wgs84_name(const char *name) {
  char letters[32];
  size_t n = 0;
  for (; *name && n < sizeof letters - 1; name++) {
    if (isalnum((unsigned char)*name)) letters[n++] = (char)tolower((unsigned char)*name);
  }
  letters[n] = 0;
  return !strcmp(letters, "wgs84") || !strcmp(letters, "wgs1984") || !strcmp(letters, "dwgs1984") ||
         !strcmp(letters, "worldgeodeticsystem1984");
}

static void read_figure(const ra_cf_mapping *mapping, ra__datum *datum) {
  double b = 0;
  if (!number(mapping, "semi_major_axis", &datum->a) && !number(mapping, "earth_radius", &datum->a)) {
    number(mapping, "spherical_earth_radius_meters", &datum->a);
  }
  if (!(datum->a > 0)) {
    datum->a = 0;
    return;
  }
  bool flat = number(mapping, "inverse_flattening", &datum->inverse);
  if (number(mapping, "semi_minor_axis", &b) && b > 0 && !(flat && datum->inverse > 0)) {
    datum->inverse = b < datum->a ? datum->a / (datum->a - b) : 0;
  }
  if (!(datum->inverse > 1)) datum->inverse = 0;
}

static void read_datum(const ra_cf_mapping *mapping, names *kept, ra__datum *datum) {
  *datum = (ra__datum){0};
  read_figure(mapping, datum);
  datum->ellipsoid =
      keep(mapping, "reference_ellipsoid_name", kept->ellipsoid, sizeof kept->ellipsoid);
  datum->name = keep(mapping, "horizontal_datum_name", kept->datum, sizeof kept->datum);
  datum->meridian = keep(mapping, "prime_meridian_name", kept->meridian, sizeof kept->meridian);
  number(mapping, "longitude_of_prime_meridian", &datum->meridian_degrees);
  int shifts = 0;
  while (shifts < 7 && number_of(mapping, "towgs84", shifts, &datum->towgs84[shifts])) shifts++;
  datum->has_towgs84 = shifts == 3 || shifts == 7;
  bool plain = datum->meridian_degrees == 0 && !datum->has_towgs84 && is_wgs84_figure(datum);
  if (plain && (!datum->name || is_wgs84_name(datum->name))) datum->epsg = 4326;
}

static bool sweeps_x(const ra_cf_mapping *mapping) {
  const char *axis = text_of(mapping, "sweep_angle_axis");
  if (axis) return !strcasecmp(axis, "x");
  axis = text_of(mapping, "fixed_angle_axis");
  return axis && !strcasecmp(axis, "y");
}

// The row of the table for a mapping whose name has several.
static const ra__method *choose_method(const ra_cf_mapping *mapping, const char *name) {
  double value, origin;
  const char *wanted = NULL;
  if (!strcmp(name, "lambert_conformal_conic")) {
    bool second = number_of(mapping, "standard_parallel", 1, &value);
    bool shifted = number(mapping, "standard_parallel", &value) &&
                   number(mapping, "latitude_of_projection_origin", &origin) && origin != value;
    wanted = second || shifted ? "Lambert Conic Conformal (2SP)" : "Lambert Conic Conformal (1SP)";
  } else if (!strcmp(name, "mercator")) {
    wanted = number(mapping, "scale_factor_at_projection_origin", &value) ? "Mercator (variant A)"
                                                                          : "Mercator (variant B)";
  } else if (!strcmp(name, "polar_stereographic")) {
    wanted = number(mapping, "standard_parallel", &value) ? "Polar Stereographic (variant B)"
                                                          : "Polar Stereographic (variant A)";
  } else if (!strcmp(name, "geostationary")) {
    wanted = sweeps_x(mapping) ? "Geostationary Satellite (Sweep X)"
                               : "Geostationary Satellite (Sweep Y)";
  }
  if (wanted) return ra__method_by_name(wanted, 0);
  for (size_t i = 0; i < RA__METHOD_COUNT; i++) {
    if (RA__METHODS[i].cf && !strcmp(RA__METHODS[i].cf, name)) return &RA__METHODS[i];
  }
  return NULL;
}

// Without these there is no projection at all; anything else has a standard value.
static bool needed(const ra__method *method, const ra__param *param) {
  if (strstr(param->cf, "#")) return false;
  return !strcmp(param->cf, "perspective_point_height") ||
         !strncmp(param->cf, "grid_north_pole", 15) ||
         !strcmp(param->cf, "azimuth_of_central_line") ||
         (!strncmp(param->cf, "standard_parallel", 17) && strstr(method->cf, "conic")) ||
         !strcmp(param->cf, "straight_vertical_longitude_from_pole");
}

static double metre_scale(const char *units) {
  static const struct {
    const char *name;
    double metres;
  } UNITS[] = {
      {"m", 1},
      {"metre", 1},
      {"meter", 1},
      {"metres", 1},
      {"meters", 1},
      {"km", 1000},
      {"kilometre", 1000},
      {"kilometer", 1000},
      {"kilometres", 1000},
      {"kilometers", 1000},
      {"cm", 0.01},
      {"mm", 0.001},
      {"foot", 0.3048},
      {"feet", 0.3048},
      {"ft", 0.3048},
      {"us_survey_foot", 1200.0 / 3937},
      {"us-ft", 1200.0 / 3937},
  };
  char *end;
  double factor = strtod(units, &end);  // "1000 m"
  if (end == units || !(factor > 0)) factor = 1;
  while (*end == ' ') end++;
  for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
    if (!strcasecmp(end, UNITS[i].name)) return factor * UNITS[i].metres;
  }
  return 0;
}

// False easting and northing are in the unit of the projection coordinates (CF 1.11 appendix F).
static double false_origin_unit(const ra_cf_mapping *mapping) {
  double metres = mapping->x_units ? metre_scale(mapping->x_units) : 0;
  return metres > 0 ? metres : 1;
}

static int read_values(const ra_cf_mapping *mapping, const ra__method *method,
                       double values[RA__METHOD_PARAMS], ra_err *err) {
  size_t n = ra__method_param_count(method);
  for (size_t i = 0; i < n; i++) {
    const ra__param *param = &method->params[i];
    values[i] = param->standard;
    if (!*param->cf) continue;
    const char *second = strchr(param->cf, '#');
    bool there = second ? number_of(mapping, "standard_parallel", 1, &values[i]) ||
                              number(mapping, "standard_parallel", &values[i])
                        : number(mapping, param->cf, &values[i]);
    if (!there && needed(method, param)) {
      return ra_fail(err, RA_E_INVALID, mapping->name, "the grid mapping %s needs a number in %s",
                     method->cf, param->cf);
    }
    if (there && !strncmp(param->cf, "false_", 6)) values[i] *= false_origin_unit(mapping);
  }
  return RA_OK;
}

static int from_attributes(const ra_cf_mapping *mapping, ra_crs **out, ra_err *err) {
  names kept;
  const char *name = keep(mapping, "grid_mapping_name", kept.mapping, sizeof kept.mapping);
  if (!name) {
    return ra_fail(err, RA_E_INVALID, mapping->name,
                   "the grid mapping has neither a grid_mapping_name nor a readable crs_wkt");
  }
  ra__datum datum;
  double values[RA__METHOD_PARAMS] = {0};
  read_datum(mapping, &kept, &datum);
  if (!strcmp(name, "latitude_longitude")) {
    const char *title = keep(mapping, "geographic_crs_name", kept.crs, sizeof kept.crs);
    return ra__crs_build(title ? title : "unknown", &datum, NULL, NULL, 1, mapping->name, out, err);
  }
  const ra__method *method = choose_method(mapping, name);
  if (!method) {
    return ra_fail(err, RA_E_UNSUPPORTED, mapping->name,
                   "the grid mapping %.64s is not one of CF's appendix F", name);
  }
  int rc = read_values(mapping, method, values, err);
  if (rc < 0) return rc;
  const char *title = keep(mapping, "projected_crs_name", kept.crs, sizeof kept.crs);
  return ra__crs_build(title ? title : "unknown", &datum, method, values, 1, mapping->name, out, err);
}

static double radian_scale(const char *units) {
  if (!strcasecmp(units, "rad") || !strncasecmp(units, "radian", 6)) return 1;
  if (!strncasecmp(units, "microrad", 8) || !strcasecmp(units, "urad")) return 1e-6;
  if (!strncasecmp(units, "millirad", 8) || !strcasecmp(units, "mrad")) return 1e-3;
  return 0;
}

// The factor from the CRS's own unit to metres, and the satellite's height if it is geostationary.
static void crs_facts(const ra_crs *crs, double *unit, double *height) {
  PJ_CONTEXT *ctx = ra__proj_context();
  PJ *pj = NULL;
  *unit = 1;
  *height = 0;
  if (!ctx || ra__proj_crs(ctx, crs->wkt2, &pj, NULL) < 0) return;
  PJ *base = ra__proj_unbound(ctx, pj);
  PJ *cs = proj_crs_get_coordinate_system(ctx, base);
  if (cs) proj_cs_get_axis_info(ctx, cs, 0, NULL, NULL, NULL, unit, NULL, NULL, NULL);
  PJ *conversion = proj_crs_get_coordoperation(ctx, base);
  const char *name = NULL;
  if (conversion) proj_coordoperation_get_method_info(ctx, conversion, &name, NULL, NULL);
  if (name && !strncasecmp(name, "Geostationary", 13)) {
    double values[RA__METHOD_PARAMS];
    const ra__method *method = ra__method_by_name(name, 0);
    if (method && ra__method_values(ctx, conversion, method, values) == RA_OK) *height = values[1];
  }
  proj_destroy(conversion);
  proj_destroy(cs);
  proj_destroy(base);
  proj_destroy(pj);
}

static int find_scale(const ra_cf_mapping *mapping, const ra_crs *crs, double *scale, ra_err *err) {
  *scale = 1;
  const char *units = mapping->x_units;
  if (crs->geographic || crs->rotated || !units || !*units || !strcmp(units, "1")) return RA_OK;
  if (mapping->y_units && strcasecmp(units, mapping->y_units) != 0 &&
      metre_scale(units) != metre_scale(mapping->y_units)) {
    return ra_fail(err, RA_E_UNSUPPORTED, mapping->name,
                   "the projection coordinates are in %.32s and %.32s; both have to be of one unit",
                   units, mapping->y_units);
  }
  double unit, height, radians = radian_scale(units), metres = metre_scale(units);
  crs_facts(crs, &unit, &height);
  if (radians > 0 && height > 0) {
    *scale = radians * height;
  } else if (metres > 0) {
    *scale = metres / unit;
  } else {
    return ra_fail(err, RA_E_UNSUPPORTED, mapping->name,
                   "the projection coordinates are in \"%.64s\"; right are metres or kilometres%s",
                   units, height > 0 ? " or radians" : "");
  }
  return RA_OK;
}

int ra_crs_from_cf(const ra_cf_mapping *mapping, ra_crs **out, double *unit_scale, ra_err *err) {
  *out = NULL;
  *unit_scale = 1;
  static const char *const WKT[] = {"crs_wkt", "spatial_ref", "esri_pe_string", NULL};
  static const char *const PROJ[] = {"proj4_params", "proj4text", "proj4_string", "proj4", NULL};
  ra_crs *crs = NULL;
  int rc = RA_OK;
  if (!from_text(mapping, WKT, &crs) &&
      (text_of(mapping, "grid_mapping_name") || !from_text(mapping, PROJ, &crs))) {
    rc = from_attributes(mapping, &crs, err);
  }
  if (rc == RA_OK && crs) rc = find_scale(mapping, crs, unit_scale, err);
  if (rc < 0) {
    ra_crs_unref(crs);
    return rc;
  }
  *out = crs;
  return RA_OK;
}
