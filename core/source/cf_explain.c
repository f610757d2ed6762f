// cf_explain.c - why a variable lies on no grid that can be put on a map, in one sentence.
#include <string.h>
#include <strings.h>

#include "source/cf_private.h"

static bool has_dim(const ra_source_var *var, unsigned dim) {
  for (unsigned d = 0; d < var->ndim; d++) {
    if (var->dims[d] == dim) return true;
  }
  return false;
}

static bool dims_within(const ra_source_var *part, const ra_source_var *whole) {
  for (unsigned d = 0; d < part->ndim; d++) {
    if (!has_dim(whole, part->dims[d])) return false;
  }
  return true;
}

// A latitude (longitude) of `ndim` or more dimensions, all of them the variable's.
static const ra_source_var *coordinate_on(const ra_cf *cf, const ra_source_var *var,
                                          ra__cf_class class, unsigned least, unsigned most) {
  for (size_t i = 0; i < cf->count; i++) {
    const ra_source_var *other = cf->variables[i].source;
    if (cf->variables[i].role == RA_CF_DATA || other->ndim < least || other->ndim > most) continue;
    if (ra__cf_classify(other) == class && dims_within(other, var)) return other;
  }
  return NULL;
}

static bool discrete(const ra_cf *cf, const char **type) {
  static const char *const TYPES[] = {"point",   "timeSeries",        "trajectory",
                                      "profile", "timeSeriesProfile", "trajectoryProfile",
                                      "station", "stationProfile"};
  static const char *const NAMES[] = {"featureType", "CF:featureType", "CF_featureType"};
  for (size_t n = 0; n < 3; n++) {
    const ra_source_attr *attr =
        ra_source_attr_find(ra_source_attrs(cf->source), ra_source_attr_count(cf->source), NAMES[n]);
    for (size_t i = 0; attr && attr->texts && i < sizeof TYPES / sizeof *TYPES; i++) {
      if (!strcasecmp(attr->texts[0], TYPES[i])) {
        *type = TYPES[i];
        return true;
      }
    }
  }
  return false;
}

static const ra_source_var *mesh(const ra_cf *cf) {
  for (size_t i = 0; i < cf->count; i++) {
    const char *role = ra_source_var_text(cf->variables[i].source, "cf_role");
    if (role && !strcmp(role, "mesh_topology")) return cf->variables[i].source;
  }
  return NULL;
}

static bool explain_mesh(ra_cf *cf, ra_cf_variable *variable) {
  const ra_source_var *topology = mesh(cf);
  if (!topology) return false;
  const char *faces = ra_source_var_text(topology, "face_node_connectivity");
  const ra_source_var *nodes = faces ? ra_source_find(cf->source, topology->group, faces) : NULL;
  unsigned long long count = nodes && nodes->ndim ? nodes->shape[0] : 0;
  ra__cf_reason(cf, variable, RA_E_UNSUPPORTED,
                "the file holds a UGRID mesh ('%s', %llu faces), not a raster", topology->name,
                count);
  return true;
}

static bool explain_list(ra_cf *cf, ra_cf_variable *variable) {
  const ra_source_var *var = variable->source;
  const ra_source_var *lat = coordinate_on(cf, var, RA__CF_LAT, 1, 1);
  const ra_source_var *lon = coordinate_on(cf, var, RA__CF_LON, 1, 1);
  if (!lat || !lon || lat->dims[0] != lon->dims[0]) return false;
  const ra_source_dim *dim = ra_source_get_dim(cf->source, lat->dims[0]);
  const char *type = ra_source_var_text(var, "grid_type");
  bool cells = (type && !strcasecmp(type, "unstructured")) || ra_source_var_text(lat, "bounds");
  ra__cf_reason(cf, variable, RA_E_UNSUPPORTED,
                cells ? "it lies on an unstructured mesh ('%s', %llu cells), not a raster"
                      : "its latitudes and longitudes both lie along '%s' (%llu points): a list of "
                        "places, not a raster",
                dim->name, (unsigned long long)dim->size);
  return true;
}

static bool explain_gathered(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims) {
  for (unsigned d = 0; d < variable->source->ndim; d++) {
    const char *compress = dims[d].var ? ra_source_var_text(dims[d].var, "compress") : NULL;
    if (!compress) continue;
    ra__cf_reason(cf, variable, RA_E_UNSUPPORTED,
                  "its dimension '%s' is compressed by gathering (of '%s'), which is not read; "
                  "write the full grid",
                  dims[d].var->name, compress);
    return true;
  }
  return false;
}

static const ra_source_var *axis_of(const ra_cf_variable *variable, const ra__cf_dim *dims,
                                    ra__cf_class a, ra__cf_class b) {
  for (unsigned d = 0; d < variable->source->ndim; d++) {
    if (dims[d].class == a || dims[d].class == b) return dims[d].var;
  }
  return NULL;
}

static bool explain_rotated(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims) {
  const ra_source_var *axis = axis_of(variable, dims, RA__CF_ROTATED_X, RA__CF_ROTATED_Y);
  if (!axis) return false;
  ra__cf_reason(
      cf, variable, RA_E_UNSUPPORTED,
      "it lies on a rotated pole grid (axis '%s'), but no grid mapping says where its pole is",
      axis->name);
  return true;
}

static bool explain_axes(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims) {
  const ra_source_var *x = axis_of(variable, dims, RA__CF_X, RA__CF_PROJ_X);
  const ra_source_var *y = axis_of(variable, dims, RA__CF_Y, RA__CF_PROJ_Y);
  if (!x || !y) return false;
  bool lengths = ra__cf_is_length(ra_source_var_text(x, "units"));
  ra__cf_reason(
      cf, variable, RA_E_UNSUPPORTED,
      lengths ? "its axes '%s' and '%s' belong to a projection, but no grid mapping says which"
              : "its axes '%s' and '%s' have no georeference: units of degrees_east and "
                "degrees_north, or a grid mapping, would give one",
      x->name, y->name);
  return true;
}

bool ra__cf_is_discrete(const ra_cf *cf) {
  const char *type;
  return discrete(cf, &type);
}

void ra__cf_explain(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims) {
  const char *type;
  if (discrete(cf, &type)) {
    ra__cf_reason(cf, variable, RA_E_UNSUPPORTED,
                  "the file holds discrete samples (featureType '%s'), not a raster", type);
    return;
  }
  if (explain_mesh(cf, variable) || explain_list(cf, variable) ||
      explain_gathered(cf, variable, dims) || explain_rotated(cf, variable, dims) ||
      explain_axes(cf, variable, dims)) {
    return;
  }
  ra__cf_reason(cf, variable, RA_E_UNSUPPORTED,
                "no two of its dimensions have horizontal coordinates (longitude and latitude, or "
                "x and y of a projection)");
}
