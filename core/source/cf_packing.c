// cf_packing.c - scale and offset, fill values, valid ranges (CF 1.11 §2.5.1, §8.1; NUG): which stored values are
// missing, and which one stands for missing in the map layout.
#include <math.h>
#include <string.h>
#include <strings.h>

#include "source/cf_private.h"

// What netcdf-c fills cells with that were never written; one-byte types have none.
static bool default_fill(ra_dtype dtype, double *out) {
  static const double FILLS[RA_DTYPE_COUNT] = {
      [RA_DTYPE_I16] = -32767,
      [RA_DTYPE_U16] = 65535,
      [RA_DTYPE_I32] = -2147483647,
      [RA_DTYPE_U32] = 4294967295,
      [RA_DTYPE_I64] = -9223372036854775806.0,
      [RA_DTYPE_U64] = 18446744073709551614.0,
      [RA_DTYPE_F32] = 9.9692099683868690e+36,
      [RA_DTYPE_F64] = 9.9692099683868690e+36,
  };
  if (ra_dtype_size(dtype) == 1) return false;
  *out = dtype == RA_DTYPE_F32 ? (double)(float)FILLS[dtype] : FILLS[dtype];
  return true;
}

// An attribute's number as the cell that it stands for; false when no cell of the type can hold it.
static bool as_stored(const ra_source_var *var, double value, double *out) {
  if (ra_dtype_is_float(var->dtype)) {
    *out = var->dtype == RA_DTYPE_F32 ? (double)(float)value : value;
    return true;
  }
  if (var->as_unsigned && value < 0) value += ldexp(1, (int)(8 * ra_dtype_size(var->dtype)));
  double least, most;
  ra_dtype_limits(var->dtype, &least, &most);
  if (!(value >= least && value <= most) || value != nearbyint(value)) return false;
  *out = value;
  return true;
}

static void add_missing(ra_packing *packing, double value) {
  if (isnan(value)) return;
  for (unsigned i = 0; i < packing->missing_count; i++) {
    if (packing->missing[i] == value) return;
  }
  if (packing->missing_count < RA_MISSING_MAX) packing->missing[packing->missing_count++] = value;
}

static void read_fills(ra_cf_variable *variable) {
  static const char *const NAMES[] = {"_FillValue", "missing_value"};
  const ra_source_var *var = variable->source;
  for (size_t n = 0; n < 2; n++) {
    const ra_source_attr *attr = ra_source_var_attr(var, NAMES[n]);
    double first;
    if (!attr || !ra_source_var_number(var, NAMES[n], &first)) continue;
    for (size_t i = 0; i < (attr->numbers ? attr->count : 1); i++) {
      double value;
      if (!as_stored(var, attr->numbers ? attr->numbers[i] : first, &value)) continue;
      add_missing(&variable->packing, value);
      if (!variable->has_fill) {
        variable->has_fill = true;
        variable->fill = value;
      }
    }
  }
}

// A limit in stored units. A wider, floating type than the packed cells' means unpacked values (NUG).
static bool stored_limit(const ra_cf_variable *variable, const ra_source_attr *attr, size_t i,
                         double *out) {
  if (!attr || !attr->numbers || i >= attr->count || isnan(attr->numbers[i])) return false;
  const ra_source_var *var = variable->source;
  double value = attr->numbers[i];
  bool unpacked = ra_dtype_is_float(attr->dtype) && !ra_dtype_is_float(var->dtype) &&
                  !ra_packing_is_plain(&variable->packing);
  if (unpacked) {
    value = (value - variable->packing.offset) / variable->packing.scale;
  } else if (var->as_unsigned && value < 0) {
    value += ldexp(1, (int)(8 * ra_dtype_size(var->dtype)));
  } else if (var->dtype == RA_DTYPE_F32) {
    value = (double)(float)value;
  }
  *out = value;
  return true;
}

static void read_range(ra_cf_variable *variable) {
  const ra_source_attr *range = ra_source_var_attr(variable->source, "valid_range");
  ra_packing *p = &variable->packing;
  if (range && range->count == 2) {
    p->has_valid_min = stored_limit(variable, range, 0, &p->valid_min);
    p->has_valid_max = stored_limit(variable, range, 1, &p->valid_max);
  } else {
    p->has_valid_min =
        stored_limit(variable, ra_source_var_attr(variable->source, "valid_min"), 0, &p->valid_min);
    p->has_valid_max =
        stored_limit(variable, ra_source_var_attr(variable->source, "valid_max"), 0, &p->valid_max);
  }
  if (p->has_valid_min && p->has_valid_max && p->valid_min > p->valid_max) {
    if (p->scale < 0) {  // unpacked limits of a negative scale
      double swap = p->valid_min;
      p->valid_min = p->valid_max;
      p->valid_max = swap;
    } else {
      p->has_valid_min = p->has_valid_max = false;
    }
  }
}

static void choose_nodata(ra_cf_variable *variable) {
  ra_dtype dtype = variable->source->dtype;
  double value;
  if (variable->has_fill) {
    value = variable->fill;
  } else if (ra_dtype_is_float(dtype)) {
    value = NAN;
  } else if (!default_fill(dtype, &value)) {
    return;
  }
  // TIFF holds nodata as text that readers take for a double: bigger integers would not come back.
  if (ra_dtype_size(dtype) == 8 && !ra_dtype_is_float(dtype) && fabs(value) > 9007199254740992.0)
    return;
  variable->has_nodata = true;
  variable->nodata = value;
}

static bool has_word(const char *text, const char *const *words, size_t count) {
  for (size_t i = 0; text && i < count; i++) {
    if (strcasestr(text, words[i])) return true;
  }
  return false;
}

// Codes, not quantities: never averaged or interpolated.
static bool is_categorical(const ra_cf_variable *variable) {
  static const char *const WORDS[] = {"mask",      "flag",        "code",      "class",
                                      "category",  "land_cover",  "landcover", "soil_type",
                                      "area_type", "status_flag", "basin"};
  const ra_source_var *var = variable->source;
  if (ra_source_var_attr(var, "flag_values") || ra_source_var_attr(var, "flag_masks") ||
      ra_source_var_attr(var, "flag_meanings")) {
    return true;
  }
  if (ra_dtype_is_float(var->dtype) || !ra_packing_is_plain(&variable->packing)) return false;
  size_t count = sizeof WORDS / sizeof *WORDS;
  return has_word(var->base, WORDS, count) ||
         has_word(ra_source_var_text(var, "standard_name"), WORDS, count) ||
         has_word(ra_source_var_text(var, "long_name"), WORDS, count);
}

void ra__cf_need_nodata(ra_cf_variable *variable) {
  if (variable->has_nodata) return;
  variable->has_nodata = true;
  switch (variable->source->dtype) {
    case RA_DTYPE_U8: variable->nodata = UINT8_MAX; break;
    case RA_DTYPE_I8: variable->nodata = INT8_MIN; break;
    case RA_DTYPE_U64: variable->nodata = 9007199254740992.0; break;
    default: variable->nodata = -9007199254740992.0; break;
  }
}

void ra__cf_packing(ra_cf_variable *variable) {
  const ra_source_var *var = variable->source;
  variable->packing = ra_packing_none();
  if (var->kind != RA_SOURCE_NUMBERS) return;
  double number;
  if (ra_source_var_number(var, "scale_factor", &number) && isfinite(number) && number != 0) {
    variable->packing.scale = number;
  }
  if (ra_source_var_number(var, "add_offset", &number) && isfinite(number))
    variable->packing.offset = number;
  read_fills(variable);
  if (!ra_source_var_attr(var, "_FillValue") && default_fill(var->dtype, &number))
    add_missing(&variable->packing, number);
  read_range(variable);
  choose_nodata(variable);
  variable->categorical = is_categorical(variable);
}

int ra__cf_values(ra_cf *cf, ra_source_var *var, const double **values, size_t *count, ra_err *err) {
  const void *cells;
  int rc = ra_source_cells(cf->source, var, &cells, err);
  if (rc < 0) return rc;
  size_t n = (size_t)ra_source_var_cells(var);
  double *out = ra_arena_calloc(&cf->arena, n ? n : 1, sizeof *out);
  if (!out) return ra_fail(err, RA_E_NOMEM, var->name, "out of memory");
  // Limits of a coordinate describe it; they hide nothing (files give -89..89 to latitudes that reach 90).
  ra_cf_variable variable = {.source = var};
  ra__cf_packing(&variable);
  variable.packing.has_valid_min = variable.packing.has_valid_max = false;
  ra_unpack_f64(var->dtype, cells, n, &variable.packing, true, out);
  *values = out;
  *count = n;
  return RA_OK;
}
