// geokeys_read.c - GeoTIFF keys to a CRS. The keys come from outside: every count and index is checked against what was
// given.
#include <math.h>
#include <proj_experimental.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/geokeys.h"
#include "geo/internal.h"

static const uint16_t *find(const ra_geokeys *keys, uint16_t key) {
  if (keys->directory_count < 4) return NULL;
  size_t count = keys->directory[3], room = keys->directory_count / 4 - 1;
  if (count > room) count = room;
  for (size_t i = 1; i <= count; i++) {
    if (keys->directory[4 * i] == key) return keys->directory + 4 * i;
  }
  return NULL;
}

static int get_short(const ra_geokeys *keys, uint16_t key) {
  const uint16_t *entry = find(keys, key);
  return entry && entry[1] == 0 ? entry[3] : 0;
}

static bool get_doubles(const ra_geokeys *keys, uint16_t key, double *out, size_t n) {
  const uint16_t *entry = find(keys, key);
  if (!entry || entry[1] != RA__IN_DOUBLES || entry[2] < n) return false;
  if ((size_t)entry[3] + n > keys->double_count) return false;
  memcpy(out, keys->doubles + entry[3], n * sizeof *out);
  for (size_t i = 0; i < n; i++) {
    if (!isfinite(out[i])) return false;
  }
  return true;
}

static bool get_double(const ra_geokeys *keys, uint16_t key, double *out) {
  return get_doubles(keys, key, out, 1);
}

// Writers put the same parameter under different keys.
static bool get_param(const ra_geokeys *keys, uint16_t key, double *out) {
  static const uint16_t ALIKE[][5] = {
      {3081, 3085, 3089},        // latitude of the origin
      {3080, 3084, 3088, 3095},  // longitude of the origin
      {3082, 3086, 3090},        // false easting
      {3083, 3087, 3091},        // false northing
      {3092, 3093},              // scale
  };
  if (get_double(keys, key, out)) return true;
  for (size_t i = 0; i < sizeof ALIKE / sizeof *ALIKE; i++) {
    bool member = false;
    for (int j = 0; j < 5; j++) member = member || ALIKE[i][j] == key;
    for (int j = 0; j < 5 && member && ALIKE[i][j]; j++) {
      if (get_double(keys, ALIKE[i][j], out)) return true;
    }
  }
  return false;
}

static void get_text(const ra_geokeys *keys, uint16_t key, char *out, size_t size) {
  const uint16_t *entry = find(keys, key);
  *out = 0;
  if (!entry || entry[1] != RA__IN_ASCII || entry[3] >= keys->ascii_count) return;
  size_t n = keys->ascii_count - entry[3];
  if (entry[2] < n) n = entry[2];
  if (n >= size) n = size - 1;
  memcpy(out, keys->ascii + entry[3], n);
  out[n] = 0;
  out[strcspn(out, "|")] = 0;
}

static void named(PJ_CONTEXT *ctx, int code, PJ_CATEGORY category, char *out, size_t size) {
  char text[16];
  *out = 0;
  if (code <= 0 || code >= RA__USER_DEFINED) return;
  snprintf(text, sizeof text, "%d", code);
  PJ *object = proj_create_from_database(ctx, "EPSG", text, category, 0, NULL);
  if (object) snprintf(out, size, "%s", proj_get_name(object));
  proj_destroy(object);
}

typedef struct figure {
  ra__datum datum;
  char name[128], ellipsoid[128];
} figure;

static int read_figure(const ra_geokeys *keys, PJ_CONTEXT *ctx, figure *out, ra_err *err) {
  *out = (figure){0};
  ra__datum *datum = &out->datum;
  int code = get_short(keys, RA__KEY_GEOGRAPHIC);
  if (code > 0 && code < RA__USER_DEFINED) {
    datum->epsg = code;
    return RA_OK;
  }
  double minor;
  named(ctx, get_short(keys, RA__KEY_DATUM), PJ_CATEGORY_DATUM, out->name, sizeof out->name);
  named(ctx, get_short(keys, RA__KEY_ELLIPSOID), PJ_CATEGORY_ELLIPSOID, out->ellipsoid,
        sizeof out->ellipsoid);
  if (*out->name) datum->name = out->name;
  if (*out->ellipsoid) datum->ellipsoid = out->ellipsoid;
  if (get_double(keys, RA__KEY_SEMI_MAJOR, &datum->a) && datum->a > 0) {
    if (!get_double(keys, RA__KEY_INVERSE_FLATTENING, &datum->inverse) &&
        get_double(keys, RA__KEY_SEMI_MINOR, &minor) && minor < datum->a) {
      datum->inverse = datum->a / (datum->a - minor);
    }
  } else {
    datum->a = 0;
  }
  get_double(keys, RA__KEY_MERIDIAN_LONGITUDE, &datum->meridian_degrees);
  datum->has_towgs84 = get_doubles(keys, RA__KEY_TOWGS84, datum->towgs84, 7) ||
                       get_doubles(keys, RA__KEY_TOWGS84, datum->towgs84, 3);
  if (datum->a == 0 && !datum->ellipsoid && !datum->name) {
    return ra_fail(err, RA_E_UNSUPPORTED, "GeoTIFF keys",
                   "neither a geographic CRS nor a datum nor an ellipsoid is named");
  }
  return RA_OK;
}

static const ra__method *find_method(const ra_geokeys *keys, int ct) {
  double value = 0;
  const char *name = NULL;
  if (ct == 7) {
    name = get_double(keys, 3078, &value) ? "Mercator (variant B)" : "Mercator (variant A)";
  } else if (ct == 15) {
    bool pole = get_param(keys, 3081, &value) && fabs(fabs(value) - 90) < 1e-9;
    name = pole ? "Polar Stereographic (variant A)" : "Polar Stereographic (variant B)";
  }
  if (name) return ra__method_by_name(name, 0);
  for (size_t i = 0; ct && i < RA__METHOD_COUNT; i++) {
    if (RA__METHODS[i].ct == ct) return &RA__METHODS[i];
  }
  return NULL;
}

static int read_unit(const ra_geokeys *keys, double *metres, ra_err *err) {
  int code = get_short(keys, RA__KEY_LINEAR_UNIT);
  *metres = 1;
  if (code == 0 || code == RA__METRES) return RA_OK;
  if (code == RA__USER_DEFINED && get_double(keys, RA__KEY_LINEAR_UNIT_SIZE, metres) && *metres > 0) {
    return RA_OK;
  }
  char text[16];
  const char *category = NULL;
  snprintf(text, sizeof text, "%d", code);
  if (proj_uom_get_info_from_database(ra__proj_context(), "EPSG", text, NULL, metres, &category) &&
      category && !strcmp(category, "linear")) {
    return RA_OK;
  }
  return ra_fail(err, RA_E_UNSUPPORTED, "GeoTIFF keys", "%d is no linear unit", code);
}

static int read_projected(const ra_geokeys *keys, const figure *base, ra_crs **out, ra_err *err) {
  double values[RA__METHOD_PARAMS] = {0}, metres;
  char name[128];
  int ct = get_short(keys, RA__KEY_TRANSFORMATION);
  const ra__method *method = find_method(keys, ct);
  if (!method) {
    return ra_fail(err, RA_E_UNSUPPORTED, "GeoTIFF keys",
                   "the coordinate transformation %d is not one that we read", ct);
  }
  int rc = read_unit(keys, &metres, err);
  if (rc < 0) return rc;
  for (size_t i = 0; i < ra__method_param_count(method); i++) {
    const ra__param *param = &method->params[i];
    values[i] = param->standard;
    if (get_param(keys, param->key, &values[i]) && param->unit == RA__METRE) values[i] *= metres;
  }
  get_text(keys, RA__KEY_PROJECTED_CITATION, name, sizeof name);
  if (!*name) get_text(keys, RA__KEY_CITATION, name, sizeof name);
  return ra__crs_build(*name ? name : "unknown", &base->datum, method, values, metres,
                       "GeoTIFF keys", out, err);
}

// ESRI's way to name what keys cannot: WKT in a citation. False: none has it.
static bool get_wkt(const ra_geokeys *keys, char *out, size_t size) {
  static const uint16_t citations[] = {RA__KEY_PROJECTED_CITATION, RA__KEY_CITATION,
                                       RA__KEY_GEOG_CITATION};
  static const char mark[] = "ESRI PE String = ";
  for (size_t i = 0; i < sizeof citations / sizeof *citations; i++) {
    get_text(keys, citations[i], out, size);
    if (strncmp(out, mark, sizeof mark - 1) != 0) continue;
    memmove(out, out + sizeof mark - 1, strlen(out) - (sizeof mark - 1) + 1);
    return true;
  }
  return false;
}

// Grads are left out: they are the own unit of the CRS that are told so.
bool ra_geokeys_angle(unsigned code, double *degrees) {
  static const struct {
    unsigned code;
    double degrees;
  } units[] = {{RA__DEGREES, 1}, {9122, 1}, {9101, 180 / M_PI}, {9103, 1 / 60.0}, {9104, 1 / 3600.0}};
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (units[i].code != code) continue;
    *degrees = units[i].degrees;
    return true;
  }
  return false;
}

static int from_code(int code, ra_crs **out, ra_err *err) {
  char text[32];
  snprintf(text, sizeof text, "EPSG:%d", code);
  return ra_crs_new(text, out, err);
}

// The unit of the first axis; 0: unknown.
static double axis_metres(PJ_CONTEXT *ctx, const PJ *crs) {
  double metres = 0;
  PJ *system = proj_crs_get_coordinate_system(ctx, crs);
  if (system) proj_cs_get_axis_info(ctx, system, 0, NULL, NULL, NULL, &metres, NULL, NULL, NULL);
  proj_destroy(system);
  return metres;
}

// A projected CRS by its code; a unit of length in the keys goes before the CRS's own, as in GDAL.
static int projected_from_code(const ra_geokeys *keys, PJ_CONTEXT *ctx, int code, ra_crs **out,
                               ra_err *err) {
  double metres;
  char text[16];
  if (!find(keys, RA__KEY_LINEAR_UNIT)) return from_code(code, out, err);
  int rc = read_unit(keys, &metres, err);
  if (rc < 0) return rc;
  snprintf(text, sizeof text, "%d", code);
  PJ *crs = proj_create_from_database(ctx, "EPSG", text, PJ_CATEGORY_CRS, 0, NULL);
  double own = crs ? axis_metres(ctx, crs) : 0;
  PJ *changed = NULL;
  if (own > 0 && fabs(own - metres) > 1e-9 * metres)
    changed = proj_crs_alter_cs_linear_unit(ctx, crs, "unknown", metres, NULL, NULL);
  const char *wkt = changed ? proj_as_wkt(ctx, changed, PJ_WKT2_2019, NULL) : NULL;
  rc = wkt ? ra_crs_new(wkt, out, err) : from_code(code, out, err);
  proj_destroy(changed);
  proj_destroy(crs);
  return rc;
}

int ra_crs_from_geokeys(const ra_geokeys *keys, ra_crs **out, ra_err *err) {
  *out = NULL;
  PJ_CONTEXT *ctx = ra__proj_context();
  if (!ctx) return ra_fail(err, RA_E_NOMEM, "GeoTIFF keys", "no memory for PROJ");
  int model = get_short(keys, RA__KEY_MODEL), code = get_short(keys, RA__KEY_PROJECTED);
  bool other = model == 0 || model == RA__USER_DEFINED;
  bool projected = model == RA__MODEL_PROJECTED || (other && code);
  char wkt[sizeof keys->ascii];
  if (projected && code > 0 && code < RA__USER_DEFINED)
    return projected_from_code(keys, ctx, code, out, err);
  if (get_wkt(keys, wkt, sizeof wkt)) return ra_crs_new(wkt, out, err);
  int angle = get_short(keys, RA__KEY_ANGULAR_UNIT);
  double degrees = 1;
  bool known = !angle || ra_geokeys_angle((unsigned)angle, &degrees);
  // Whoever reads the image gives its place in degrees, but not the parameters of a projection.
  if (!known || (projected && degrees != 1)) {
    return ra_fail(err, RA_E_UNSUPPORTED, "GeoTIFF keys",
                   "angles are in the unit %d; right is %d (degrees)", angle, RA__DEGREES);
  }
  bool geographic =
      model == RA__MODEL_GEOGRAPHIC || (model == 0 && get_short(keys, RA__KEY_GEOGRAPHIC));
  if (!projected && !geographic) {
    return ra_fail(err, RA_E_UNSUPPORTED, "GeoTIFF keys",
                   "they say neither a geographic nor a projected CRS");
  }
  figure base;
  int rc = read_figure(keys, ctx, &base, err);
  if (rc < 0) return rc;
  if (projected) return read_projected(keys, &base, out, err);
  if (base.datum.epsg) return from_code(base.datum.epsg, out, err);
  return ra__crs_build("unknown", &base.datum, NULL, NULL, 1, "GeoTIFF keys", out, err);
}
