// inquire.c - an open NetCDF file into the model: groups are flattened to "group/name".
#include <netcdf.h>
#include <netcdf_filter.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "source/source_private.h"

enum { GROUP_DEPTH = 32, DIMS_MAX = 65536, VARS_MAX = 65536 };

typedef struct tables {
  ra_source *source;
  unsigned dim_cap, var_cap;
} tables;

static int nomem(ra_source *source, ra_err *err) {
  return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
}

// Makes room for `more` entries; the old table stays in the arena.
static void *grow(ra_arena *arena, void *old, unsigned used, unsigned *cap, unsigned more,
                  size_t size) {
  if (used + more <= *cap) return old;
  unsigned wanted = (used + more) * 2;
  void *bigger = ra_arena_calloc(arena, wanted, size);
  if (bigger && used) memcpy(bigger, old, used * size);
  if (bigger) *cap = wanted;
  return bigger;
}

static const char *join(ra_source *source, const char *group, const char *name) {
  return *group ? ra_arena_printf(&source->arena, "%s/%s", group, name)
                : ra_arena_strdup(&source->arena, name);
}

static int read_dim(tables *t, int ncid, int id, bool unlimited, const char *group, ra_err *err) {
  ra_source *source = t->source;
  char name[NC_MAX_NAME + 1];
  size_t size;
  int status = nc_inq_dim(ncid, id, name, &size);
  if (status) return ra__source_fail(source, status, "dimensions", err);
  ra_source_dim *dim = &source->dims[source->dim_count];
  dim->base = ra_arena_strdup(&source->arena, name);
  dim->name = join(source, group, name);
  dim->size = size;
  dim->unlimited = unlimited;
  if (!dim->base || !dim->name) return nomem(source, err);
  source->dim_ids[source->dim_count++] = id;
  return RA_OK;
}

static int read_dims(tables *t, int ncid, const char *group, ra_err *err) {
  ra_source *source = t->source;
  int count = 0, unlimited_count = 0;
  int status = nc_inq_dimids(ncid, &count, NULL, 0);
  if (!status) status = nc_inq_unlimdims(ncid, &unlimited_count, NULL);
  if (status == NC_ENOTNC4) {
    status = nc_inq_unlimdim(ncid, &unlimited_count);
    unlimited_count = unlimited_count >= 0;
  }
  if (status) return ra__source_fail(source, status, "dimensions", err);
  if (count < 0 || source->dim_count + (unsigned)count > DIMS_MAX) {
    return ra_fail(err, RA_E_TOOBIG, source->name, "has more than %d dimensions", DIMS_MAX);
  }
  if (count == 0) return RA_OK;
  unsigned ids_cap = t->dim_cap;
  source->dims = grow(&source->arena, source->dims, source->dim_count, &t->dim_cap, (unsigned)count,
                      sizeof *source->dims);
  source->dim_ids = grow(&source->arena, source->dim_ids, source->dim_count, &ids_cap,
                         (unsigned)count, sizeof *source->dim_ids);
  int *ids = ra_arena_calloc(&source->arena, (size_t)count, sizeof *ids);
  int *unlimited = ra_arena_calloc(&source->arena, (size_t)unlimited_count + 1, sizeof *unlimited);
  if (!source->dims || !source->dim_ids || !ids || !unlimited) return nomem(source, err);
  status = nc_inq_dimids(ncid, &count, ids, 0);
  if (!status && unlimited_count) status = nc_inq_unlimdims(ncid, &unlimited_count, unlimited);
  if (status) return ra__source_fail(source, status, "dimensions", err);
  for (int i = 0; i < count; i++) {
    bool is_unlimited = false;
    for (int k = 0; k < unlimited_count; k++) is_unlimited |= unlimited[k] == ids[i];
    int rc = read_dim(t, ncid, ids[i], is_unlimited, group, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

static ra_source_kind kind_of(nc_type type, ra_dtype *dtype) {
  switch (type) {
    case NC_BYTE: *dtype = RA_DTYPE_I8; return RA_SOURCE_NUMBERS;
    case NC_UBYTE: *dtype = RA_DTYPE_U8; return RA_SOURCE_NUMBERS;
    case NC_SHORT: *dtype = RA_DTYPE_I16; return RA_SOURCE_NUMBERS;
    case NC_USHORT: *dtype = RA_DTYPE_U16; return RA_SOURCE_NUMBERS;
    case NC_INT: *dtype = RA_DTYPE_I32; return RA_SOURCE_NUMBERS;
    case NC_UINT: *dtype = RA_DTYPE_U32; return RA_SOURCE_NUMBERS;
    case NC_INT64: *dtype = RA_DTYPE_I64; return RA_SOURCE_NUMBERS;
    case NC_UINT64: *dtype = RA_DTYPE_U64; return RA_SOURCE_NUMBERS;
    case NC_FLOAT: *dtype = RA_DTYPE_F32; return RA_SOURCE_NUMBERS;
    case NC_DOUBLE: *dtype = RA_DTYPE_F64; return RA_SOURCE_NUMBERS;
    case NC_CHAR: return RA_SOURCE_CHARS;
    case NC_STRING: return RA_SOURCE_STRINGS;
    default: return RA_SOURCE_OTHER;
  }
}

void ra__source_apply_unsigned(ra_source_var *var) {
  const char *text = ra_source_var_text(var, "_Unsigned");
  if (!text || strcasecmp(text, "true") != 0 || var->kind != RA_SOURCE_NUMBERS) return;
  static const struct {
    ra_dtype from, to;
  } PAIRS[] = {{RA_DTYPE_I8, RA_DTYPE_U8},
               {RA_DTYPE_I16, RA_DTYPE_U16},
               {RA_DTYPE_I32, RA_DTYPE_U32},
               {RA_DTYPE_I64, RA_DTYPE_U64}};
  for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
    if (PAIRS[i].from == var->dtype) {
      var->dtype = PAIRS[i].to;
      var->as_unsigned = true;
      return;
    }
  }
}

static int read_shape(ra_source *source, ra_source_var *var, const int *ids, ra_err *err) {
  for (unsigned d = 0; d < var->ndim; d++) {
    unsigned i = 0;
    while (i < source->dim_count && source->dim_ids[i] != ids[d]) i++;
    if (i == source->dim_count) {
      return ra_fail(err, RA_E_CORRUPT, source->name,
                     "variable '%s' names a dimension that does not exist", var->name);
    }
    var->dims[d] = i;
    var->shape[d] = var->chunk[d] = source->dims[i].size;
  }
  return RA_OK;
}

static void read_chunking(ra_source *source, ra_source_var *var) {
  if (!source->hdf5) return;
  int storage = NC_CONTIGUOUS;
  size_t chunk[NC_MAX_VAR_DIMS];
  if (nc_inq_var_chunking(var->ncid, var->varid, &storage, chunk) == NC_NOERR &&
      storage == NC_CHUNKED) {
    var->chunked = true;
    for (unsigned d = 0; d < var->ndim; d++) var->chunk[d] = chunk[d] ? chunk[d] : 1;
  }
  char path[NC_MAX_NAME * 2];
  snprintf(path, sizeof path, "/%s", var->name);
  for (const ra__filter *f = source->filters; f; f = f->next) {
    if (!strcmp(f->path, path)) var->filter = f->what;
  }
}

static int read_var(tables *t, int ncid, int varid, const char *group, ra_err *err) {
  ra_source *source = t->source;
  char name[NC_MAX_NAME + 1];
  nc_type type;
  int ndim, ids[NC_MAX_VAR_DIMS];
  int status = nc_inq_var(ncid, varid, name, &type, &ndim, ids, NULL);
  if (status) return ra__source_fail(source, status, "variables", err);
  ra_source_var *var = ra_arena_calloc(&source->arena, 1, sizeof *var);
  if (!var) return nomem(source, err);
  var->base = ra_arena_strdup(&source->arena, name);
  var->name = join(source, group, name);
  var->group = group;
  var->ncid = ncid;
  var->varid = varid;
  if (!var->base || !var->name) return nomem(source, err);
  nc_type plain = ra__source_plain_type(ncid, type);
  var->kind = kind_of(plain, &var->dtype);
  if (ndim > RA_SOURCE_DIMS) {
    var->kind = RA_SOURCE_OTHER;
    ndim = 0;
  }
  var->ndim = (unsigned)ndim;
  int rc = read_shape(source, var, ids, err);
  if (rc < 0) return rc;
  rc = ra__source_attrs(source, ncid, varid, &var->attrs, &var->attr_count, err);
  if (rc >= 0 && plain != type) rc = ra__source_enum_flags(source, var, type, err);
  if (rc < 0) return rc;
  ra__source_apply_unsigned(var);
  read_chunking(source, var);
  ra__source_block(var);
  var->index = source->var_count;
  source->vars[source->var_count++] = var;
  return RA_OK;
}

static int read_vars(tables *t, int ncid, const char *group, ra_err *err) {
  ra_source *source = t->source;
  int count = 0;
  int status = nc_inq_varids(ncid, &count, NULL);
  if (status) return ra__source_fail(source, status, "variables", err);
  if (count < 0 || source->var_count + (unsigned)count > VARS_MAX) {
    return ra_fail(err, RA_E_TOOBIG, source->name, "has more than %d variables", VARS_MAX);
  }
  if (count == 0) return RA_OK;
  source->vars = grow(&source->arena, source->vars, source->var_count, &t->var_cap, (unsigned)count,
                      sizeof *source->vars);
  int *ids = ra_arena_calloc(&source->arena, (size_t)count, sizeof *ids);
  if (!source->vars || !ids) return nomem(source, err);
  status = nc_inq_varids(ncid, &count, ids);
  if (status) return ra__source_fail(source, status, "variables", err);
  for (int i = 0; i < count; i++) {
    int rc = read_var(t, ncid, ids[i], group, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

static int read_group(tables *t, int ncid, const char *group, int depth, ra_err *err) {
  ra_source *source = t->source;
  if (depth > GROUP_DEPTH) {
    return ra_fail(err, RA_E_TOOBIG, source->name, "has groups nested more than %d deep",
                   GROUP_DEPTH);
  }
  int rc = read_dims(t, ncid, group, err);
  if (rc >= 0) rc = read_vars(t, ncid, group, err);
  if (rc < 0) return rc;
  int count = 0;
  int status = nc_inq_grps(ncid, &count, NULL);
  if (status == NC_ENOTNC4 || (!status && count == 0)) return RA_OK;
  int *ids = ra_arena_calloc(&source->arena, (size_t)count + 1, sizeof *ids);
  if (!ids) return nomem(source, err);
  if (!status) status = nc_inq_grps(ncid, &count, ids);
  if (status) return ra__source_fail(source, status, "groups", err);
  for (int i = 0; i < count; i++) {
    char name[NC_MAX_NAME + 1];
    status = nc_inq_grpname(ids[i], name);
    if (status) return ra__source_fail(source, status, "groups", err);
    const char *path = join(source, group, name);
    if (!path) return nomem(source, err);
    rc = read_group(t, ids[i], path, depth + 1, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

int ra__source_inquire(ra_source *source, ra_err *err) {
  tables t = {source, 0, 0};
  int format = 0;
  if (nc_inq_format(source->ncid, &format) == NC_NOERR && format == NC_FORMAT_NETCDF4_CLASSIC) {
    source->format = "netcdf4-classic";
  }
  int rc =
      ra__source_attrs(source, source->ncid, NC_GLOBAL, &source->attrs, &source->attr_count, err);
  if (rc < 0) return rc;
  rc = read_group(&t, source->ncid, "", 0, err);
  if (rc < 0) return rc;
  source->storages = ra_arena_calloc(&source->arena, source->var_count + 1, sizeof *source->storages);
  return source->storages ? RA_OK : nomem(source, err);
}
