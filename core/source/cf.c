// cf.c - roles of variables, and the assembly of the model; see cf.h
#include "source/cf.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/path.h"
#include "source/cf_private.h"

void ra__cf_reason(ra_cf *cf, ra_cf_variable *variable, int code, const char *fmt, ...) {
  char text[448];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  if (variable->reason) return;
  const char *copy = ra_arena_strdup(&cf->arena, text);
  variable->reason = copy ? copy : "out of memory";
  variable->reason_code = code;
}

void ra__cf_find(ra_cf *cf, const char *code, const char *severity, const char *where,
                 const char *fmt, ...) {
  char text[448];
  va_list ap;
  va_start(ap, fmt);
  vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  for (ra_cf_finding *f = cf->findings; f; f = f->next) {
    if (!strcmp(f->code, code) && !strcmp(f->where, where) && !strcmp(f->message, text)) return;
  }
  ra_cf_finding *finding = ra_arena_calloc(&cf->arena, 1, sizeof *finding);
  const char *copy = ra_arena_strdup(&cf->arena, text);
  if (!finding || !copy) return;
  *finding = (ra_cf_finding){code, severity, where, copy, NULL};
  *cf->findings_end = finding;
  cf->findings_end = &finding->next;
}

static ra_cf_variable *variable_of(ra_cf *cf, const ra_source_var *source) {
  for (size_t i = 0; source && i < cf->count; i++) {
    if (cf->variables[i].source == source) return &cf->variables[i];
  }
  return NULL;
}

static void mark(ra_cf *cf, const ra_source_var *from, const char *name, ra_cf_role role) {
  ra_cf_variable *target = variable_of(cf, ra_source_find(cf->source, from->group, name));
  if (target && target->role != RA_CF_TEXT) target->role = role;
}

// Marks each variable that a blank-separated attribute names.
static void mark_listed(ra_cf *cf, const ra_source_var *from, const char *attribute, ra_cf_role role) {
  for (const char *p = ra_source_var_text(from, attribute); p && *p;) {
    p += strspn(p, " \t\r\n");
    size_t n = strcspn(p, " \t\r\n");
    char word[256];
    if (n > 0 && n < sizeof word) {
      memcpy(word, p, n);
      word[n] = 0;
      if (word[n - 1] == ':') word[n - 1] = 0;
      mark(cf, from, word, role);
    }
    p += n;
  }
}

static bool is_mapping(const ra_source_var *var) {
  const char *role = ra_source_var_text(var, "cf_role");
  return ra_source_var_text(var, "grid_mapping_name") || (role && !strcmp(role, "mesh_topology")) ||
         (var->ndim == 0 &&
          (ra_source_var_text(var, "crs_wkt") || ra_source_var_text(var, "spatial_ref")));
}

static ra_cf_role own_role(const ra_cf *cf, const ra_source_var *var) {
  if (is_mapping(var)) return RA_CF_MAPPING;
  if (var->kind != RA_SOURCE_NUMBERS) return RA_CF_TEXT;
  if (var->ndim == 0) return RA_CF_COORDINATE;
  bool axis = var->ndim == 1 && !strcmp(ra_source_get_dim(cf->source, var->dims[0])->base, var->base);
  if (axis) return RA_CF_COORDINATE;
  ra__cf_class class = ra__cf_classify(var);
  bool place = class == RA__CF_LON || class == RA__CF_LAT;
  return place || (class == RA__CF_TIME && var->ndim == 1) ? RA_CF_COORDINATE : RA_CF_DATA;
}

static void assign_roles(ra_cf *cf) {
  for (size_t i = 0; i < cf->count; i++)
    cf->variables[i].role = own_role(cf, cf->variables[i].source);
  for (size_t i = 0; i < cf->count; i++) {
    const ra_source_var *var = cf->variables[i].source;
    mark_listed(cf, var, "coordinates", RA_CF_COORDINATE);
    mark_listed(cf, var, "bounds", RA_CF_BOUNDS);
    mark_listed(cf, var, "climatology", RA_CF_BOUNDS);
    const char *mapping = ra_source_var_text(var, "grid_mapping");
    if (mapping && !strchr(mapping, ' ')) mark(cf, var, mapping, RA_CF_MAPPING);
  }
}

// The variable's own coordinate of a dimension: 1-D, named like it.
static ra_source_var *own_coordinate(const ra_cf *cf, const ra_source_var *var, unsigned dim) {
  ra_source_var *found =
      ra_source_find(cf->source, var->group, ra_source_get_dim(cf->source, dim)->base);
  bool fits = found && found != var && found->ndim == 1 && found->dims[0] == dim &&
              found->kind == RA_SOURCE_NUMBERS;
  return fits ? found : NULL;
}

static bool is_place(ra__cf_class class) { return class == RA__CF_LON || class == RA__CF_LAT; }

static bool is_plane(ra__cf_class class) {
  return class == RA__CF_PROJ_X || class == RA__CF_PROJ_Y || class == RA__CF_ROTATED_X ||
         class == RA__CF_ROTATED_Y;
}

// How well an auxiliary 1-D coordinate serves where the dimension has none of its own that says what it is.
static int aux_rank(const ra_source_var *var, const ra_source_var *aux, ra__cf_class class) {
  const char *coordinates = ra_source_var_text(var, "coordinates");
  const char *name = ra_source_var_text(aux, "standard_name");
  int rank = is_place(class) ? 8 : is_plane(class) || class == RA__CF_TIME ? 4 : 0;
  if (!rank) return 0;
  if (coordinates && ra__cf_list_has(coordinates, aux->base)) rank += 2;
  return rank + (name && !strcmp(name, "time"));
}

void ra__cf_dims(const ra_cf *cf, const ra_cf_variable *variable, ra__cf_dim *dims) {
  const ra_source_var *var = variable->source;
  for (unsigned d = 0; d < var->ndim; d++) {
    ra_source_var *own = own_coordinate(cf, var, var->dims[d]);
    dims[d] = (ra__cf_dim){own ? ra__cf_classify(own) : RA__CF_NONE, own};
    bool settled =
        dims[d].class != RA__CF_NONE && dims[d].class != RA__CF_X && dims[d].class != RA__CF_Y;
    int best = 0;
    for (size_t i = 0; !settled && i < cf->count; i++) {
      ra_source_var *aux = cf->variables[i].source;
      if (aux == var || aux->ndim != 1 || aux->dims[0] != var->dims[d]) continue;
      ra__cf_class class = ra__cf_classify(aux);
      int rank = aux_rank(var, aux, class);
      if (rank > best) {
        best = rank;
        dims[d] = (ra__cf_dim){class, aux};
      }
    }
  }
}

static int fill_extra(ra_cf *cf, ra_cf_variable *variable, unsigned d, const ra__cf_dim *dim,
                      ra_err *err) {
  const ra_source_var *var = variable->source;
  ra_cf_extra *extra = &variable->extra[variable->extra_count++];
  *extra = (ra_cf_extra){
      ra_source_get_dim(cf->source, var->dims[d])->base, d, var->shape[d], NULL, "", false};
  ra_source_var *own = own_coordinate(cf, var, var->dims[d]);
  if (own && !own->filter) {
    size_t count;
    int rc = ra__cf_values(cf, own, &extra->values, &count, err);
    if (rc < 0) return rc;
    for (size_t i = 0; extra->values && i < count; i++) {
      if (!(extra->values[i] - extra->values[i] == 0)) extra->values = NULL;
    }
    const char *units = ra_source_var_text(own, "units");
    extra->units = units ? units : "";
  }
  extra->vertical = dim->class == RA__CF_VERTICAL;
  return RA_OK;
}

static int read_extras(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims, ra_err *err) {
  variable->extra = ra_arena_calloc(&cf->arena, variable->source->ndim + 1, sizeof *variable->extra);
  if (!variable->extra) return ra_fail(err, RA_E_NOMEM, variable->source->name, "out of memory");
  variable->bands = 1;
  for (int d = 0; d < (int)variable->source->ndim; d++) {
    if (d == variable->x_dim || d == variable->y_dim || d == variable->time_dim ||
        d == variable->run_dim)
      continue;
    int rc = fill_extra(cf, variable, (unsigned)d, &dims[d], err);
    if (rc < 0) return rc;
    variable->bands *= variable->source->shape[d];
  }
  return RA_OK;
}

enum { MAP_DIMS = 8 };  // a dataset's body describes no more (format/dataset.h)

static bool check_storage(ra_cf *cf, ra_cf_variable *variable) {
  const ra_source_var *var = variable->source;
  if (var->filter) {
    ra__cf_reason(
        cf, variable, RA_E_UNSUPPORTED,
        var->filter_is_reason
            ? "%s"
            : "it is compressed with %s, for which there is no decoder; rewrite it with deflate",
        var->filter);
  } else if (var->ndim > MAP_DIMS) {
    ra__cf_reason(cf, variable, RA_E_UNSUPPORTED, "it has %u dimensions; up to %d are served",
                  var->ndim, MAP_DIMS);
  }
  for (unsigned d = 0; d < var->ndim; d++) {
    if (var->shape[d] == 0) {
      ra__cf_reason(cf, variable, RA_E_INVALID,
                    "its dimension '%s' has length 0: it holds no values",
                    ra_source_get_dim(cf->source, var->dims[d])->name);
    }
  }
  return variable->reason == NULL;
}

// An axis may be compressed with a filter too.
static bool check_axes(ra_cf *cf, ra_cf_variable *variable, const ra__cf_dim *dims) {
  for (unsigned d = 0; d < variable->source->ndim; d++) {
    if (dims[d].var && dims[d].var->filter) {
      ra__cf_reason(cf, variable, RA_E_UNSUPPORTED,
                    dims[d].var->filter_is_reason
                        ? "its axis '%s': %s"
                        : "its axis '%s' is compressed with %s, for which there is no decoder; "
                          "rewrite it with deflate",
                    dims[d].var->name, dims[d].var->filter);
    }
  }
  return variable->reason == NULL;
}

static int read_variable(ra_cf *cf, ra_cf_variable *variable, ra_err *err) {
  ra__cf_dim dims[RA_SOURCE_DIMS] = {0};
  variable->time_dim = variable->run_dim = variable->y_dim = variable->x_dim = -1;
  ra__cf_packing(variable);
  if (variable->role != RA_CF_DATA) return RA_OK;
  ra__cf_dims(cf, variable, dims);
  if (!check_storage(cf, variable) || !check_axes(cf, variable, dims)) return RA_OK;
  int rc = ra__cf_grid(cf, variable, dims, err);
  if (rc < 0 || !variable->mappable) return rc;
  if (variable->grid->layout == RA_CF_CURVED) ra__cf_need_nodata(variable);
  rc = ra__cf_time(cf, variable, dims, err);
  if (rc < 0 || !variable->mappable) return rc;
  return read_extras(cf, variable, dims, err);
}

static void note_name(ra_cf *cf, const ra_source_var *var) {
  ra_str path;
  ra_str_init(&path);
  ra_key_add_path(&path, var->name);
  if (path.ptr && strcmp(path.ptr, var->name) != 0) {
    ra__cf_find(cf, "name-escaped", "info", var->name,
                "is called '%s' in the Zarr store, whose keys have no such letters", path.ptr);
  }
  ra_str_deinit(&path);
}

static void note_packing(ra_cf *cf, const ra_source_var *var) {
  static const char *const names[] = {"scale_factor", "add_offset"};
  for (int i = 0; i < 2; i++) {
    double number;
    if (!ra_source_var_number(var, names[i], &number) || (isfinite(number) && (i || number != 0)))
      continue;
    ra__cf_find(cf, "packing-ignored", "warning", var->name,
                "has the %s %g, with which nothing can be unpacked; it is taken for absent",
                names[i], number);
  }
}

// An auxiliary coordinate that is itself a field on the grid (a height that changes with time) is data as well.
static void note_variables(ra_cf *cf) {
  for (size_t i = 0; i < cf->count; i++) {
    const ra_cf_variable *v = &cf->variables[i];
    cf->mappable_count += v->mappable;
    note_name(cf, v->source);
    note_packing(cf, v->source);
    if (v->role == RA_CF_TEXT) {
      ra__cf_find(cf, "text-skipped", "info", v->source->name, "holds no numbers and is left out");
    } else if (v->role == RA_CF_DATA && !v->mappable && v->source->ndim > 1) {
      ra__cf_find(cf, "not-mappable", "warning", v->source->name,
                  "is kept in the Zarr store only: %s", v->reason ? v->reason : "it lies on no grid");
    }
  }
}

static int read_all(ra_cf *cf, const char *datetime, ra_err *err) {
  cf->findings_end = &cf->findings;
  cf->count = ra_source_var_count(cf->source);
  cf->variables = ra_arena_calloc(&cf->arena, cf->count + 1, sizeof *cf->variables);
  if (!cf->variables) return ra_fail(err, RA_E_NOMEM, ra_source_name(cf->source), "out of memory");
  for (size_t i = 0; i < cf->count; i++) cf->variables[i].source = ra_source_get_var(cf->source, i);
  assign_roles(cf);
  for (size_t i = 0; i < cf->count; i++) {
    int rc = read_variable(cf, &cf->variables[i], err);
    if (rc < 0) return rc;
  }
  note_variables(cf);
  return datetime ? ra__cf_given_time(cf, datetime, err) : RA_OK;
}

int ra_cf_read(ra_source *source, const char *datetime, ra_cf **out, ra_err *err) {
  *out = NULL;
  ra_cf *cf = calloc(1, sizeof *cf);
  if (!cf) return ra_fail(err, RA_E_NOMEM, ra_source_name(source), "out of memory");
  ra_arena_init(&cf->arena, (size_t)512 << 20);
  cf->source = source;
  int rc = read_all(cf, datetime, err);
  if (rc < 0) {
    ra_cf_free(cf);
    return rc;
  }
  *out = cf;
  return RA_OK;
}

void ra_cf_free(ra_cf *cf) {
  if (!cf) return;
  for (ra_cf_grid *g = cf->grids; g; g = g->next) ra_crs_unref(g->crs);
  ra_arena_deinit(&cf->arena);
  free(cf);
}

// Arrays of Zarr that we have no decoder for have no dimensions here either: they are what was meant.
static int nothing_gridded(const ra_cf *cf, ra_err *err) {
  const char *name = ra_source_name(cf->source);
  for (size_t i = 0; i < cf->count; i++) {
    const ra_source_var *var = cf->variables[i].source;
    if (var->filter)
      return ra_fail(err, RA_E_UNSUPPORTED, name,
                     "holds no gridded variable; '%s' cannot be decoded: %s", var->name, var->filter);
  }
  return ra_fail(err, RA_E_UNSUPPORTED, name, "holds no gridded variable");
}

int ra_cf_refusal(const ra_cf *cf, ra_err *err) {
  if (cf->mappable_count) return RA_OK;
  const ra_cf_variable *best = NULL;
  for (size_t i = 0; i < cf->count; i++) {
    const ra_cf_variable *v = &cf->variables[i];
    if (v->role != RA_CF_DATA || !v->reason) continue;
    bool bigger = !best || v->source->ndim > best->source->ndim ||
                  (v->source->ndim == best->source->ndim &&
                   ra_source_var_cells(v->source) > ra_source_var_cells(best->source));
    if (bigger) best = v;
  }
  const char *name = ra_source_name(cf->source);
  if (!best) return nothing_gridded(cf, err);
  return ra_fail(err, best->reason_code, name,
                 "holds no variable that can be put on a map: '%s': %s", best->source->name,
                 best->reason);
}

const ra_cf_variable *ra_cf_find(const ra_cf *cf, const char *name) {
  for (size_t i = 0; i < cf->count; i++) {
    if (!strcmp(cf->variables[i].source->name, name)) return &cf->variables[i];
  }
  return NULL;
}
