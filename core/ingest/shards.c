// shards.c - the time-shaped layout: shards cut from the variable's cells without a copy.
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest_private.h"

typedef struct shard_job {
  ra__block block;
  uint64_t shard[RA_ZARR_DIMS];
} shard_job;

static int run_shard(void *ctx, ra_err *err) {
  const shard_job *job = ctx;
  const ra_zarr_spec *zarr = &job->block.array->zarr;
  int64_t origin = 0;
  for (unsigned d = 0; d < zarr->ndim; d++) {
    origin += (int64_t)(job->shard[d] * zarr->shard[d]) * job->block.strides[d];
  }
  const uint8_t *cells = job->block.cells + origin * (int64_t)ra_dtype_size(zarr->dtype);
  ra_buf *bytes = NULL;
  int rc = ra_zarr_shard_encode(zarr, job->shard, cells, job->block.strides, &bytes, err);
  if (rc < 0 || !bytes) return rc;
  ra_str part;
  ra_str_init(&part);
  ra_str_add_char(&part, '/');
  ra_zarr_shard_key(zarr, job->shard, &part);
  rc = part.failed ? ra_fail(err, RA_E_NOMEM, zarr->name, "out of memory")
                   : ra__output_put_array(job->block.output, zarr->name, part.ptr,
                                          ra_buf_data(bytes), ra_buf_size(bytes), err);
  ra_str_deinit(&part);
  ra_buf_unref(bytes);
  return rc;
}

// The next shard in C order; false after the last.
static bool advance(const ra_zarr_spec *zarr, const uint64_t *grid, uint64_t *shard) {
  for (unsigned d = zarr->ndim; d-- > 0;) {
    if (++shard[d] < grid[d]) return true;
    shard[d] = 0;
  }
  return false;
}

int ra__shards_submit(const ra__block *block, ra_err *err) {
  const ra_zarr_spec *zarr = &block->array->zarr;
  uint64_t grid[RA_ZARR_DIMS], count, shard[RA_ZARR_DIMS] = {0};
  int rc = ra_zarr_shard_grid(zarr, grid, &count, err);
  if (rc < 0) return rc;
  do {
    shard_job *job = malloc(sizeof *job);
    if (!job) return ra_fail(err, RA_E_NOMEM, zarr->name, "out of memory");
    job->block = *block;
    memcpy(job->shard, shard, sizeof shard);
    rc = ra_pool_submit(block->output->pool, run_shard, free, job, err);
  } while (rc >= 0 && advance(zarr, grid, shard));
  return rc;
}
