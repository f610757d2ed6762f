// segment_times.c - times in one count for stores that count them differently ("days since" each file's own day): as
// integers since 1970 in the coarsest unit that holds all of them, so that nothing is rounded.
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ingest/segment_private.h"

// ---- do they differ?

static const json_t *coordinate_of(const ra__segment *segment, size_t store, int axis) {
  const ra_dataset *dataset = segment->stores[store].dataset;
  return ra__segment_node(segment, store, ra_dataset_get_axis(dataset, (size_t)axis)->name);
}

static bool is_axis(const ra__segment *segment, const char *path, int axis) {
  const ra_dataset *newest = segment->stores[segment->newest].dataset;
  return !strcmp(ra_dataset_get_axis(newest, (size_t)axis)->name, path);
}

// Bounds have the units of their coordinate unless they say otherwise.
static bool borrows_units(const ra__segment *segment, size_t store, const char *path, int axis) {
  return !*ra__segment_text(ra__segment_node(segment, store, path), "units") &&
         !strcmp(ra__segment_text(coordinate_of(segment, store, axis), "bounds"), path);
}

static const json_t *speaker(const ra__segment *segment, size_t store, const char *path, int axis) {
  return borrows_units(segment, store, path, axis) ? coordinate_of(segment, store, axis)
                                                   : ra__segment_node(segment, store, path);
}

static bool same_type(const json_t *a, const json_t *b) {
  return a && b && json_equal(json_object_get(a, "data_type"), json_object_get(b, "data_type"));
}

bool ra__segment_times_differ(const ra__segment *segment, const char *path, int axis) {
  size_t newest = segment->newest;
  const json_t *own = speaker(segment, newest, path, axis);
  const char *units = ra__segment_text(own, "units"), *calendar = ra__segment_text(own, "calendar");
  bool coordinate = is_axis(segment, path, axis);
  if (!coordinate && !ra_time_units_like(units)) return false;
  if (borrows_units(segment, newest, path, axis)) return segment->axes[axis].recoded;
  for (size_t i = 0; i < segment->store_count; i++) {
    const json_t *node = ra__segment_node(segment, i, path);
    const json_t *other = speaker(segment, i, path, axis);
    if (!node && !coordinate) return false;  // left out, not encoded
    if (!same_type(node, ra__segment_node(segment, newest, path)) ||
        strcmp(ra__segment_text(other, "units"), units) != 0 ||
        strcmp(ra__segment_text(other, "calendar"), calendar) != 0)
      return true;
  }
  return false;
}

// ---- instants

static int units_of(const json_t *node, const char *path, ra_calendar calendar, ra_time_units *out,
                    ra_err *err) {
  int rc = ra_time_units_parse(ra__segment_text(node, "units"), calendar, out, err);
  return rc < 0 ? ra_err_prefix(err, "%s", path) : rc;
}

// Decodes the run's cells of an array of times that is no coordinate; each step has `inner` of them.
static int decode_run(ra__segment *segment, const ra__segment_array *array, const char *path,
                      const ra__segment_run *run, size_t inner, int64_t *ms, ra_err *err) {
  const json_t *node = speaker(segment, run->store, path, array->axis);
  const ra_dataset *dataset = segment->stores[run->store].dataset;
  ra_calendar calendar = ra_dataset_get_axis(dataset, (size_t)array->axis)->calendar;
  ra_zarr_array *source = array->sources[run->store];
  const ra_zarr_info *info = ra_zarr_array_info(source);
  uint64_t start[RA_ZARR_DIMS] = {0}, count[RA_ZARR_DIMS];
  ra_time_units units;
  int rc = units_of(node, path, calendar, &units, err);
  if (rc < 0) return rc;
  memcpy(count, info->shape, sizeof count);
  if (info->ndim == array->zarr.ndim) {
    start[array->time_dim] = run->first;
    count[array->time_dim] = run->count;
  }
  size_t cells = (size_t)run->count * inner;
  void *raw = malloc(cells * 8 + 1);
  ra_str key;
  ra_str_init(&key);
  ra_dataset_zarr_key(dataset, path, &key);
  rc = !raw || key.failed ? ra_fail(err, RA_E_NOMEM, path, "out of memory")
                          : ra_zarr_read(source, &segment->reader, key.ptr, start, count, raw,
                                         segment->cancel, NULL, err);
  for (size_t i = 0; rc >= 0 && i < cells; i++) {
    ms[i] = ra_time_decode(&units, calendar, ra_dtype_load(info->dtype, raw, i));
  }
  ra_str_deinit(&key);
  free(raw);
  return rc;
}

static int instants_of(ra__segment *segment, const ra__segment_array *array, const char *path,
                       size_t inner, int64_t *ms, ra_err *err) {
  const ra__segment_axis *axis = &segment->axes[array->axis];
  if (is_axis(segment, path, array->axis)) {
    memcpy(ms, axis->ms, (size_t)axis->total * sizeof *ms);
    return RA_OK;
  }
  if (!array->sources || array->time_dim) {
    return ra_fail(err, RA_E_UNSUPPORTED, path, "times along an inner dimension cannot be joined");
  }
  int rc = RA_OK;
  for (size_t i = 0; i < axis->run_count && rc >= 0; i++) {
    const ra__segment_run *run = &axis->runs[i];
    rc = decode_run(segment, array, path, run, inner, ms + (size_t)run->at * inner, err);
  }
  return rc;
}

// ---- one unit for all

typedef struct unit {
  const char *name;
  int64_t ms;
} unit;

static unit coarsest(const int64_t *ms, size_t n) {
  static const unit UNITS[] = {
      {"days", 86400000}, {"hours", 3600000}, {"minutes", 60000}, {"seconds", 1000}};
  for (size_t u = 0; u < sizeof UNITS / sizeof *UNITS; u++) {
    size_t i = 0;
    while (i < n && (ms[i] == RA_TIME_NONE || ms[i] % UNITS[u].ms == 0)) i++;
    if (i == n) return UNITS[u];
  }
  return (unit){"milliseconds", 1};
}

static const char *describe(ra__segment *segment, const ra__segment_array *array, const char *path,
                            const unit *chosen, bool missing) {
  static const char *const DROP[] = {
      "units",     "calendar",  "scale_factor", "add_offset",   "_FillValue", "missing_value",
      "valid_min", "valid_max", "valid_range",  "actual_range", NULL};
  const ra_dataset *newest = segment->stores[segment->newest].dataset;
  const json_t *node = ra__segment_node(segment, segment->newest, path);
  ra_calendar calendar = ra_dataset_get_axis(newest, (size_t)array->axis)->calendar;
  ra_str more;
  ra_str_init(&more);
  if (!node) ra_str_add(&more, "\"standard_name\":\"time\",\"axis\":\"T\",");
  ra_str_addf(&more, "\"units\":\"%s since 1970-01-01\",\"calendar\":\"%s\"", chosen->name,
              ra_calendar_name(calendar));
  if (missing) ra_str_addf(&more, ",\"_FillValue\":%lld", (long long)RA_TIME_NONE);
  const char *text = more.failed ? NULL : ra__segment_attributes(segment, node, DROP, more.ptr);
  ra_str_deinit(&more);
  return text;
}

int ra__segment_encode_times(ra__segment *segment, ra__segment_array *array, const char *path,
                             ra_err *err) {
  size_t inner = 1, cells;
  for (unsigned d = 1; d < array->zarr.ndim; d++) {
    if (!ra_size_mul(inner, (size_t)array->zarr.shape[d], &inner)) inner = SIZE_MAX / 2;
  }
  bool fits = ra_size_mul(inner, (size_t)segment->axes[array->axis].total, &cells);
  int64_t *ms = fits ? ra_arena_calloc(&segment->arena, cells + 1, sizeof *ms) : NULL;
  if (!ms) return ra_fail(err, RA_E_NOMEM, path, "out of memory for its times");
  int rc = instants_of(segment, array, path, inner, ms, err);
  if (rc < 0) return rc;
  unit chosen = coarsest(ms, cells);
  bool missing = false;
  for (size_t i = 0; i < cells; i++) {
    missing = missing || ms[i] == RA_TIME_NONE;
    if (ms[i] != RA_TIME_NONE) ms[i] /= chosen.ms;
  }
  if (is_axis(segment, path, array->axis)) segment->axes[array->axis].recoded = true;
  array->cells = ms;
  array->zarr.dtype = RA_DTYPE_I64;
  array->zarr.has_fill = missing;
  array->zarr.fill_int = RA_TIME_NONE;
  array->zarr.attributes = describe(segment, array, path, &chosen, missing);
  return array->zarr.attributes ? RA_OK : ra_fail(err, RA_E_NOMEM, path, "out of memory");
}
