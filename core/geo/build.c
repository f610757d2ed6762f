// build.c - a CRS from its parts: figure of the Earth, projection method, parameters. Written as PROJJSON, in which
// parts that PROJ knows by name can be spliced, and read by PROJ.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "geo/internal.h"

static const char *const NO_BREAKS[] = {"MULTILINE=NO", "SCHEMA=", NULL};

static PJ *find_named(PJ_CONTEXT *ctx, const char *name, PJ_TYPE type) {
  PJ_OBJ_LIST *list = proj_create_from_name(ctx, NULL, name, &type, 1, false, 1, NULL);
  PJ *object = list && proj_list_get_count(list) ? proj_list_get(ctx, list, 0) : NULL;
  proj_list_destroy(list);
  return object;
}

static void add_figure(ra_str *out, const ra__datum *datum) {
  ra_str_add(out, "{\"name\":");
  ra_str_add_json(out, datum->ellipsoid ? datum->ellipsoid : "unknown");
  if (datum->inverse > 0) {
    ra_str_add(out, ",\"semi_major_axis\":");
    ra_str_add_double(out, datum->a);
    ra_str_add(out, ",\"inverse_flattening\":");
    ra_str_add_double(out, datum->inverse);
  } else {
    ra_str_add(out, ",\"radius\":");
    ra_str_add_double(out, datum->a);
  }
  ra_str_add(out, "}");
}

static void add_ellipsoid(PJ_CONTEXT *ctx, ra_str *out, const ra__datum *datum) {
  if (datum->a > 0) {
    add_figure(out, datum);
    return;
  }
  PJ *named = datum->ellipsoid ? find_named(ctx, datum->ellipsoid, PJ_TYPE_ELLIPSOID) : NULL;
  const char *json = named ? proj_as_projjson(ctx, named, NO_BREAKS) : NULL;
  ra_str_add(out, json ? json
                       : "{\"name\":\"WGS 84\",\"semi_major_axis\":6378137,"
                         "\"inverse_flattening\":298.257223563}");
  proj_destroy(named);
}

static void add_meridian(ra_str *out, const ra__datum *datum) {
  if (datum->meridian_degrees == 0) return;
  ra_str_add(out, ",\"prime_meridian\":{\"name\":");
  ra_str_add_json(out, datum->meridian ? datum->meridian : "unknown");
  ra_str_add(out, ",\"longitude\":");
  ra_str_add_double(out, datum->meridian_degrees);
  ra_str_add(out, "}");
}

// Whether the datum that PROJ knows under this name stands on the figure that the file gives.
static bool same_figure(PJ_CONTEXT *ctx, const PJ *named, const ra__datum *datum) {
  if (!(datum->a > 0)) return true;
  PJ *ellipsoid = proj_get_ellipsoid(ctx, named);
  double a = 0, inverse = 0;
  bool known = ellipsoid && proj_ellipsoid_get_parameters(ctx, ellipsoid, &a, NULL, NULL, &inverse);
  proj_destroy(ellipsoid);
  return known && fabs(a - datum->a) < 0.1 && fabs(inverse - datum->inverse) < 1e-3;
}

static bool add_named_datum(PJ_CONTEXT *ctx, ra_str *out, const ra__datum *datum) {
  if (!datum->name || datum->meridian_degrees != 0) return false;
  PJ *named = find_named(ctx, datum->name, PJ_TYPE_GEODETIC_REFERENCE_FRAME);
  const char *json =
      named && same_figure(ctx, named, datum) ? proj_as_projjson(ctx, named, NO_BREAKS) : NULL;
  if (json) {
    bool ensemble = proj_get_type(named) == PJ_TYPE_DATUM_ENSEMBLE;
    ra_str_addf(out, "\"%s\":", ensemble ? "datum_ensemble" : "datum");
    ra_str_add(out, json);
  }
  proj_destroy(named);
  return json != NULL;
}

static void add_datum(PJ_CONTEXT *ctx, ra_str *out, const ra__datum *datum) {
  if (add_named_datum(ctx, out, datum)) return;
  ra_str_add(out, "\"datum\":{\"type\":\"GeodeticReferenceFrame\",\"name\":");
  ra_str_add_json(out, datum->name ? datum->name : "unknown");
  ra_str_add(out, ",\"ellipsoid\":");
  add_ellipsoid(ctx, out, datum);
  add_meridian(out, datum);
  ra_str_add(out, "}");
}

static const char DEGREES[] =
    "\"coordinate_system\":{\"subtype\":\"ellipsoidal\",\"axis\":["
    "{\"name\":\"Longitude\",\"abbreviation\":\"lon\",\"direction\":\"east\",\"unit\":\"degree\"},"
    "{\"name\":\"Latitude\",\"abbreviation\":\"lat\",\"direction\":\"north\",\"unit\":\"degree\"}]"
    "}";
static void add_cartesian(ra_str *out, double unit) {
  static const char *const AXES[2][3] = {{"Easting", "E", "east"}, {"Northing", "N", "north"}};
  ra_str_add(out, "\"coordinate_system\":{\"subtype\":\"Cartesian\",\"axis\":[");
  for (int i = 0; i < 2; i++) {
    ra_str_addf(out, "%s{\"name\":\"%s\",\"abbreviation\":\"%s\",\"direction\":\"%s\",\"unit\":",
                i ? "," : "", AXES[i][0], AXES[i][1], AXES[i][2]);
    if (unit == 1) {
      ra_str_add(out, "\"metre\"}");
    } else {
      ra_str_add(out, "{\"type\":\"LinearUnit\",\"name\":\"unknown\",\"conversion_factor\":");
      ra_str_add_double(out, unit);
      ra_str_add(out, "}}");
    }
  }
  ra_str_add(out, "]}");
}

static void add_known(PJ_CONTEXT *ctx, ra_str *out, int epsg) {
  char code[16];
  snprintf(code, sizeof code, "%d", epsg);
  PJ *known = proj_create_from_database(ctx, "EPSG", code, PJ_CATEGORY_CRS, 0, NULL);
  const char *json = known ? proj_as_projjson(ctx, known, NO_BREAKS) : NULL;
  ra_str_add(out, json ? json : "null");
  proj_destroy(known);
}

static void add_geographic(PJ_CONTEXT *ctx, ra_str *out, const char *name, const ra__datum *datum) {
  if (datum->epsg) {
    add_known(ctx, out, datum->epsg);
    return;
  }
  ra_str_add(out, "{\"type\":\"GeographicCRS\",\"name\":");
  ra_str_add_json(out, name);
  ra_str_add(out, ",");
  add_datum(ctx, out, datum);
  ra_str_add(out, ",");
  ra_str_add(out, DEGREES);
  ra_str_add(out, "}");
}

static void add_params(ra_str *out, const ra__method *method, const double *values) {
  static const char *const UNITS[] = {
      [RA__DEGREE] = "degree", [RA__METRE] = "metre", [RA__UNITY] = "unity"};
  size_t n = ra__method_param_count(method);
  for (size_t i = 0; i < n; i++) {
    const ra__param *param = &method->params[i];
    ra_str_addf(out, "%s{\"name\":\"%s\",\"value\":", i ? "," : "", param->name);
    ra_str_add_double(out, values[i]);
    ra_str_addf(out, ",\"unit\":\"%s\"", UNITS[param->unit]);
    if (param->epsg) {
      ra_str_addf(out, ",\"id\":{\"authority\":\"EPSG\",\"code\":%d}", param->epsg);
    }
    ra_str_add(out, "}");
  }
}

static void add_derived(PJ_CONTEXT *ctx, ra_str *out, const char *name, const ra__datum *datum,
                        const ra__method *method, const double *values, double unit) {
  bool rotated = method->cf && !strcmp(method->cf, "rotated_latitude_longitude");
  ra_str_addf(out, "{\"type\":\"%s\",\"name\":", rotated ? "DerivedGeographicCRS" : "ProjectedCRS");
  ra_str_add_json(out, name);
  ra_str_add(out, ",\"base_crs\":");
  add_geographic(ctx, out, datum->name ? datum->name : "unknown", datum);
  ra_str_add(out, ",\"conversion\":{\"name\":\"unknown\",\"method\":{\"name\":");
  ra_str_add_json(out, method->name);
  if (method->epsg) {
    ra_str_addf(out, ",\"id\":{\"authority\":\"EPSG\",\"code\":%d}", method->epsg);
  }
  ra_str_add(out, "},\"parameters\":[");
  add_params(out, method, values);
  ra_str_add(out, "]},");
  if (rotated) {
    ra_str_add(out, DEGREES);
  } else {
    add_cartesian(out, unit);
  }
  ra_str_add(out, "}");
}

static void add_towgs84(PJ_CONTEXT *ctx, ra_str *out, const double towgs84[7]) {
  static const struct {
    const char *name, *unit;
    int epsg;
  } PARTS[7] = {
      {"X-axis translation", "\"metre\"", 8605}, {"Y-axis translation", "\"metre\"", 8606},
      {"Z-axis translation", "\"metre\"", 8607}, {"X-axis rotation", NULL, 8608},
      {"Y-axis rotation", NULL, 8609},           {"Z-axis rotation", NULL, 8610},
      {"Scale difference", NULL, 8611},
  };
  static const char *const OTHER[2] = {
      "{\"type\":\"AngularUnit\",\"name\":\"arc-second\",\"conversion_factor\":4.84813681109536e-"
      "06}",
      "{\"type\":\"ScaleUnit\",\"name\":\"parts per million\",\"conversion_factor\":1e-06}"};
  ra_str_add(out, ",\"target_crs\":");
  add_known(ctx, out, 4326);
  ra_str_add(out,
             ",\"transformation\":{\"name\":\"Transformation to WGS84\",\"method\":{\"name\":"
             "\"Position Vector transformation (geog2D domain)\","
             "\"id\":{\"authority\":\"EPSG\",\"code\":9606}},\"parameters\":[");
  for (int i = 0; i < 7; i++) {
    ra_str_addf(out, "%s{\"name\":\"%s\",\"value\":", i ? "," : "", PARTS[i].name);
    ra_str_add_double(out, towgs84[i]);
    ra_str_addf(out, ",\"unit\":%s,\"id\":{\"authority\":\"EPSG\",\"code\":%d}}",
                PARTS[i].unit ? PARTS[i].unit : OTHER[i == 6], PARTS[i].epsg);
  }
  ra_str_add(out, "]}}");
}

int ra__crs_build(const char *name, const ra__datum *datum, const ra__method *method,
                  const double *values, double unit, const char *where, ra_crs **out, ra_err *err) {
  *out = NULL;
  PJ_CONTEXT *ctx = ra__proj_context();
  if (!ctx) return ra_fail(err, RA_E_NOMEM, where, "no memory for PROJ");
  ra_str json;
  ra_str_init(&json);
  if (datum->has_towgs84) ra_str_add(&json, "{\"type\":\"BoundCRS\",\"source_crs\":");
  if (method) {
    add_derived(ctx, &json, name, datum, method, values, unit);
  } else {
    add_geographic(ctx, &json, name, datum);
  }
  if (datum->has_towgs84) add_towgs84(ctx, &json, datum->towgs84);
  int rc = json.failed ? ra_fail(err, RA_E_NOMEM, where, "no memory for a CRS")
                       : ra_crs_new(json.ptr, out, err);
  if (rc == RA_E_INVALID) {
    rc = ra_fail(err, rc, where, "PROJ makes no CRS of its parameters (%s)", ra__proj_error(ctx));
  }
  ra_str_deinit(&json);
  return rc;
}
