// segment_copy.c - shards of a segment: each is filled from the stores that hold its steps, one run of steps at a time,
// and encoded. One job a shard; the pool's threads give way to what serves.
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/size.h"
#include "ingest/segment_private.h"

// ---- reading

// The box that is read, as bytes before and behind the time dimension see it.
typedef struct frame {
  const uint64_t *start, *count;
  size_t outer, inner;  // cells before and behind the time dimension
  uint8_t *cells;
} frame;

static bool make_frame(const ra__segment_array *array, const uint64_t *start, const uint64_t *count,
                       void *cells, frame *out) {
  *out = (frame){.start = start, .count = count, .outer = 1, .inner = 1, .cells = cells};
  for (unsigned d = 0; d < array->zarr.ndim; d++) {
    if (d == array->time_dim && array->axis >= 0) continue;
    size_t *side = d < array->time_dim ? &out->outer : &out->inner;
    if (!ra_size_mul(*side, (size_t)count[d], side)) return false;
  }
  return true;
}

// The run's steps [from, from + n) of a store, in its own cells. A scalar time has no dimension there.
static int read_run(const ra__segment *segment, const ra__segment_array *array, const frame *f,
                    size_t store, uint64_t from, uint64_t n, void *cells, ra_err *err) {
  ra_zarr_array *source = array->sources[store];
  unsigned ndim = ra_zarr_array_info(source)->ndim, lacks = array->zarr.ndim - ndim;
  uint64_t start[RA_ZARR_DIMS] = {0}, count[RA_ZARR_DIMS] = {0};
  for (unsigned d = 0; d < ndim; d++) {
    start[d] = f->start[d + lacks];
    count[d] = f->count[d + lacks];
  }
  if (array->axis >= 0 && !lacks) {
    start[array->time_dim] = from;
    count[array->time_dim] = n;
  }
  ra_str path;
  ra_str_init(&path);
  ra_dataset_zarr_key(segment->stores[store].dataset, array->zarr.name, &path);
  int rc = path.failed ? ra_fail(err, RA_E_NOMEM, array->zarr.name, "out of memory")
                       : ra_zarr_read(source, &segment->reader, path.ptr, start, count, cells,
                                      segment->cancel, NULL, err);
  ra_str_deinit(&path);
  return rc;
}

static void decode(const ra_dataset_variable *from, ra_dtype to, const void *cells, size_t n,
                   void *out) {
  if (to == RA_DTYPE_F32) {
    ra_unpack_f32(from->dtype, cells, n, &from->packing, true, out);
  } else {
    ra_unpack_f64(from->dtype, cells, n, &from->packing, true, out);
  }
}

// Puts a run's cells to their place, `at` steps behind the frame's first.
static void place_run(const ra__segment_array *array, const frame *f, size_t store,
                      const uint8_t *cells, uint64_t at, uint64_t n) {
  const ra_dataset_variable *from = array->decode ? array->decode[store] : NULL;
  size_t size = ra_dtype_size(array->zarr.dtype);
  size_t source_size = from ? ra_dtype_size(from->dtype) : size;
  size_t piece = (size_t)n * f->inner, steps = (size_t)f->count[array->time_dim];
  for (size_t o = 0; o < f->outer; o++) {
    const uint8_t *src = cells + o * piece * source_size;
    uint8_t *dst = f->cells + (o * steps + (size_t)at) * f->inner * size;
    if (from) {
      decode(from, array->zarr.dtype, src, piece, dst);
    } else {
      memcpy(dst, src, piece * size);
    }
  }
}

static int fill_run(const ra__segment *segment, const ra__segment_array *array, const frame *f,
                    const ra__segment_run *run, ra_err *err) {
  uint64_t low = f->start[array->time_dim], high = low + f->count[array->time_dim];
  uint64_t begin = run->at > low ? run->at : low;
  uint64_t end = run->at + run->count < high ? run->at + run->count : high;
  if (begin >= end) return RA_OK;
  uint64_t n = end - begin, from = run->first + (begin - run->at);
  size_t size = ra_dtype_size(array->zarr.dtype), bytes;
  if (!array->decode && f->outer == 1) {
    uint8_t *dst = f->cells + (size_t)(begin - low) * f->inner * size;
    return read_run(segment, array, f, run->store, from, n, dst, err);
  }
  if (array->decode) size = ra_dtype_size(array->decode[run->store]->dtype);
  if (!ra_size_mul(f->outer * f->inner, (size_t)n, &bytes) || !ra_size_mul(bytes, size, &bytes)) {
    return ra_fail(err, RA_E_TOOBIG, array->zarr.name, "a shard is too big");
  }
  uint8_t *cells = malloc(bytes ? bytes : 1);
  if (!cells) return ra_fail(err, RA_E_NOMEM, array->zarr.name, "no memory for %zu bytes", bytes);
  int rc = read_run(segment, array, f, run->store, from, n, cells, err);
  if (rc >= 0) place_run(array, f, run->store, cells, begin - low, n);
  free(cells);
  return rc;
}

int ra__segment_read(const ra__segment *segment, const ra__segment_array *array,
                     const uint64_t *start, const uint64_t *count, void *cells, ra_err *err) {
  frame f;
  if (!make_frame(array, start, count, cells, &f)) {
    return ra_fail(err, RA_E_TOOBIG, array->zarr.name, "a shard is too big");
  }
  if (array->axis < 0) return read_run(segment, array, &f, segment->newest, 0, 0, cells, err);
  const ra__segment_axis *axis = &segment->axes[array->axis];
  int rc = RA_OK;
  for (size_t i = 0; i < axis->run_count && rc >= 0; i++) {
    rc = fill_run(segment, array, &f, &axis->runs[i], err);
  }
  return rc;
}

// ---- jobs

typedef struct shard_job {
  ra__segment *segment;
  const ra__segment_array *array;
  uint64_t shard[RA_ZARR_DIMS];
} shard_job;

// Only this thread's: Linux keeps it for each.
static void give_way(void) {
  enum { NICE = 10 };
  if (getpriority(PRIO_PROCESS, 0) < NICE) setpriority(PRIO_PROCESS, 0, NICE);
}

static int put_shard(const shard_job *job, const void *cells, const int64_t *strides, ra_err *err) {
  const ra_zarr_spec *zarr = &job->array->zarr;
  ra_buf *bytes = NULL;
  int rc = ra_zarr_shard_encode(zarr, job->shard, cells, strides, &bytes, err);
  if (rc < 0 || !bytes) return rc;
  ra_str part;
  ra_str_init(&part);
  ra_zarr_shard_key(zarr, job->shard, &part);
  rc = part.failed ? ra_fail(err, RA_E_NOMEM, zarr->name, "out of memory")
                   : ra__segment_put(job->segment, zarr->name, part.ptr, ra_buf_data(bytes),
                                     ra_buf_size(bytes), err);
  ra_str_deinit(&part);
  ra_buf_unref(bytes);
  return rc;
}

// Where a shard lies, how large it is within the array, and the strides of a block of just its cells.
static bool bound_shard(const shard_job *job, uint64_t *start, uint64_t *count, int64_t *strides,
                        size_t *bytes) {
  const ra_zarr_spec *zarr = &job->array->zarr;
  size_t cells = 1;
  for (unsigned d = zarr->ndim; d-- > 0;) {
    start[d] = job->shard[d] * zarr->shard[d];
    uint64_t rest = zarr->shape[d] - start[d];
    count[d] = rest < zarr->shard[d] ? rest : zarr->shard[d];
    strides[d] = (int64_t)cells;
    if (!ra_size_mul(cells, (size_t)count[d], &cells)) return false;
  }
  return ra_size_mul(cells, ra_dtype_size(zarr->dtype), bytes);
}

static int put_ready(const shard_job *job, const uint64_t *start, ra_err *err) {
  const ra_zarr_spec *zarr = &job->array->zarr;
  int64_t strides[RA_ZARR_DIMS], stride = 1, origin = 0;
  for (unsigned d = zarr->ndim; d-- > 0;) {
    strides[d] = stride;
    origin += (int64_t)start[d] * stride;
    stride *= (int64_t)zarr->shape[d];
  }
  size_t size = ra_dtype_size(zarr->dtype);
  return put_shard(job, (const uint8_t *)job->array->cells + (size_t)origin * size, strides, err);
}

static int run_shard(void *ctx, ra_err *err) {
  const shard_job *job = ctx;
  uint64_t start[RA_ZARR_DIMS], count[RA_ZARR_DIMS];
  int64_t strides[RA_ZARR_DIMS];
  size_t bytes;
  give_way();
  if (!bound_shard(job, start, count, strides, &bytes)) {
    return ra_fail(err, RA_E_TOOBIG, job->array->zarr.name, "a shard is too big");
  }
  if (job->array->cells) return put_ready(job, start, err);
  void *cells = malloc(bytes ? bytes : 1);
  if (!cells)
    return ra_fail(err, RA_E_NOMEM, job->array->zarr.name, "no memory for %zu bytes", bytes);
  int rc = ra__segment_read(job->segment, job->array, start, count, cells, err);
  if (rc >= 0) rc = put_shard(job, cells, strides, err);
  free(cells);
  return rc;
}

// The next shard in C order; false after the last.
static bool advance(unsigned ndim, const uint64_t *grid, uint64_t *shard) {
  for (unsigned d = ndim; d-- > 0;) {
    if (++shard[d] < grid[d]) return true;
    shard[d] = 0;
  }
  return false;
}

int ra__segment_copy(ra__segment *segment, const ra__segment_array *array, ra_pool *pool,
                     ra_err *err) {
  uint64_t grid[RA_ZARR_DIMS], count, shard[RA_ZARR_DIMS] = {0};
  int rc = ra_zarr_shard_grid(&array->zarr, grid, &count, err);
  if (rc < 0) return rc;
  do {
    shard_job *job = malloc(sizeof *job);
    if (!job) return ra_fail(err, RA_E_NOMEM, array->zarr.name, "out of memory");
    *job = (shard_job){.segment = segment, .array = array};
    memcpy(job->shard, shard, sizeof shard);
    rc = ra_pool_submit(pool, run_shard, free, job, err);
  } while (rc >= 0 && advance(array->zarr.ndim, grid, shard));
  return rc;
}
