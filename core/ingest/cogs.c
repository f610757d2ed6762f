// cogs.c - the map layout: one COG a step, its bands the extra dimensions in C order: north-up, rotated, several missing
// values folded into one.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/pass.h"

// Where the cells of the maps' steps go: `maps` has one plane after the other. Two views, since the columns of a rotated
// grid go to two places.
static void map_views(const ra__target *target, uint8_t *maps, ra__view views[2]) {
  const ra__array *array = ra__target_array(target);
  const ra_cf_variable *variable = array->cf;
  const ra_cf_grid *grid = variable->grid;
  int64_t size = (int64_t)ra_dtype_size(array->zarr.dtype);
  int64_t width = grid->native_width, height = grid->native_height, band = width * height * size;
  ra__view view = {.region = target->region, .cells = maps};
  for (unsigned e = variable->extra_count; e-- > 0;) {
    view.stride[variable->extra[e].dim] = band;
    band *= (int64_t)variable->extra[e].size;
  }
  if (variable->time_dim >= 0) view.stride[variable->time_dim] = (int64_t)array->plane;
  view.stride[variable->y_dim] = (grid->y_reversed ? -width : width) * size;
  view.stride[variable->x_dim] = grid->x_reversed ? -size : size;
  if (grid->y_reversed) view.cells += (height - 1) * width * size;
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

static int encode(const ra__target *target, const uint8_t *pixels, ra_buf **out, ra_err *err) {
  const ra_cf_variable *variable = ra__target_array(target)->cf;
  const ra__output *output = ra__target_output(target);
  const ra_dataset_variable *described =
      ra_dataset_find_variable(output->dataset, variable->source->name);
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
      .compress = output->ingest->options.compress,
  };
  return ra_cog_write(&spec, pixels, out, err);
}

static int write_cog(const ra__target *target, size_t step, const uint8_t *pixels, ra_err *err) {
  ra__output *output = ra__target_output(target);
  const char *name = ra__target_array(target)->cf->source->name;
  ra_buf *file = NULL;
  int rc = encode(target, pixels, &file, err);
  if (rc < 0) return ra_err_prefix(err, "COG of '%s'", name);
  ra_str key;
  ra_str_init(&key);
  ra_dataset_cog_key(output->dataset, ra_dataset_find_variable(output->dataset, name), step, &key);
  rc = key.failed ? ra_fail(err, RA_E_NOMEM, name, "out of memory")
                  : ra__output_put(output, key.ptr, ra_buf_data(file), ra_buf_size(file), err);
  ra_str_deinit(&key);
  ra_buf_unref(file);
  if (rc >= 0) output->ingest->steps_done++;
  return rc;
}

static int make_step(const ra__target *target, size_t step, uint8_t *pixels, ra__tally *tally,
                     ra_err *err) {
  const ra__array *array = ra__target_array(target);
  const ra_cf_variable *variable = array->cf;
  size_t cells = array->plane / ra_dtype_size(variable->source->dtype);
  int rc = ra__tally_add(tally, step, pixels, cells, err);
  // A step without a time is no item, so nothing would name its COG.
  if (rc < 0 || (variable->time_dim >= 0 && variable->time->ms[step] == RA_TIME_NONE)) return rc;
  if (needs_fold(variable))
    fold(variable->source->dtype, &variable->packing, variable->nodata, pixels, cells);
  return write_cog(target, step, pixels, err);
}

int ra__maps_make(const ra__target *target, ra__tally *tally, ra_err *err) {
  const ra__array *array = ra__target_array(target);
  int time = array->cf->time_dim, run = array->cf->run_dim;
  // Steps are numbered run by run where the runs of a forecast have a dimension of their own.
  size_t first = time >= 0 ? target->region.start[time] : 0;
  if (run >= 0) first += target->region.start[run] * array->zarr.shape[time];
  size_t count = time >= 0 ? target->region.count[time] : 1;
  ra_buf *maps;
  int rc = ra_buf_new(count * array->plane, &maps, err);
  if (rc < 0) return rc;
  ra__view views[2];
  map_views(target, ra_buf_bytes(maps), views);
  rc = ra__target_fill(target, 0, views, 2, err);
  for (size_t i = 0; i < count && rc >= 0; i++)
    rc = make_step(target, first + i, ra_buf_bytes(maps) + i * array->plane, tally, err);
  ra_buf_unref(maps);
  return rc;
}
