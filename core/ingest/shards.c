// shards.c - the time-shaped layout: a shard is assembled, encoded and written part by part, so that neither its cells nor
// its bytes are in memory at once.
#include <stdlib.h>
#include <string.h>

#include "ingest/pass.h"

typedef struct making {
  const ra__target *target;
  ra_zarr_shard *shard;
  uint8_t *cells;  // of one part
  uint64_t part;   // the next one
  bool ended;
  const void *first;  // what was encoded before the object was begun
  size_t first_size;
} making;

static int add_part(making *m, const ra__region *region, const void **bytes, size_t *size,
                    ra_err *err) {
  const ra_zarr_spec *zarr = &ra__target_array(m->target)->zarr;
  unsigned cell = (unsigned)ra_dtype_size(zarr->dtype);
  ra__view view;
  ra__view_init(&view, zarr->ndim, cell, region, m->cells);
  int rc = ra__target_fill(m->target, m->part, &view, 1, err);
  if (rc < 0) return rc;
  uint64_t start[RA_ZARR_DIMS];
  int64_t strides[RA_ZARR_DIMS];
  for (unsigned d = 0; d < zarr->ndim; d++) {
    start[d] = region->start[d] - m->target->region.start[d];
    strides[d] = view.stride[d] / cell;
  }
  return ra_zarr_shard_add(m->shard, start, region->count, m->cells, strides, bytes, size, err);
}

// The next bytes of the object; *size 0 after the last.
static int advance(making *m, const void **bytes, size_t *size, ra_err *err) {
  int rc = RA_OK;
  *size = 0;
  for (; m->part < ra__target_parts(m->target) && rc >= 0 && *size == 0; m->part++) {
    ra__region region;
    if (ra__target_part(m->target, m->part, &region)) rc = add_part(m, &region, bytes, size, err);
  }
  if (rc < 0 || *size || m->ended) return rc;
  m->ended = true;
  return ra_zarr_shard_end(m->shard, bytes, size, err);
}

static int next(void *ctx, const void **bytes, size_t *size, ra_err *err) {
  making *m = ctx;
  if (!m->first_size) return advance(m, bytes, size, err);
  *bytes = m->first;
  *size = m->first_size;
  m->first_size = 0;
  return RA_OK;
}

static int put(making *m, const uint64_t *number, ra_err *err) {
  ra__output *output = ra__target_output(m->target);
  const ra_zarr_spec *zarr = &ra__target_array(m->target)->zarr;
  ra_str key;
  ra_str_init(&key);
  ra_dataset_zarr_key(output->dataset, zarr->name, &key);
  ra_str_add_char(&key, '/');
  ra_zarr_shard_key(zarr, number, &key);
  int rc = key.failed ? ra_fail(err, RA_E_NOMEM, zarr->name, "out of memory")
                      : ra__output_stream(output, key.ptr, next, m, err);
  ra_str_deinit(&key);
  return rc;
}

// A shard of nothing but fill is no object, so the first bytes decide.
static int make(making *m, const uint64_t *number, ra_err *err) {
  const ra__array *array = ra__target_array(m->target);
  const ra__tiling *parts = &array->plan.parts[RA__SHARDS];
  ra__region region;
  ra__tiling_region(parts, 0, &region);
  size_t bytes = ra__region_cells(&region, parts->ndim) * ra_dtype_size(array->zarr.dtype);
  m->cells = malloc(bytes);
  if (!m->cells)
    return ra_fail(err, RA_E_NOMEM, array->zarr.name, "no memory for %zu bytes", bytes);
  int rc = advance(m, &m->first, &m->first_size, err);
  return rc < 0 || m->first_size == 0 ? rc : put(m, number, err);
}

int ra__shard_make(const ra__target *target, ra_err *err) {
  const ra_zarr_spec *zarr = &ra__target_array(target)->zarr;
  uint64_t number[RA_ZARR_DIMS];
  for (unsigned d = 0; d < zarr->ndim; d++) number[d] = target->region.start[d] / zarr->shard[d];
  making m = {.target = target};
  bool wanted = !ra__target_output(target)->ingest->in_place;
  wanted = wanted && !ra__target_output(target)->ingest->kept;
  int rc = wanted ? ra_zarr_shard_new(zarr, number, &m.shard, err) : RA_OK;
  if (rc >= 0 && wanted) rc = make(&m, number, err);
  ra_zarr_shard_free(m.shard);
  free(m.cells);
  size_t cells = ra__region_cells(&target->region, zarr->ndim);
  if (rc >= 0)
    ra__target_output(target)->ingest->bytes_encoded += cells * ra_dtype_size(zarr->dtype);
  return rc;
}
