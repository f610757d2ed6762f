// plan.c - which arrays the store gets, in which chunks.
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "base/size.h"
#include "ingest/ingest_private.h"

enum { JOBS_MAX = 32 };

static bool listed(const char *list, const char *name) {
  size_t len = strlen(name);
  for (const char *p = list; *p;) {
    size_t n = strcspn(p, ",");
    if (n == len && !strncmp(p, name, n)) return true;
    p += n;
    if (*p) p++;
  }
  return false;
}

static int unknown(const ra_ingest *ingest, const char *name, ra_err *err) {
  ra_str names;
  ra_str_init(&names);
  for (size_t i = 0; i < ingest->cf->count && names.len < 300; i++) {
    if (!ingest->cf->variables[i].mappable) continue;
    if (names.len) ra_str_add(&names, ", ");
    ra_str_add(&names, ingest->cf->variables[i].source->name);
  }
  ra_fail(err, RA_E_INVALID, ra_source_name(ingest->source), "has no variable '%s'; it has %s",
          name, names.ptr ? names.ptr : "none");
  ra_str_deinit(&names);
  return RA_E_INVALID;
}

static int check_list(const ra_ingest *ingest, ra_err *err) {
  const char *list = ingest->options.variables;
  for (const char *p = list; p && *p;) {
    size_t n = strcspn(p, ",");
    char name[256] = "";
    if (n < sizeof name) memcpy(name, p, n);
    const ra_cf_variable *variable = ra_cf_find(ingest->cf, name);
    if (!variable) return unknown(ingest, name, err);
    if (variable->role == RA_CF_DATA && !variable->mappable) {
      return ra_fail(err, variable->reason_code, ra_source_name(ingest->source),
                     "variable '%s' cannot be put on a map: %s", name,
                     variable->reason ? variable->reason : "it lies on no grid");
    }
    p += n;
    if (*p) p++;
  }
  return RA_OK;
}

static bool wanted(const ra_ingest *ingest, const ra_cf_variable *variable) {
  const ra_source_var *var = variable->source;
  if (var->kind != RA_SOURCE_NUMBERS || var->filter || ra_source_var_cells(var) == 0) return false;
  const char *list = ingest->options.variables;
  return !list || variable->role != RA_CF_DATA || listed(list, var->name);
}

static void plan_fill(const ra_cf_variable *variable, ra_zarr_spec *zarr) {
  if (zarr->format == 2) {
    zarr->has_fill = ra__fill_value(variable, zarr);
    return;
  }
  bool is_float = ra_dtype_is_float(zarr->dtype);
  if (variable->has_fill && (is_float || ra_dtype_size(zarr->dtype) < 8)) {
    zarr->has_fill = true;
    zarr->fill = variable->fill;
    zarr->fill_int = is_float ? 0 : (int64_t)variable->fill;
  } else if (is_float && !variable->has_fill) {
    zarr->has_fill = true;
    zarr->fill = __builtin_nan("");
  }
}

static void plan_array(const ra_ingest *ingest, const ra_cf_variable *variable, ra__array *array) {
  const ra_source_var *var = variable->source;
  ra_zarr_spec *zarr = &array->zarr;
  array->cf = variable;
  array->raw = ra_source_var_bytes(var);
  zarr->name = var->name;
  zarr->format = ingest->options.zarr_format;
  zarr->dtype = var->dtype;
  zarr->ndim = var->ndim;
  for (unsigned d = 0; d < var->ndim; d++) {
    zarr->shape[d] = var->shape[d];
    zarr->dimension_names[d] = ra_source_get_dim(ingest->source, var->dims[d])->base;
  }
  plan_fill(variable, zarr);
  if (ingest->kept) {
    memcpy(zarr->chunk, var->chunk, sizeof zarr->chunk);
    memcpy(zarr->shard, var->chunk, sizeof zarr->shard);
  } else {
    ra_zarr_plan(zarr, variable->time_dim, variable->y_dim, variable->x_dim);
  }
  if (!variable->mappable) return;
  array->steps = variable->time_dim >= 0 ? var->shape[variable->time_dim] : 1;
  if (variable->run_dim >= 0) array->steps *= var->shape[variable->run_dim];
  array->plane = array->map_plane = array->raw / array->steps;
  const ra_grid *map = &variable->grid->grid;
  if (variable->grid->layout == RA_CF_EVEN) return;
  bool fits =
      ra_size_mul((size_t)map->width, (size_t)map->height, &array->map_plane) &&
      ra_size_mul(array->map_plane, variable->bands * ra_dtype_size(zarr->dtype), &array->map_plane);
  if (!fits) array->map_plane = SIZE_MAX;
}

int ra__ingest_fit(ra_ingest *ingest, ra_err *err) {
  ingest->need = 0;
  ingest->scratch = 0;
  ingest->jobs = ingest->options.jobs;
  if (!ingest->jobs) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    ingest->jobs = cores > 0 ? (unsigned)cores : 1;
  }
  if (ingest->jobs > JOBS_MAX) ingest->jobs = JOBS_MAX;
  int rc = ra__budget_maps(ingest, &ingest->need, err);
  for (size_t n = 0; n < 2 * ingest->count && rc >= 0; n++) {
    ra__array *array = &ingest->arrays[n % ingest->count];
    bool first = n < ingest->count;  // those with maps, so that a refusal names what needs most
    if (array->cf->mappable != first || !ra__place_reads(ingest, array)) continue;
    rc = ra__budget(ingest, array, err);
    if (array->plan.memory > ingest->need) ingest->need = array->plan.memory;
    if (array->plan.scratch > ingest->scratch) ingest->scratch = array->plan.scratch;
  }
  return rc;
}

// The part of a key that an array's last name becomes stands beside the store's own objects.
static bool fits_store(const char *key) {
  const char *slash = strrchr(key, '/');
  if (!ra_key_valid(key) || strcmp(slash ? slash + 1 : key, "zarr.json") == 0) return false;
  for (size_t n; *key; key += n + (key[n] == '/')) {
    n = strcspn(key, "/");
    if (n > NAME_MAX) return false;
  }
  return true;
}

// Keys have letters that names may have, so that two names may become one key.
static bool is_taken(const char *const *keys, size_t count, const char *key) {
  for (size_t i = 0; i < count; i++)
    if (keys[i] && strcmp(keys[i], key) == 0) return true;
  return false;
}

static int check_name(const ra_ingest *ingest, size_t i, const char **keys, ra_err *err) {
  const char *name = ingest->arrays[i].zarr.name;
  ra_str key;
  ra_str_init(&key);
  ra_key_add_path(&key, name);
  keys[i] = key.ptr && !key.failed ? key.ptr : NULL;
  if (!keys[i]) return ra_fail(err, RA_E_NOMEM, ra_source_name(ingest->source), "out of memory");
  if (fits_store(keys[i]) && !is_taken(keys, i, keys[i])) return RA_OK;
  return ra_fail(
      err, RA_E_UNSUPPORTED, ra_source_name(ingest->source),
      "'%.80s' is no name for an array of the store: its key '%.80s' is none, is another "
      "one's, or has a part of more than %d bytes; rename it (ncrename -v), or leave it "
      "out with --variables",
      name, keys[i], NAME_MAX);
}

static int check_names(const ra_ingest *ingest, ra_err *err) {
  int rc = RA_OK;
  const char **keys = calloc(ingest->count + 1, sizeof *keys);
  if (!keys) return ra_fail(err, RA_E_NOMEM, ra_source_name(ingest->source), "out of memory");
  for (size_t i = 0; i < ingest->count && rc >= 0; i++) rc = check_name(ingest, i, keys, err);
  for (size_t i = 0; i < ingest->count; i++) free((void *)keys[i]);
  free(keys);
  return rc;
}

static void add_totals(ra_ingest *ingest) {
  for (size_t i = 0; i < ingest->count; i++) {
    const ra__array *array = &ingest->arrays[i];
    if (!ra__place_reads(ingest, array)) continue;
    ingest->bytes_total += array->raw;
    if (!array->direct) ingest->steps_total += array->steps;
  }
}

int ra__ingest_plan(ra_ingest *ingest, ra_err *err) {
  int rc = check_list(ingest, err);
  if (rc < 0) return rc;
  const ra_cf *cf = ingest->cf;
  ingest->arrays = ra_arena_calloc(&ingest->arena, cf->count + 1, sizeof *ingest->arrays);
  if (!ingest->arrays)
    return ra_fail(err, RA_E_NOMEM, ra_source_name(ingest->source), "out of memory");
  for (size_t i = 0; i < cf->count; i++) {
    if (wanted(ingest, &cf->variables[i]))
      plan_array(ingest, &cf->variables[i], &ingest->arrays[ingest->count++]);
  }
  for (size_t i = 0; ingest->kept && i < ingest->count; i++) {
    rc = ra__place_levels(ingest, &ingest->arrays[i], err);
    if (rc < 0) return rc;
  }
  rc = check_names(ingest, err);
  if (rc < 0) return rc;
  add_totals(ingest);
  return ra__ingest_fit(ingest, err);
}
