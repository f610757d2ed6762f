// dataset_kind.c - what has to be equal for the steps of two datasets to stand behind each other in one store: names,
// dimensions, grids, calendars and units. Not their packing (that can be decoded), their statistics, or how many steps.
#include <string.h>

#include "format/dataset.h"

static void add_numbers(ra_str *out, const double *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ra_str_add_char(out, ' ');
    ra_str_add_double(out, values[i]);
  }
}

static void add_texts(ra_str *out, const char *const *texts, size_t count) {
  for (size_t i = 0; i < count; i++) {
    ra_str_add_char(out, ' ');
    ra_str_add_json(out, texts[i] ? texts[i] : "");
  }
}

static void add_grid(ra_str *out, const ra_dataset_grid *grid) {
  const char *const dims[] = {grid->x_dim, grid->y_dim};
  ra_str_add(out, "\ngrid");
  add_texts(out, dims, 2);
  ra_str_addf(out, " %lld %lld %lld %lld %d %d %d %lld", (long long)grid->native_width,
              (long long)grid->native_height, (long long)grid->grid.width,
              (long long)grid->grid.height, grid->x_reversed, grid->y_reversed, grid->grid.wraps,
              (long long)grid->roll);
  add_numbers(out, grid->grid.gt, 6);
  add_numbers(out, grid->x_axis.centres, grid->x_axis.count);
  add_numbers(out, grid->y_axis.centres, grid->y_axis.count);
  if (grid->layout == RA_DATASET_CURVED) ra_str_add_json(out, grid->places);
  int epsg = ra_crs_epsg(grid->crs);
  if (epsg) ra_str_addf(out, " %d", epsg);
  if (!epsg) ra_str_add_json(out, ra_crs_wkt2(grid->crs));
}

// Is a dimension of this name any variable's time?
static bool is_time(const ra_dataset *dataset, const char *dim) {
  for (size_t i = 0; i < ra_dataset_variable_count(dataset); i++) {
    const ra_dataset_variable *variable = ra_dataset_get_variable(dataset, i);
    if (variable->time_dim >= 0 && !strcmp(variable->dims[variable->time_dim], dim)) return true;
  }
  return false;
}

static void add_dims(ra_str *out, const ra_dataset *dataset, const ra_dataset_variable *variable) {
  for (unsigned d = 0; d < variable->ndim; d++) {
    ra_str_add_char(out, ' ');
    ra_str_add_json(out, variable->dims[d]);
    if (is_time(dataset, variable->dims[d])) continue;
    ra_str_addf(out, " %llu", (unsigned long long)variable->shape[d]);
  }
}

static void add_variable(ra_str *out, const ra_dataset *dataset, const ra_dataset_variable *variable) {
  const char *const texts[] = {variable->name, variable->units,
                               variable->grid ? variable->grid->id : ""};
  ra_str_add(out, "\nvariable");
  add_texts(out, texts, 3);
  ra_str_addf(out, " %d %d %d %d %d", variable->axis_index, variable->time_dim, variable->y_dim,
              variable->x_dim, variable->mappable);
  add_dims(out, dataset, variable);
  for (unsigned i = 0; i < variable->extra_count; i++) {
    const ra_dataset_extra *extra = &variable->extra[i];
    const char *const names[] = {extra->name, extra->units};
    add_texts(out, names, 2);
    ra_str_addf(out, " %u %zu", extra->dim, extra->size);
    if (extra->values) add_numbers(out, extra->values, extra->size);
  }
  add_texts(out, variable->flag_meanings, variable->flag_count);
  if (variable->flag_values) add_numbers(out, variable->flag_values, variable->flag_count);
}

bool ra_dataset_kind(const ra_dataset *dataset, ra_str *out) {
  const char *store = ra_dataset_store(dataset);
  bool is_own = store && strcmp(store, "data.zarr") == 0;
  if (ra_dataset_axis_count(dataset) == 0 || !is_own) return false;
  if (ra_dataset_store_format(dataset) != 3)
    ra_str_addf(out, "zarr %u", ra_dataset_store_format(dataset));
  for (size_t i = 0; i < ra_dataset_grid_count(dataset); i++) {
    add_grid(out, ra_dataset_get_grid(dataset, i));
  }
  for (size_t i = 0; i < ra_dataset_axis_count(dataset); i++) {
    const ra_dataset_axis *axis = ra_dataset_get_axis(dataset, i);
    if (axis->runs) return false;
    ra_str_addf(out, "\naxis %s ", ra_calendar_name(axis->calendar));
    ra_str_add_json(out, axis->name);
  }
  for (size_t i = 0; i < ra_dataset_variable_count(dataset); i++) {
    add_variable(out, dataset, ra_dataset_get_variable(dataset, i));
  }
  return true;
}
