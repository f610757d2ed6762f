// crs.c - a CRS from any definition that PROJ reads: its texts and facts, found once and shared. Parsed definitions
// are interned, because a catalog of thousands of datasets has a handful of CRSs and finding an EPSG code takes
// milliseconds.
#include "geo/crs.h"

#include <proj_experimental.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/sha256.h"
#include "geo/internal.h"

enum { INTERNED = 64, DEFINITION_MAX = 256 * 1024 };

typedef struct interned {
  char *definition;
  ra_crs *crs;
  uint64_t used;
} interned;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static interned table[INTERNED];
static uint64_t table_clock;

static ra_crs *intern_find(const char *definition) {
  ra_crs *found = NULL;
  pthread_mutex_lock(&lock);
  for (int i = 0; i < INTERNED && !found; i++) {
    if (!table[i].crs || strcmp(table[i].definition, definition) != 0) continue;
    table[i].used = ++table_clock;
    found = ra_crs_ref(table[i].crs);
  }
  pthread_mutex_unlock(&lock);
  return found;
}

static void intern_add(const char *definition, ra_crs *crs) {
  char *copy = strdup(definition);
  if (!copy) return;
  pthread_mutex_lock(&lock);
  interned *slot = &table[0];
  for (int i = 1; i < INTERNED; i++) {
    if (table[i].used < slot->used) slot = &table[i];
  }
  interned old = *slot;
  *slot = (interned){copy, ra_crs_ref(crs), ++table_clock};
  pthread_mutex_unlock(&lock);
  free(old.definition);
  ra_crs_unref(old.crs);
}

// PROJ strings say a CRS only with +type=crs; "+init=epsg:4326" is the old spelling of a code.
static char *normalise(const char *definition) {
  char *out = NULL;
  while (*definition == ' ' || *definition == '\n' || *definition == '\t') definition++;
  if (!strncasecmp(definition, "+init=epsg:", 11)) {
    return asprintf(&out, "EPSG:%ld", strtol(definition + 11, NULL, 10)) < 0 ? NULL : out;
  }
  bool proj = strstr(definition, "proj=") && !strchr(definition, '[') && !strchr(definition, '{');
  if (proj && !strstr(definition, "type=crs")) {
    return asprintf(&out, "%s +type=crs", definition) < 0 ? NULL : out;
  }
  return strdup(definition);
}

static bool replace(PJ **pj, PJ *with) {
  if (!with) return false;
  proj_destroy(*pj);
  *pj = with;
  return true;
}

PJ *ra__proj_unbound(PJ_CONTEXT *ctx, const PJ *crs) {
  if (proj_get_type(crs) == PJ_TYPE_BOUND_CRS) return proj_get_source_crs(ctx, crs);
  return proj_clone(ctx, crs);
}

// The type of what a projected CRS stands on, of any other CRS its own. On a geocentric base PROJ 9.1 crashes when asked
// for a code.
static PJ_TYPE base_type(PJ_CONTEXT *ctx, const PJ *crs) {
  PJ *plain = ra__proj_unbound(ctx, crs);
  PJ_TYPE type = plain ? proj_get_type(plain) : PJ_TYPE_UNKNOWN;
  if (type == PJ_TYPE_PROJECTED_CRS) {
    PJ *base = proj_crs_get_geodetic_crs(ctx, plain);
    type = base ? proj_get_type(base) : PJ_TYPE_UNKNOWN;
    proj_destroy(base);
  }
  proj_destroy(plain);
  return type;
}

// Leaves the horizontal part: the first member of a compound CRS, two of three dimensions.
static bool make_horizontal(PJ_CONTEXT *ctx, PJ **pj) {
  if (proj_get_type(*pj) == PJ_TYPE_COMPOUND_CRS && !replace(pj, proj_crs_get_sub_crs(ctx, *pj, 0))) {
    return false;
  }
  PJ_TYPE type = base_type(ctx, *pj);
  if (type == PJ_TYPE_GEOGRAPHIC_3D_CRS && replace(pj, proj_crs_demote_to_2D(ctx, NULL, *pj))) {
    type = base_type(ctx, *pj);
  }
  return type == PJ_TYPE_GEOGRAPHIC_2D_CRS;
}

int ra__proj_crs(PJ_CONTEXT *ctx, const char *definition, PJ **out, ra_err *err) {
  *out = NULL;
  char *text = normalise(definition);
  if (!text) return ra_fail(err, RA_E_NOMEM, "", "no memory for a CRS");
  PJ *pj = proj_create(ctx, text);
  free(text);
  if (!pj) {
    return ra_fail(
        err, RA_E_INVALID, "crs",
        "PROJ does not know \"%.80s\" (%s); right are EPSG:4326, WKT, PROJJSON or a PROJ string",
        definition, ra__proj_error(ctx));
  }
  if (!proj_is_crs(pj) || !make_horizontal(ctx, &pj)) {
    proj_destroy(pj);
    return ra_fail(err, RA_E_INVALID, "crs", "\"%.80s\" is not a geographic or projected CRS",
                   definition);
  }
  *out = pj;
  return RA_OK;
}

static bool same_crs(PJ_CONTEXT *ctx, const PJ *a, const PJ *b) {
  return proj_is_equivalent_to_with_ctx(ctx, a, b, PJ_COMP_EQUIVALENT_EXCEPT_AXIS_ORDER_GEOGCRS);
}

// The code if the CRS that the register has under it is the same as this one, axis order aside.
static int confirm_epsg(PJ_CONTEXT *ctx, const PJ *crs, const char *code) {
  PJ *known = proj_create_from_database(ctx, "EPSG", code, PJ_CATEGORY_CRS, 0, NULL);
  if (!known) return 0;
  bool same = same_crs(ctx, crs, known);
  if (!same) {
    PJ *a = proj_normalize_for_visualization(ctx, crs);
    PJ *b = proj_normalize_for_visualization(ctx, known);
    same = a && b && same_crs(ctx, a, b);
    proj_destroy(a);
    proj_destroy(b);
  }
  proj_destroy(known);
  return same ? (int)strtol(code, NULL, 10) : 0;
}

static int search_epsg(PJ_CONTEXT *ctx, const PJ *crs) {
  int *confidence = NULL, epsg = 0;
  PJ_OBJ_LIST *list = proj_identify(ctx, crs, "EPSG", NULL, &confidence);
  int count = list ? proj_list_get_count(list) : 0;
  for (int i = 0; i < count && !epsg; i++) {
    PJ *found = proj_list_get(ctx, list, i);
    const char *code = found && !proj_is_deprecated(found) ? proj_get_id_code(found, 0) : NULL;
    if (code) epsg = confirm_epsg(ctx, crs, code);
    proj_destroy(found);
  }
  proj_int_list_destroy(confidence);
  proj_list_destroy(list);
  return epsg;
}

int ra__proj_epsg(PJ_CONTEXT *ctx, const PJ *crs) {
  const char *authority = proj_get_id_auth_name(crs, 0);
  const char *code = proj_get_id_code(crs, 0);
  int epsg = 0;
  if (authority && code && !strcasecmp(authority, "EPSG")) epsg = confirm_epsg(ctx, crs, code);
  if (!epsg && proj_get_type(crs) == PJ_TYPE_GEOGRAPHIC_2D_CRS) {
    epsg = confirm_epsg(ctx, crs, "4326");  // OGC:CRS84 is not among what PROJ finds
  }
  return epsg ? epsg : search_epsg(ctx, crs);
}

static bool axes_in_degrees(PJ_CONTEXT *ctx, const PJ *crs) {
  PJ *cs = proj_crs_get_coordinate_system(ctx, crs);
  double factor = 0;
  bool ok = cs && proj_cs_get_axis_info(ctx, cs, 0, NULL, NULL, NULL, &factor, NULL, NULL, NULL);
  proj_destroy(cs);
  return ok && factor > 0.0174532925 && factor < 0.0174532926;
}

static void find_facts(PJ_CONTEXT *ctx, const PJ *crs, ra_crs *self) {
  PJ *base = ra__proj_unbound(ctx, crs);
  if (base && proj_get_type(base) == PJ_TYPE_GEOGRAPHIC_2D_CRS) {
    self->rotated = proj_crs_is_derived(ctx, base);
    self->geographic = !self->rotated && axes_in_degrees(ctx, base);
  }
  proj_destroy(base);
}

static void make_key(ra_crs *self) {
  if (self->epsg) {
    snprintf(self->key, sizeof self->key, "EPSG:%d", self->epsg);
    return;
  }
  char hex[65];
  ra_sha256_of(self->wkt2, strlen(self->wkt2), hex);
  snprintf(self->key, sizeof self->key, "%.32s", hex);
}

static int fill_texts(PJ_CONTEXT *ctx, const PJ *crs, ra_crs *self, ra_err *err) {
  const char *options[] = {"MULTILINE=NO", NULL};
  const char *name = proj_get_name(crs);
  const char *wkt = proj_as_wkt(ctx, crs, PJ_WKT2_2019, options);
  if (!wkt)
    return ra_fail(err, RA_E_INVALID, "crs", "WKT 2 can't say %s", name ? name : "this CRS");
  self->wkt2 = strdup(wkt);
  const char *json = proj_as_projjson(ctx, crs, options);
  if (!json) return ra_fail(err, RA_E_INVALID, "crs", "PROJJSON can't say %s", name ? name : "it");
  self->projjson = strdup(json);
  self->name = strdup(name ? name : "unknown");
  if (!self->wkt2 || !self->projjson || !self->name) {
    return ra_fail(err, RA_E_NOMEM, "crs", "no memory for a CRS");
  }
  make_key(self);
  return RA_OK;
}

// What equals a CRS of the EPSG register becomes that one, so that equal CRSs have equal texts and the best
// transformations that PROJ knows.
static int fill(PJ_CONTEXT *ctx, const char *definition, ra_crs *self, ra_err *err) {
  PJ *crs;
  int rc = ra__proj_crs(ctx, definition, &crs, err);
  if (rc < 0) return rc;
  self->epsg = ra__proj_epsg(ctx, crs);
  if (self->epsg) {
    char code[16];
    snprintf(code, sizeof code, "%d", self->epsg);
    PJ *known = proj_create_from_database(ctx, "EPSG", code, PJ_CATEGORY_CRS, 0, NULL);
    replace(&crs, known);
  }
  find_facts(ctx, crs, self);
  rc = fill_texts(ctx, crs, self, err);
  proj_destroy(crs);
  return rc;
}

int ra_crs_new(const char *definition, ra_crs **out, ra_err *err) {
  *out = NULL;
  if (!definition || !*definition) {
    return ra_fail(err, RA_E_INVALID, "crs", "the CRS is empty; right is for example EPSG:4326");
  }
  if (strnlen(definition, DEFINITION_MAX) == DEFINITION_MAX) {
    return ra_fail(err, RA_E_TOOBIG, "crs", "the CRS has more than %d bytes", DEFINITION_MAX);
  }
  if ((*out = intern_find(definition))) return RA_OK;
  PJ_CONTEXT *ctx = ra__proj_context();
  ra_crs *self = calloc(1, sizeof *self);
  if (!ctx || !self) {
    free(self);
    return ra_fail(err, RA_E_NOMEM, "crs", "no memory for a CRS");
  }
  atomic_init(&self->refs, 1);
  int rc = fill(ctx, definition, self, err);
  if (rc < 0) {
    ra_crs_unref(self);
    return rc;
  }
  intern_add(definition, self);
  *out = self;
  return RA_OK;
}

static bool axis_is_northing(const char *name, const char *abbreviation) {
  static const char *const short_names[] = {"N", "Y", "Lat"};
  if (name && (strcasestr(name, "northing") || strcasestr(name, "latitude"))) return true;
  if (name && (strcasestr(name, "easting") || strcasestr(name, "longitude"))) return false;
  for (size_t i = 0; abbreviation && i < sizeof short_names / sizeof *short_names; i++)
    if (!strcasecmp(abbreviation, short_names[i])) return true;
  return false;
}

int ra_crs_northing_first(const char *definition, bool *out, ra_err *err) {
  *out = false;
  if (strnlen(definition, DEFINITION_MAX) == DEFINITION_MAX)
    return ra_fail(err, RA_E_TOOBIG, "crs", "the CRS has more than %d bytes", DEFINITION_MAX);
  PJ_CONTEXT *ctx = ra__proj_context();
  if (!ctx) return ra_fail(err, RA_E_NOMEM, "crs", "no memory for a CRS");
  PJ *crs;
  int rc = ra__proj_crs(ctx, definition, &crs, err);
  if (rc < 0) return rc;
  PJ *plain = ra__proj_unbound(ctx, crs);
  PJ *axes = plain ? proj_crs_get_coordinate_system(ctx, plain) : NULL;
  const char *name = NULL, *abbreviation = NULL;
  if (axes && proj_cs_get_axis_info(ctx, axes, 0, &name, &abbreviation, NULL, NULL, NULL, NULL, NULL))
    *out = axis_is_northing(name, abbreviation);
  proj_destroy(axes);
  proj_destroy(plain);
  proj_destroy(crs);
  return RA_OK;
}

ra_crs *ra_crs_ref(ra_crs *crs) {
  if (crs) atomic_fetch_add_explicit(&crs->refs, 1, memory_order_relaxed);
  return crs;
}

void ra_crs_unref(ra_crs *crs) {
  if (!crs || atomic_fetch_sub_explicit(&crs->refs, 1, memory_order_acq_rel) != 1) return;
  free(crs->name);
  free(crs->wkt2);
  free(crs->projjson);
  free(crs);
}

int ra_crs_epsg(const ra_crs *crs) { return crs->epsg; }
bool ra_crs_is_geographic(const ra_crs *crs) { return crs->geographic; }
bool ra_crs_is_rotated_pole(const ra_crs *crs) { return crs->rotated; }
const char *ra_crs_name(const ra_crs *crs) { return crs->name; }
const char *ra_crs_wkt2(const ra_crs *crs) { return crs->wkt2; }
const char *ra_crs_projjson(const ra_crs *crs) { return crs->projjson; }
const char *ra_crs_key(const ra_crs *crs) { return crs->key; }
bool ra_crs_equal(const ra_crs *a, const ra_crs *b) { return a == b || !strcmp(a->key, b->key); }
