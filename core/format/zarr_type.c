// zarr_type.c - the data types of Zarr v2 (numpy's names) and v3, and fill values of each.
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "format/zarr_impl.h"
#include "raster/half.h"

// ---- types

static void set_type(ra_zarr_info *info, const char *type, unsigned cell, unsigned unit) {
  static const struct {
    char kind;
    unsigned size;
    ra_dtype dtype;
  } numbers[] = {
      {'u', 1, RA_DTYPE_U8},  {'i', 1, RA_DTYPE_I8},  {'u', 2, RA_DTYPE_U16},
      {'i', 2, RA_DTYPE_I16}, {'u', 4, RA_DTYPE_U32}, {'i', 4, RA_DTYPE_I32},
      {'u', 8, RA_DTYPE_U64}, {'i', 8, RA_DTYPE_I64}, {'f', 4, RA_DTYPE_F32},
      {'f', 8, RA_DTYPE_F64},
  };
  snprintf(info->type, sizeof info->type, "%s", type);
  info->cell = cell;
  info->unit = unit;
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    if (numbers[i].kind != type[1] || numbers[i].size != cell) continue;
    info->numeric = true;
    info->dtype = numbers[i].dtype;
  }
}

// "ms" of "<M8[ms]", with its brackets.
static bool is_time_unit(const char *text) {
  static const char *const units[] = {"Y",  "M",  "W",  "D",  "h",  "m", "s",
                                      "ms", "us", "ns", "ps", "fs", "as"};
  size_t n = strlen(text);
  if (n == 0) return true;
  if (text[0] != '[' || text[n - 1] != ']') return false;
  const char *unit = text + 1 + strspn(text + 1, "0123456789");
  size_t length = n - 1 - (size_t)(unit - text);
  for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
    if (strlen(units[i]) == length && strncmp(unit, units[i], length) == 0) return true;
  }
  return false;
}

// Which sizes a kind of numpy's comes in, in bytes.
static bool is_size(char kind, unsigned long size) {
  switch (kind) {
    case 'b': return size == 1;
    case 'i':
    case 'u': return size == 1 || size == 2 || size == 4 || size == 8;
    case 'f': return size == 2 || size == 4 || size == 8;
    case 'c': return size == 8 || size == 16;
    case 'm':
    case 'M': return size == 8;
    default: return size >= 1 && size <= RA__ZARR_CELL;
  }
}

int ra__zarr_type_v2(const json_t *dtype, ra_zarr_info *info, bool *big, ra_err *err) {
  const char *text = json_string_value(dtype);
  if (json_is_array(dtype)) return ra__zarr_unsupported(err, "data type", "structured");
  if (!text || !strchr("<>|", text[0]) || strlen(text) < 2)
    return ra__zarr_corrupt(err, "dtype", "a type such as \"<f4\"");
  if (!strchr("biufcmMSUV", text[1])) return ra__zarr_unsupported(err, "data type", text);
  char kind = text[1], *end, name[24];
  errno = 0;
  unsigned long size = strtoul(text + 2, &end, 10);
  if (kind == 'U' && size <= RA__ZARR_CELL) size *= 4;
  bool time = kind == 'm' || kind == 'M';
  if (errno || text[2] < '0' || text[2] > '9' || !is_size(kind, size) ||
      !(time ? is_time_unit(end) : *end == 0) || strlen(text) >= sizeof name)
    return ra__zarr_unsupported(err, "data type", text);
  bool bytes = size == 1 || kind == 'S' || kind == 'V';
  unsigned unit = bytes ? 1 : kind == 'U' ? 4 : (unsigned)(kind == 'c' ? size / 2 : size);
  snprintf(name, sizeof name, "%c%s", bytes ? '|' : '<', text + 1);
  *big = text[0] == '>' && unit > 1;
  set_type(info, name, (unsigned)size, unit);
  return RA_OK;
}

// {"name": "numpy.datetime64", "configuration": {"unit": "ms", "scale_factor": 1}} and its like.
static int extended_type(const char *name, const json_t *configuration, ra_zarr_info *info,
                         ra_err *err) {
  char type[24];
  bool date = strcmp(name, "numpy.datetime64") == 0;
  if (date || strcmp(name, "numpy.timedelta64") == 0) {
    const char *unit = json_string_value(json_object_get(configuration, "unit"));
    json_int_t scale = json_integer_value(json_object_get(configuration, "scale_factor"));
    if (!unit || strlen(unit) > 8) return ra__zarr_corrupt(err, "unit", "a unit of time");
    char number[12] = "";
    if (scale > 1) snprintf(number, sizeof number, "%d", (int)(scale & 0x7fffffff));
    snprintf(type, sizeof type, "<%c8[%s%s]", date ? 'M' : 'm', number, unit);
    if (strcmp(unit, "generic") == 0) type[3] = 0;
    set_type(info, type, 8, 8);
    return RA_OK;
  }
  json_int_t length = json_integer_value(json_object_get(configuration, "length_bytes"));
  bool wide = strcmp(name, "fixed_length_utf32") == 0;
  if (!wide && strcmp(name, "null_terminated_bytes") != 0 && strcmp(name, "raw_bytes") != 0)
    return ra__zarr_unsupported(err, "data type", name);
  if (length < 1 || length > RA__ZARR_CELL || (wide && length % 4))
    return ra__zarr_corrupt(err, "length_bytes", "a number of bytes up to 65536");
  snprintf(type, sizeof type, "%s%d",
           wide             ? "<U"
           : name[0] == 'r' ? "|V"
                            : "|S",
           (int)(wide ? length / 4 : length));
  set_type(info, type, (unsigned)length, wide ? 4 : 1);
  return RA_OK;
}

int ra__zarr_type_v3(const json_t *data_type, ra_zarr_info *info, ra_err *err) {
  static const struct {
    const char *name, *type;
    unsigned cell, unit;
  } known[] = {
      {"bool", "|b1", 1, 1},      {"uint8", "|u1", 1, 1},        {"int8", "|i1", 1, 1},
      {"uint16", "<u2", 2, 2},    {"int16", "<i2", 2, 2},        {"uint32", "<u4", 4, 4},
      {"int32", "<i4", 4, 4},     {"uint64", "<u8", 8, 8},       {"int64", "<i8", 8, 8},
      {"float16", "<f2", 2, 2},   {"float32", "<f4", 4, 4},      {"float64", "<f8", 8, 8},
      {"complex64", "<c8", 8, 4}, {"complex128", "<c16", 16, 8},
  };
  const json_t *named = json_object_get(data_type, "name");
  const char *name = json_string_value(json_is_string(data_type) ? data_type : named);
  if (!name) return ra__zarr_corrupt(err, "data_type", "a name");
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, name) != 0) continue;
    set_type(info, known[i].type, known[i].cell, known[i].unit);
    return RA_OK;
  }
  char *end;
  unsigned long bits = name[0] == 'r' ? strtoul(name + 1, &end, 10) : 0;  // "r16": raw bits
  if (bits && *end == 0 && bits % 8 == 0 && bits / 8 <= RA__ZARR_CELL) {
    char type[24];
    snprintf(type, sizeof type, "|V%lu", bits / 8);
    set_type(info, type, (unsigned)(bits / 8), 1);
    return RA_OK;
  }
  return extended_type(name, json_object_get(data_type, "configuration"), info, err);
}

// ---- fill values

static void store_float(unsigned size, double value, uint8_t *cell) {
  float narrow = (float)value;
  uint16_t half = ra_half_store(narrow);
  if (size == 2) memcpy(cell, &half, 2);
  if (size == 4) memcpy(cell, &narrow, 4);
  if (size == 8) memcpy(cell, &value, 8);
}

// "NaN", "Infinity", "-Infinity", or the bits as "0x7fc00000".
static bool float_word(unsigned size, const char *text, uint8_t *cell) {
  char *end;
  if (strcmp(text, "NaN") == 0) {
    store_float(size, NAN, cell);
  } else if (strcmp(text, "Infinity") == 0) {
    store_float(size, INFINITY, cell);
  } else if (strcmp(text, "-Infinity") == 0) {
    store_float(size, -INFINITY, cell);
  } else {
    if (strncmp(text, "0x", 2) != 0 || strlen(text) != 2 + 2 * (size_t)size) return false;
    uint64_t bits = strtoull(text + 2, &end, 16);
    if (*end || text[2] == '+' || text[2] == '-' || text[2] == ' ') return false;
    memcpy(cell, &bits, size);
  }
  return true;
}

// Some writers put numbers of v2 between quotes, and ra_json_load does those of 19 digits.
static bool number_text(unsigned size, const char *text, uint8_t *cell) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end || strspn(text, "+-.0123456789eE") != strlen(text)) return false;
  store_float(size, value, cell);
  return true;
}

static bool float_fill(unsigned size, const json_t *fill, uint8_t *cell) {
  const char *text = json_string_value(fill);
  if (text) return float_word(size, text, cell) || number_text(size, text, cell);
  if (!json_is_number(fill)) return false;
  store_float(size, json_number_value(fill), cell);
  return true;
}

// What v2 writers put for a whole number: 1, 1.0, true; above 2^63 - 1 as a text (see load).
static bool integer_fill(bool is_signed, unsigned size, const json_t *fill, uint8_t *cell) {
  json_int_t value = json_is_true(fill) ? 1 : json_integer_value(fill);
  if (json_is_string(fill)) {
    char *end;
    const char *text = json_string_value(fill);
    errno = 0;
    uint64_t large = strtoull(text, &end, 10);
    if (is_signed || size < 8 || text[0] < '0' || text[0] > '9' || *end || errno) return false;
    memcpy(cell, &large, 8);
    return true;
  }
  if (json_is_real(fill)) {
    double real = json_real_value(fill);
    if (real != floor(real) || fabs(real) > 0x1p62) return false;
    value = (json_int_t)real;
  } else if (!json_is_integer(fill) && !json_is_boolean(fill)) {
    return false;
  }
  if (is_signed) {
    int64_t most = (int64_t)(UINT64_MAX >> (65 - 8 * size));
    if (value > most || value < -most - 1) return false;
  } else if (value < 0 || (uint64_t)value > UINT64_MAX >> (64 - 8 * size)) {
    return false;
  }
  memcpy(cell, &value, size);
  return true;
}

static bool complex_fill(unsigned size, const json_t *fill, uint8_t *cell) {
  if (json_is_number(fill)) return float_fill(size / 2, fill, cell);
  return json_array_size(fill) == 2 && float_fill(size / 2, json_array_get(fill, 0), cell) &&
         float_fill(size / 2, json_array_get(fill, 1), cell + size / 2);
}

// Text as UTF-32; what does not fit is cut.
static bool wide_fill(unsigned size, const char *text, uint8_t *cell) {
  const uint8_t *p = (const uint8_t *)text;
  for (unsigned at = 0; *p && at + 4 <= size; at += 4) {
    unsigned more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
    uint32_t code = more ? *p & (0x3fu >> more) : *p;
    for (p++; more && *p; more--, p++) code = code << 6 | (*p & 0x3f);
    memcpy(cell + at, &code, 4);
  }
  return true;
}

// Base64 in v2 and v3 alike, or a list of bytes (v3's raw types); an old writer's bare 0 stands for nothing.
static bool bytes_fill(unsigned size, const json_t *fill, uint8_t *cell) {
  const char *text = json_string_value(fill);
  if (json_is_array(fill) && json_array_size(fill) == size) {
    for (unsigned i = 0; i < size; i++) {
      if (!integer_fill(false, 1, json_array_get(fill, i), cell + i)) return false;
    }
    return true;
  }
  if (!text) return json_is_number(fill) && json_number_value(fill) == 0;
  size_t got;
  return ra_base64_decode(text, strlen(text), cell, size, &got);
}

static bool date_fill(const json_t *fill, uint8_t *cell) {
  static const int64_t none = INT64_MIN;
  const char *text = json_string_value(fill);
  if (!text) return integer_fill(true, 8, fill, cell);
  memcpy(cell, &none, 8);
  return strcmp(text, "NaT") == 0;
}

static bool set_fill(const ra_zarr_info *info, const json_t *fill, uint8_t *cell) {
  switch (info->type[1]) {
    case 'f': return float_fill(info->cell, fill, cell);
    case 'c': return complex_fill(info->cell, fill, cell);
    case 'b':
    case 'u': return integer_fill(false, info->cell, fill, cell);
    case 'i': return integer_fill(true, info->cell, fill, cell);
    case 'm':
    case 'M': return date_fill(fill, cell);
    case 'U':
      if (json_is_string(fill)) return wide_fill(info->cell, json_string_value(fill), cell);
      return json_is_number(fill) && json_number_value(fill) == 0;
    default: return bytes_fill(info->cell, fill, cell);
  }
}

int ra__zarr_fill(ra_zarr_array *array, const json_t *fill, ra_err *err) {
  const ra_zarr_info *info = &array->info;
  array->fill = calloc(1, info->cell < 8 ? 8 : info->cell);
  if (!array->fill) return ra_fail(err, RA_E_NOMEM, "", "no memory for a fill value");
  if (info->format == 2 && (!fill || json_is_null(fill))) return RA_OK;
  if (set_fill(info, fill, array->fill)) return RA_OK;
  return ra__zarr_corrupt(err, "fill_value", "a value of the array's data type");
}
