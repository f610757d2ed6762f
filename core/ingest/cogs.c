// cogs.c - the map layout: one COG a step, its bands the extra dimensions in C order: north-up, rotated, several missing
// values folded into one.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/pass.h"
#include "ingest/spool.h"

// Where the cells of a region of maps go: `maps` has one plane after the other, or one strip. Two views, since the columns
// of a rotated grid go to two places.
static void map_views(const ra__target *target, const ra__region *region, uint8_t *maps,
                      ra__view views[2]) {
  const ra__array *array = ra__target_array(target);
  const ra_cf_variable *variable = array->cf;
  const ra_cf_grid *grid = variable->grid;
  int64_t size = (int64_t)ra_dtype_size(array->zarr.dtype), width = grid->native_width;
  int64_t rows = (int64_t)region->count[variable->y_dim], band = width * rows * size;
  ra__view view = {.region = *region};
  view.cells = maps;
  for (unsigned e = variable->extra_count; e-- > 0;) {
    view.stride[variable->extra[e].dim] = band;
    band *= (int64_t)variable->extra[e].size;
  }
  if (variable->time_dim >= 0) view.stride[variable->time_dim] = (int64_t)array->plane;
  view.stride[variable->y_dim] = (grid->y_reversed ? -width : width) * size;
  view.stride[variable->x_dim] = grid->x_reversed ? -size : size;
  if (grid->y_reversed) view.cells += (rows - 1) * width * size;
  int64_t roll = grid->roll, cut = grid->x_reversed ? width - roll : roll;
  views[0] = views[1] = view;
  views[0].region.count[variable->x_dim] = (uint64_t)cut;
  views[1].region.start[variable->x_dim] = (uint64_t)cut;
  views[1].region.count[variable->x_dim] = (uint64_t)(width - cut);
  views[0].cells += (grid->x_reversed ? width - 1 - roll : width - roll) * size;
  views[1].cells += (grid->x_reversed ? width - 1 : 0) * size;
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

ra_cog_spec ra__cog_spec(const ra_ingest *ingest, const ra__array *array) {
  static const double upright[6] = {0, 1, 0, 0, 0, -1};
  const ra_cf_variable *variable = array->cf;
  ra_cog_spec spec = {
      .grid = variable->grid->grid,
      .crs = variable->grid->crs,
      .dtype = variable->source->dtype,
      .bands = (unsigned)variable->bands,
      .scale = variable->packing.scale,
      .offset = variable->packing.offset,
      .has_nodata = variable->has_nodata,
      .nodata = variable->nodata,
      .categorical = variable->categorical,
      .compress = ingest->in_place ? RA_COG_NONE : ingest->options.compress,
  };
  // It stays where it is: what is made is measured and dropped.
  if (ra_source_affine(ingest->source)) memcpy(spec.grid.gt, upright, sizeof upright);
  return spec;
}

// One COG in the making: its levels wait for the header, which is made last and comes first.
typedef struct cog {
  const ra__target *target;
  ra__tally *tally;
  size_t step;
  bool wanted;  // a step without a time is no item, so nothing would name its COG
  ra_cog_spec spec;
  ra_cog_writer *writer;
  ra_str header;
  ra__spool levels[RA_COG_LEVELS];
  size_t next;  // levels still to be written; at first the header, too
} cog;

static int put_level(void *ctx, size_t level, const void *data, size_t size, ra_err *err) {
  cog *c = ctx;
  return ra__spool_add(&c->levels[level], data, size, err);
}

static int cog_begin(cog *c, ra_err *err) {
  const ra__array *array = ra__target_array(c->target);
  const ra__output *output = ra__target_output(c->target);
  const ra_dataset_variable *described = ra_dataset_find_variable(output->dataset, array->zarr.name);
  const ra_cf_variable *variable = array->cf;
  c->wanted = variable->time_dim < 0 || variable->time->ms[c->step] != RA_TIME_NONE;
  c->wanted = c->wanted && !array->direct;
  c->spec = ra__cog_spec(output->ingest, array);
  c->spec.band_names = described->band_names;
  c->spec.unit = described->units;
  for (size_t i = 0; i < RA_COG_LEVELS && array->plan.strips; i++)
    c->levels[i].scratch = ra__target_scratch(c->target);
  ra_str_init(&c->header);
  if (!c->wanted) return RA_OK;
  int rc = ra_cog_writer_new(&c->spec, put_level, c, &c->writer, err);
  return rc < 0 ? ra_err_prefix(err, "COG of '%s'", array->zarr.name) : RA_OK;
}

static void cog_deinit(cog *c) {
  ra_cog_writer_free(c->writer);
  ra_str_deinit(&c->header);
  for (size_t i = 0; i < RA_COG_LEVELS; i++) ra__spool_deinit(&c->levels[i]);
}

// Rows of one map in their order, which are changed.
static int cog_rows(cog *c, uint8_t *pixels, size_t rows, ra_err *err) {
  const ra_cf_variable *variable = ra__target_array(c->target)->cf;
  int rc = ra__tally_add(c->tally, c->step, pixels, rows, err);
  if (rc < 0 || !c->wanted) return rc;
  if (needs_fold(variable)) {
    fold(variable->source->dtype, &variable->packing, variable->nodata, pixels,
         rows * (size_t)variable->grid->native_width);
  }
  return ra_cog_writer_rows(c->writer, pixels, rows, err);
}

static int next_piece(void *ctx, const void **data, size_t *size, ra_err *err) {
  cog *c = ctx;
  if (c->next > ra_cog_writer_levels(c->writer)) {
    c->next--;
    *data = c->header.ptr;
    *size = c->header.len;
    return RA_OK;
  }
  int rc = RA_OK;
  for (*size = 0; rc >= 0 && *size == 0 && c->next > 0;) {
    rc = ra__spool_next(&c->levels[c->next - 1], data, size, err);
    if (*size == 0) c->next--;
  }
  return rc;
}

static int cog_end(cog *c, ra_err *err) {
  ra__output *output = ra__target_output(c->target);
  const char *name = ra__target_array(c->target)->zarr.name;
  if (!c->wanted) return RA_OK;
  int rc = ra_cog_writer_end(c->writer, &c->header, err);
  if (rc < 0) return rc;
  c->next = ra_cog_writer_levels(c->writer) + 1;
  ra_str key;
  ra_str_init(&key);
  ra_dataset_cog_key(output->dataset, ra_dataset_find_variable(output->dataset, name), c->step, &key);
  rc = key.failed ? ra_fail(err, RA_E_NOMEM, name, "out of memory")
                  : ra__output_stream(output, key.ptr, next_piece, c, err);
  ra_str_deinit(&key);
  if (rc >= 0) output->ingest->steps_done++;
  return rc;
}

static size_t first_step(const ra__target *target) {
  const ra__array *array = ra__target_array(target);
  int time = array->cf->time_dim, run = array->cf->run_dim;
  // Steps are numbered run by run where the runs of a forecast have a dimension of their own.
  size_t first = time >= 0 ? target->region.start[time] : 0;
  return run >= 0 ? first + target->region.start[run] * array->zarr.shape[time] : first;
}

// One band of a regridded map: statistics are of the source's cells, pixels are made some rows at a time.
static int cog_regrid(cog *c, const uint8_t *cells, ra_err *err) {
  const ra__array *array = ra__target_array(c->target);
  const ra_cf_grid *grid = array->cf->grid;
  int rc = ra__tally_add(c->tally, c->step, cells, (size_t)grid->native_height, err);
  if (rc < 0 || !c->wanted) return rc;
  uint8_t *rows = malloc(RA__MAP_ROWS * (size_t)grid->grid.width * ra_dtype_size(array->zarr.dtype));
  if (!rows) return ra_fail(err, RA_E_NOMEM, array->zarr.name, "no memory for rows of a map");
  bool blank = ra__maps_is_blank(array, cells);
  for (int64_t row = 0; row < grid->grid.height && rc >= 0; row += RA__MAP_ROWS) {
    int64_t left = grid->grid.height - row, count = left < RA__MAP_ROWS ? left : RA__MAP_ROWS;
    rc = ra__maps_rows(array, cells, blank, row, count, rows, err);
    if (rc >= 0) rc = ra_cog_writer_rows(c->writer, rows, (size_t)count, err);
  }
  free(rows);
  return rc;
}

// Rows of the source's cells, which are changed; of a regridded grid whole bands.
static int cog_cells(cog *c, uint8_t *cells, size_t rows, ra_err *err) {
  const ra__array *array = ra__target_array(c->target);
  const ra_cf_grid *grid = array->cf->grid;
  if (!array->regrid) return cog_rows(c, cells, rows, err);
  size_t size = ra_dtype_size(array->zarr.dtype), height = (size_t)grid->native_height;
  int rc = RA_OK;
  for (size_t row = 0; row < rows && rc >= 0; row += height)
    rc = cog_regrid(c, cells + row * (size_t)grid->native_width * size, err);
  return rc;
}

static int make_whole(const ra__target *target, size_t step, uint8_t *pixels, ra__tally *tally,
                      ra_err *err) {
  const ra_cf_variable *variable = ra__target_array(target)->cf;
  cog c = {.target = target, .tally = tally, .step = step};
  int rc = cog_begin(&c, err);
  if (rc >= 0)
    rc = cog_cells(&c, pixels, (size_t)(variable->bands * variable->grid->native_height), err);
  if (rc >= 0) rc = cog_end(&c, err);
  cog_deinit(&c);
  return rc;
}

// Maps whose pixels are in memory at once, some steps together.
static int make_group(const ra__target *target, ra__tally *tally, ra_err *err) {
  const ra__array *array = ra__target_array(target);
  size_t first = first_step(target), count = 1;
  if (array->cf->time_dim >= 0) count = target->region.count[array->cf->time_dim];
  ra_buf *maps;
  int rc = ra_buf_new(count * array->plane, &maps, err);
  if (rc < 0) return rc;
  ra__view views[2];
  map_views(target, &target->region, ra_buf_bytes(maps), views);
  rc = ra__target_fill(target, 0, views, 2, err);
  for (size_t i = 0; i < count && rc >= 0; i++)
    rc = make_whole(target, first + i, ra_buf_bytes(maps) + i * array->plane, tally, err);
  ra_buf_unref(maps);
  return rc;
}

// Strip `strip` of a band, counted from the map's top.
static uint64_t strip_part(const ra__array *array, uint64_t band, uint64_t strip) {
  const ra_cf_variable *variable = array->cf;
  const ra__tiling *parts = &array->plan.parts[RA__MAPS];
  uint64_t at[RA__DIMS] = {0}, strips = parts->grid[variable->y_dim], index = 0;
  for (unsigned e = variable->extra_count; e-- > 0;) {
    at[variable->extra[e].dim] = band % variable->extra[e].size;
    band /= variable->extra[e].size;
  }
  at[variable->y_dim] = variable->grid->y_reversed ? strips - 1 - strip : strip;
  for (unsigned d = 0; d < parts->ndim; d++) index = index * parts->grid[d] + at[d];
  return index;
}

static int add_strip(cog *c, uint64_t part, uint8_t *pixels, ra_err *err) {
  ra__region region;
  ra__view views[2];
  if (!ra__target_part(c->target, part, &region)) return RA_OK;
  map_views(c->target, &region, pixels, views);
  int rc = ra__target_fill(c->target, part, views, 2, err);
  if (rc < 0) return rc;
  return cog_cells(c, pixels, region.count[ra__target_array(c->target)->cf->y_dim], err);
}

// A map of which a strip at a time is in memory.
static int make_strips(const ra__target *target, ra__tally *tally, ra_err *err) {
  const ra__array *array = ra__target_array(target);
  const ra_cf_variable *variable = array->cf;
  const ra__tiling *parts = &array->plan.parts[RA__MAPS];
  uint64_t strips = parts->grid[variable->y_dim];
  ra_buf *pixels;
  int rc = ra_buf_new(parts->side[variable->y_dim] * (size_t)variable->grid->native_width *
                          ra_dtype_size(array->zarr.dtype),
                      &pixels, err);
  if (rc < 0) return rc;
  cog c = {.target = target, .tally = tally, .step = first_step(target)};
  rc = cog_begin(&c, err);
  for (uint64_t i = 0; i < variable->bands * strips && rc >= 0; i++)
    rc = add_strip(&c, strip_part(array, i / strips, i % strips), ra_buf_bytes(pixels), err);
  if (rc >= 0) rc = cog_end(&c, err);
  cog_deinit(&c);
  ra_buf_unref(pixels);
  return rc;
}

int ra__maps_make(const ra__target *target, ra__tally *tally, ra_err *err) {
  bool strips = ra__target_array(target)->plan.strips;
  return strips ? make_strips(target, tally, err) : make_group(target, tally, err);
}
