// cog_source.c - reads, decodes and unpacks what the caches don't hold yet.
#include "render/cog_source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"
#include "base/str.h"
#include "raster/vector.h"
#include "render/object.h"

enum { BLOCK_HEAD = 64 };

// ---- headers

typedef struct head_job {
  ra_render_context *context;
  const char *key;
  ra_timing *timing;
} head_job;

static int read_timed(ra_render_context *context, const char *key, uint64_t offset, size_t size,
                      uint8_t *dst, ra_timing *timing, ra_err *err) {
  uint64_t start = ra_clock_ns();
  int rc = context->reader.read(context->reader.ctx, key, offset, size, dst, err);
  timing->ns[RA_STAGE_FETCH] += ra_clock_ns() - start;
  return rc;
}

static void unref_cog(void *cog) { ra_cog_unref(cog); }

static int make_head(void *ctx, void **value, size_t *bytes, ra_err *err) {
  head_job *job = ctx;
  ra_cog *cog = NULL;
  int rc = ra_cog_read_header(&job->context->reader, job->key, job->timing, &cog, err);
  if (rc < 0) return rc;
  *bytes = ra_cog_memory(cog) + sizeof(ra__object);
  return ra__object_new(cog, unref_cog, (ra__object **)value, err);
}

int ra__render_cog(ra_render_context *context, const char *key, ra_timing *timing, ra_cog **out,
                   ra_err *err) {
  head_job job = {context, key, timing};
  void *object = NULL;
  int rc =
      ra_cache_get(context->headers, ra_cache_key_of(key, NULL, 0), make_head, &job, &object, err);
  if (rc < 0) return rc;
  *out = ra_cog_ref(((ra__object *)object)->value);
  ra__object_unref(object);
  return RA_OK;
}

// ---- sources

// A COG has one nodata; the source's other missing values were folded into it at ingest.
static ra_packing cog_packing(const ra_dataset_variable *variable, const double *nodata) {
  ra_packing packing = variable->packing;
  packing.missing_count = 0;
  if (variable->has_nodata) packing.missing[packing.missing_count++] = variable->nodata;
  if (nodata) packing.missing[packing.missing_count++] = *nodata;
  return packing;
}

int ra__cog_source_init(ra_render_context *context, const ra_tile_source *source, bool unscale,
                        const double *nodata, ra_timing *timing, ra__cog_source *out, ra_err *err) {
  *out = (ra__cog_source){.packing = cog_packing(source->variable, nodata), .unscale = unscale};
  ra_str key;
  ra_str_init(&key);
  ra_dataset_cog_key(source->dataset, source->variable, source->step, &key);
  if (key.failed) {
    ra_str_deinit(&key);
    return ra_fail(err, RA_E_NOMEM, source->variable->name, "out of memory for an object's key");
  }
  out->key = key.ptr;  // owned from here on
  int rc = ra__render_cog(context, out->key, timing, &out->cog, err);
  if (rc < 0) {
    ra__cog_source_deinit(out);
    return rc;
  }
  out->value_dtype = ra_packing_value_dtype(ra_cog_get_info(out->cog)->dtype);
  return RA_OK;
}

void ra__cog_source_deinit(ra__cog_source *source) {
  ra_cog_unref(source->cog);
  free(source->key);
  *source = (ra__cog_source){0};
}

// ---- blocks

typedef struct block_job {
  ra_render_context *context;
  const ra__cog_source *source;
  size_t level;
  unsigned band;
  uint32_t column, row;
  ra_timing *timing;
} block_job;

typedef struct block_head {
  uint32_t has_missing;
} block_head;

const void *ra__cog_block_cells(const ra_buf *block) { return ra_buf_data(block) + BLOCK_HEAD; }

bool ra__cog_block_has_missing(const ra_buf *block) {
  return ((const block_head *)ra_buf_data(block))->has_missing != 0;
}

// NaN is the only value that differs from itself; the sum of such differences is a loop without branches.
#define COUNT_MISSING(NAME, TYPE)                                   \
  RA_VECTOR static size_t NAME(const TYPE *cells, size_t n) {       \
    size_t missing = 0;                                             \
    for (size_t i = 0; i < n; i++) missing += cells[i] != cells[i]; \
    return missing;                                                 \
  }
COUNT_MISSING(missing_f32, float)
COUNT_MISSING(missing_f64, double)

static bool find_missing(const block_job *job, const ra_cog_level *level, const void *cells) {
  size_t x0 = (size_t)job->column * level->block_width, y0 = (size_t)job->row * level->block_height;
  size_t width = level->width - x0, height = level->height - y0;
  if (width > level->block_width) width = level->block_width;
  if (height > level->block_height) height = level->block_height;
  size_t missing = 0;
  for (size_t y = 0; y < height; y++) {
    size_t at = y * level->block_width;
    missing += job->source->value_dtype == RA_DTYPE_F32
                   ? missing_f32((const float *)cells + at, width)
                   : missing_f64((const double *)cells + at, width);
  }
  return missing > 0;
}

// A band of a block that interleaves them by pixel, moved to the front.
static void pick_band(uint8_t *cells, size_t n, unsigned bands, unsigned band, size_t size) {
  for (size_t i = 0; i < n; i++) memmove(cells + i * size, cells + (i * bands + band) * size, size);
}

// One byte a cell of the block, 0 where a mask or another band says that it is missing; NULL where nothing does.
static int read_mask(const block_job *job, const void *stored, uint8_t **out, ra_err *err) {
  const ra_cog *cog = job->source->cog;
  const ra_cog_info *info = ra_cog_get_info(cog);
  const ra_cog_level *level = ra_cog_get_level(cog, job->level);
  bool alpha = info->masking == RA_COG_MASK_ALPHA;
  *out = NULL;
  if ((!alpha && info->masking != RA_COG_MASK_IMAGE) || (alpha && job->band == info->alpha))
    return RA_OK;
  size_t n = (size_t)level->block_width * level->block_height;
  uint8_t *valid = *out = calloc(n, 1);
  if (!valid) return ra_fail(err, RA_E_NOMEM, job->source->key, "out of memory for a mask");
  if (alpha && !info->planar) {
    ra_cog_block_alpha(cog, job->level, stored, valid);
    return RA_OK;
  }
  uint64_t offset, size;
  int rc = ra_cog_mask_range(cog, job->level, job->column, job->row, &offset, &size, err);
  if (rc < 0) return rc;
  uint8_t *packed = size ? malloc(size) : NULL;
  if (size && !packed)
    return ra_fail(err, RA_E_NOMEM, job->source->key, "out of memory for a mask");
  if (size) rc = read_timed(job->context, job->source->key, offset, size, packed, job->timing, err);
  if (rc == RA_OK) rc = ra_cog_mask_decode(cog, job->level, packed, size, valid, err);
  free(packed);
  return rc;
}

static void apply_mask(const block_job *job, const uint8_t *valid, size_t n, void *values) {
  bool wide = job->source->value_dtype != RA_DTYPE_F32;
  for (size_t i = 0; valid && i < n; i++) {
    if (valid[i]) continue;
    if (wide) ((double *)values)[i] = NAN;
    if (!wide) ((float *)values)[i] = NAN;
  }
}

static void unpack(const block_job *job, const void *stored, const uint8_t *valid, size_t n,
                   ra_buf *block) {
  const ra__cog_source *source = job->source;
  ra_dtype dtype = ra_cog_get_info(source->cog)->dtype;
  void *values = ra_buf_bytes(block) + BLOCK_HEAD;
  if (source->value_dtype == RA_DTYPE_F32) {
    ra_unpack_f32(dtype, stored, n, &source->packing, source->unscale, values);
  } else {
    ra_unpack_f64(dtype, stored, n, &source->packing, source->unscale, values);
  }
  apply_mask(job, valid, n, values);
  const ra_cog_level *level = ra_cog_get_level(source->cog, job->level);
  *(block_head *)ra_buf_bytes(block) = (block_head){find_missing(job, level, values)};
}

// stored: room for the block's decoded cells, all bands of it.
static int decode(const block_job *job, const uint8_t *packed, size_t size, uint8_t *stored,
                  ra_buf *block, ra_err *err) {
  const ra_cog_info *info = ra_cog_get_info(job->source->cog);
  const ra_cog_level *level = ra_cog_get_level(job->source->cog, job->level);
  size_t n = (size_t)level->block_width * level->block_height;
  uint64_t start = ra_clock_ns();
  int rc = ra_cog_block_decode(job->source->cog, job->level, packed, size, stored, err);
  uint8_t *valid = NULL;
  if (rc == RA_OK) rc = read_mask(job, stored, &valid, err);
  if (rc == RA_OK) {
    if (!info->planar && info->bands > 1) {
      pick_band(stored, n, info->bands, job->band, ra_dtype_size(info->dtype));
    }
    unpack(job, stored, valid, n, block);
  }
  free(valid);
  job->timing->ns[RA_STAGE_DECODE] += ra_clock_ns() - start;
  return rc;
}

// One allocation for the packed bytes and the stored cells behind them.
static int fetch_and_decode(const block_job *job, uint64_t offset, uint64_t size,
                            size_t stored_size, ra_buf *block, ra_err *err) {
  size_t aligned, total;
  if (size > SIZE_MAX - 64 || !ra_size_add(((size_t)size + 63) & ~(size_t)63, 0, &aligned) ||
      !ra_size_add(aligned, stored_size, &total)) {
    return ra_fail(err, RA_E_CORRUPT, job->source->key, "a block of %llu bytes",
                   (unsigned long long)size);
  }
  uint8_t *work = malloc(total);
  if (!work) {
    return ra_fail(err, RA_E_NOMEM, job->source->key, "out of memory for a block of %zu bytes",
                   total);
  }
  int rc = RA_OK;
  if (size > 0) {
    rc = read_timed(job->context, job->source->key, offset, (size_t)size, work, job->timing, err);
  }
  if (rc == RA_OK) {
    rc = decode(job, size > 0 ? work : NULL, (size_t)size, work + aligned, block, err);
  }
  free(work);
  return rc;
}

static int make_block(void *ctx, void **value, size_t *bytes, ra_err *err) {
  const block_job *job = ctx;
  const ra_cog_info *info = ra_cog_get_info(job->source->cog);
  const ra_cog_level *level = ra_cog_get_level(job->source->cog, job->level);
  uint64_t offset, size;
  int rc = ra_cog_block_range(job->source->cog, job->level, job->band, job->column, job->row,
                              &offset, &size, err);
  if (rc < 0) return rc;
  size_t n, stored;
  unsigned samples = info->planar ? 1 : info->bands;
  if (!ra_size_mul(level->block_width, level->block_height, &n) ||
      !ra_size_mul(n, ra_dtype_size(info->dtype) * samples, &stored)) {
    return ra_fail(err, RA_E_CORRUPT, job->source->key, "blocks of %u by %u cells",
                   level->block_width, level->block_height);
  }
  ra_buf *block;
  rc = ra_buf_new(BLOCK_HEAD + n * ra_dtype_size(job->source->value_dtype), &block, err);
  if (rc < 0) return rc;
  rc = fetch_and_decode(job, offset, size, stored, block, err);
  if (rc < 0) {
    ra_buf_unref(block);
    return rc;
  }
  *value = block;
  *bytes = ra_buf_size(block);
  return RA_OK;
}

static ra_cache_key block_key(const block_job *job) {
  const ra_packing *packing = &job->source->packing;
  uint64_t numbers[6 + RA_MISSING_MAX] = {
      job->level, job->band, job->column, job->row, job->source->unscale, packing->missing_count};
  memcpy(numbers + 6, packing->missing, packing->missing_count * sizeof *numbers);
  return ra_cache_key_of(job->source->key, numbers, 6 + packing->missing_count);
}

int ra__cog_block(ra_render_context *context, const ra__cog_source *source, size_t level,
                  unsigned band, uint32_t column, uint32_t row, ra_cancel *cancel,
                  ra_timing *timing, ra_buf **out, ra_err *err) {
  if (ra_cancel_is_set(cancel)) {
    return ra_fail(err, RA_E_CANCELLED, source->key, "nobody waits for this any more");
  }
  block_job job = {context, source, level, band, column, row, timing};
  void *block = NULL;
  int rc = ra_cache_get(context->blocks, block_key(&job), make_block, &job, &block, err);
  if (rc == RA_OK) *out = block;
  return rc;
}
