// zarr_codecs.c - the codecs of an array: what bytes a chunk is, and how a shard is divided.
#include <string.h>

#include "format/zarr_impl.h"

static int parse_endian(const json_t *configuration, size_t size, bool *big, ra_err *err) {
  const json_t *endian = json_object_get(configuration, "endian");
  const char *text = json_string_value(endian);
  *big = text && strcmp(text, "big") == 0;
  if (*big || (text && strcmp(text, "little") == 0) || (!endian && size == 1)) return RA_OK;
  return ra__zarr_corrupt(err, "endian", "\"little\" or \"big\"");
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
    {"lz4", RA_CODEC_LZ4},
    {"bz2", RA_CODEC_BZ2},
    {"shuffle", RA_CODEC_SHUFFLE},
    {"fletcher32", RA_CODEC_FLETCHER32},
    {"adler32", RA_CODEC_ADLER32},
    {"crc32", RA_CODEC_CRC32},
    // HDF5's filters, in references
    {"imagecodecs_lz4h5", RA_CODEC_LZ4_HDF5},
    {"imagecodecs_lzf", RA_CODEC_LZF},
    {"imagecodecs_bitshuffle", RA_CODEC_BITSHUFFLE},
    {"hdf5_bitshuffle", RA_CODEC_BITSHUFFLE},
    {"lzma", RA_CODEC_LZMA},
    {"packbits", RA_CODEC_PACKED_BITS},
};

// numcodecs lets a checksum stand at either end.
static int parse_location(const json_t *configuration, ra_codec *out, ra_err *err) {
  const json_t *location = json_object_get(configuration, "location");
  const char *text = json_string_value(location);
  if (!location) return RA_OK;
  if (!text || (strcmp(text, "start") != 0 && strcmp(text, "end") != 0))
    return ra__zarr_corrupt(err, "location", "\"start\" or \"end\"");
  bool front = out->id == RA_CODEC_ADLER32 || out->id == RA_CODEC_CRC32;
  out->swap_ends = front != (text[0] == 's');
  return RA_OK;
}

static int parse_element(const json_t *configuration, const char *member, ra_codec *out, ra_err *err) {
  const json_t *size = json_object_get(configuration, member);
  json_int_t element = size ? json_integer_value(size) : 4;  // numcodecs' default
  if (element < 1 || element > 256) return ra__zarr_corrupt(err, member, "from 1 to 256");
  out->element = (unsigned)element;
  return RA_OK;
}

// imagecodecs' is of bits alone; ours has the compressor that HDF5's plugin puts behind them.
static int parse_bitshuffle(const json_t *configuration, bool ours, ra_codec *out, ra_err *err) {
  const char *inner = json_string_value(json_object_get(configuration, "cname"));
  json_int_t block = json_integer_value(json_object_get(configuration, "blocksize"));
  if (block < 0 || block > 1 << 24 || block % 8)
    return ra__zarr_corrupt(err, "blocksize", "a multiple of 8, at most 16777216");
  if (ours && (!inner || (strcmp(inner, "lz4") != 0 && strcmp(inner, "zstd") != 0)))
    return ra__zarr_corrupt(err, "cname", "\"lz4\" or \"zstd\"");
  out->block = (unsigned)block;
  if (ours) memcpy(out->inner, inner, strlen(inner) + 1);
  return parse_element(configuration, ours ? "elementsize" : "itemsize", out, err);
}

enum { LZMA_RAW = 3 };

int ra__zarr_bytes_codec(ra_zarr_array *array, const char *name, const json_t *configuration,
                         ra_err *err) {
  for (size_t i = 0; i < sizeof known_codecs / sizeof *known_codecs; i++) {
    if (strcmp(known_codecs[i].name, name) != 0) continue;
    if (array->chain_count == RA__ZARR_CODECS)
      return ra_fail(err, RA_E_UNSUPPORTED, "", "more than %d codecs of bytes", RA__ZARR_CODECS);
    ra_codec *out = &array->chain[array->chain_count++];
    *out = (ra_codec){.id = known_codecs[i].id};
    if (out->id == RA_CODEC_SHUFFLE) return parse_element(configuration, "elementsize", out, err);
    if (out->id == RA_CODEC_BITSHUFFLE)
      return parse_bitshuffle(configuration, name[0] == 'h', out, err);
    if (out->id == RA_CODEC_LZMA &&
        json_integer_value(json_object_get(configuration, "format")) == LZMA_RAW)
      return ra__zarr_unsupported(err, "codec", "lzma without a container");
    return parse_location(configuration, out, err);
  }
  return ra__zarr_unsupported(err, "codec", name);
}

static const char *plain_name(const char *name) {
  return strncmp(name, "numcodecs.", 10) == 0 ? name + 10 : name;
}

// The dimensions of what comes are those of `order` at these places.
static int transpose(ra_zarr_array *array, const json_t *configuration, uint8_t *order, ra_err *err) {
  unsigned ndim = array->info.ndim, seen = 0;
  uint64_t places[RA_ZARR_DIMS];
  uint8_t old[RA_ZARR_DIMS];
  const json_t *list = json_object_get(configuration, "order");
  const char *word = json_string_value(list);
  if (array->filter_count)
    return ra_fail(err, RA_E_UNSUPPORTED, "", "filters of cells before \"transpose\"");
  if (word && (strcmp(word, "C") == 0 || strcmp(word, "F") == 0)) {  // of an early draft
    for (unsigned i = 0; i < ndim; i++) places[i] = word[0] == 'C' ? i : ndim - 1 - i;
  } else {
    int rc = ra__zarr_list(list, "order", ndim, 0, places, err);
    if (rc < 0) return rc;
  }
  memcpy(old, order, sizeof old);
  for (unsigned i = 0; i < ndim; i++) {
    if (places[i] >= ndim || seen >> places[i] & 1)
      return ra__zarr_corrupt(err, "order", "each dimension once");
    seen |= 1u << places[i];
    order[i] = old[places[i]];
  }
  return RA_OK;
}

static int parse_index_codecs(ra__zarr_level *level, const json_t *codecs, ra_err *err) {
  size_t count = json_array_size(codecs);
  if (!json_is_array(codecs) || count < 1)
    return ra__zarr_corrupt(err, "index_codecs", "a list of codecs");
  for (size_t i = 0; i < count; i++) {
    const char *name;
    const json_t *configuration;
    int rc = ra__zarr_named(json_array_get(codecs, i), "index_codecs", &name, &configuration, err);
    if (rc < 0) return rc;
    if (i == 0 && strcmp(name, "bytes") == 0) {
      rc = parse_endian(configuration, 8, &level->index_big_endian, err);
      if (rc < 0) return rc;
    } else if (i == 1 && strcmp(name, "crc32c") == 0) {
      level->index_crc = true;
    } else {
      return ra__zarr_unsupported(err, "index codec", name);
    }
  }
  return RA_OK;
}

// The chunk's shape is told in the order of what is divided.
static int parse_level(ra_zarr_array *array, const json_t *configuration, ra_err *err) {
  if (array->levels == RA__ZARR_LEVELS)
    return ra_fail(err, RA_E_UNSUPPORTED, "", "shards more than %d deep", RA__ZARR_LEVELS);
  ra__zarr_level *level = &array->level[array->levels++];
  uint64_t chunk[RA_ZARR_DIMS] = {0};
  unsigned ndim = array->info.ndim;
  int rc = ra__zarr_list(json_object_get(configuration, "chunk_shape"), "chunk_shape", ndim, 1,
                         chunk, err);
  if (rc < 0) return rc;
  memcpy(level->order, array->order, sizeof level->order);
  for (unsigned i = 0; i < ndim; i++) level->chunk[array->order[i]] = chunk[i];
  const json_t *location = json_object_get(configuration, "index_location");
  const char *text = json_string_value(location);
  if (location && (!text || (strcmp(text, "start") != 0 && strcmp(text, "end") != 0)))
    return ra__zarr_corrupt(err, "index_location", "\"start\" or \"end\"");
  level->index_at_start = text && strcmp(text, "start") == 0;
  return parse_index_codecs(level, json_object_get(configuration, "index_codecs"), err);
}

// The codec that makes bytes of cells: 1 when it is this one.
static int cells_to_bytes(ra_zarr_array *array, const char *name, const json_t *configuration,
                          ra_err *err) {
  if (strcmp(name, "bytes") == 0) {
    int rc = parse_endian(configuration, array->info.unit, &array->big_endian, err);
    return rc < 0 ? rc : 1;
  }
  if (strcmp(name, "transpose") == 0) return transpose(array, configuration, array->order, err);
  if (strcmp(name, "numcodecs.packbits") == 0)
    return ra__zarr_bytes_codec(array, plain_name(name), configuration, err);
  int rc = ra__zarr_cell_filter(array, plain_name(name), configuration, err);
  return rc == 0 ? ra__zarr_unsupported(err, "codec", name) : rc < 0 ? rc : RA_OK;
}

static int parse_shard(ra_zarr_array *array, const json_t *configuration, bool last, ra_err *err) {
  if (!last) return ra_fail(err, RA_E_UNSUPPORTED, "", "codecs behind \"sharding_indexed\"");
  if (array->filter_count) return ra_fail(err, RA_E_UNSUPPORTED, "", "filters round shards");
  int rc = parse_level(array, configuration, err);
  if (rc < 0) return rc;
  return ra__zarr_codecs_v3(array, json_object_get(configuration, "codecs"), err);
}

// NOLINTNEXTLINE(misc-no-recursion): as deep as shards may be, which parse_level bounds
int ra__zarr_codecs_v3(ra_zarr_array *array, const json_t *codecs, ra_err *err) {
  size_t count = json_array_size(codecs);
  int bytes = 0;
  if (!json_is_array(codecs) || count < 1)
    return ra__zarr_corrupt(err, "codecs", "a list of codecs");
  for (size_t i = 0; i < count; i++) {
    const char *name;
    const json_t *configuration;
    int rc = ra__zarr_named(json_array_get(codecs, i), "codecs", &name, &configuration, err);
    if (rc < 0) return rc;
    if (!bytes && strcmp(name, "sharding_indexed") == 0)
      return parse_shard(array, configuration, i + 1 == count, err);
    if (!bytes) {
      bytes = rc = cells_to_bytes(array, name, configuration, err);
    } else {
      rc = ra__zarr_bytes_codec(array, plain_name(name), configuration, err);
    }
    if (rc < 0) return rc;
  }
  return bytes ? RA_OK : ra__zarr_corrupt(err, "codecs", "a list with \"bytes\"");
}
