// zarr_source.c - see zarr_source.h. Blocks of whole chunks are decoded once and kept as values in the order of the source;
// a window takes its rows and columns from them: turned round where the source is south-up or runs west, and from the
// column on that the map begins with.
#include "render/zarr_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "format/box.h"
#include "render/object.h"

enum { JSON_MOST = 4 << 20, BLOCK_SIDE = 256, BLOCK_BYTES = 256 << 20 };

// ---- arrays

typedef struct opening {
  ra_render_context *context;
  const char *path;
  unsigned format;
} opening;

static void unref_array(void *array) { ra_zarr_array_unref(array); }

static int parse_array(const opening *job, const char *key, ra_zarr_array **out, ra_err *err) {
  const ra_reader *reader = &job->context->reader;
  uint64_t size;
  int rc = reader->size(reader->ctx, key, &size, err);
  if (rc < 0) return rc;
  if (size > JSON_MOST) {
    return ra_fail(err, RA_E_CORRUPT, key, "%llu bytes are too many for the metadata of an array",
                   (unsigned long long)size);
  }
  uint8_t *text = malloc(size ? (size_t)size : 1);
  if (!text) return ra_fail(err, RA_E_NOMEM, key, "no memory for the metadata of an array");
  rc = reader->read(reader->ctx, key, 0, (size_t)size, text, err);
  if (rc == RA_OK)
    rc = ra_zarr_array_parse_any((const char *)text, (size_t)size, job->format, out, err);
  free(text);
  return rc;
}

static int make_array(void *ctx, void **value, size_t *bytes, ra_err *err) {
  const opening *job = ctx;
  ra_zarr_array *array = NULL;
  char *key = NULL;
  if (asprintf(&key, "%s/%s", job->path, job->format == 2 ? ".zarray" : "zarr.json") < 0) {
    return ra_fail(err, RA_E_NOMEM, job->path, "no memory for a key");
  }
  int rc = parse_array(job, key, &array, err);
  if (rc < 0 && err && !err->where[0]) snprintf(err->where, sizeof err->where, "%s", key);
  free(key);
  if (rc < 0) return rc;
  *bytes = ra_zarr_array_memory(array) + sizeof(ra__object);
  return ra__object_new(array, unref_array, (ra__object **)value, err);
}

int ra__render_zarr(ra_render_context *context, const ra_dataset *dataset,
                    const ra_dataset_array *array, char **path, ra_zarr_array **out, ra_err *err) {
  ra_str text;
  ra_str_init(&text);
  ra_dataset_zarr_key(dataset, array->path, &text);
  if (text.failed) {
    ra_str_deinit(&text);
    return ra_fail(err, RA_E_NOMEM, array->path, "no memory for a key");
  }
  *path = text.ptr;
  const uint64_t kind = 'z';
  opening job = {context, *path, array->format};
  void *object = NULL;
  int rc = ra_cache_get(context->headers, ra_cache_key_of(*path, &kind, 1), make_array, &job,
                        &object, err);
  if (rc < 0) return rc;
  *out = ra_zarr_array_ref(((ra__object *)object)->value);
  ra__object_unref(object);
  return RA_OK;
}

// Signed cells may be said to be unsigned; true and false are cells of a byte.
bool ra__zarr_holds(const ra_zarr_info *info, const ra_dataset_variable *variable) {
  bool flags = strcmp(info->type, "|b1") == 0;
  bool is_float = info->numeric && ra_dtype_is_float(info->dtype);
  return info->ndim == variable->ndim && (info->numeric || flags) &&
         info->cell == ra_dtype_size(variable->dtype) &&
         is_float == ra_dtype_is_float(variable->dtype);
}

// ---- a map

// Whole chunks, so that each is decoded once for a block; small ones together.
static int64_t block_side(uint64_t chunk, int64_t size) {
  uint64_t side = chunk < BLOCK_SIDE ? (BLOCK_SIDE / chunk) * chunk : chunk;
  return side < (uint64_t)size ? (int64_t)side : size;
}

static int check_map(const ra__zarr_map *map, ra_err *err) {
  const ra_dataset_variable *variable = map->variable;
  const ra_zarr_info *info = ra_zarr_array_info(map->array);
  bool same = ra__zarr_holds(info, variable);
  for (unsigned i = 0; same && i < variable->ndim; i++) {
    uint64_t wanted = (int)i == variable->y_dim   ? (uint64_t)map->height
                      : (int)i == variable->x_dim ? (uint64_t)map->width
                                                  : variable->shape[i];
    same = info->shape[i] == wanted;
  }
  size_t cells, bytes;
  if (!same) {
    return ra_fail(err, RA_E_CORRUPT, map->path,
                   "the array is not the one that the catalog describes");
  }
  if (ra_size_mul((size_t)map->block_width, (size_t)map->block_height, &cells) &&
      ra_size_mul(cells, sizeof(double), &bytes) && bytes <= BLOCK_BYTES)
    return RA_OK;
  return ra_fail(err, RA_E_TOOBIG, map->path,
                 "its chunks of %lld by %lld cells are too large for maps; ingest a copy of it",
                 (long long)map->block_height, (long long)map->block_width);
}

static int open_map(ra_render_context *context, const ra_dataset *dataset, size_t level,
                    ra__zarr_map *map, ra_err *err) {
  const ra_dataset_variable *variable = map->variable;
  const ra_dataset_grid *grid = variable->grid;
  const ra_dataset_array *array = &variable->array;
  map->width = grid->native_width;
  map->height = grid->native_height;
  map->roll = grid->roll;
  if (level) {
    const ra_dataset_level *coarse = &variable->levels[level - 1];
    array = &coarse->array;
    map->width = coarse->width;
    map->height = coarse->height;
    map->roll = (int64_t)((double)grid->roll / coarse->x_ratio + 0.5);
  }
  int rc = ra__render_zarr(context, dataset, array, &map->path, &map->array, err);
  if (rc < 0) return rc;
  const ra_zarr_info *info = ra_zarr_array_info(map->array);
  if (info->ndim == variable->ndim) {
    map->block_width = block_side(info->chunk[variable->x_dim], map->width);
    map->block_height = block_side(info->chunk[variable->y_dim], map->height);
  }
  return check_map(map, err);
}

int ra__zarr_map_init(ra_render_context *context, const ra_tile_source *source, size_t level,
                      bool unscale, const double *nodata, ra__zarr_map *out, ra_err *err) {
  const ra_dataset_variable *variable = source->variable;
  *out = (ra__zarr_map){.variable = variable,
                        .step = source->step,
                        .packing = variable->packing,
                        .unscale = unscale,
                        .value_dtype = ra_packing_value_dtype(variable->dtype)};
  ra_packing *packing = &out->packing;
  if (nodata && packing->missing_count == RA_MISSING_MAX) packing->missing_count--;
  if (nodata) packing->missing[packing->missing_count++] = *nodata;
  int rc = open_map(context, source->dataset, level, out, err);
  if (rc < 0) ra__zarr_map_deinit(out);
  return rc;
}

void ra__zarr_map_deinit(ra__zarr_map *map) {
  ra_zarr_array_unref(map->array);
  free(map->path);
  *map = (ra__zarr_map){0};
}

uint64_t ra__zarr_map_cost(const ra_dataset_variable *variable, uint64_t width, uint64_t height) {
  uint64_t bytes = ra_dtype_size(variable->dtype);
  for (unsigned i = 0; i < variable->ndim; i++) {
    uint64_t chunk = variable->array.chunk[i] ? variable->array.chunk[i] : 1, cells = chunk;
    if ((int)i == variable->y_dim) cells = height + 2 * (chunk - 1);
    if ((int)i == variable->x_dim) cells = width + 2 * (chunk - 1);
    if (__builtin_mul_overflow(bytes, cells, &bytes)) return UINT64_MAX;
  }
  return bytes;
}

// ---- blocks

typedef struct block_job {
  ra_render_context *context;
  const ra__zarr_map *map;
  unsigned band;
  int64_t row, column;  // first cells, of the source
  int64_t rows, columns;
  ra_cancel *cancel;
  ra_timing *timing;
} block_job;

// The box of the array: one step, one of each extra dimension, and the block's rows and columns.
static void box_of(const block_job *job, uint64_t *start, uint64_t *count) {
  const ra_dataset_variable *variable = job->map->variable;
  for (unsigned i = 0; i < variable->ndim; i++) {
    start[i] = 0;
    count[i] = 1;
  }
  uint64_t band = job->band, step = job->map->step;
  for (unsigned e = variable->extra_count; e-- > 0;) {
    const ra_dataset_extra *extra = &variable->extra[e];
    start[extra->dim] = band % extra->size;
    band /= extra->size;
  }
  if (variable->run_dim >= 0) {
    start[variable->run_dim] = step / variable->shape[variable->time_dim];
    step %= variable->shape[variable->time_dim];
  }
  if (variable->time_dim >= 0) start[variable->time_dim] = step;
  start[variable->y_dim] = (uint64_t)job->row;
  count[variable->y_dim] = (uint64_t)job->rows;
  start[variable->x_dim] = (uint64_t)job->column;
  count[variable->x_dim] = (uint64_t)job->columns;
}

// Columns first in the array: rows first from here on.
static void transpose(const block_job *job, size_t size, const void *src, void *dst) {
  ra_box box = {.ndim = 2, .size = (unsigned)size};
  box.count[0] = (uint64_t)job->rows;
  box.count[1] = (uint64_t)job->columns;
  box.src[0] = (int64_t)size;
  box.src[1] = job->rows * (int64_t)size;
  box.dst[0] = job->columns * (int64_t)size;
  box.dst[1] = (int64_t)size;
  ra_box_copy(&box, src, dst);
}

static int read_cells(const block_job *job, size_t n, uint8_t *stored, ra_err *err) {
  const ra__zarr_map *map = job->map;
  const ra_dataset_variable *variable = map->variable;
  uint64_t start[RA_ZARR_DIMS], count[RA_ZARR_DIMS];
  size_t size = ra_dtype_size(variable->dtype);
  box_of(job, start, count);
  bool turned = variable->x_dim < variable->y_dim;
  uint8_t *to = turned ? malloc(n * size) : stored;
  if (!to) return ra_fail(err, RA_E_NOMEM, map->path, "no memory for %zu cells", n);
  int rc = ra_zarr_read(map->array, &job->context->reader, map->path, start, count, to, job->cancel,
                        job->timing, err);
  if (rc >= 0 && turned) transpose(job, size, to, stored);
  if (turned) free(to);
  return rc;
}

static int make_block(void *ctx, void **value, size_t *bytes, ra_err *err) {
  const block_job *job = ctx;
  const ra__zarr_map *map = job->map;
  size_t n = (size_t)job->rows * (size_t)job->columns;  // in bounds: check_map
  uint8_t *stored = malloc(n * ra_dtype_size(map->variable->dtype));
  if (!stored) return ra_fail(err, RA_E_NOMEM, map->path, "no memory for %zu cells", n);
  ra_buf *block = NULL;
  int rc = read_cells(job, n, stored, err);
  if (rc >= 0) rc = ra_buf_new(n * ra_dtype_size(map->value_dtype), &block, err);
  if (rc >= 0 && map->value_dtype == RA_DTYPE_F32) {
    ra_unpack_f32(map->variable->dtype, stored, n, &map->packing, map->unscale,
                  (float *)(void *)ra_buf_bytes(block));
  } else if (rc >= 0) {
    ra_unpack_f64(map->variable->dtype, stored, n, &map->packing, map->unscale,
                  (double *)(void *)ra_buf_bytes(block));
  }
  free(stored);
  if (rc < 0) return rc;
  *value = block;
  *bytes = ra_buf_size(block);
  return RA_OK;
}

// The block that holds a cell of the source.
static int get_block(block_job *job, int64_t row, int64_t column, ra_buf **out, ra_err *err) {
  const ra__zarr_map *map = job->map;
  const ra_packing *packing = &map->packing;
  if (ra_cancel_is_set(job->cancel))
    return ra_fail(err, RA_E_CANCELLED, map->path, "nobody waits for this any more");
  job->row = row - row % map->block_height;
  job->column = column - column % map->block_width;
  job->rows = map->height - job->row < map->block_height ? map->height - job->row : map->block_height;
  job->columns =
      map->width - job->column < map->block_width ? map->width - job->column : map->block_width;
  uint64_t numbers[7 + RA_MISSING_MAX] = {'m',
                                          map->step,
                                          job->band,
                                          (uint64_t)job->row,
                                          (uint64_t)job->column,
                                          map->unscale,
                                          packing->missing_count};
  memcpy(numbers + 7, packing->missing, packing->missing_count * sizeof *numbers);
  ra_cache_key key = ra_cache_key_of(map->path, numbers, 7 + packing->missing_count);
  void *block = NULL;
  int rc = ra_cache_get(job->context->blocks, key, make_block, job, &block, err);
  if (rc >= 0) *out = block;
  return rc;
}

// ---- windows

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void copy_row(const uint8_t *src, bool reversed, int64_t count, size_t size, uint8_t *dst) {
  if (!reversed) {
    memcpy(dst, src, (size_t)count * size);
    return;
  }
  for (int64_t i = 0; i < count; i++, src -= size, dst += size) memcpy(dst, src, size);
}

// Copies from the block that holds the source's cell: as many rows and columns as it has of the window from there on.
static int copy_piece(block_job *job, int64_t row, int64_t column, int64_t *rows, int64_t *columns,
                      size_t stride, uint8_t *dst, ra_err *err) {
  const ra_dataset_grid *grid = job->map->variable->grid;
  ra_buf *block = NULL;
  int rc = get_block(job, row, column, &block, err);
  if (rc < 0) return rc;
  int64_t y = row - job->row, x = column - job->column;
  *rows = least(*rows, grid->y_reversed ? y + 1 : job->rows - y);
  *columns = least(*columns, grid->x_reversed ? x + 1 : job->columns - x);
  size_t size = ra_dtype_size(job->map->value_dtype);
  for (int64_t i = 0; i < *rows; i++) {
    int64_t at = (grid->y_reversed ? y - i : y + i) * job->columns + x;
    copy_row(ra_buf_data(block) + (size_t)at * size, grid->x_reversed, *columns, size,
             dst + (size_t)i * stride * size);
  }
  ra_buf_unref(block);
  return RA_OK;
}

int ra__zarr_map_read(ra_render_context *context, const ra__zarr_map *map,
                      const ra__zarr_window *window, void *values, ra_cancel *cancel,
                      ra_timing *timing, ra_err *err) {
  const ra_dataset_grid *grid = map->variable->grid;
  size_t stride = (size_t)(window->x1 - window->x0), size = ra_dtype_size(map->value_dtype);
  block_job job = {
      .context = context, .map = map, .band = window->band, .cancel = cancel, .timing = timing};
  int64_t rows = 0, columns;
  for (int64_t y = window->y0; y < window->y1; y += rows) {
    int64_t row = grid->y_reversed ? map->height - 1 - y : y;
    for (int64_t x = window->x0; x < window->x1; x += columns) {
      int64_t column = ((x + map->roll) % map->width + map->width) % map->width;
      if (grid->x_reversed) column = map->width - 1 - column;
      uint8_t *dst =
          (uint8_t *)values + ((size_t)(y - window->y0) * stride + (size_t)(x - window->x0)) * size;
      rows = window->y1 - y;
      columns = window->x1 - x;
      int rc = copy_piece(&job, row, column, &rows, &columns, stride, dst, err);
      if (rc < 0) return rc;
    }
  }
  return RA_OK;
}
