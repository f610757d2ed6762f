// shards.c - the time-shaped layout: a shard is assembled and encoded part by part, so that only its encoded bytes are
// held whole.
#include <stdlib.h>
#include <string.h>

#include "ingest/pass.h"

static int add_part(const ra__target *target, uint64_t part, const ra__region *region, void *cells,
                    ra_zarr_shard *shard, ra_err *err) {
  const ra_zarr_spec *zarr = &ra__target_array(target)->zarr;
  unsigned size = (unsigned)ra_dtype_size(zarr->dtype);
  ra__view view;
  ra__view_init(&view, zarr->ndim, size, region, cells);
  int rc = ra__target_fill(target, part, &view, 1, err);
  if (rc < 0) return rc;
  uint64_t start[RA_ZARR_DIMS];
  int64_t strides[RA_ZARR_DIMS];
  for (unsigned d = 0; d < zarr->ndim; d++) {
    start[d] = region->start[d] - target->region.start[d];
    strides[d] = view.stride[d] / size;
  }
  return ra_zarr_shard_add(shard, start, region->count, cells, strides, err);
}

static int encode(const ra__target *target, ra_zarr_shard *shard, ra_err *err) {
  const ra__array *array = ra__target_array(target);
  const ra__tiling *parts = &array->plan.parts[RA__SHARDS];
  ra__region region;
  ra__tiling_region(parts, 0, &region);
  size_t bytes = ra__region_cells(&region, parts->ndim) * ra_dtype_size(array->zarr.dtype);
  void *cells = malloc(bytes);
  if (!cells) return ra_fail(err, RA_E_NOMEM, array->zarr.name, "out of memory");
  int rc = RA_OK;
  for (uint64_t part = 0; part < parts->count && rc >= 0; part++) {
    if (ra__target_part(target, part, &region))
      rc = add_part(target, part, &region, cells, shard, err);
  }
  free(cells);
  return rc;
}

static int put(const ra__target *target, const uint64_t *number, ra_buf *bytes, ra_err *err) {
  const ra_zarr_spec *zarr = &ra__target_array(target)->zarr;
  ra_str part;
  ra_str_init(&part);
  ra_str_add_char(&part, '/');
  ra_zarr_shard_key(zarr, number, &part);
  int rc = part.failed ? ra_fail(err, RA_E_NOMEM, zarr->name, "out of memory")
                       : ra__output_put_array(ra__target_output(target), zarr->name, part.ptr,
                                              ra_buf_data(bytes), ra_buf_size(bytes), err);
  ra_str_deinit(&part);
  return rc;
}

int ra__shard_make(const ra__target *target, ra_err *err) {
  const ra_zarr_spec *zarr = &ra__target_array(target)->zarr;
  uint64_t number[RA_ZARR_DIMS];
  for (unsigned d = 0; d < zarr->ndim; d++) number[d] = target->region.start[d] / zarr->shard[d];
  ra_zarr_shard *shard;
  ra_buf *bytes = NULL;
  int rc = ra_zarr_shard_new(zarr, number, &shard, err);
  if (rc < 0) return rc;
  rc = encode(target, shard, err);
  if (rc >= 0) rc = ra_zarr_shard_finish(shard, &bytes, err);
  ra_zarr_shard_free(shard);
  if (rc >= 0 && bytes) rc = put(target, number, bytes, err);
  ra_buf_unref(bytes);
  size_t cells = ra__region_cells(&target->region, zarr->ndim);
  if (rc >= 0)
    ra__target_output(target)->ingest->bytes_encoded += cells * ra_dtype_size(zarr->dtype);
  return rc;
}
