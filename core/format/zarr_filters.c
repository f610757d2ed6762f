// zarr_filters.c - numcodecs' filters of cells (delta, fixedscaleoffset, quantize, astype, bitround): read from an array's
// metadata, and undone on a decoded chunk. Each has a type that it takes and one that it gives; a filter sees the bytes of
// the one before it as cells of its own type.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "format/zarr_impl.h"

// ---- metadata

// numpy's names in all their forms: "<f4", "f4", "float32".
static int filter_type(const json_t *name, const char *member, ra_zarr_info *info, bool *big,
                       ra_err *err) {
  const char *text = json_string_value(name);
  *big = false;
  if (!text) return ra__zarr_corrupt(err, member, "a type such as \"<f4\"");
  if (isalpha((unsigned char)text[0]) && isalpha((unsigned char)text[1]))
    return ra__zarr_type_v3(name, info, err);
  if (!isalpha((unsigned char)text[0])) return ra__zarr_type_v2(name, info, big, err);
  json_t *prefixed = json_sprintf("<%s", text);
  int rc = ra__zarr_type_v2(prefixed, info, big, err);
  json_decref(prefixed);
  return rc;
}

static int other_types(const char *name, ra_err *err) {
  return ra_fail(err, RA_E_UNSUPPORTED, "", "the codec \"%s\" with other types than the array's",
                 name);
}

// The last one says how cells are stored.
static int add_filter(ra_zarr_array *array, const ra__zarr_filter *filter, const char *name,
                      bool big, ra_err *err) {
  size_t n = array->filter_count;
  size_t present = n ? array->stored : array->info.cell;
  bool numbers = array->info.numeric || strcmp(array->info.type, "|b1") == 0;
  if (!numbers || ra_dtype_size(filter->to) != present) return other_types(name, err);
  if (array->chain_count)
    return ra_fail(err, RA_E_UNSUPPORTED, "", "the filter \"%.40s\" behind one of bytes", name);
  if (n == RA__ZARR_FILTERS)
    return ra_fail(err, RA_E_UNSUPPORTED, "", "more than %d filters of cells", RA__ZARR_FILTERS);
  array->filters[array->filter_count++] = *filter;
  array->stored = (unsigned)ra_dtype_size(filter->from);
  if (array->info.format == 2) array->big_endian = big;
  return RA_OK;
}

static int parse_scale(ra__zarr_filter *filter, const json_t *configuration, ra_err *err) {
  filter->scale = json_number_value(json_object_get(configuration, "scale"));
  filter->offset = json_number_value(json_object_get(configuration, "offset"));
  return filter->scale == 0 ? ra__zarr_corrupt(err, "scale", "a number other than 0") : RA_OK;
}

int ra__zarr_cell_filter(ra_zarr_array *array, const char *name, const json_t *configuration,
                         ra_err *err) {
  static const struct {
    const char *name, *to, *from;  // members that name the types; that of `from` may be absent
    ra__zarr_undo undo;
  } known[] = {{"delta", "dtype", "astype", RA__ZARR_ADD_UP},
               {"fixedscaleoffset", "dtype", "astype", RA__ZARR_UNSCALE},
               {"quantize", "dtype", "astype", RA__ZARR_CAST},
               {"astype", "decode_dtype", "encode_dtype", RA__ZARR_CAST}};
  if (strcmp(name, "bitround") == 0) return 1;
  for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
    if (strcmp(known[i].name, name) != 0) continue;
    ra_zarr_info to = {0}, from = {0};
    bool big;
    const json_t *as = json_object_get(configuration, known[i].from);
    const json_t *dtype = json_object_get(configuration, known[i].to);
    int rc = filter_type(dtype, known[i].to, &to, &big, err);
    if (rc == RA_OK)
      rc = filter_type(as && !json_is_null(as) ? as : dtype, known[i].from, &from, &big, err);
    if (rc < 0) return rc;
    if (!to.numeric || !from.numeric) return other_types(name, err);
    ra__zarr_filter filter = {.undo = known[i].undo, .to = to.dtype, .from = from.dtype};
    if (filter.undo == RA__ZARR_UNSCALE) rc = parse_scale(&filter, configuration, err);
    if (rc == RA_OK) rc = add_filter(array, &filter, name, big, err);
    return rc < 0 ? rc : 1;
  }
  return 0;
}

// ---- cells

static int64_t load_whole(ra_dtype dtype, const uint8_t *cell) {
  unsigned size = (unsigned)ra_dtype_size(dtype), rest = 64 - 8 * size;
  uint64_t bits = 0;
  memcpy(&bits, cell, size);
  return ra_dtype_is_signed(dtype) ? (int64_t)(bits << rest) >> rest : (int64_t)bits;
}

// As C converts: what does not fit loses its upper bits, fractions are cut.
static void store_value(ra_dtype to, uint8_t *cells, size_t at, double value) {
  if (ra_dtype_is_float(to)) {
    ra_dtype_store(to, cells, at, value);
    return;
  }
  int64_t whole = value > -0x1p63 && value < 0x1p63 ? (int64_t)value : INT64_MIN;
  size_t size = ra_dtype_size(to);
  memcpy(cells + at * size, &whole, size);
}

static void cast_cell(const ra__zarr_filter *filter, uint8_t *raw, size_t at) {
  size_t from = ra_dtype_size(filter->from), to = ra_dtype_size(filter->to);
  if (ra_dtype_is_float(filter->from) || ra_dtype_is_float(filter->to)) {
    store_value(filter->to, raw, at, ra_dtype_load(filter->from, raw, at));
    return;
  }
  int64_t whole = load_whole(filter->from, raw + at * from);
  memcpy(raw + at * to, &whole, to);
}

// (x - offset) * scale, undone in the precision that numpy takes.
static void unscale_cell(const ra__zarr_filter *filter, uint8_t *raw, size_t at) {
  double value = ra_dtype_load(filter->from, raw, at);
  if (filter->from == RA_DTYPE_F32) {
    float quotient = (float)value / (float)filter->scale;
    value = (double)(quotient + (float)filter->offset);
  } else {
    value = value / filter->scale + filter->offset;
  }
  store_value(filter->to, raw, at, value);
}

// From the end where cells grow, so that none is written over before it is read.
static void change_cells(const ra__zarr_filter *filter, uint8_t *raw, size_t count) {
  bool grows = ra_dtype_size(filter->to) > ra_dtype_size(filter->from);
  if (filter->undo != RA__ZARR_UNSCALE && filter->to == filter->from) return;
  for (size_t i = 0; i < count; i++) {
    size_t at = grows ? count - 1 - i : i;
    if (filter->undo == RA__ZARR_UNSCALE) {
      unscale_cell(filter, raw, at);
    } else {
      cast_cell(filter, raw, at);
    }
  }
}

#define ADD_UP(type)                     \
  do {                                   \
    type *cells = raw, sum = 0;          \
    for (size_t i = 0; i < count; i++) { \
      sum = (type)(sum + cells[i]);      \
      cells[i] = sum;                    \
    }                                    \
  } while (0)

// numcodecs' delta: each cell but the first is its difference to the one before it.
static void add_up(ra_dtype dtype, void *raw, size_t count) {
  switch (dtype) {
    case RA_DTYPE_F32: ADD_UP(float); return;
    case RA_DTYPE_F64: ADD_UP(double); return;
    default: break;
  }
  switch (ra_dtype_size(dtype)) {
    case 1: ADD_UP(uint8_t); return;
    case 2: ADD_UP(uint16_t); return;
    case 4: ADD_UP(uint32_t); return;
    default: ADD_UP(uint64_t); return;
  }
}

void ra__zarr_undo_filters(const ra_zarr_array *array, void *raw, size_t count) {
  for (size_t i = array->filter_count; i-- > 0;) {
    const ra__zarr_filter *filter = &array->filters[i];
    change_cells(filter, raw, count);
    if (filter->undo == RA__ZARR_ADD_UP) add_up(filter->to, raw, count);
  }
}
