// zarr_parse.c - reads an array's metadata, zarr.json here. Everything is checked in these files, once: types, products,
// names of codecs. What is not known is refused by its name.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "format/json.h"
#include "format/zarr_impl.h"

int ra__zarr_corrupt(ra_err *err, const char *member, const char *wanted) {
  return ra_fail(err, RA_E_CORRUPT, "zarr.json", "\"%s\" is not %s", member, wanted);
}

int ra__zarr_unsupported(ra_err *err, const char *what, const char *name) {
  return ra_fail(err, RA_E_UNSUPPORTED, "zarr.json", "%s \"%.60s\" is not one that we read", what,
                 name);
}

int ra__zarr_list(const json_t *list, const char *member, unsigned ndim, json_int_t least,
                  uint64_t *out, ra_err *err) {
  if (!json_is_array(list) || json_array_size(list) != ndim) {
    return ra__zarr_corrupt(err, member, "a list of one number a dimension");
  }
  for (unsigned i = 0; i < ndim; i++) {
    const json_t *item = json_array_get(list, i);
    json_int_t value = json_integer_value(item);
    if (!json_is_integer(item) || value < least || value > (json_int_t)1 << 48) {
      return ra__zarr_corrupt(err, member, "a list of whole numbers from 0 (shape) or 1 to 2^48");
    }
    out[i] = (uint64_t)value;
  }
  return RA_OK;
}

int ra__zarr_named(const json_t *value, const char *member, const char **name,
                   const json_t **configuration, ra_err *err) {
  *configuration = json_object_get(value, "configuration");
  *name = json_string_value(json_is_string(value) ? value : json_object_get(value, "name"));
  if (!*name) return ra__zarr_corrupt(err, member, "an object with a \"name\"");
  if (*configuration && !json_is_object(*configuration)) {
    return ra__zarr_corrupt(err, "configuration", "an object");
  }
  return RA_OK;
}

static int parse_grid(ra_zarr_array *array, const json_t *root, ra_err *err) {
  const char *name;
  const json_t *configuration;
  int rc =
      ra__zarr_named(json_object_get(root, "chunk_grid"), "chunk_grid", &name, &configuration, err);
  if (rc < 0) return rc;
  if (strcmp(name, "regular") != 0) return ra__zarr_unsupported(err, "chunk grid", name);
  return ra__zarr_list(json_object_get(configuration, "chunk_shape"), "chunk_shape",
                       array->info.ndim, 1, array->info.shard, err);
}

static int parse_keys(ra_zarr_array *array, const json_t *root, ra_err *err) {
  const char *name;
  const json_t *configuration;
  int rc = ra__zarr_named(json_object_get(root, "chunk_key_encoding"), "chunk_key_encoding", &name,
                          &configuration, err);
  if (rc < 0) return rc;
  array->v2_keys = strcmp(name, "v2") == 0;
  if (!array->v2_keys && strcmp(name, "default") != 0) {
    return ra__zarr_unsupported(err, "chunk key encoding", name);
  }
  const json_t *separator = json_object_get(configuration, "separator");
  const char *text = separator ? json_string_value(separator) : array->v2_keys ? "." : "/";
  if (!text || (strcmp(text, ".") != 0 && strcmp(text, "/") != 0)) {
    return ra__zarr_corrupt(err, "separator", "\"/\" or \".\"");
  }
  array->separator = text[0];
  return RA_OK;
}

static bool is_known(const char *member) {
  static const char *const known[] = {
      "zarr_format",         "node_type",  "shape",  "data_type",  "chunk_grid",
      "chunk_key_encoding",  "fill_value", "codecs", "attributes", "dimension_names",
      "storage_transformers"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i], member) == 0) return true;
  }
  return false;
}

// Members that the specification does not name may be skipped only where they say so themselves.
static int check_members(json_t *root, ra_err *err) {
  const char *member;
  json_t *value;
  json_object_foreach(root, member, value) {
    if (is_known(member) || json_is_false(json_object_get(value, "must_understand"))) continue;
    return ra__zarr_unsupported(err, "the extension", member);
  }
  const json_t *transformers = json_object_get(root, "storage_transformers");
  if (transformers && (!json_is_array(transformers) || json_array_size(transformers) > 0)) {
    return ra_fail(err, RA_E_UNSUPPORTED, "zarr.json", "storage transformers are not read");
  }
  return RA_OK;
}

static int parse_head(ra_zarr_array *array, json_t *root, ra_err *err) {
  const char *node = json_string_value(json_object_get(root, "node_type"));
  const json_t *shape = json_object_get(root, "shape");
  if (json_integer_value(json_object_get(root, "zarr_format")) != 3) {
    return ra__zarr_corrupt(err, "zarr_format", "3");
  }
  if (!node || strcmp(node, "array") != 0) return ra__zarr_corrupt(err, "node_type", "\"array\"");
  if (!json_is_array(shape) || json_array_size(shape) > RA_ZARR_DIMS) {
    return ra__zarr_corrupt(err, "shape", "a list of at most 16 whole numbers");
  }
  array->info.ndim = (unsigned)json_array_size(shape);
  int rc = ra__zarr_list(shape, "shape", array->info.ndim, 0, array->info.shape, err);
  if (rc < 0) return rc;
  return ra__zarr_type_v3(json_object_get(root, "data_type"), &array->info, err);
}

static int parse_v3(ra_zarr_array *array, json_t *root, ra_err *err) {
  int rc = parse_head(array, root, err);
  if (rc == RA_OK) rc = check_members(root, err);
  if (rc == RA_OK) rc = parse_grid(array, root, err);
  if (rc == RA_OK) rc = parse_keys(array, root, err);
  if (rc == RA_OK) rc = ra__zarr_fill(array, json_object_get(root, "fill_value"), err);
  return rc == RA_OK ? ra__zarr_codecs_v3(array, json_object_get(root, "codecs"), err) : rc;
}

static int parse_array(ra_zarr_array *array, json_t *root, ra_err *err) {
  if (!json_is_object(root)) return ra__zarr_corrupt(err, "", "an object");
  for (unsigned i = 0; i < RA_ZARR_DIMS; i++) array->order[i] = (uint8_t)i;
  int rc = array->info.format == 2 ? ra__zarr_parse_v2(array, root, err) : parse_v3(array, root, err);
  return rc == RA_OK ? ra__zarr_derive(array, err) : rc;
}

static const char *type_of(const json_t *root) {
  const json_t *type = json_object_get(root, "data_type");
  const char *name = json_string_value(json_is_string(type) ? type : json_object_get(type, "name"));
  return name ? name : "?";
}

static int parse(const char *json, size_t size, unsigned format, bool numbers, ra_zarr_array **out,
                 ra_err *err) {
  const char *name = format == 2 ? ".zarray" : "zarr.json";
  json_error_t why;
  json_t *root = ra_json_load(json, size, &why);
  if (!root) return ra_fail(err, RA_E_CORRUPT, name, "not JSON: line %d: %s", why.line, why.text);
  ra_zarr_array *array = calloc(1, sizeof *array);
  if (!array) {
    json_decref(root);
    return ra_fail(err, RA_E_NOMEM, name, "no memory for an array");
  }
  atomic_init(&array->refs, 1);
  pthread_mutex_init(&array->lock, NULL);
  array->info.format = format;
  int rc = parse_array(array, root, err);
  if (rc == RA_OK && numbers && !array->info.numeric)
    rc = ra__zarr_unsupported(err, "data type", type_of(root));
  json_decref(root);
  if (rc < 0) {
    if (err) snprintf(err->where, sizeof err->where, "%s", name);
    ra_zarr_array_unref(array);
    return rc;
  }
  *out = array;
  return RA_OK;
}

bool ra_zarr_type_is_known(const char *json, size_t size, unsigned format) {
  json_error_t why;
  json_t *root = ra_json_load(json, size, &why);
  ra_zarr_info info = {0};
  bool big;
  int rc = format == 2 ? ra__zarr_type_v2(json_object_get(root, "dtype"), &info, &big, NULL)
                       : ra__zarr_type_v3(json_object_get(root, "data_type"), &info, NULL);
  json_decref(root);
  return rc == RA_OK;
}

int ra_zarr_array_parse_any(const char *json, size_t size, unsigned format, ra_zarr_array **out,
                            ra_err *err) {
  return parse(json, size, format, false, out, err);
}

int ra_zarr_array_parse(const char *json, size_t size, ra_zarr_array **out, ra_err *err) {
  return parse(json, size, 3, true, out, err);
}

static int too_large(ra_err *err, const char *what) {
  return ra_fail(err, RA_E_UNSUPPORTED, "zarr.json", "%s", what);
}

// How many chunks of `level` a shard of `extent` cells holds.
static int derive_level(ra_zarr_array *array, ra__zarr_level *level, const uint64_t *extent,
                        ra_err *err) {
  level->inner_count = 1;
  level->chunk_bytes = array->info.cell;
  for (unsigned i = 0; i < array->info.ndim; i++) {
    if (extent[i] % level->chunk[i])
      return ra__zarr_corrupt(err, "chunk_shape", "a divisor of the shard's shape");
    level->inner[i] = extent[i] / level->chunk[i];
    if (!ra_size_mul(level->inner_count, level->inner[i], &level->inner_count) ||
        level->inner_count > RA__ZARR_INDEX_MOST / 16)
      return too_large(err, "a shard with over a million chunks");
    if (!ra_size_mul(level->chunk_bytes, level->chunk[i], &level->chunk_bytes) ||
        level->chunk_bytes > SIZE_MAX / 4)
      return too_large(err, "shards of more bytes than can be told");
  }
  return RA_OK;
}

int ra__zarr_derive(ra_zarr_array *array, ra_err *err) {
  const ra_zarr_info *info = &array->info;
  if (!array->filter_count) array->stored = info->cell;
  const uint64_t *extent = info->shard;
  for (size_t k = 0; k < array->levels; k++) {
    int rc = derive_level(array, &array->level[k], extent, err);
    if (rc < 0) return rc;
    extent = array->level[k].chunk;
  }
  memcpy(array->info.chunk, extent, sizeof array->info.chunk);
  array->chunk_bytes = info->cell;
  for (unsigned i = 0; i < info->ndim; i++) {
    array->grid[i] = info->shape[i] / info->shard[i] + (info->shape[i] % info->shard[i] != 0);
    if (!ra_size_mul(array->chunk_bytes, info->chunk[i], &array->chunk_bytes) ||
        array->chunk_bytes > RA__ZARR_CHUNK_MOST)
      return too_large(err, "chunks of more than 1 GiB");
  }
  return RA_OK;
}

ra_zarr_array *ra_zarr_array_ref(ra_zarr_array *array) {
  atomic_fetch_add_explicit(&array->refs, 1, memory_order_relaxed);
  return array;
}

void ra_zarr_array_unref(ra_zarr_array *array) {
  if (!array || atomic_fetch_sub_explicit(&array->refs, 1, memory_order_acq_rel) != 1) return;
  ra__zarr_index_clear(array);
  pthread_mutex_destroy(&array->lock);
  free(array->fill);
  free(array);
}

size_t ra_zarr_array_memory(const ra_zarr_array *array) {
  return sizeof *array + atomic_load_explicit(&array->cached_bytes, memory_order_relaxed);
}

const ra_zarr_info *ra_zarr_array_info(const ra_zarr_array *array) { return &array->info; }
