// cf_mapping.c - from a grid mapping variable to a CRS; and the figure of the Earth where the mapping keeps silent about
// it: the file's 2-D longitudes and latitudes tell it.
#include <math.h>
#include <string.h>
#include <strings.h>

#include "geo/warp.h"
#include "source/cf_private.h"

// Those that weather and ocean models, and mapping agencies, use. The first is what is taken when nothing is said.
static const struct {
  const char *name, *a, *inverse;
} FIGURES[] = {
    {"WGS 84", "6378137", "298.257223563"},
    {"a sphere of 6371229 m", "6371229", "0"},
    {"a sphere of 6370000 m", "6370000", "0"},
    {"a sphere of 6371000 m", "6371000", "0"},
    {"a sphere of 6371200 m", "6371200", "0"},
    {"a sphere of 6370997 m", "6370997", "0"},
    {"a sphere of 6367470 m", "6367470", "0"},
    {"a sphere of 6378137 m", "6378137", "0"},
    {"the ellipsoid of Clarke 1866", "6378206.4", "294.978698213898"},
    {"the ellipsoid of Bessel 1841", "6377397.155", "299.1528128"},
};
enum { FIGURE_COUNT = sizeof FIGURES / sizeof *FIGURES };

typedef struct mapping_text {
  ra_cf *cf;
  const ra_source_var *var;
  int figure;
} mapping_text;

static const char *numbers_text(ra_arena *arena, const ra_source_attr *attr) {
  ra_str text;
  ra_str_init(&text);
  for (size_t i = 0; i < attr->count; i++)
    ra_str_addf(&text, i ? " %.17g" : "%.17g", attr->numbers[i]);
  const char *copy = text.failed ? NULL : ra_arena_strdup(arena, text.ptr ? text.ptr : "");
  ra_str_deinit(&text);
  return copy;
}

static const char *get_mapping_attribute(void *ctx, const char *name) {
  mapping_text *m = ctx;
  if (m->figure && !strcmp(name, "semi_major_axis")) return FIGURES[m->figure].a;
  if (m->figure && !strcmp(name, "inverse_flattening")) return FIGURES[m->figure].inverse;
  const ra_source_attr *attr = ra_source_var_attr(m->var, name);
  if (!attr || attr->count == 0) return NULL;
  return attr->texts ? attr->texts[0] : numbers_text(&m->cf->arena, attr);
}

static const char *units_of(const ra_source_var *var) {
  const char *units = ra_source_var_text(var, "units");
  return units ? units : "";
}

int ra__cf_mapping_crs(ra_cf *cf, const ra_source_var *mapping, const ra_source_var *x,
                       const ra_source_var *y, int figure, ra_crs **crs, double *scale, ra_err *err) {
  mapping_text text = {cf, mapping, figure};
  ra_cf_mapping cf_mapping = {get_mapping_attribute, &text, mapping->name, units_of(x), units_of(y)};
  return ra_crs_from_cf(&cf_mapping, crs, scale, err);
}

// ---- the figure of the Earth

static bool says_figure(const ra_source_var *mapping) {
  static const char *const NAMES[] = {"semi_major_axis",
                                      "earth_radius",
                                      "spherical_earth_radius_meters",
                                      "reference_ellipsoid_name",
                                      "horizontal_datum_name",
                                      "geographic_crs_name",
                                      "crs_wkt",
                                      "spatial_ref",
                                      "esri_pe_string"};
  for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
    if (ra_source_var_attr(mapping, NAMES[i])) return true;
  }
  return !ra_source_var_text(mapping, "grid_mapping_name");
}

typedef struct probe {
  ra_source_var *x_var, *y_var;
  const double *x, *y;  // coordinates
  size_t width, height;
  ra_lattice lattice;
} probe;

enum { ALONG = 7 };  // cells compared along each side

// How far the cells lie from where the file says, on average, in metres; infinite: they lie nowhere.
static double error_of(ra_cf *cf, const probe *p, const ra_source_var *mapping, int figure,
                       ra_crs *degrees) {
  ra_crs *crs;
  ra_transform *transform;
  double scale, sum = 0;
  ra_err ignored;
  int count = 0;
  if (ra__cf_mapping_crs(cf, mapping, p->x_var, p->y_var, figure, &crs, &scale, &ignored) < 0)
    return INFINITY;
  int rc = ra_transform_get(crs, degrees, &transform, &ignored);
  for (size_t i = 0; i < (size_t)ALONG * ALONG && rc >= 0; i++) {
    size_t column = i % ALONG * (p->width - 1) / (ALONG - 1);
    size_t row = i / ALONG * (p->height - 1) / (ALONG - 1), cell = row * p->width + column;
    double x = p->x[column] * scale, y = p->y[row] * scale;
    if (p->lattice.lat[cell] == RA_NO_PLACE || ra_transform_points(transform, 1, &x, &y)) continue;
    sum += ra_geo_distance(x, y, p->lattice.lon[cell] * RA_PLACE_UNIT,
                           p->lattice.lat[cell] * RA_PLACE_UNIT);
    count++;
  }
  ra_crs_unref(crs);
  return count ? sum / count : INFINITY;
}

static double cell_size(const ra_lattice *lattice) {
  return ra_geo_distance(lattice->lon[0] * RA_PLACE_UNIT, lattice->lat[0] * RA_PLACE_UNIT,
                         lattice->lon[1] * RA_PLACE_UNIT, lattice->lat[1] * RA_PLACE_UNIT);
}

// A hundredth of a cell is as good as any rounding; another figure has to be ten times as good as the usual one.
static int best_figure(ra_cf *cf, const probe *p, const ra_source_var *mapping, ra_crs *degrees) {
  double usual = error_of(cf, p, mapping, 0, degrees), least = usual;
  double cell = cell_size(&p->lattice);
  int best = 0;
  for (int i = 1; i < FIGURE_COUNT && usual > 0.01 * cell; i++) {
    double error = error_of(cf, p, mapping, i, degrees);
    if (error >= least) continue;
    least = error;
    best = i;
  }
  if (!(least < 0.1 * usual)) best = 0;
  if (best) {
    ra__cf_find(cf, "figure-found", "info", mapping->name,
                "does not say how large and round the Earth is; with %s its cells lie where the "
                "file's latitudes and longitudes say (%.0f m off on average; %.0f m with WGS 84)",
                FIGURES[best].name, least, usual);
  } else if (usual > 0.5 * cell) {
    ra__cf_find(cf, "places-disagree", "warning", mapping->name,
                "puts cells %.0f m from where the file's latitudes and longitudes say; the grid "
                "mapping is believed",
                usual);
  }
  return best;
}

// Takes what a comparison needs; *found false: the file has no 2-D places on these axes.
static int read_probe(ra_cf *cf, const ra_cf_variable *variable, const ra__cf_dim *dims, int x,
                      int y, probe *p, bool *found, ra_err *err) {
  *p = (probe){.x_var = dims[x].var, .y_var = dims[y].var};
  int rc = ra__cf_places(cf, variable, dims, x, y, &p->lattice, found, err);
  *found = *found && p->lattice.width >= 2;
  if (rc < 0 || !*found) return rc;
  rc = ra__cf_values(cf, p->x_var, &p->x, &p->width, err);
  return rc < 0 ? rc : ra__cf_values(cf, p->y_var, &p->y, &p->height, err);
}

int ra__cf_agrees(ra_cf *cf, const ra_cf_variable *variable, const ra__cf_dim *dims, int x, int y,
                  const ra_source_var *mapping, ra_err *err) {
  probe p;
  bool found;
  ra_crs *degrees;
  int rc = read_probe(cf, variable, dims, x, y, &p, &found, err);
  if (rc < 0 || !found) return rc < 0 ? rc : 1;
  rc = ra_crs_new("EPSG:4326", &degrees, err);
  if (rc < 0) return rc;
  double error = error_of(cf, &p, mapping, 0, degrees);
  ra_crs_unref(degrees);
  return error <= 0.5 * cell_size(&p.lattice);
}

int ra__cf_figure(ra_cf *cf, const ra_cf_variable *variable, const ra__cf_dim *dims, int x, int y,
                  const ra_source_var *mapping, ra_err *err) {
  if (says_figure(mapping)) return 0;
  if (cf->figure_of == mapping) return cf->figure;
  probe p;
  ra_crs *degrees;
  bool found;
  int rc = read_probe(cf, variable, dims, x, y, &p, &found, err);
  if (rc < 0 || !found) return rc;
  rc = ra_crs_new("EPSG:4326", &degrees, err);
  if (rc < 0) return rc;
  cf->figure = best_figure(cf, &p, mapping, degrees);
  cf->figure_of = mapping;
  ra_crs_unref(degrees);
  return cf->figure;
}
