// source_zarr.c - a Zarr store as a source: its arrays of numbers as variables, their attributes, and dimensions by the names
// that xarray (v2), Zarr v3 and netCDF's NCZarr give. Of a pyramid (multiscales.h) the finest level is the
// data.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base64.h"
#include "format/json.h"
#include "format/zarr.h"
#include "source/multiscales.h"
#include "source/source_private.h"
#include "source/zarr_tree.h"

typedef struct state {
  ra_zarr_tree *tree;
  ra_reader reader;
  ra_zarr_array **arrays;  // of each variable; NULL where it has no numbers
  const char **paths;
  size_t count;
  const char **levels;  // groups that hold coarser copies of another
  size_t level_count;
  struct stat opened;  // of an archive: its members say nothing of the time it was written
} state;

static int no_memory(const ra_source *source, ra_err *err) {
  return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
}

// ---- cells

static int read_zarr(ra_source *source, const ra_source_var *var, const uint64_t *start,
                     const uint64_t *count, void *dst, ra_err *err) {
  const state *s = source->backend_state;
  int rc = ra_zarr_read(s->arrays[var->index], &s->reader, s->paths[var->index], start, count, dst,
                        NULL, NULL, err);
  if (rc < 0 && err) {
    ra_err_prefix(err, "%s", err->where);
    snprintf(err->where, sizeof err->where, "%s", source->name);
  }
  return rc;
}

static void close_zarr(ra_source *source) {
  state *s = source->backend_state;
  if (!s) return;
  for (size_t i = 0; i < s->count; i++) ra_zarr_array_unref(s->arrays[i]);
  ra_zarr_tree_free(s->tree);
  free(s->arrays);
  free(s->paths);
  free(s->levels);
  free(s);
}

static const ra__backend BACKEND = {read_zarr, close_zarr};

// ---- attributes

static json_t *load(const char *text) {
  return text ? ra_json_load(text, strlen(text), NULL) : NULL;
}

// A number, also one that JSON has no form of or that ra_json_load gives as a text: NaN, infinities, beyond 2^63.
static bool number_of(const json_t *value, double *out) {
  const char *text = json_string_value(value);
  *out = json_number_value(value);
  if (!text) return json_is_number(value);
  bool word = !strcmp(text, "NaN") || !strcmp(text, "Infinity") || !strcmp(text, "-Infinity");
  bool large = strlen(text) >= 19 && strspn(text, "0123456789") == strlen(text);
  if (word || large) *out = strtod(text, NULL);
  return word || large;
}

static bool add_numbers(ra_source *source, const char *name, const json_t *list,
                        ra_source_attr *attr) {
  size_t count = json_is_array(list) ? json_array_size(list) : 1;
  double *numbers = ra_arena_calloc(&source->arena, count + 1, sizeof *numbers);
  int64_t *integers = ra_arena_calloc(&source->arena, count + 1, sizeof *integers);
  bool whole = true;
  if (!numbers || !integers) return false;
  for (size_t i = 0; i < count; i++) {
    const json_t *item = json_is_array(list) ? json_array_get(list, i) : list;
    number_of(item, &numbers[i]);
    integers[i] = json_integer_value(item);
    whole = whole && json_is_integer(item);
  }
  *attr = (ra_source_attr){.name = name,
                           .count = count,
                           .dtype = whole ? RA_DTYPE_I64 : RA_DTYPE_F64,
                           .numbers = numbers,
                           .integers = whole ? integers : NULL};
  return true;
}

static bool all_are(const json_t *list, bool numbers) {
  size_t i;
  const json_t *item;
  json_array_foreach(list, i, item) {
    double number;
    if (numbers ? !number_of(item, &number) : !json_is_string(item)) return false;
  }
  return json_array_size(list) > 0;
}

static bool add_texts(ra_source *source, const char *name, const json_t *list, ra_source_attr *attr) {
  size_t count = json_is_array(list) ? json_array_size(list) : 1;
  const char **texts = ra_arena_calloc(&source->arena, count, sizeof *texts);
  if (!texts) return false;
  for (size_t i = 0; i < count; i++) {
    const json_t *item = json_is_array(list) ? json_array_get(list, i) : list;
    texts[i] = ra_arena_strdup(&source->arena, json_string_value(item));
    if (!texts[i]) return false;
  }
  *attr = (ra_source_attr){.name = name, .count = count, .texts = texts};
  return true;
}

// xarray puts a float's fill value into attributes of v3 as base64 of a double; "NaN" and its like elsewhere.
static bool add_fill(ra_source *source, ra_source_var *var, const json_t *value) {
  const char *text = json_string_value(value);
  double number;
  size_t got = 0;
  if (!number_of(value, &number) &&
      !(text && ra_base64_decode(text, strlen(text), &number, 8, &got) && got == 8))
    return true;  // of another type
  int64_t integer = json_is_integer(value)  ? json_integer_value(value)
                    : fabs(number) < 0x1p62 ? (int64_t)number
                                            : 0;
  return ra__model_number(source, var, "_FillValue", var->dtype, number, integer);
}

// What has no meaning for a raster (objects, mixed lists) is left out.
static bool add_attribute(ra_source *source, const ra_source_attr **attrs, size_t *count,
                          const char *key, const json_t *value) {
  ra_source_attr attr;
  const char *name = ra_arena_strdup(&source->arena, key);
  if (!name) return false;
  double number;
  if (number_of(value, &number) || (json_is_array(value) && all_are(value, true))) {
    return add_numbers(source, name, value, &attr) && ra__model_attr(source, attrs, count, &attr);
  }
  if (json_is_string(value) || (json_is_array(value) && all_are(value, false))) {
    return add_texts(source, name, value, &attr) && ra__model_attr(source, attrs, count, &attr);
  }
  return true;
}

static bool is_hidden(const char *name) {
  return strcmp(name, "_ARRAY_DIMENSIONS") == 0 || strcmp(name, "_nczarr_attr") == 0 ||
         strncmp(name, "_NCZARR_", 8) == 0 || strcmp(name, "_nczarr_array") == 0;
}

static bool add_attributes(ra_source *source, ra_source_var *var, const json_t *attributes) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)attributes, key, value) {
    if (is_hidden(key)) continue;
    bool good = strcmp(key, "_FillValue") == 0
                    ? add_fill(source, var, value)
                    : add_attribute(source, &var->attrs, &var->attr_count, key, value);
    if (!good) return false;
  }
  return true;
}

// ---- dimensions

// "/x" of NCZarr: the name alone, since dimensions are looked for from the inside out anyway.
static const char *last_part(const char *name) {
  const char *slash = strrchr(name, '/');
  return slash ? slash + 1 : name;
}

static const json_t *names_of(const ra_zarr_node *node, const json_t *metadata,
                              const json_t *attributes) {
  static const char *const nczarr[] = {"_nczarr_array", "_NCZARR_ARRAY"};
  if (node->format == 3) return json_object_get(metadata, "dimension_names");
  const json_t *names = json_object_get(attributes, "_ARRAY_DIMENSIONS");
  for (int i = 0; i < 2 && !names; i++) {
    const json_t *own = json_object_get(metadata, nczarr[i]);
    if (!own) own = json_object_get(attributes, nczarr[i]);
    names = json_object_get(own, "dimension_references");
    if (!names) names = json_object_get(own, "dimrefs");
  }
  return names;
}

// The dimension of that name and size in the group, or in one above; else a new one of the group.
static bool find_dim(ra_source *source, const char *group, const char *name, uint64_t size,
                     unsigned *index) {
  char path[512];
  for (size_t n = strlen(group);; n--) {
    snprintf(path, sizeof path, "%.*s%s%s", (int)n, group, n ? "/" : "", name);
    for (unsigned i = 0; i < source->dim_count; i++) {
      if (source->dims[i].size != size || strcmp(source->dims[i].name, path) != 0) continue;
      *index = i;
      return true;
    }
    while (n && group[n - 1] != '/') n--;
    if (n == 0) break;
  }
  return ra__model_dim(source, group, name, size, index) != NULL;
}

static bool add_dims(ra_source *source, ra_source_var *var, const ra_zarr_info *info,
                     const json_t *names) {
  for (unsigned d = 0; d < info->ndim; d++) {
    char made[64];
    const char *name = json_string_value(json_array_get(names, d));
    snprintf(made, sizeof made, "%s", name ? last_part(name) : "");
    if (!*made) snprintf(made, sizeof made, "dim_%u", d);
    if (!find_dim(source, var->group, made, info->shape[d], &var->dims[d])) {
      snprintf(made, sizeof made, "dim_%u_%llu", d, (unsigned long long)info->shape[d]);
      if (!find_dim(source, var->group, made, info->shape[d], &var->dims[d])) return false;
    }
    var->shape[d] = info->shape[d];
    var->chunk[d] = info->chunk[d];
  }
  var->ndim = info->ndim;
  return true;
}

// ---- variables

static bool room_for(state *s, size_t count) {
  ra_zarr_array **arrays = realloc(s->arrays, count * sizeof(ra_zarr_array *));
  if (arrays) s->arrays = arrays;
  const char **paths = realloc(s->paths, count * sizeof *paths);
  if (paths) s->paths = paths;
  return arrays && paths;
}

// v2's fill_value is what xarray, GDAL and netCDF take for missing; v3 says so in an attribute.
static bool add_own_fill(ra_source *source, const ra_zarr_node *node, ra_source_var *var,
                         const json_t *metadata) {
  const json_t *fill = json_object_get(metadata, "fill_value");
  if (node->format == 3 || !fill || json_is_null(fill) || ra_source_var_attr(var, "_FillValue"))
    return true;
  return add_fill(source, var, fill);
}

static int fill_var(ra_source *source, const ra_zarr_node *node, ra_source_var *var,
                    ra_zarr_array *array, const json_t *metadata, const json_t *attributes,
                    ra_err *err) {
  const ra_zarr_info *info = ra_zarr_array_info(array);
  bool flags = strcmp(info->type, "|b1") == 0;
  var->kind = info->numeric || flags ? RA_SOURCE_NUMBERS : RA_SOURCE_OTHER;
  var->dtype = flags ? RA_DTYPE_U8 : info->dtype;
  if (var->kind == RA_SOURCE_OTHER) return RA_OK;
  bool good = add_dims(source, var, info, names_of(node, metadata, attributes)) &&
              add_attributes(source, var, attributes) && add_own_fill(source, node, var, metadata);
  if (!good) return no_memory(source, err);
  ra__source_apply_unsigned(var);
  var->chunked = info->ndim > 0;
  ra__source_block(var);
  return RA_OK;
}

// An array that only its type or shape can be told of; what refuses the variable later says why.
static int add_undecodable(ra_source *source, const ra_zarr_node *node, ra_source_var *var,
                           const char *why, ra_err *err) {
  bool known = ra_zarr_type_is_known(node->metadata, strlen(node->metadata), node->format);
  var->kind = known ? RA_SOURCE_NUMBERS : RA_SOURCE_OTHER;
  var->filter = ra_arena_strdup(&source->arena, why);
  var->filter_is_reason = true;
  json_t *metadata = load(node->metadata), *attributes = load(node->attributes);
  const json_t *shape = json_object_get(metadata, "shape");
  ra_zarr_info info = {.ndim = (unsigned)json_array_size(shape)};
  bool good = var->filter != NULL;
  for (unsigned i = 0; info.ndim <= RA_ZARR_DIMS && i < info.ndim; i++)
    info.shape[i] = info.chunk[i] = (uint64_t)json_integer_value(json_array_get(shape, i));
  if (good && known && info.ndim <= RA_ZARR_DIMS)
    good = add_dims(source, var, &info, names_of(node, metadata, attributes));
  json_decref(metadata);
  json_decref(attributes);
  return good ? RA_OK : no_memory(source, err);
}

static int add_array(ra_source *source, state *s, const ra_zarr_node *node, ra_err *err) {
  ra_zarr_array *array = NULL;
  ra_err why = {0};
  const char *base = strrchr(node->path, '/');
  char *group = ra_arena_strndup(&source->arena, node->path, base ? (size_t)(base - node->path) : 0);
  base = base ? base + 1 : node->path;
  ra_source_var *var = group ? ra__model_var(source, group, *base ? base : "data") : NULL;
  if (!var || !room_for(s, source->var_count)) return no_memory(source, err);
  int rc =
      ra_zarr_array_parse_any(node->metadata, strlen(node->metadata), node->format, &array, &why);
  s->paths[var->index] = node->path;
  s->arrays[var->index] = array;
  s->count = source->var_count;
  if (rc < 0 && rc != RA_E_UNSUPPORTED)
    return ra_fail(err, rc, source->name, "array '%s': %s", node->path, why.message);
  if (rc < 0) return add_undecodable(source, node, var, why.message, err);
  json_t *metadata = load(node->metadata), *v2 = load(node->attributes);
  rc = fill_var(source, node, var, array, metadata,
                node->format == 2 ? v2 : json_object_get(metadata, "attributes"), err);
  json_decref(metadata);
  json_decref(v2);
  return rc;
}

// ---- pyramids

static bool is_below(const char *path, const char *group) {
  size_t n = strlen(group);
  return n == 0 || (strncmp(path, group, n) == 0 && (path[n] == '/' || path[n] == 0));
}

static bool is_lower_level(const state *s, const char *path) {
  for (size_t i = 0; i < s->level_count; i++) {
    if (is_below(path, s->levels[i])) return true;
  }
  return false;
}

static bool add_level(ra_source *source, state *s, const char *group, const char *name) {
  const char **levels = realloc(s->levels, (s->level_count + 1) * sizeof *levels);
  if (!levels) return false;
  s->levels = levels;
  levels[s->level_count] = ra_arena_printf(&source->arena, "%s%s%s", group, *group ? "/" : "", name);
  return levels[s->level_count++] != NULL;
}

// Notes the groups of a pyramid's levels but the finest.
static bool add_levels(ra_source *source, state *s, const ra_zarr_node *node) {
  const char *names[RA_MULTISCALES];
  int count = ra_multiscales_names(s->tree, node, &source->arena, names);
  for (int k = 1; k < count; k++) {
    if (!add_level(source, s, node->path, names[k])) return false;
  }
  return count >= 0;
}

// ---- opening

// What stands for the store's bytes (zarr_tree.h): names, sizes and times; no chunk is read for it.
static int add_identity(ra_source *source, const ra_zarr_tree *tree, ra_err *err) {
  ra_str text;
  ra_str_init(&text);
  int rc = ra_zarr_tree_identity(tree, &text, &source->bytes, err);
  if (rc == RA_OK && !text.failed)
    source->identity = ra_arena_strndup(&source->arena, text.ptr ? text.ptr : "", text.len);
  source->identity_size = text.len;
  ra_str_deinit(&text);
  if (rc < 0) return rc;
  return source->identity ? RA_OK : no_memory(source, err);
}

// An archive is still the file that was opened; the members of a folder tell it themselves.
static bool is_same_file(const ra_source *source, const state *s) {
  struct stat now;
  const struct stat *was = &s->opened;
  if (!S_ISREG(was->st_mode)) return true;
  return stat(source->path, &now) == 0 && now.st_dev == was->st_dev && now.st_ino == was->st_ino &&
         now.st_size == was->st_size && now.st_mtim.tv_sec == was->st_mtim.tv_sec &&
         now.st_mtim.tv_nsec == was->st_mtim.tv_nsec;
}

int ra__source_zarr_unchanged(ra_source *source, ra_err *err) {
  const state *s = source->backend_state;
  uint64_t bytes;
  ra_str text;
  ra_str_init(&text);
  int rc = ra_zarr_tree_identity(s->tree, &text, &bytes, err);
  bool same = rc == RA_OK && is_same_file(source, s) && !text.failed &&
              text.len == source->identity_size &&
              memcmp(text.ptr ? text.ptr : "", source->identity, text.len) == 0;
  bool failed = text.failed;
  ra_str_deinit(&text);
  if (rc < 0 || same) return rc;
  if (failed) return no_memory(source, err);
  return ra_fail(err, RA_E_CONFLICT, source->name,
                 "was changed while it was being read; ingest it again when it is complete");
}

static bool add_globals(ra_source *source, const json_t *attributes) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)attributes, key, value) {
    if (is_hidden(key)) continue;
    if (!add_attribute(source, &source->attrs, &source->attr_count, key, value)) return false;
  }
  return true;
}

static int add_group(ra_source *source, state *s, const ra_zarr_node *node, ra_err *err) {
  json_t *root = load(node->format == 2 ? node->attributes : node->metadata);
  const json_t *attributes = node->format == 2 ? root : json_object_get(root, "attributes");
  bool good = add_levels(source, s, node);
  if (good && !*node->path) good = add_globals(source, attributes);
  json_decref(root);
  return good ? RA_OK : no_memory(source, err);
}

static int fill_model(ra_source *source, state *s, ra_err *err) {
  int rc = add_identity(source, s->tree, err);
  size_t count = ra_zarr_tree_count(s->tree);
  for (size_t i = 0; i < count && rc == RA_OK; i++) {
    const ra_zarr_node *node = ra_zarr_tree_node(s->tree, i);
    bool again = i + 1 < count && !strcmp(ra_zarr_tree_node(s->tree, i + 1)->path, node->path);
    if (again) continue;  // the same array in v2 and v3
    // Groups stand before what is in them.
    if (!node->array) rc = add_group(source, s, node, err);
    if (node->array && !is_lower_level(s, node->path)) rc = add_array(source, s, node, err);
  }
  return rc;
}

const char *ra_source_identity(const ra_source *source) { return source->identity; }

const ra_zarr_tree *ra_source_tree(const ra_source *source) {
  return source->backend == &BACKEND ? ((const state *)source->backend_state)->tree : NULL;
}

int ra__source_open_zarr(ra_source *source, ra_references *references, ra_err *err) {
  state *s = calloc(1, sizeof *s);
  if (!s) {
    ra_references_free(references);
    return no_memory(source, err);
  }
  source->backend = &BACKEND;
  source->backend_state = s;
  source->format = "zarr";
  if (stat(source->path, &s->opened) < 0) s->opened.st_mode = 0;  // a URL
  int rc = ra_zarr_tree_open_references(source->path, references, &s->tree, err);
  if (rc < 0) {
    if (err) snprintf(err->where, sizeof err->where, "%s", source->name);
    return rc;
  }
  s->reader = ra_zarr_tree_reader(s->tree);
  return fill_model(source, s, err);
}
