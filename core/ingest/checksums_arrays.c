// checksums_arrays.c - the arrays of Zarr stores and of NetCDF files, for checksums.c.
#include <string.h>

#include "format/zarr.h"
#include "ingest/checksums_private.h"
#include "source/source.h"
#include "source/zarr_tree.h"

// ---- Zarr

typedef struct zarr_array {
  ra_zarr_array *array;
  ra_reader reader;
  const char *path;
} zarr_array;

static int read_zarr(void *ctx, const uint64_t *start, const uint64_t *count, void *dst, ra_err *err) {
  const zarr_array *z = ctx;
  return ra_zarr_read(z->array, &z->reader, z->path, start, count, dst, NULL, NULL, err);
}

static void tell_format(void *ctx, ra_str *out) {
  const zarr_array *z = ctx;
  ra_str_addf(out, ",\"zarr_format\":%u", ra_zarr_array_info(z->array)->format);
}

static int sum_zarr(ra__sums *sums, zarr_array *z, ra_err *err) {
  const ra_zarr_info *info = ra_zarr_array_info(z->array);
  ra__sum_array a = {.path = z->path,
                     .type = info->type,
                     .more = tell_format,
                     .cell = info->cell,
                     .ndim = info->ndim,
                     .read = read_zarr,
                     .ctx = z};
  memcpy(a.shape, info->shape, sizeof info->shape[0] * info->ndim);
  memcpy(a.chunk, info->shard, sizeof info->shard[0] * info->ndim);
  return ra__sum(sums, &a, err);
}

// An array of another type than numbers, or one that we cannot decode, is told with the reason. *refused gets the first
// reason of the latter kind.
static int sum_node(ra__sums *sums, const ra_zarr_tree *tree, const ra_zarr_node *node,
                    unsigned *decoded, ra_err *refused, ra_err *err) {
  zarr_array z = {.reader = ra_zarr_tree_reader(tree), .path = node->path};
  size_t size = strlen(node->metadata);
  ra_err why = {0};
  int rc = ra_zarr_array_parse_any(node->metadata, size, node->format, &z.array, &why);
  bool known = ra_zarr_type_is_known(node->metadata, size, node->format);
  if (rc == RA_E_UNSUPPORTED || (rc < 0 && !known)) {
    ra__sum_skipped(sums, node->path, why.message);
    if (known && !refused->message[0]) *refused = why;
    return RA_OK;
  }
  if (rc < 0) return ra_fail(err, rc, *node->path ? node->path : why.where, "%s", why.message);
  rc = sum_zarr(sums, &z, err);
  ra_zarr_array_unref(z.array);
  ++*decoded;
  return rc;
}

int ra__sums_zarr(ra__sums *sums, const char *path, ra_err *err) {
  ra_zarr_tree *tree;
  ra_err refused = {0};
  unsigned decoded = 0;
  int rc = ra_zarr_tree_open(path, &tree, err);
  if (rc < 0) return rc;
  for (size_t i = 0; i < ra_zarr_tree_count(tree) && rc == RA_OK; i++) {
    const ra_zarr_node *node = ra_zarr_tree_node(tree, i);
    if (node->array) rc = sum_node(sums, tree, node, &decoded, &refused, err);
  }
  ra_zarr_tree_free(tree);
  // Of a store where nothing could be decoded, the reason is the answer.
  if (rc == RA_OK && !decoded && refused.message[0])
    return ra_fail(err, RA_E_UNSUPPORTED, "", "%s", refused.message);
  return rc;
}

// ---- NetCDF

typedef struct netcdf_array {
  ra_source *source;
  const ra_source_var *var;
} netcdf_array;

static int read_netcdf(void *ctx, const uint64_t *start, const uint64_t *count, void *dst,
                       ra_err *err) {
  const netcdf_array *n = ctx;
  return ra_source_read(n->source, n->var, start, count, dst, err);
}

const char *ra__numpy_type(ra_dtype dtype) {
  static const char *const types[] = {
      [RA_DTYPE_U8] = "|u1",  [RA_DTYPE_I8] = "|i1",  [RA_DTYPE_U16] = "<u2",
      [RA_DTYPE_I16] = "<i2", [RA_DTYPE_U32] = "<u4", [RA_DTYPE_I32] = "<i4",
      [RA_DTYPE_U64] = "<u8", [RA_DTYPE_I64] = "<i8", [RA_DTYPE_F32] = "<f4",
      [RA_DTYPE_F64] = "<f8"};
  return types[dtype];
}

static int sum_variable(ra__sums *sums, ra_source *source, const ra_source_var *var, ra_err *err) {
  if (var->kind != RA_SOURCE_NUMBERS) {
    ra__sum_skipped(sums, var->name, "its cells are no numbers");
    return RA_OK;
  }
  if (var->filter)
    return ra_fail(err, RA_E_UNSUPPORTED, var->name, "no decoder for %s", var->filter);
  netcdf_array n = {source, var};
  ra__sum_array a = {.path = var->name,
                     .type = ra__numpy_type(var->dtype),
                     .cell = (unsigned)ra_dtype_size(var->dtype),
                     .ndim = var->ndim,
                     .read = read_netcdf,
                     .ctx = &n};
  memcpy(a.shape, var->shape, sizeof var->shape[0] * var->ndim);
  memcpy(a.chunk, var->block, sizeof var->block[0] * var->ndim);
  return ra__sum(sums, &a, err);
}

int ra__sums_netcdf(ra__sums *sums, const char *path, const char **format, ra_err *err) {
  ra_source *source;
  int rc = ra_source_open(path, &source, err);
  if (rc < 0) return rc;
  *format = ra_source_format(source);
  for (size_t i = 0; i < ra_source_var_count(source) && rc == RA_OK; i++)
    rc = sum_variable(sums, source, ra_source_get_var(source, i), err);
  ra_source_free(source);
  return rc;
}
