// zarr_parse.c - reads an array's zarr.json. Everything is checked here, once: types, products, names of codecs. What
// is not known is refused by its name.
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "format/zarr_impl.h"

static int corrupt(ra_err *err, const char *member, const char *wanted) {
  return ra_fail(err, RA_E_CORRUPT, "zarr.json", "\"%s\" is not %s", member, wanted);
}

static int unsupported(ra_err *err, const char *what, const char *name) {
  return ra_fail(err, RA_E_UNSUPPORTED, "zarr.json", "%s \"%.60s\" is not one that we read", what,
                 name);
}

// A list of `ndim` whole numbers from `least` to 2^48.
static int parse_list(const json_t *list, const char *member, unsigned ndim, json_int_t least,
                      uint64_t *out, ra_err *err) {
  if (!json_is_array(list) || json_array_size(list) != ndim) {
    return corrupt(err, member, "a list of one number a dimension");
  }
  for (unsigned i = 0; i < ndim; i++) {
    const json_t *item = json_array_get(list, i);
    json_int_t value = json_integer_value(item);
    if (!json_is_integer(item) || value < least || value > (json_int_t)1 << 48) {
      return corrupt(err, member, "a list of whole numbers from 0 (shape) or 1 to 2^48");
    }
    out[i] = (uint64_t)value;
  }
  return RA_OK;
}

// An extension point: {"name": …, "configuration": {…}}, or its name alone. *configuration may be NULL.
static int parse_named(const json_t *value, const char *member, const char **name,
                       const json_t **configuration, ra_err *err) {
  *configuration = json_object_get(value, "configuration");
  *name = json_string_value(json_is_string(value) ? value : json_object_get(value, "name"));
  if (!*name) return corrupt(err, member, "an object with a \"name\"");
  if (*configuration && !json_is_object(*configuration)) {
    return corrupt(err, "configuration", "an object");
  }
  return RA_OK;
}

static int parse_endian(const json_t *configuration, size_t size, bool *big, ra_err *err) {
  const json_t *endian = json_object_get(configuration, "endian");
  const char *text = json_string_value(endian);
  *big = text && strcmp(text, "big") == 0;
  if (*big || (text && strcmp(text, "little") == 0) || (!endian && size == 1)) return RA_OK;
  return corrupt(err, "endian", "\"little\" or \"big\"");
}

static const struct known_codec {
  const char *name;
  ra_codec_id id;
} known_codecs[] = {
    {"zstd", RA_CODEC_ZSTD},
    {"blosc", RA_CODEC_BLOSC},
    {"gzip", RA_CODEC_GZIP},
    {"crc32c", RA_CODEC_CRC32C},
    {"zlib", RA_CODEC_DEFLATE},
    {"numcodecs.zlib", RA_CODEC_DEFLATE},
    {"numcodecs.gzip", RA_CODEC_GZIP},
    {"numcodecs.zstd", RA_CODEC_ZSTD},
    {"numcodecs.blosc", RA_CODEC_BLOSC},
    {"numcodecs.lz4", RA_CODEC_LZ4},
    {"numcodecs.bz2", RA_CODEC_BZ2},
    {"numcodecs.shuffle", RA_CODEC_SHUFFLE},
    {"numcodecs.fletcher32", RA_CODEC_FLETCHER32},
};

static int parse_bytes_codec(const char *name, const json_t *configuration, ra_codec *out,
                             ra_err *err) {
  for (size_t i = 0; i < sizeof known_codecs / sizeof *known_codecs; i++) {
    if (strcmp(known_codecs[i].name, name) != 0) continue;
    *out = (ra_codec){.id = known_codecs[i].id};
    if (out->id == RA_CODEC_SHUFFLE) {
      json_int_t element = json_integer_value(json_object_get(configuration, "elementsize"));
      if (element < 1 || element > 256) return corrupt(err, "elementsize", "from 1 to 256");
      out->element = (unsigned)element;
    }
    return RA_OK;
  }
  return unsupported(err, "codec", name);
}

// An array-to-bytes codec "bytes", then bytes-to-bytes ones.
static int parse_chain(ra_zarr_array *array, const json_t *codecs, ra_err *err) {
  size_t count = json_array_size(codecs);
  if (!json_is_array(codecs) || count < 1) return corrupt(err, "codecs", "a list of codecs");
  if (count > RA__ZARR_CODECS + 1) return corrupt(err, "codecs", "a list of at most 7 codecs");
  for (size_t i = 0; i < count; i++) {
    const char *name;
    const json_t *configuration;
    int rc = parse_named(json_array_get(codecs, i), "codecs", &name, &configuration, err);
    if (rc < 0) return rc;
    if (i == 0 && strcmp(name, "bytes") != 0) return unsupported(err, "codec", name);
    rc = i == 0
             ? parse_endian(configuration, ra_dtype_size(array->info.dtype), &array->big_endian, err)
             : parse_bytes_codec(name, configuration, &array->chain[i - 1], err);
    if (rc < 0) return rc;
  }
  array->chain_count = count - 1;
  return RA_OK;
}

static int parse_index_codecs(ra_zarr_array *array, const json_t *codecs, ra_err *err) {
  size_t count = json_array_size(codecs);
  if (!json_is_array(codecs) || count < 1) return corrupt(err, "index_codecs", "a list of codecs");
  for (size_t i = 0; i < count; i++) {
    const char *name;
    const json_t *configuration;
    int rc = parse_named(json_array_get(codecs, i), "index_codecs", &name, &configuration, err);
    if (rc < 0) return rc;
    if (i == 0 && strcmp(name, "bytes") == 0) {
      rc = parse_endian(configuration, 8, &array->index_big_endian, err);
      if (rc < 0) return rc;
    } else if (i == 1 && strcmp(name, "crc32c") == 0) {
      array->index_crc = true;
    } else {
      return unsupported(err, "index codec", name);
    }
  }
  return RA_OK;
}

static int parse_sharding(ra_zarr_array *array, const json_t *configuration, ra_err *err) {
  array->sharded = true;
  int rc = parse_list(json_object_get(configuration, "chunk_shape"), "chunk_shape",
                      array->info.ndim, 1, array->info.chunk, err);
  if (rc < 0) return rc;
  rc = parse_chain(array, json_object_get(configuration, "codecs"), err);
  if (rc < 0) return rc;
  const json_t *location = json_object_get(configuration, "index_location");
  const char *text = json_string_value(location);
  if (location && (!text || (strcmp(text, "start") != 0 && strcmp(text, "end") != 0))) {
    return corrupt(err, "index_location", "\"start\" or \"end\"");
  }
  array->index_at_start = text && strcmp(text, "start") == 0;
  return parse_index_codecs(array, json_object_get(configuration, "index_codecs"), err);
}

static int parse_codecs(ra_zarr_array *array, const json_t *codecs, ra_err *err) {
  const char *name;
  const json_t *configuration;
  if (!json_is_array(codecs) || json_array_size(codecs) < 1) {
    return corrupt(err, "codecs", "a list of codecs");
  }
  int rc = parse_named(json_array_get(codecs, 0), "codecs", &name, &configuration, err);
  if (rc < 0) return rc;
  if (strcmp(name, "sharding_indexed") != 0) {
    memcpy(array->info.chunk, array->info.shard, sizeof array->info.chunk);
    return parse_chain(array, codecs, err);
  }
  if (json_array_size(codecs) > 1) {
    return ra_fail(err, RA_E_UNSUPPORTED, "zarr.json", "codecs behind \"sharding_indexed\"");
  }
  return parse_sharding(array, configuration, err);
}

static int parse_grid(ra_zarr_array *array, const json_t *root, ra_err *err) {
  const char *name;
  const json_t *configuration;
  int rc = parse_named(json_object_get(root, "chunk_grid"), "chunk_grid", &name, &configuration, err);
  if (rc < 0) return rc;
  if (strcmp(name, "regular") != 0) return unsupported(err, "chunk grid", name);
  return parse_list(json_object_get(configuration, "chunk_shape"), "chunk_shape", array->info.ndim,
                    1, array->info.shard, err);
}

static int parse_keys(ra_zarr_array *array, const json_t *root, ra_err *err) {
  const char *name;
  const json_t *configuration;
  int rc = parse_named(json_object_get(root, "chunk_key_encoding"), "chunk_key_encoding", &name,
                       &configuration, err);
  if (rc < 0) return rc;
  array->v2_keys = strcmp(name, "v2") == 0;
  if (!array->v2_keys && strcmp(name, "default") != 0) {
    return unsupported(err, "chunk key encoding", name);
  }
  const json_t *separator = json_object_get(configuration, "separator");
  const char *text = separator ? json_string_value(separator) : array->v2_keys ? "." : "/";
  if (!text || (strcmp(text, ".") != 0 && strcmp(text, "/") != 0)) {
    return corrupt(err, "separator", "\"/\" or \".\"");
  }
  array->separator = text[0];
  return RA_OK;
}

// "NaN", "Infinity", "-Infinity", or the bits as "0x7fc00000".
static bool parse_float_word(ra_dtype dtype, const char *text, uint8_t cell[8]) {
  size_t size = ra_dtype_size(dtype);
  char *end;
  if (strcmp(text, "NaN") == 0) {
    ra_dtype_store(dtype, cell, 0, NAN);
  } else if (strcmp(text, "Infinity") == 0) {
    ra_dtype_store(dtype, cell, 0, INFINITY);
  } else if (strcmp(text, "-Infinity") == 0) {
    ra_dtype_store(dtype, cell, 0, -INFINITY);
  } else {
    if (strncmp(text, "0x", 2) != 0 || strlen(text) != 2 + 2 * size) return false;
    uint64_t bits = strtoull(text + 2, &end, 16);
    if (*end || text[2] == '+' || text[2] == '-' || text[2] == ' ') return false;
    memcpy(cell, &bits, size);
  }
  return true;
}

static bool parse_integer_fill(ra_dtype dtype, json_int_t value, uint8_t cell[8]) {
  size_t size = ra_dtype_size(dtype);
  if (ra_dtype_is_signed(dtype)) {
    int64_t most = (int64_t)(UINT64_MAX >> (65 - 8 * size));
    if (value > most || value < -most - 1) return false;
  } else if (value < 0 || (uint64_t)value > UINT64_MAX >> (64 - 8 * size)) {
    return false;
  }
  memcpy(cell, &value, size);
  return true;
}

// A whole number above 2^63 - 1, which quote_large has put between quotes.
static bool parse_large_fill(ra_dtype dtype, const char *text, uint8_t cell[8]) {
  char *end;
  errno = 0;
  uint64_t value = strtoull(text, &end, 10);
  if (dtype != RA_DTYPE_U64 || text[0] < '0' || text[0] > '9' || *end || errno) return false;
  memcpy(cell, &value, 8);
  return true;
}

static int parse_fill(ra_zarr_array *array, const json_t *fill, ra_err *err) {
  ra_dtype dtype = array->info.dtype;
  bool good = false;
  if (ra_dtype_is_float(dtype)) {
    if (json_is_string(fill)) {
      good = parse_float_word(dtype, json_string_value(fill), array->fill);
    } else if (json_is_number(fill)) {
      ra_dtype_store(dtype, array->fill, 0, json_number_value(fill));
      good = true;
    }
  } else if (json_is_integer(fill)) {
    good = parse_integer_fill(dtype, json_integer_value(fill), array->fill);
  } else if (json_is_string(fill)) {
    good = parse_large_fill(dtype, json_string_value(fill), array->fill);
  }
  return good ? RA_OK : corrupt(err, "fill_value", "a value of the array's data type");
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
    return unsupported(err, "the extension", member);
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
  const char *dtype = json_string_value(json_object_get(root, "data_type"));
  if (json_integer_value(json_object_get(root, "zarr_format")) != 3) {
    return corrupt(err, "zarr_format", "3");
  }
  if (!node || strcmp(node, "array") != 0) return corrupt(err, "node_type", "\"array\"");
  if (!json_is_array(shape) || json_array_size(shape) > RA_ZARR_DIMS) {
    return corrupt(err, "shape", "a list of at most 16 whole numbers");
  }
  array->info.ndim = (unsigned)json_array_size(shape);
  int rc = parse_list(shape, "shape", array->info.ndim, 0, array->info.shape, err);
  if (rc < 0) return rc;
  if (!dtype) {
    const char *name =
        json_string_value(json_object_get(json_object_get(root, "data_type"), "name"));
    return name ? unsupported(err, "data type", name) : corrupt(err, "data_type", "a name");
  }
  if (!ra_dtype_parse(dtype, &array->info.dtype)) return unsupported(err, "data type", dtype);
  return RA_OK;
}

static int parse_array(ra_zarr_array *array, json_t *root, ra_err *err) {
  int rc = json_is_object(root) ? parse_head(array, root, err) : corrupt(err, "", "an object");
  if (rc == RA_OK) rc = check_members(root, err);
  if (rc == RA_OK) rc = parse_grid(array, root, err);
  if (rc == RA_OK) rc = parse_keys(array, root, err);
  if (rc == RA_OK) rc = parse_fill(array, json_object_get(root, "fill_value"), err);
  if (rc == RA_OK) rc = parse_codecs(array, json_object_get(root, "codecs"), err);
  if (rc == RA_OK) rc = ra__zarr_derive(array, err);
  return rc;
}

static size_t number_length(const char *text, size_t size, bool *whole) {
  size_t n = 1;
  *whole = true;
  for (; n < size && text[n] && strchr("0123456789.eE+-", text[n]); n++) {
    *whole = *whole && text[n] >= '0' && text[n] <= '9';
  }
  return n;
}

// jansson refuses integers above 2^63 - 1, which are fill values of uint64: whole numbers of 19 digits or more are put
// between quotes. NULL: out of memory.
static char *quote_large(const char *json, size_t size, size_t *out_size) {
  char *out = malloc(size + size / 8 + 16), *to = out;
  bool text = false;
  if (!out) return NULL;
  for (size_t i = 0; i < size;) {
    bool whole, digit = json[i] >= '0' && json[i] <= '9';
    if (text || !digit) {
      if (json[i] == '"') text = !text;
      if (text && json[i] == '\\' && i + 1 < size) *to++ = json[i++];
      *to++ = json[i++];
      continue;
    }
    size_t n = number_length(json + i, size - i, &whole);
    bool quote = whole && n >= 19 && (i == 0 || json[i - 1] != '-');
    if (quote) *to++ = '"';
    memcpy(to, json + i, n);
    to += n;
    i += n;
    if (quote) *to++ = '"';
  }
  *out_size = (size_t)(to - out);
  return out;
}

static json_t *load(const char *json, size_t size, json_error_t *why) {
  json_t *root = json_loadb(json, size, 0, why);
  if (root || json_error_code(why) != json_error_numeric_overflow) return root;
  size_t quoted_size;
  char *quoted = quote_large(json, size, &quoted_size);
  if (quoted) root = json_loadb(quoted, quoted_size, 0, why);
  free(quoted);
  return root;
}

int ra_zarr_array_parse(const char *json, size_t size, ra_zarr_array **out, ra_err *err) {
  json_error_t why;
  json_t *root = load(json, size, &why);
  if (!root) {
    return ra_fail(err, RA_E_CORRUPT, "zarr.json", "not JSON: line %d: %s", why.line, why.text);
  }
  ra_zarr_array *array = calloc(1, sizeof *array);
  if (!array) {
    json_decref(root);
    return ra_fail(err, RA_E_NOMEM, "zarr.json", "no memory for an array");
  }
  atomic_init(&array->refs, 1);
  pthread_mutex_init(&array->lock, NULL);
  int rc = parse_array(array, root, err);
  json_decref(root);
  if (rc < 0) {
    ra_zarr_array_unref(array);
    return rc;
  }
  *out = array;
  return RA_OK;
}

int ra__zarr_derive(ra_zarr_array *array, ra_err *err) {
  const ra_zarr_info *info = &array->info;
  array->inner_count = 1;
  array->chunk_bytes = ra_dtype_size(info->dtype);
  for (unsigned i = 0; i < info->ndim; i++) {
    if (info->shard[i] % info->chunk[i]) {
      return corrupt(err, "chunk_shape", "a divisor of the shard's shape");
    }
    array->grid[i] = info->shape[i] / info->shard[i] + (info->shape[i] % info->shard[i] != 0);
    array->inner[i] = info->shard[i] / info->chunk[i];
    if (!ra_size_mul(array->inner_count, array->inner[i], &array->inner_count) ||
        array->inner_count > RA__ZARR_INDEX_MOST / 16) {
      return ra_fail(err, RA_E_UNSUPPORTED, "zarr.json", "a shard with over a million chunks");
    }
    if (!ra_size_mul(array->chunk_bytes, info->chunk[i], &array->chunk_bytes) ||
        array->chunk_bytes > RA__ZARR_CHUNK_MOST) {
      return ra_fail(err, RA_E_UNSUPPORTED, "zarr.json", "chunks of more than 1 GiB");
    }
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
  free(array);
}

size_t ra_zarr_array_memory(const ra_zarr_array *array) {
  return sizeof *array + atomic_load_explicit(&array->cached_bytes, memory_order_relaxed);
}

const ra_zarr_info *ra_zarr_array_info(const ra_zarr_array *array) { return &array->info; }
