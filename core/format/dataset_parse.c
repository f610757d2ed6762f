// dataset_parse.c - the catalog row's JSON to tables, every size and reference checked. The form, written by ingest/:
//
//   {"format":1, "collection", "dataset", "version", "created", "attributes":{…},
//    "source":{"name","format", "in_place" (the COG)|absent, "store":"source"|absent, "store_format":2|absent (3),
//              "far", …},
//    "grids":[{"id","x","y", "native":[rows,cols], "shape":[rows,cols], "transform":[6, GDAL's order],
//              "x_reversed","y_reversed","roll","wraps", "crs":{"epsg"|null,"wkt2"}, "bbox":[w,s,e,n], "geometry":{…},
//              "regridded":{"from":"uneven","x_centres":[…],"y_centres":[…],"period","closed"} |
//              {"from":"curvilinear","places"} | absent}],
//    "axes":[{"id","name","calendar","count", "start","step" | "values":[ms|null,…], "runs":{"count", …}|absent}],
//    "variables":[{"name","long_name","standard_name","units","cell_methods", "dims":[…],"shape":[…],"dtype",
//                  "grid","time","time_dim","run_dim"|absent,"y_dim","x_dim",
//                  "extra":[{"name","dim","size","values":[…]|null,"units","vertical"}],
//                  "packing":{"scale","offset","missing":[…],"valid_min","valid_max"}, "nodata",
//                  "categorical","flags":{"values","meanings"}|null, "mappable","bands","band_names":[…],
//                  "statistics":{"min","max","mean","stddev","valid","total"}, "p2","p98",
//                  "zarr":{"chunk":[…],"shard":[…],"format":2|absent (3)},
//                  "levels":[{"path","chunk":[…],"format","shape":[rows,cols],"ratio":[y,x]}] where maps are made of
//                  the Zarr array and these, else absent}]}
//
// Transform and shape are of the map layout (COG), native and dims of the source's (Zarr). Milliseconds count from
// 1970-01-01 in the axis's own calendar. Numbers that JSON lacks are the texts "NaN", "Infinity", "-Infinity". Members
// not named here are for others.
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/size.h"
#include "format/dataset_tables.h"

enum { SIDE_MAX = INT32_MAX, BANDS_MAX = 65535, LIST_MAX = 1 << 24 };

// The first mistake sticks in rc; what is read after it are harmless zeros.
typedef struct reader {
  ra_dataset *dataset;
  const char *part;  // "grid", "axis", "variable": what is being read
  const char *name;  // its name
  int rc;
  ra_err *err;
} reader;

__attribute__((format(printf, 2, 3))) static void wrong(reader *r, const char *fmt, ...) {
  if (r->rc < 0) return;
  char message[300];
  va_list args;
  va_start(args, fmt);
  vsnprintf(message, sizeof message, fmt, args);
  va_end(args);
  r->rc = ra_fail(r->err, RA_E_CORRUPT, r->dataset->id ? r->dataset->id : "", "%s '%s': %s",
                  r->part, r->name, message);
}

static void *calloc_in(reader *r, size_t count, size_t size) {
  void *p = ra_arena_calloc(&r->dataset->arena, count ? count : 1, size);
  if (!p && r->rc == RA_OK)
    r->rc = ra_fail(r->err, RA_E_NOMEM, r->dataset->id, "out of memory for a dataset's tables");
  return p;
}

static const char *keep_text(reader *r, const char *text) {
  char *copy = ra_arena_strdup(&r->dataset->arena, text);
  if (!copy && r->rc == RA_OK)
    r->rc = ra_fail(r->err, RA_E_NOMEM, r->dataset->id, "out of memory for a dataset's texts");
  return copy ? copy : "";
}

static const char *text_of(reader *r, const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  if (!value || json_is_null(value)) return "";
  if (json_is_string(value)) return keep_text(r, json_string_value(value));
  wrong(r, "\"%s\" is not a text", key);
  return "";
}

static bool to_number(const json_t *value, double *out) {
  if (json_is_number(value)) {
    *out = json_number_value(value);
    return true;
  }
  const char *text = json_string_value(value);
  if (!text) return false;
  *out = !strcmp(text, "NaN") ? NAN : !strcmp(text, "Infinity") ? INFINITY : -INFINITY;
  return isnan(*out) || *out > 0 || !strcmp(text, "-Infinity");
}

// fallback where it is absent or null.
static double number_of(reader *r, const json_t *object, const char *key, double fallback) {
  const json_t *value = json_object_get(object, key);
  double number = fallback;
  if (value && !json_is_null(value) && !to_number(value, &number))
    wrong(r, "\"%s\" is not a number", key);
  return number;
}

static int64_t integer_of(reader *r, const json_t *value, const char *what, int64_t least,
                          int64_t most) {
  if (!json_is_integer(value) || json_integer_value(value) < least ||
      json_integer_value(value) > most) {
    wrong(r, "\"%s\" is not a whole number from %lld to %lld", what, (long long)least,
          (long long)most);
    return least;
  }
  return json_integer_value(value);
}

static int64_t member(reader *r, const json_t *object, const char *key, int64_t least, int64_t most) {
  return integer_of(r, json_object_get(object, key), key, least, most);
}

static const json_t *array_of(reader *r, const json_t *object, const char *key, size_t least,
                              size_t most) {
  const json_t *array = json_object_get(object, key);
  if (json_is_array(array) && json_array_size(array) >= least && json_array_size(array) <= most)
    return array;
  wrong(r, "\"%s\" is not a list of %zu to %zu", key, least, most);
  return NULL;
}

static bool has(const json_t *object, const char *key) {
  const json_t *value = json_object_get(object, key);
  return value && !json_is_null(value);
}

static double *numbers_of(reader *r, const json_t *object, const char *key, size_t least,
                          size_t most, size_t *count) {
  const json_t *array = array_of(r, object, key, least, most);
  *count = json_array_size(array);
  double *numbers = calloc_in(r, *count, sizeof *numbers);
  for (size_t i = 0; numbers && i < *count; i++)
    if (!to_number(json_array_get(array, i), &numbers[i]))
      wrong(r, "\"%s\"[%zu] is not a number", key, i);
  return numbers;
}

static const char **texts_of(reader *r, const json_t *object, const char *key, size_t most,
                             size_t *count) {
  const json_t *array = array_of(r, object, key, 0, most);
  *count = json_array_size(array);
  const char **texts = calloc_in(r, *count, sizeof *texts);
  for (size_t i = 0; texts && i < *count; i++) {
    const char *text = json_string_value(json_array_get(array, i));
    if (!text) wrong(r, "\"%s\"[%zu] is not a text", key, i);
    texts[i] = keep_text(r, text ? text : "");
  }
  return texts;
}

static void finite_list(reader *r, const json_t *object, const char *key, size_t n, double *out) {
  size_t count;
  const double *numbers = numbers_of(r, object, key, n, n, &count);
  for (size_t i = 0; r->rc == RA_OK && i < n; i++) {
    if (!isfinite(numbers[i])) wrong(r, "\"%s\"[%zu] is not finite", key, i);
    out[i] = numbers[i];
  }
}

static const char *compact(reader *r, const json_t *object, const char *key) {
  char *dump = json_dumps(json_object_get(object, key), JSON_COMPACT | JSON_REAL_PRECISION(12));
  if (!dump) wrong(r, "\"%s\" is missing", key);
  const char *kept = keep_text(r, dump ? dump : "");
  free(dump);
  return kept;
}

static void read_crs(reader *r, const json_t *object, ra_dataset_grid *grid) {
  const json_t *crs = json_object_get(object, "crs");
  char code[32];
  const char *definition = json_string_value(json_object_get(crs, "wkt2"));
  if (has(crs, "epsg")) {
    snprintf(code, sizeof code, "EPSG:%d", (int)member(r, crs, "epsg", 1, SIDE_MAX));
    definition = code;
  }
  if (!definition) wrong(r, "\"crs\" has neither epsg nor wkt2");
  if (r->rc == RA_OK) r->rc = ra__dataset_crs(definition, &grid->crs, r->err);
}

static void read_sides(reader *r, const json_t *object, const char *key, int64_t *height,
                       int64_t *width) {
  const json_t *sides = array_of(r, object, key, 2, 2);
  *height = integer_of(r, json_array_get(sides, 0), key, 1, SIDE_MAX);
  *width = integer_of(r, json_array_get(sides, 1), key, 1, SIDE_MAX);
}

static void check_bbox(reader *r, const double bbox[4]) {
  const double slack = 1e-6;
  for (int i = 0; i < 4; i++)
    if (fabs(bbox[i]) > (i % 2 ? 90 : 180) + slack) wrong(r, "\"bbox\" leaves the Earth");
  if (bbox[1] > bbox[3]) wrong(r, "\"bbox\" has its south above its north");
}

static void read_centres(reader *r, const json_t *object, const char *key, int64_t count,
                         ra_uneven *axis) {
  axis->centres = numbers_of(r, object, key, (size_t)count, (size_t)count, &axis->count);
  for (size_t i = 0; r->rc == RA_OK && i < axis->count; i++)
    if (!isfinite(axis->centres[i])) wrong(r, "\"%s\"[%zu] is not finite", key, i);
  if (r->rc == RA_OK && count > 1 && !ra_uneven_is_monotonic(axis->centres, axis->count))
    wrong(r, "\"%s\" neither rises nor falls", key);
}

static void read_regridded(reader *r, const json_t *object, ra_dataset_grid *grid) {
  if (!has(object, "regridded")) return;
  const json_t *from = json_object_get(object, "regridded");
  const char *layout = text_of(r, from, "from");
  if (!strcmp(layout, "curvilinear")) {
    grid->layout = RA_DATASET_CURVED;
    grid->places = text_of(r, from, "places");
  } else if (!strcmp(layout, "uneven")) {
    grid->layout = RA_DATASET_UNEVEN;
    read_centres(r, from, "x_centres", grid->native_width, &grid->x_axis);
    read_centres(r, from, "y_centres", grid->native_height, &grid->y_axis);
    grid->x_axis.period = number_of(r, from, "period", 0);
    grid->x_axis.closed = json_is_true(json_object_get(from, "closed"));
  } else {
    wrong(r, "\"regridded\" is from \"%s\": written by another version of this program", layout);
  }
}

static void read_grid(reader *r, const json_t *object, ra_dataset_grid *grid) {
  *r = (reader){r->dataset, "grid", "", r->rc, r->err};
  r->name = grid->id = text_of(r, object, "id");
  grid->x_dim = text_of(r, object, "x");
  grid->y_dim = text_of(r, object, "y");
  read_sides(r, object, "native", &grid->native_height, &grid->native_width);
  read_sides(r, object, "shape", &grid->grid.height, &grid->grid.width);
  finite_list(r, object, "transform", 6, grid->grid.gt);
  const double *gt = grid->grid.gt;
  if (r->rc == RA_OK && gt[1] * gt[5] - gt[2] * gt[4] == 0) wrong(r, "\"transform\" has no area");
  grid->grid.wraps = json_is_true(json_object_get(object, "wraps"));
  grid->x_reversed = json_is_true(json_object_get(object, "x_reversed"));
  grid->y_reversed = json_is_true(json_object_get(object, "y_reversed"));
  grid->roll = has(object, "roll") ? member(r, object, "roll", 0, grid->native_width - 1) : 0;
  finite_list(r, object, "bbox", 4, grid->bbox);
  check_bbox(r, grid->bbox);
  grid->geometry = compact(r, object, "geometry");
  read_crs(r, object, grid);
  read_regridded(r, object, grid);
}

// "count", and "start" and "step" or "values".
static const int64_t *read_instants(reader *r, const json_t *object, size_t *count) {
  *count = (size_t)member(r, object, "count", 1, LIST_MAX);
  int64_t *ms = calloc_in(r, *count, sizeof *ms);
  const int64_t most = INT64_MAX / 4;
  if (has(object, "values")) {
    const json_t *values = array_of(r, object, "values", *count, *count);
    for (size_t i = 0; r->rc == RA_OK && i < *count; i++) {
      const json_t *value = json_array_get(values, i);
      ms[i] = json_is_null(value) ? RA_TIME_NONE : integer_of(r, value, "values", -most, most);
    }
    return ms;
  }
  int64_t start = member(r, object, "start", -most, most);
  int64_t step = *count > 1 ? member(r, object, "step", -most, most) : 0;
  for (size_t i = 0; r->rc == RA_OK && i < *count; i++)
    if (__builtin_mul_overflow(step, (int64_t)i, &ms[i]) ||
        __builtin_add_overflow(ms[i], start, &ms[i]))
      wrong(r, "\"step\" leads out of time");
  return ms;
}

static void read_axis(reader *r, const json_t *object, ra_dataset_axis *axis) {
  *r = (reader){r->dataset, "axis", "", r->rc, r->err};
  r->name = axis->id = text_of(r, object, "id");
  axis->name = text_of(r, object, "name");
  const char *calendar = text_of(r, object, "calendar");
  if (!ra_calendar_parse(calendar, &axis->calendar)) wrong(r, "\"%s\" is not a calendar", calendar);
  axis->ms = read_instants(r, object, &axis->count);
  if (!has(object, "runs")) return;
  axis->run_ms = read_instants(r, json_object_get(object, "runs"), &axis->runs);
  if (r->rc == RA_OK && axis->count % axis->runs)
    wrong(r, "%zu steps are no multiple of %zu runs", axis->count, axis->runs);
}

static void read_extra(reader *r, const json_t *object, const ra_dataset_variable *variable,
                       ra_dataset_extra *extra) {
  extra->name = text_of(r, object, "name");
  extra->units = text_of(r, object, "units");
  extra->vertical = json_is_true(json_object_get(object, "vertical"));
  extra->dim = (unsigned)member(r, object, "dim", 0, (int64_t)variable->ndim - 1);
  extra->size = (size_t)member(r, object, "size", 1, LIST_MAX);
  if (r->rc == RA_OK && variable->shape[extra->dim] != extra->size)
    wrong(r, "extra dimension '%s' has size %zu, the shape says %llu", extra->name, extra->size,
          (unsigned long long)variable->shape[extra->dim]);
  size_t count;
  if (has(object, "values"))
    extra->values = numbers_of(r, object, "values", extra->size, extra->size, &count);
}

static void read_extras(reader *r, const json_t *object, ra_dataset_variable *variable) {
  if (!has(object, "extra")) return;
  const json_t *list = array_of(r, object, "extra", 0, RA_DATASET_DIMS);
  ra_dataset_extra *extra = calloc_in(r, json_array_size(list), sizeof *extra);
  variable->extra_count = (unsigned)json_array_size(list);
  for (unsigned i = 0; r->rc == RA_OK && i < variable->extra_count; i++)
    read_extra(r, json_array_get(list, i), variable, &extra[i]);
  variable->extra = extra;
}

static void read_shape(reader *r, const json_t *object, ra_dataset_variable *variable) {
  const json_t *dims = array_of(r, object, "dims", 0, RA_DATASET_DIMS);
  const json_t *shape = array_of(r, object, "shape", json_array_size(dims), json_array_size(dims));
  variable->ndim = (unsigned)json_array_size(dims);
  size_t cells = 1;
  for (unsigned i = 0; r->rc == RA_OK && i < variable->ndim; i++) {
    const char *name = json_string_value(json_array_get(dims, i));
    if (!name) wrong(r, "\"dims\"[%u] is not a text", i);
    variable->dims[i] = keep_text(r, name ? name : "");
    variable->shape[i] = (uint64_t)integer_of(r, json_array_get(shape, i), "shape", 0, INT64_MAX);
    if (!ra_size_mul(cells, variable->shape[i], &cells)) wrong(r, "\"shape\" is too big");
  }
}

static int read_dim(reader *r, const json_t *object, const char *key,
                    const ra_dataset_variable *variable, int64_t size) {
  if (!has(object, key)) return -1;
  int dim = (int)member(r, object, key, -1, (int64_t)variable->ndim - 1);
  if (r->rc == RA_OK && dim >= 0 && size >= 0 && variable->shape[dim] != (uint64_t)size)
    wrong(r, "\"%s\" has size %llu, expected %lld", key, (unsigned long long)variable->shape[dim],
          (long long)size);
  return dim;
}

static void read_time_dims(reader *r, const json_t *object, ra_dataset_variable *variable) {
  const ra_dataset_axis *axis = variable->axis;
  int64_t runs = axis ? (int64_t)axis->runs : 0, count = axis ? (int64_t)axis->count : -1;
  variable->run_dim = read_dim(r, object, "run_dim", variable, runs);
  if (variable->run_dim >= 0 && !runs) wrong(r, "\"run_dim\" without \"runs\"");
  if (variable->run_dim >= 0 && runs && r->rc == RA_OK) count /= runs;
  variable->time_dim = read_dim(r, object, "time_dim", variable, count);
  if (variable->time_dim >= 0 && !axis) wrong(r, "\"time_dim\" without \"time\"");
  if (variable->run_dim >= 0 && variable->time_dim < 0)
    wrong(r, "\"run_dim\" without \"time_dim\"");
}

static void read_references(reader *r, const json_t *object, ra_dataset_variable *variable) {
  const ra_dataset *dataset = r->dataset;
  const char *grid = text_of(r, object, "grid"), *axis = text_of(r, object, "time");
  variable->axis_index = -1;
  for (size_t i = 0; i < dataset->grid_count; i++)
    if (*grid && !strcmp(dataset->grids[i].id, grid)) variable->grid = &dataset->grids[i];
  for (size_t i = 0; i < dataset->axis_count; i++)
    if (*axis && !strcmp(dataset->axes[i].id, axis)) variable->axis_index = (int)i;
  if (variable->axis_index >= 0) variable->axis = &dataset->axes[variable->axis_index];
  if (*grid && !variable->grid) wrong(r, "there is no grid '%s'", grid);
  if (*axis && !variable->axis) wrong(r, "there is no axis '%s'", axis);
  const ra_dataset_grid *g = variable->grid;
  read_time_dims(r, object, variable);
  variable->y_dim = read_dim(r, object, "y_dim", variable, g ? g->native_height : -1);
  variable->x_dim = read_dim(r, object, "x_dim", variable, g ? g->native_width : -1);
}

static void read_packing(reader *r, const json_t *object, ra_dataset_variable *variable) {
  ra_packing *packing = &variable->packing;
  *packing = ra_packing_none();
  const json_t *from = json_object_get(object, "packing");
  packing->scale = number_of(r, from, "scale", 1);
  packing->offset = number_of(r, from, "offset", 0);
  if (!isfinite(packing->scale) || !isfinite(packing->offset))
    wrong(r, "\"packing\" is not finite");
  size_t count = 0;
  const double *missing =
      has(from, "missing") ? numbers_of(r, from, "missing", 0, RA_MISSING_MAX, &count) : NULL;
  for (size_t i = 0; missing && i < count; i++) packing->missing[i] = missing[i];
  packing->missing_count = (unsigned)count;
  packing->has_valid_min = has(from, "valid_min");
  packing->has_valid_max = has(from, "valid_max");
  packing->valid_min = number_of(r, from, "valid_min", 0);
  packing->valid_max = number_of(r, from, "valid_max", 0);
  variable->has_nodata = has(object, "nodata");
  variable->nodata = number_of(r, object, "nodata", 0);
}

static void read_statistics(reader *r, const json_t *object, ra_dataset_variable *variable) {
  const json_t *from = json_object_get(object, "statistics");
  variable->minimum = number_of(r, from, "min", NAN);
  variable->maximum = number_of(r, from, "max", NAN);
  variable->mean = number_of(r, from, "mean", NAN);
  variable->stddev = number_of(r, from, "stddev", NAN);
  variable->p2 = number_of(r, object, "p2", NAN);
  variable->p98 = number_of(r, object, "p98", NAN);
  if (has(from, "valid")) variable->valid_count = (uint64_t)member(r, from, "valid", 0, INT64_MAX);
  if (has(from, "total")) variable->total_count = (uint64_t)member(r, from, "total", 0, INT64_MAX);
}

static void read_flags(reader *r, const json_t *object, ra_dataset_variable *variable) {
  variable->categorical = json_is_true(json_object_get(object, "categorical"));
  const json_t *flags = json_object_get(object, "flags");
  if (!has(flags, "values") || !has(flags, "meanings")) return;
  size_t values, meanings;
  variable->flag_values = numbers_of(r, flags, "values", 0, 65536, &values);
  variable->flag_meanings = texts_of(r, flags, "meanings", 65536, &meanings);
  variable->flag_count = (unsigned)(values < meanings ? values : meanings);
}

static void read_bands(reader *r, const json_t *object, ra_dataset_variable *variable) {
  variable->mappable = json_is_true(json_object_get(object, "mappable"));
  variable->bands = 1;
  if (!variable->mappable) return;
  if (!variable->grid || variable->y_dim < 0 || variable->x_dim < 0)
    wrong(r, "is mappable, but has no grid");
  size_t bands = 1;
  for (unsigned i = 0; i < variable->extra_count; i++)
    if (!ra_size_mul(bands, variable->extra[i].size, &bands)) bands = SIZE_MAX;
  variable->bands = (unsigned)member(r, object, "bands", 1, BANDS_MAX);
  if (bands != variable->bands)
    wrong(r, "\"bands\" is %u, the extra dimensions make %zu", variable->bands, bands);
  size_t count = 0;
  if (has(object, "band_names"))
    variable->band_names = texts_of(r, object, "band_names", BANDS_MAX, &count);
  if (count && count != variable->bands) wrong(r, "\"band_names\" has %zu names", count);
  if (!count) variable->band_names = NULL;
}

static void read_array(reader *r, const json_t *object, unsigned ndim, ra_dataset_array *array) {
  array->format = has(object, "format") ? (unsigned)member(r, object, "format", 2, 3) : 3;
  if (!has(object, "chunk")) return;
  const json_t *chunk = array_of(r, object, "chunk", ndim, ndim);
  for (unsigned i = 0; r->rc == RA_OK && i < ndim; i++)
    array->chunk[i] = (uint64_t)integer_of(r, json_array_get(chunk, i), "chunk", 1, INT64_MAX);
}

static void read_level(reader *r, const json_t *object, unsigned ndim, ra_dataset_level *level) {
  const json_t *shape = array_of(r, object, "shape", 2, 2);
  size_t count = 0;
  const double *ratio = numbers_of(r, object, "ratio", 2, 2, &count);
  read_array(r, object, ndim, &level->array);
  level->array.path = text_of(r, object, "path");
  if (r->rc < 0) return;
  if (!ra_key_valid(level->array.path)) wrong(r, "\"path\" of a level is a key");
  level->height = integer_of(r, json_array_get(shape, 0), "shape", 1, SIDE_MAX);
  level->width = integer_of(r, json_array_get(shape, 1), "shape", 1, SIDE_MAX);
  level->y_ratio = ratio[0];
  level->x_ratio = ratio[1];
  if (!(ratio[0] >= 1 && ratio[0] <= SIDE_MAX && ratio[1] >= 1 && ratio[1] <= SIDE_MAX))
    wrong(r, "\"ratio\" of a level is not from 1 to %d", SIDE_MAX);
}

// The array has the variable's name.
static void read_arrays(reader *r, const json_t *object, ra_dataset_variable *variable) {
  if (has(object, "zarr"))
    read_array(r, json_object_get(object, "zarr"), variable->ndim, &variable->array);
  variable->array.path = variable->name;
  if (!has(object, "levels")) return;
  const json_t *list = array_of(r, object, "levels", 0, RA_DATASET_LEVELS);
  ra_dataset_level *levels = calloc_in(r, json_array_size(list), sizeof *levels);
  variable->mapped_from_zarr = true;
  variable->level_count = (unsigned)json_array_size(list);
  for (unsigned i = 0; r->rc == RA_OK && i < variable->level_count; i++)
    read_level(r, json_array_get(list, i), variable->ndim, &levels[i]);
  variable->levels = levels;
  if (variable->mappable && variable->grid && variable->grid->layout != RA_DATASET_EVEN)
    wrong(r, "its grid is not even, so that maps cannot be made of its cells");
}

static void read_variable(reader *r, const json_t *object, ra_dataset_variable *variable) {
  *r = (reader){r->dataset, "variable", "", r->rc, r->err};
  r->name = variable->name = text_of(r, object, "name");
  if (!*variable->name) wrong(r, "\"name\" is missing");
  variable->long_name = text_of(r, object, "long_name");
  variable->standard_name = text_of(r, object, "standard_name");
  variable->units = text_of(r, object, "units");
  variable->cell_methods = text_of(r, object, "cell_methods");
  const char *dtype = text_of(r, object, "dtype");
  if (!ra_dtype_parse(dtype, &variable->dtype)) wrong(r, "\"%s\" is not a number type", dtype);
  read_shape(r, object, variable);
  read_references(r, object, variable);
  read_extras(r, object, variable);
  read_packing(r, object, variable);
  read_statistics(r, object, variable);
  read_flags(r, object, variable);
  read_bands(r, object, variable);
  read_arrays(r, object, variable);
}

// Where its data are that are not below the version.
static void read_place(reader *r, const json_t *source) {
  ra_dataset *dataset = r->dataset;
  dataset->store = "data.zarr";
  dataset->store_format = 3;
  if (json_object_get(source, "in_place")) {
    dataset->in_place = text_of(r, source, "in_place");
    dataset->store = NULL;
    if (r->rc == RA_OK &&
        (!ra_key_valid(dataset->in_place) || strncmp(dataset->in_place, "source/", 7) != 0))
      wrong(r, "\"in_place\" is a key below source/");
  } else if (json_object_get(source, "store")) {
    dataset->store = text_of(r, source, "store");
    dataset->far = json_is_true(json_object_get(source, "far"));
    if (r->rc == RA_OK && strcmp(dataset->store, "source") != 0)
      wrong(r, "\"store\" is \"source\"");
  }
  if (dataset->store && has(source, "store_format"))
    dataset->store_format = (unsigned)member(r, source, "store_format", 2, 3);
}

static void read_head(reader *r, const json_t *root) {
  ra_dataset *dataset = r->dataset;
  const json_t *attributes = json_object_get(root, "attributes");
  const json_t *source = json_object_get(root, "source");
  dataset->id = text_of(r, root, "dataset");
  r->name = dataset->id;
  dataset->collection = text_of(r, root, "collection");
  dataset->version = text_of(r, root, "version");
  if (r->rc == RA_OK && (!ra_id_valid(dataset->id) || !ra_id_valid(dataset->collection) ||
                         !ra_id_valid(dataset->version)))
    wrong(r, "\"collection\", \"dataset\" and \"version\" are letters, digits, '.', '_' and '-'");
  dataset->about = (ra_dataset_about){.created = text_of(r, root, "created"),
                                      .source_name = text_of(r, source, "name"),
                                      .source_format = text_of(r, source, "format")};
  read_place(r, source);
  const char *const keys[] = {"title", "summary", "institution", "license"};
  const char *texts[4];
  for (int i = 0; i < 4; i++) {
    const char *text = json_string_value(json_object_get(attributes, keys[i]));
    texts[i] = text ? keep_text(r, text) : "";
  }
  dataset->about.title = texts[0];
  dataset->about.summary = texts[1];
  dataset->about.institution = texts[2];
  dataset->about.license = texts[3];
}

static void read_lists(reader *r, const json_t *root) {
  ra_dataset *dataset = r->dataset;
  const json_t *grids = array_of(r, root, "grids", 0, 1000);
  const json_t *axes = array_of(r, root, "axes", 0, 1000);
  const json_t *variables = array_of(r, root, "variables", 0, 10000);
  dataset->grids = calloc_in(r, json_array_size(grids), sizeof *dataset->grids);
  dataset->axes = calloc_in(r, json_array_size(axes), sizeof *dataset->axes);
  dataset->variables = calloc_in(r, json_array_size(variables), sizeof *dataset->variables);
  for (size_t i = 0; r->rc == RA_OK && i < json_array_size(grids); i++)
    read_grid(r, json_array_get(grids, i), &dataset->grids[dataset->grid_count++]);
  for (size_t i = 0; r->rc == RA_OK && i < json_array_size(axes); i++)
    read_axis(r, json_array_get(axes, i), &dataset->axes[dataset->axis_count++]);
  for (size_t i = 0; r->rc == RA_OK && i < json_array_size(variables); i++)
    read_variable(r, json_array_get(variables, i), &dataset->variables[dataset->variable_count++]);
}

static int fill(ra_dataset *dataset, const char *json, size_t size, ra_err *err) {
  json_error_t problem;
  json_t *root = json_loadb(json, size, 0, &problem);
  if (!root)
    return ra_fail(err, RA_E_CORRUPT, "", "a dataset's body is not JSON: %s at byte %d",
                   problem.text, problem.position);
  reader r = {dataset, "dataset", "", RA_OK, err};
  if (!json_is_object(root) || json_integer_value(json_object_get(root, "format")) != 1)
    wrong(&r, "\"format\" is not 1: written by another version of this program");
  dataset->body = ra_arena_strndup(&dataset->arena, json, size);
  dataset->body_size = size;
  if (!dataset->body) r.rc = ra_fail(err, RA_E_NOMEM, "", "out of memory for a dataset's body");
  if (r.rc == RA_OK) read_head(&r, root);
  if (r.rc == RA_OK) read_lists(&r, root);
  json_decref(root);
  return r.rc < 0 ? r.rc : ra__dataset_make_items(dataset, err);
}

int ra_dataset_parse(const char *json, size_t size, ra_dataset **out, ra_err *err) {
  ra_dataset *dataset = calloc(1, sizeof *dataset);
  if (!dataset) return ra_fail(err, RA_E_NOMEM, "", "out of memory for a dataset");
  atomic_init(&dataset->refs, 1);
  ra_arena_init(&dataset->arena, 0);
  int rc = fill(dataset, json, size, err);
  if (rc < 0) {
    ra_dataset_unref(dataset);
    return rc;
  }
  *out = dataset;
  return RA_OK;
}
