// refer_meta.c - the metadata of references: an array's type, chunks and filters as numcodecs names them, attributes as
// they are. A filter of HDF5 that numcodecs has no word for has imagecodecs', or one of ours ("hdf5_bitshuffle").
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "source/refer_private.h"

// ---- types and numbers

// _Unsigned is said by the attribute, which stays: cells are of the type that the file has.
static ra_dtype stored_type(const ra_source_var *var) {
  if (!var->as_unsigned) return var->dtype;
  switch (ra_dtype_size(var->dtype)) {
    case 1: return RA_DTYPE_I8;
    case 2: return RA_DTYPE_I16;
    case 4: return RA_DTYPE_I32;
    default: return RA_DTYPE_I64;
  }
}

static void add_type(const ra__referred *r, ra_str *out) {
  const ra_source_var *var = r->var;
  if (var->kind == RA_SOURCE_CHARS) {
    ra_str_add(out, "|S1");
  } else if (var->kind == RA_SOURCE_STRINGS) {
    ra_str_add(out, "|O");
  } else {
    ra_dtype type = stored_type(var);
    size_t size = ra_dtype_size(type);
    char letter = ra_dtype_is_float(type) ? 'f' : ra_dtype_is_signed(type) ? 'i' : 'u';
    ra_str_addf(out, "%c%c%zu", size == 1 ? '|' : r->big_endian ? '>' : '<', letter, size);
  }
}

static void add_number(double value, ra_str *out) {
  if (isfinite(value)) {
    ra_str_add_double(out, value);
  } else {
    ra_str_add(out, isnan(value) ? "\"NaN\"" : value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  }
}

static int64_t load_integer(ra_dtype type, const uint8_t *cell) {
  size_t size = ra_dtype_size(type);
  uint64_t raw = 0;
  if (!size) return 0;
  for (size_t i = 0; i < size; i++) raw |= (uint64_t)cell[i] << 8 * i;
  unsigned shift = (unsigned)(64 - 8 * size);
  return ra_dtype_is_signed(type) ? (int64_t)(raw << shift) >> shift : (int64_t)raw;
}

static void add_fill(const ra__referred *r, ra_str *out) {
  ra_dtype type = stored_type(r->var);
  if (!r->has_fill) {
    ra_str_add(out, "null");
  } else if (ra_dtype_is_float(type)) {
    add_number(ra_dtype_load(type, r->fill, 0), out);
  } else if (type == RA_DTYPE_U64) {
    ra_str_addf(out, "%llu", (unsigned long long)load_integer(type, r->fill));
  } else {
    ra_str_add_int(out, load_integer(type, r->fill));
  }
}

bool ra__referred_fill(const ra_source_var *var, uint8_t cell[8]) {
  const ra_source_attr *attr = ra_source_var_attr(var, "_FillValue");
  ra_dtype type = stored_type(var);
  if (var->kind != RA_SOURCE_NUMBERS || !attr || !attr->numbers || attr->count != 1) return false;
  if (ra_dtype_is_float(type)) {
    ra_dtype_store(type, cell, 0, attr->numbers[0]);
    return true;
  }
  if (!attr->integers && !(fabs(attr->numbers[0]) < 0x1p53)) return false;
  int64_t value = attr->integers ? attr->integers[0] : (int64_t)attr->numbers[0];
  for (size_t i = 0; i < ra_dtype_size(type); i++) cell[i] = (uint8_t)((uint64_t)value >> 8 * i);
  return true;
}

// ---- .zarray

static void add_list(const uint64_t *list, unsigned count, ra_str *out) {
  ra_str_add_char(out, '[');
  for (unsigned i = 0; i < count; i++)
    ra_str_addf(out, "%s%llu", i ? "," : "", (unsigned long long)list[i]);
  ra_str_add_char(out, ']');
}

static void add_codec(const ra_codec *codec, ra_str *out) {
  switch (codec->id) {
    case RA_CODEC_DEFLATE: ra_str_add(out, "{\"id\":\"zlib\",\"level\":1}"); break;
    case RA_CODEC_ZSTD: ra_str_add(out, "{\"id\":\"zstd\",\"level\":1}"); break;
    case RA_CODEC_BZ2: ra_str_add(out, "{\"id\":\"bz2\",\"level\":9}"); break;
    case RA_CODEC_BLOSC:
      ra_str_add(out,
                 "{\"id\":\"blosc\",\"cname\":\"lz4\",\"clevel\":5,\"shuffle\":1,\"blocksize\":0}");
      break;
    case RA_CODEC_SHUFFLE:
      ra_str_addf(out, "{\"id\":\"shuffle\",\"elementsize\":%u}", codec->element);
      break;
    case RA_CODEC_FLETCHER32: ra_str_add(out, "{\"id\":\"fletcher32\"}"); break;
    case RA_CODEC_LZ4_HDF5: ra_str_add(out, "{\"id\":\"imagecodecs_lz4h5\"}"); break;
    case RA_CODEC_LZF: ra_str_add(out, "{\"id\":\"imagecodecs_lzf\",\"header\":false}"); break;
    default:
      if (!codec->inner[0]) {
        ra_str_addf(out, "{\"id\":\"imagecodecs_bitshuffle\",\"itemsize\":%u,\"blocksize\":%u}",
                    codec->element, codec->block);
        break;
      }
      ra_str_addf(out, "{\"id\":\"hdf5_bitshuffle\",\"elementsize\":%u,\"cname\":", codec->element);
      ra_str_add_json(out, codec->inner);
      ra_str_add_char(out, '}');
      break;
  }
}

static void add_filters(const ra__referred *r, ra_str *out) {
  if (r->var->kind == RA_SOURCE_STRINGS) {
    ra_str_add(out, "[{\"id\":\"vlen-utf8\"}]");
    return;
  }
  if (!r->filters) {
    ra_str_add(out, "null");
    return;
  }
  ra_str_add_char(out, '[');
  for (size_t i = 0; i < r->filters; i++) {
    if (i) ra_str_add_char(out, ',');
    add_codec(&r->chain[i], out);
  }
  ra_str_add_char(out, ']');
}

void ra__referred_array(const ra__referred *r, ra_str *out) {
  ra_str_add(out, "{\"zarr_format\":2,\"shape\":");
  add_list(r->var->shape, r->var->ndim, out);
  ra_str_add(out, ",\"chunks\":");
  add_list(r->chunk, r->var->ndim, out);
  ra_str_add(out, ",\"dtype\":\"");
  add_type(r, out);
  ra_str_add(out, "\",\"compressor\":null,\"filters\":");
  add_filters(r, out);
  ra_str_add(out, ",\"fill_value\":");
  add_fill(r, out);
  ra_str_add(out, ",\"order\":\"C\"}");
}

// ---- attributes

static void add_element(const ra_source_attr *attr, size_t i, ra_str *out) {
  if (attr->texts) {
    ra_str_add_json(out, attr->texts[i]);
  } else if (attr->integers && attr->dtype == RA_DTYPE_U64) {
    ra_str_addf(out, "%llu", (unsigned long long)attr->integers[i]);
  } else if (attr->integers) {
    ra_str_add_int(out, attr->integers[i]);
  } else {
    add_number(attr->numbers[i], out);
  }
}

static void add_value(const ra_source_attr *attr, ra_str *out) {
  if (attr->count != 1) ra_str_add_char(out, '[');
  for (size_t i = 0; i < attr->count; i++) {
    if (i) ra_str_add_char(out, ',');
    add_element(attr, i, out);
  }
  if (attr->count != 1) ra_str_add_char(out, ']');
}

// Readers take NaN for missing as it is, and JSON has no word for it.
static bool is_idle(const ra_source_attr *attr) {
  bool missing = strcmp(attr->name, "missing_value") == 0 || strcmp(attr->name, "_FillValue") == 0;
  return attr->count == 0 || (missing && attr->numbers && isnan(attr->numbers[0]));
}

static void add_attributes(const ra_source_attr *attrs, size_t count, bool has_fill, bool *first,
                           ra_str *out) {
  for (size_t i = 0; i < count; i++) {
    if (is_idle(&attrs[i]) || (has_fill && strcmp(attrs[i].name, "_FillValue") == 0)) continue;
    if (!*first) ra_str_add_char(out, ',');
    *first = false;
    ra_str_add_json(out, attrs[i].name);
    ra_str_add_char(out, ':');
    add_value(&attrs[i], out);
  }
}

void ra__referred_attributes(const ra_source *source, const ra__referred *r, ra_str *out) {
  bool first = false;
  ra_str_add(out, "{\"_ARRAY_DIMENSIONS\":[");
  for (unsigned d = 0; d < r->var->ndim; d++) {
    if (d) ra_str_add_char(out, ',');
    ra_str_add_json(out, source->dims[r->var->dims[d]].base);
  }
  ra_str_add_char(out, ']');
  add_attributes(r->var->attrs, r->var->attr_count, r->has_fill, &first, out);
  ra_str_add_char(out, '}');
}

void ra__referred_globals(const ra_source *source, ra_str *out) {
  bool first = true;
  ra_str_add_char(out, '{');
  add_attributes(source->attrs, source->attr_count, false, &first, out);
  ra_str_add_char(out, '}');
}
