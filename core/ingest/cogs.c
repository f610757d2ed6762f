// cogs.c - the map layout: one COG a step, its bands the extra dimensions in C order, cut from the variable's cells:
// north-up, rotated, several missing values folded into one.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest_private.h"

typedef struct cog_job {
  ra__block block;
  size_t step;
} cog_job;

// Copies one source row into a map row.
static void copy_row(const ra_cf_grid *grid, size_t size, const uint8_t *src, int64_t stride,
                     uint8_t *dst) {
  size_t width = (size_t)grid->native_width, roll = (size_t)grid->roll;
  if (stride == 1 && !grid->x_reversed) {
    memcpy(dst, src + roll * size, (width - roll) * size);
    memcpy(dst + (width - roll) * size, src, roll * size);
    return;
  }
  for (size_t c = 0; c < width; c++) {
    size_t turned = (c + roll) % width;
    int64_t column = (int64_t)(grid->x_reversed ? width - 1 - turned : turned);
    memcpy(dst + c * size, src + column * stride * (int64_t)size, size);
  }
}

static void copy_plane(const ra__block *block, int64_t origin, uint8_t *dst) {
  const ra_cf_variable *variable = block->array->cf;
  const ra_cf_grid *grid = variable->grid;
  size_t size = ra_dtype_size(variable->source->dtype), row = (size_t)grid->native_width * size;
  int64_t rows = grid->native_height, y_stride = block->strides[variable->y_dim];
  for (int64_t r = 0; r < rows; r++) {
    int64_t from = origin + (grid->y_reversed ? rows - 1 - r : r) * y_stride;
    copy_row(grid, size, block->cells + from * (int64_t)size, block->strides[variable->x_dim],
             dst + (size_t)r * row);
  }
}

// Cell index at which the plane of a band begins.
static int64_t band_origin(const ra__block *block, uint64_t band) {
  const ra_cf_variable *variable = block->array->cf;
  int64_t origin = 0;
  for (unsigned e = variable->extra_count; e-- > 0;) {
    const ra_cf_extra *extra = &variable->extra[e];
    origin += (int64_t)(band % extra->size) * block->strides[extra->dim];
    band /= extra->size;
  }
  return origin;
}

#define FOLD(type, is_nan)                                                \
  do {                                                                    \
    type *cells = pixels, to = (type)nodata;                              \
    for (size_t i = 0; i < n; i++) {                                      \
      bool missing = is_nan;                                              \
      for (unsigned m = 0; m < packing->missing_count && !missing; m++) { \
        missing = (double)cells[i] == packing->missing[m];                \
      }                                                                   \
      if (missing) cells[i] = to;                                         \
    }                                                                     \
  } while (0)

// Every missing cell gets the one nodata value.
static void fold(ra_dtype dtype, const ra_packing *packing, double nodata, void *pixels, size_t n) {
  switch (dtype) {
    case RA_DTYPE_U8: FOLD(uint8_t, false); break;
    case RA_DTYPE_I8: FOLD(int8_t, false); break;
    case RA_DTYPE_U16: FOLD(uint16_t, false); break;
    case RA_DTYPE_I16: FOLD(int16_t, false); break;
    case RA_DTYPE_U32: FOLD(uint32_t, false); break;
    case RA_DTYPE_I32: FOLD(int32_t, false); break;
    case RA_DTYPE_U64: FOLD(uint64_t, false); break;
    case RA_DTYPE_I64: FOLD(int64_t, false); break;
    case RA_DTYPE_F32: FOLD(float, isnan(cells[i])); break;
    case RA_DTYPE_F64: FOLD(double, isnan(cells[i])); break;
    case RA_DTYPE_COUNT: break;
  }
}

static bool needs_fold(const ra_cf_variable *variable) {
  const ra_packing *packing = &variable->packing;
  if (!variable->has_nodata) return false;
  if (ra_dtype_is_float(variable->source->dtype)) return packing->missing_count > 0;
  return packing->missing_count > 1 ||
         (packing->missing_count == 1 && packing->missing[0] != variable->nodata);
}

static int encode(const cog_job *job, const uint8_t *pixels, ra_buf **out, ra_err *err) {
  const ra_cf_variable *variable = job->block.array->cf;
  const ra_ingest *ingest = job->block.output->ingest;
  const ra_dataset_variable *described =
      ra_dataset_find_variable(job->block.output->dataset, variable->source->name);
  ra_cog_spec spec = {
      .grid = variable->grid->grid,
      .crs = variable->grid->crs,
      .dtype = variable->source->dtype,
      .bands = (unsigned)variable->bands,
      .band_names = described->band_names,
      .scale = variable->packing.scale,
      .offset = variable->packing.offset,
      .unit = described->units,
      .has_nodata = variable->has_nodata,
      .nodata = variable->nodata,
      .categorical = variable->categorical,
      .compress = ingest->options.compress,
  };
  return ra_cog_write(&spec, pixels, out, err);
}

static int write_cog(const cog_job *job, const uint8_t *pixels, ra_err *err) {
  ra__output *output = job->block.output;
  const char *name = job->block.array->cf->source->name;
  ra_buf *file = NULL;
  int rc = encode(job, pixels, &file, err);
  if (rc < 0) return ra_err_prefix(err, "COG of '%s'", name);
  ra_str key;
  ra_str_init(&key);
  ra_dataset_cog_key(output->dataset, ra_dataset_find_variable(output->dataset, name), job->step,
                     &key);
  rc = key.failed ? ra_fail(err, RA_E_NOMEM, name, "out of memory")
                  : ra__output_put(output, key.ptr, ra_buf_data(file), ra_buf_size(file), err);
  ra_str_deinit(&key);
  ra_buf_unref(file);
  if (rc >= 0) output->ingest->steps_done++;
  return rc;
}

// Steps are numbered run by run where the runs of a forecast have a dimension of their own.
static int64_t step_origin(const ra__block *block, size_t step) {
  const ra_cf_variable *variable = block->array->cf;
  if (variable->time_dim < 0) return 0;
  size_t times = variable->source->shape[variable->time_dim];
  int64_t origin = (int64_t)(step % times) * block->strides[variable->time_dim];
  if (variable->run_dim >= 0) origin += (int64_t)(step / times) * block->strides[variable->run_dim];
  return origin;
}

static int run_cog(void *ctx, ra_err *err) {
  const cog_job *job = ctx;
  const ra__block *block = &job->block;
  const ra_cf_variable *variable = block->array->cf;
  ra_buf *pixels;
  int rc = ra_buf_new(block->array->plane, &pixels, err);
  if (rc < 0) return rc;
  size_t plane = block->array->plane / variable->bands;
  int64_t origin = step_origin(block, job->step);
  for (uint64_t b = 0; b < variable->bands; b++) {
    copy_plane(block, origin + band_origin(block, b), ra_buf_bytes(pixels) + b * plane);
  }
  if (needs_fold(variable)) {
    fold(variable->source->dtype, &variable->packing, variable->nodata, ra_buf_bytes(pixels),
         block->array->plane / ra_dtype_size(variable->source->dtype));
  }
  rc = write_cog(job, ra_buf_data(pixels), err);
  ra_buf_unref(pixels);
  return rc;
}

int ra__cogs_submit(const ra__block *block, size_t first, size_t last, ra_err *err) {
  const ra_cf_variable *variable = block->array->cf;
  for (size_t step = first; step < last; step++) {
    // A step without a time is no item, so nothing would name its COG.
    if (variable->time_dim >= 0 && variable->time->ms[step] == RA_TIME_NONE) continue;
    cog_job *job = malloc(sizeof *job);
    if (!job) return ra_fail(err, RA_E_NOMEM, variable->source->name, "out of memory");
    *job = (cog_job){*block, step};
    int rc = ra_pool_submit(block->output->pool, run_cog, free, job, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}
