// attrs.c - attributes of the file into plain tables, and their lookup.
#include <errno.h>
#include <netcdf.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/size.h"
#include "base/str.h"
#include "source/source_private.h"

enum { ATTR_BYTES_MAX = 16 << 20 };

static bool number_type(nc_type type, ra_dtype *out) {
  static const struct {
    nc_type type;
    ra_dtype dtype;
  } TYPES[] = {{NC_BYTE, RA_DTYPE_I8},    {NC_UBYTE, RA_DTYPE_U8},   {NC_SHORT, RA_DTYPE_I16},
               {NC_USHORT, RA_DTYPE_U16}, {NC_INT, RA_DTYPE_I32},    {NC_UINT, RA_DTYPE_U32},
               {NC_INT64, RA_DTYPE_I64},  {NC_UINT64, RA_DTYPE_U64}, {NC_FLOAT, RA_DTYPE_F32},
               {NC_DOUBLE, RA_DTYPE_F64}};
  for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
    if (TYPES[i].type == type) {
      *out = TYPES[i].dtype;
      return true;
    }
  }
  return false;
}

static int64_t load_integer(ra_dtype dtype, const void *cells, size_t i) {
  if (dtype == RA_DTYPE_I64 || dtype == RA_DTYPE_U64) return ((const int64_t *)cells)[i];
  return (int64_t)ra_dtype_load(dtype, cells, i);
}

static int read_numbers(ra_source *source, int ncid, int varid, ra_source_attr *attr, ra_err *err) {
  ra_arena *arena = &source->arena;
  void *raw = ra_arena_calloc(arena, attr->count ? attr->count : 1, ra_dtype_size(attr->dtype));
  double *numbers = ra_arena_calloc(arena, attr->count ? attr->count : 1, sizeof *numbers);
  int64_t *integers = NULL;
  if (!ra_dtype_is_float(attr->dtype)) {
    integers = ra_arena_calloc(arena, attr->count ? attr->count : 1, sizeof *integers);
    if (!integers) return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
  }
  if (!raw || !numbers) return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
  int status = nc_get_att(ncid, varid, attr->name, raw);
  if (status) return ra__source_fail(source, status, attr->name, err);
  for (size_t i = 0; i < attr->count; i++) {
    numbers[i] = ra_dtype_load(attr->dtype, raw, i);
    if (integers) integers[i] = load_integer(attr->dtype, raw, i);
  }
  attr->numbers = numbers;
  attr->integers = integers;
  return RA_OK;
}

static int read_chars(ra_source *source, int ncid, int varid, ra_source_attr *attr, ra_err *err) {
  ra_arena *arena = &source->arena;
  char *text = ra_arena_calloc(arena, attr->count + 1, 1);
  const char **texts = ra_arena_calloc(arena, 1, sizeof *texts);
  if (!text || !texts) return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
  int status = nc_get_att_text(ncid, varid, attr->name, text);
  if (status) return ra__source_fail(source, status, attr->name, err);
  texts[0] = text;
  attr->texts = texts;
  attr->count = 1;
  return RA_OK;
}

static int read_strings(ra_source *source, int ncid, int varid, ra_source_attr *attr, ra_err *err) {
  ra_arena *arena = &source->arena;
  size_t count = attr->count;
  char **raw = ra_arena_calloc(arena, count ? count : 1, sizeof *raw);
  const char **texts = ra_arena_calloc(arena, count ? count : 1, sizeof *texts);
  if (!raw || !texts) return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
  texts[0] = "";
  int status = count ? nc_get_att_string(ncid, varid, attr->name, raw) : NC_NOERR;
  if (status) return ra__source_fail(source, status, attr->name, err);
  bool failed = false;
  for (size_t i = 0; i < count; i++) {
    texts[i] = ra_arena_strdup(arena, raw[i] ? raw[i] : "");
    failed |= !texts[i];
  }
  if (count) nc_free_string(count, raw);
  if (failed) return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
  attr->texts = texts;
  attr->count = count ? count : 1;
  return RA_OK;
}

int ra__source_plain_type(int ncid, int type) {
  nc_type base;
  int class;
  bool is_enum = type >= NC_FIRSTUSERTYPEID &&
                 nc_inq_user_type(ncid, type, NULL, NULL, &base, NULL, &class) == NC_NOERR &&
                 class == NC_ENUM;
  return is_enum ? base : type;
}

static bool add_flags(ra_source *source, ra_source_var *var, const double *values,
                      const int64_t *integers, ra_str *meanings, size_t count) {
  ra_source_attr *list = ra_arena_calloc(&source->arena, var->attr_count + 2, sizeof *list);
  const char **texts = ra_arena_calloc(&source->arena, 1, sizeof *texts);
  if (!list || !texts || meanings->failed) return false;
  texts[0] = ra_arena_strdup(&source->arena, meanings->ptr);
  memcpy(list, var->attrs, var->attr_count * sizeof *list);
  list[var->attr_count] = (ra_source_attr){.name = "flag_values",
                                           .dtype = var->dtype,
                                           .count = count,
                                           .numbers = values,
                                           .integers = integers};
  list[var->attr_count + 1] = (ra_source_attr){.name = "flag_meanings", .count = 1, .texts = texts};
  var->attrs = list;
  var->attr_count += 2;
  return texts[0] != NULL;
}

int ra__source_enum_flags(ra_source *source, ra_source_var *var, int type, ra_err *err) {
  size_t count;
  if (ra_source_var_attr(var, "flag_values") || ra_source_var_attr(var, "flag_meanings") ||
      nc_inq_enum(var->ncid, type, NULL, NULL, NULL, &count) != NC_NOERR || count == 0)
    return RA_OK;
  double *values = ra_arena_calloc(&source->arena, count, sizeof *values);
  int64_t *integers = ra_arena_calloc(&source->arena, count, sizeof *integers);
  if (!values || !integers) return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
  ra_str meanings;
  ra_str_init(&meanings);
  for (size_t i = 0; i < count; i++) {
    char name[NC_MAX_NAME + 1];
    int64_t cell = 0;
    int status = nc_inq_enum_member(var->ncid, type, (int)i, name, &cell);
    if (status) {
      ra_str_deinit(&meanings);
      return ra__source_fail(source, status, var->name, err);
    }
    values[i] = ra_dtype_load(var->dtype, &cell, 0);
    integers[i] = load_integer(var->dtype, &cell, 0);
    for (char *p = name; *p; p++) *p = *p == ' ' ? '_' : *p;
    ra_str_addf(&meanings, i ? " %s" : "%s", name);
  }
  bool added = add_flags(source, var, values, integers, &meanings, count);
  ra_str_deinit(&meanings);
  return added ? RA_OK : ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
}

// False in *kept: a type that has no meaning here (compound, opaque, …).
static int read_attr(ra_source *source, int ncid, int varid, int index, ra_source_attr *attr,
                     bool *kept, ra_err *err) {
  char name[NC_MAX_NAME + 1];
  nc_type type;
  *kept = false;
  int status = nc_inq_attname(ncid, varid, index, name);
  if (!status) status = nc_inq_att(ncid, varid, name, &type, &attr->count);
  if (status) return ra__source_fail(source, status, "attributes", err);
  if (attr->count > ATTR_BYTES_MAX) {
    return ra_fail(err, RA_E_TOOBIG, source->name, "attribute '%s' has %zu elements", name,
                   attr->count);
  }
  attr->name = ra_arena_strdup(&source->arena, name);
  if (!attr->name) return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
  *kept = true;
  type = ra__source_plain_type(ncid, type);
  if (type == NC_CHAR) return read_chars(source, ncid, varid, attr, err);
  if (type == NC_STRING) return read_strings(source, ncid, varid, attr, err);
  if (number_type(type, &attr->dtype)) return read_numbers(source, ncid, varid, attr, err);
  *kept = false;
  return RA_OK;
}

int ra__source_attrs(ra_source *source, int ncid, int varid, const ra_source_attr **attrs,
                     size_t *count, ra_err *err) {
  int total = 0;
  int status = varid == NC_GLOBAL ? nc_inq_natts(ncid, &total) : nc_inq_varnatts(ncid, varid, &total);
  if (status) return ra__source_fail(source, status, "attributes", err);
  ra_source_attr *list = ra_arena_calloc(&source->arena, (size_t)total + 1, sizeof *list);
  if (!list) return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
  size_t n = 0;
  for (int i = 0; i < total; i++) {
    bool kept;
    int rc = read_attr(source, ncid, varid, i, &list[n], &kept, err);
    if (rc < 0) return rc;
    n += kept;
  }
  *attrs = list;
  *count = n;
  return RA_OK;
}

const ra_source_attr *ra_source_attr_find(const ra_source_attr *attrs, size_t count,
                                          const char *name) {
  for (size_t i = 0; i < count; i++) {
    if (!strcmp(attrs[i].name, name)) return &attrs[i];
  }
  return NULL;
}

const ra_source_attr *ra_source_var_attr(const ra_source_var *var, const char *name) {
  return ra_source_attr_find(var->attrs, var->attr_count, name);
}

const char *ra_source_var_text(const ra_source_var *var, const char *name) {
  const ra_source_attr *attr = ra_source_var_attr(var, name);
  return attr && attr->texts ? attr->texts[0] : NULL;
}

bool ra_source_var_number(const ra_source_var *var, const char *name, double *out) {
  const ra_source_attr *attr = ra_source_var_attr(var, name);
  if (!attr || attr->count == 0) return false;
  if (attr->numbers) {
    *out = attr->numbers[0];
    return true;
  }
  char *end;
  double value = strtod(attr->texts[0], &end);
  if (end == attr->texts[0]) return false;
  *out = value;
  return true;
}
