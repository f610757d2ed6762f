// zarr_v2.c - reads an array's .zarray (Zarr v2; netCDF's and GDAL's are the same).
#include <string.h>

#include "format/zarr_impl.h"

static int parse_separator(ra_zarr_array *array, const json_t *root, ra_err *err) {
  const json_t *separator = json_object_get(root, "dimension_separator");
  const char *text = separator ? json_string_value(separator) : ".";
  if (!text || (strcmp(text, ".") != 0 && strcmp(text, "/") != 0))
    return ra__zarr_corrupt(err, "dimension_separator", "\".\" or \"/\"");
  array->v2_keys = true;
  array->separator = text[0];
  return RA_OK;
}

static int parse_order(ra_zarr_array *array, const json_t *root, ra_err *err) {
  const char *text = json_string_value(json_object_get(root, "order"));
  unsigned ndim = array->info.ndim;
  if (!text || (strcmp(text, "C") != 0 && strcmp(text, "F") != 0))
    return ra__zarr_corrupt(err, "order", "\"C\" or \"F\"");
  for (unsigned i = 0; text[0] == 'F' && i < ndim; i++) array->order[i] = (uint8_t)(ndim - 1 - i);
  return RA_OK;
}

static int add_codec(ra_zarr_array *array, const json_t *codec, const char *member, ra_err *err) {
  const char *id = json_string_value(json_object_get(codec, "id"));
  if (!id) return ra__zarr_corrupt(err, member, "an object with an \"id\"");
  return ra__zarr_bytes_codec(array, id, codec, err);
}

// Filters stand in the order of encoding. Those of cells are undone last, so none may follow one of bytes.
static int parse_filters(ra_zarr_array *array, const json_t *filters, ra_err *err) {
  if (!filters || json_is_null(filters)) return RA_OK;
  if (!json_is_array(filters)) return ra__zarr_corrupt(err, "filters", "null or a list");
  size_t i;
  const json_t *filter;
  json_array_foreach(filters, i, filter) {
    const char *id = json_string_value(json_object_get(filter, "id"));
    int rc = id ? ra__zarr_cell_filter(array, id, filter, err) : 0;
    if (rc == 0) rc = add_codec(array, filter, "filters", err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

int ra__zarr_parse_v2(ra_zarr_array *array, const json_t *root, ra_err *err) {
  const json_t *shape = json_object_get(root, "shape");
  const json_t *compressor = json_object_get(root, "compressor");
  ra_zarr_info *info = &array->info;
  if (json_integer_value(json_object_get(root, "zarr_format")) != 2)
    return ra__zarr_corrupt(err, "zarr_format", "2");
  if (!json_is_array(shape) || json_array_size(shape) > RA_ZARR_DIMS)
    return ra__zarr_corrupt(err, "shape", "a list of at most 16 whole numbers");
  info->ndim = (unsigned)json_array_size(shape);
  int rc = ra__zarr_list(shape, "shape", info->ndim, 0, info->shape, err);
  if (rc == RA_OK)
    rc = ra__zarr_list(json_object_get(root, "chunks"), "chunks", info->ndim, 1, info->shard, err);
  if (rc == RA_OK)
    rc = ra__zarr_type_v2(json_object_get(root, "dtype"), info, &array->big_endian, err);
  if (rc == RA_OK) rc = ra__zarr_fill(array, json_object_get(root, "fill_value"), err);
  if (rc == RA_OK) rc = parse_separator(array, root, err);
  if (rc == RA_OK) rc = parse_order(array, root, err);
  if (rc == RA_OK) rc = parse_filters(array, json_object_get(root, "filters"), err);
  if (rc == RA_OK && compressor && !json_is_null(compressor))
    rc = add_codec(array, compressor, "compressor", err);
  return rc;
}
