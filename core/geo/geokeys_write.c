// geokeys_write.c - a CRS as GeoTIFF keys, in the form in which GDAL reads them: an EPSG code where there is one, else a
// user-defined projection on a known or user-defined figure of the Earth.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "geo/geokeys.h"
#include "geo/internal.h"

enum { CODE_MAX = 32766 };

typedef struct writer {
  ra_geokeys *out;
  bool full;  // something did not fit
} writer;

static void put(writer *self, uint16_t key, uint16_t where, size_t count, size_t value) {
  ra_geokeys *out = self->out;
  if (out->directory_count + 4 > sizeof out->directory / sizeof *out->directory) {
    self->full = true;
    return;
  }
  uint16_t *entry = out->directory + out->directory_count;
  entry[0] = key;
  entry[1] = where;
  entry[2] = (uint16_t)count;
  entry[3] = (uint16_t)value;
  out->directory_count += 4;
}

static void put_short(writer *self, uint16_t key, int value) {
  put(self, key, 0, 1, (size_t)value);
}

static void put_doubles(writer *self, uint16_t key, const double *values, size_t n) {
  ra_geokeys *out = self->out;
  if (out->double_count + n > sizeof out->doubles / sizeof *out->doubles) {
    self->full = true;
    return;
  }
  put(self, key, RA__IN_DOUBLES, n, out->double_count);
  memcpy(out->doubles + out->double_count, values, n * sizeof *values);
  out->double_count += n;
}

static void put_double(writer *self, uint16_t key, double value) {
  put_doubles(self, key, &value, 1);
}

// Text with its terminator '|'; bytes beyond ASCII become '?'.
static void put_text(writer *self, uint16_t key, const char *text) {
  ra_geokeys *out = self->out;
  size_t n = strlen(text), start = out->ascii_count;
  if (n > 250) n = 250;
  if (start + n + 2 > sizeof out->ascii) {
    self->full = true;
    return;
  }
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)text[i];
    out->ascii[start + i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
  }
  out->ascii[start + n] = '|';
  put(self, key, RA__IN_ASCII, n + 1, start);
  out->ascii_count = start + n + 1;
}

static int compare_entries(const void *a, const void *b) {
  return *(const uint16_t *)a - *(const uint16_t *)b;
}

static void finish(writer *self) {
  ra_geokeys *out = self->out;
  uint16_t count = (uint16_t)(out->directory_count / 4 - 1);
  qsort(out->directory + 4, count, 4 * sizeof *out->directory, compare_entries);
  out->directory[0] = 1;
  out->directory[1] = 1;
  out->directory[2] = 0;
  out->directory[3] = count;
  if (out->ascii_count) out->ascii[out->ascii_count++] = 0;
}

// The EPSG code of an object as a GeoTIFF key can hold it, or 0.
static int own_code(const PJ *object) {
  const char *authority = object ? proj_get_id_auth_name(object, 0) : NULL;
  if (!authority || strcasecmp(authority, "EPSG") != 0) return 0;
  long code = strtol(proj_get_id_code(object, 0), NULL, 10);
  return code > 0 && code <= CODE_MAX ? (int)code : 0;
}

static const char *name_of(const PJ *object) {
  const char *name = object ? proj_get_name(object) : NULL;
  return name && *name ? name : "unknown";
}

static void put_ellipsoid(writer *self, PJ_CONTEXT *ctx, const PJ *ellipsoid) {
  double a = 0, inverse = 0;
  int code = own_code(ellipsoid);
  put_short(self, RA__KEY_ELLIPSOID, code ? code : RA__USER_DEFINED);
  if (!proj_ellipsoid_get_parameters(ctx, ellipsoid, &a, NULL, NULL, &inverse)) return;
  put_double(self, RA__KEY_SEMI_MAJOR, a);
  if (inverse > 0) {
    put_double(self, RA__KEY_INVERSE_FLATTENING, inverse);
  } else {
    put_double(self, RA__KEY_SEMI_MINOR, a);
  }
}

static void put_meridian(writer *self, PJ_CONTEXT *ctx, const PJ *meridian) {
  double longitude = 0, factor = 1;
  proj_prime_meridian_get_parameters(ctx, meridian, &longitude, &factor, NULL);
  if (longitude == 0) return;
  int code = own_code(meridian);
  put_short(self, RA__KEY_MERIDIAN, code ? code : RA__USER_DEFINED);
  put_double(self, RA__KEY_MERIDIAN_LONGITUDE, longitude * factor * (180 / M_PI));
}

static void put_own_geographic(writer *self, PJ_CONTEXT *ctx, const PJ *crs) {
  PJ *datum = proj_crs_get_datum_forced(ctx, crs);
  PJ *ellipsoid = proj_get_ellipsoid(ctx, crs), *meridian = proj_get_prime_meridian(ctx, crs);
  char text[512];
  snprintf(text, sizeof text, "GCS Name = %.60s|Datum = %.60s|Ellipsoid = %.60s|Primem = %.60s",
           name_of(crs), name_of(datum), name_of(ellipsoid), name_of(meridian));
  put_short(self, RA__KEY_GEOGRAPHIC, RA__USER_DEFINED);
  put_text(self, RA__KEY_GEOG_CITATION, text);
  int code = own_code(datum);
  put_short(self, RA__KEY_DATUM, code ? code : RA__USER_DEFINED);
  if (ellipsoid) put_ellipsoid(self, ctx, ellipsoid);
  if (meridian) put_meridian(self, ctx, meridian);
  proj_destroy(datum);
  proj_destroy(ellipsoid);
  proj_destroy(meridian);
}

static void put_geographic(writer *self, PJ_CONTEXT *ctx, const PJ *crs) {
  int code = ra__proj_epsg(ctx, crs);
  if (code > 0 && code <= CODE_MAX) {
    put_short(self, RA__KEY_GEOGRAPHIC, code);
    put_text(self, RA__KEY_GEOG_CITATION, name_of(crs));
  } else {
    put_own_geographic(self, ctx, crs);
  }
  put_short(self, RA__KEY_ANGULAR_UNIT, RA__DEGREES);
}

static void put_linear_unit(writer *self, PJ_CONTEXT *ctx, const PJ *crs, double *metres) {
  PJ *cs = proj_crs_get_coordinate_system(ctx, crs);
  const char *authority = NULL, *code = NULL;
  *metres = 1;
  if (cs) {
    proj_cs_get_axis_info(ctx, cs, 0, NULL, NULL, NULL, metres, NULL, &authority, &code);
  }
  if (*metres == 1) {
    put_short(self, RA__KEY_LINEAR_UNIT, RA__METRES);
  } else if (authority && code && !strcasecmp(authority, "EPSG")) {
    put_short(self, RA__KEY_LINEAR_UNIT, (int)strtol(code, NULL, 10));
  } else {
    put_short(self, RA__KEY_LINEAR_UNIT, RA__USER_DEFINED);
    put_double(self, RA__KEY_LINEAR_UNIT_SIZE, *metres);
  }
  proj_destroy(cs);
}

// GeoTIFF's stereographic about a pole is a transformation of its own.
static const ra__method *at_pole(const ra__method *method, const double *values) {
  if (strcmp(method->name, "Stereographic") != 0 || fabs(fabs(values[0]) - 90) > 1e-9)
    return method;
  return ra__method_by_name("Polar Stereographic (variant A)", 0);
}

static int put_conversion(writer *self, PJ_CONTEXT *ctx, const PJ *crs, ra_err *err) {
  const char *name = NULL, *code = NULL;
  double values[RA__METHOD_PARAMS], metres;
  PJ *conversion = proj_crs_get_coordoperation(ctx, crs);
  const ra__method *method = NULL;
  if (conversion && proj_coordoperation_get_method_info(ctx, conversion, &name, NULL, &code)) {
    method = ra__method_by_name(name, code ? (int)strtol(code, NULL, 10) : 0);
  }
  bool ok = method && method->ct && ra__method_values(ctx, conversion, method, values) == RA_OK;
  if (ok) {
    method = at_pole(method, values);
    put_short(self, RA__KEY_PROJECTED, RA__USER_DEFINED);
    put_text(self, RA__KEY_PROJECTED_CITATION, name_of(crs));
    put_short(self, RA__KEY_PROJECTION, RA__USER_DEFINED);
    put_short(self, RA__KEY_TRANSFORMATION, method->ct);
    put_linear_unit(self, ctx, crs, &metres);
    for (size_t i = 0; i < ra__method_param_count(method); i++) {
      const ra__param *param = &method->params[i];
      put_double(self, param->key, param->unit == RA__METRE ? values[i] / metres : values[i]);
    }
  }
  int rc = ok ? RA_OK
              : ra_fail(err, RA_E_UNSUPPORTED, name_of(crs),
                        "GeoTIFF keys can't say the projection %s", name ? name : "of this CRS");
  proj_destroy(conversion);
  return rc;
}

static int put_projected(writer *self, PJ_CONTEXT *ctx, const PJ *crs, int epsg, ra_err *err) {
  double metres;
  PJ *base = proj_crs_get_geodetic_crs(ctx, crs);
  if (!base) return ra_fail(err, RA_E_UNSUPPORTED, name_of(crs), "the CRS has no geographic base");
  put_short(self, RA__KEY_MODEL, RA__MODEL_PROJECTED);
  int rc = RA_OK;
  if (epsg) {
    put_short(self, RA__KEY_PROJECTED, epsg);
    put_text(self, RA__KEY_GEOG_CITATION, name_of(base));
    put_short(self, RA__KEY_ANGULAR_UNIT, RA__DEGREES);
    put_linear_unit(self, ctx, crs, &metres);
  } else {
    put_geographic(self, ctx, base);
    rc = put_conversion(self, ctx, crs, err);
  }
  proj_destroy(base);
  return rc;
}

// The Helmert parameters of a bound CRS, if it is one.
static void put_towgs84(writer *self, PJ_CONTEXT *ctx, const PJ *crs) {
  double values[7] = {0};
  if (proj_get_type(crs) != PJ_TYPE_BOUND_CRS) return;
  PJ *operation = proj_crs_get_coordoperation(ctx, crs);
  if (operation && proj_coordoperation_get_towgs84_values(ctx, operation, values, 7, false)) {
    put_doubles(self, RA__KEY_TOWGS84, values, 7);
  }
  proj_destroy(operation);
}

static int put_crs(writer *self, PJ_CONTEXT *ctx, const ra_crs *crs, ra_err *err) {
  PJ *whole, *plain;
  int rc = ra__proj_crs(ctx, crs->wkt2, &whole, err);
  if (rc < 0) return rc;
  plain = ra__proj_unbound(ctx, whole);
  int epsg = crs->epsg <= CODE_MAX ? crs->epsg : 0;
  put_short(self, RA__KEY_RASTER, RA__PIXEL_IS_AREA);
  put_text(self, RA__KEY_CITATION, crs->name);
  if (crs->geographic) {
    put_short(self, RA__KEY_MODEL, RA__MODEL_GEOGRAPHIC);
    put_geographic(self, ctx, plain);
  } else {
    rc = put_projected(self, ctx, plain, epsg, err);
  }
  put_towgs84(self, ctx, whole);
  proj_destroy(plain);
  proj_destroy(whole);
  return rc;
}

int ra_crs_geokeys(const ra_crs *crs, ra_geokeys *out, ra_err *err) {
  PJ_CONTEXT *ctx = ra__proj_context();
  *out = (ra_geokeys){0};
  if (!ctx) return ra_fail(err, RA_E_NOMEM, crs->name, "no memory for PROJ");
  if (crs->rotated) {
    return ra_fail(err, RA_E_UNSUPPORTED, crs->name, "GeoTIFF keys can't say a rotated pole");
  }
  writer self = {.out = out};
  out->directory_count = 4;
  int rc = put_crs(&self, ctx, crs, err);
  if (rc == RA_OK && self.full) {
    rc = ra_fail(err, RA_E_UNSUPPORTED, crs->name,
                 "the CRS needs more GeoTIFF keys than there is room for");
  }
  if (rc < 0) {
    *out = (ra_geokeys){0};
    return rc;
  }
  finish(&self);
  return RA_OK;
}
