// segment_body.c - a segment in the form of a dataset's body, so that whatever reads datasets reads segments: the newest
// store's, with all steps, without what is said of its cells' values. Its dataset is called "segments".
#include <string.h>

#include "ingest/segment_private.h"

static const ra__segment_array *find_array(const ra__segment *segment, const char *name) {
  for (size_t i = 0; name && i < segment->array_count; i++) {
    if (!strcmp(segment->arrays[i].zarr.name, name)) return &segment->arrays[i];
  }
  return NULL;
}

// ---- axes

static bool is_even(const ra__segment_axis *axis) {
  for (uint64_t i = 0; i < axis->total; i++) {
    if (axis->ms[i] == RA_TIME_NONE) return false;
    if (i > 1 && axis->ms[i] - axis->ms[i - 1] != axis->ms[1] - axis->ms[0]) return false;
  }
  return true;
}

static void set_axis(json_t *object, const ra__segment_axis *axis) {
  const char *const old[] = {"start", "step", "values"};
  for (int i = 0; i < 3; i++) json_object_del(object, old[i]);
  json_object_set_new(object, "count", json_integer((json_int_t)axis->total));
  if (is_even(axis)) {
    int64_t step = axis->total > 1 ? axis->ms[1] - axis->ms[0] : 0;
    json_object_set_new(object, "start", json_integer(axis->ms[0]));
    json_object_set_new(object, "step", json_integer(step));
    return;
  }
  json_t *values = json_array();
  for (uint64_t i = 0; i < axis->total; i++) {
    bool missing = axis->ms[i] == RA_TIME_NONE;
    json_array_append_new(values, missing ? json_null() : json_integer(axis->ms[i]));
  }
  json_object_set_new(object, "values", values);
}

// ---- variables

static json_t *sides(const uint64_t *values, unsigned count) {
  json_t *list = json_array();
  for (unsigned d = 0; d < count; d++) {
    json_array_append_new(list, json_integer((json_int_t)values[d]));
  }
  return list;
}

static void shift(json_t *object, const char *name) {
  json_int_t dim = json_integer_value(json_object_get(object, name));
  if (dim >= 0) json_object_set_new(object, name, json_integer(dim + 1));
}

// Time has become the first dimension.
static void add_time_dim(json_t *variable, const ra_zarr_spec *zarr) {
  size_t i;
  json_t *extra;
  json_array_insert_new(json_object_get(variable, "dims"), 0, json_string(zarr->dimension_names[0]));
  shift(variable, "y_dim");
  shift(variable, "x_dim");
  json_array_foreach(json_object_get(variable, "extra"), i, extra) shift(extra, "dim");
  json_object_set_new(variable, "time_dim", json_integer(0));
}

static void set_variable(json_t *variable, const ra__segment_array *array) {
  static const char *const CELLS[] = {"statistics", "histogram", "p2", "p98"};
  const ra_zarr_spec *zarr = &array->zarr;
  for (size_t i = 0; i < sizeof CELLS / sizeof *CELLS; i++) json_object_del(variable, CELLS[i]);
  if (json_array_size(json_object_get(variable, "dims")) < zarr->ndim) add_time_dim(variable, zarr);
  json_object_set_new(variable, "shape", sides(zarr->shape, zarr->ndim));
  json_object_set_new(variable, "dtype", json_string(ra_dtype_name(zarr->dtype)));
  json_object_set_new(variable, "zarr",
                      json_pack("{s:o,s:o,s:i}", "chunk", sides(zarr->chunk, zarr->ndim), "shard",
                                sides(zarr->shard, zarr->ndim), "format", (int)zarr->format));
  if (!array->decode) return;
  json_object_set_new(variable, "packing",
                      json_pack("{s:i,s:i,s:[],s:n,s:n}", "scale", 1, "offset", 0, "missing",
                                "valid_min", "valid_max"));
  json_object_set_new(variable, "nodata", json_string("NaN"));
}

static void set_variables(const ra__segment *segment, json_t *list) {
  for (size_t i = json_array_size(list); i-- > 0;) {
    json_t *variable = json_array_get(list, i);
    const ra__segment_array *array =
        find_array(segment, json_string_value(json_object_get(variable, "name")));
    if (array) {
      set_variable(variable, array);
    } else {
      json_array_remove(list, i);
    }
  }
}

// ---- all

static void set_head(const ra__segment *segment, json_t *body) {
  char name[64];
  snprintf(name, sizeof name, "%zu datasets", segment->member_count);
  json_object_set_new(body, "dataset", json_string("segments"));
  json_object_set_new(body, "version", json_string(segment->options->version));
  json_object_set_new(body, "fingerprint", json_string(""));
  json_object_set_new(body, "created", json_string(segment->options->created));
  json_object_set_new(body, "source",
                      json_pack("{s:s,s:s,s:i}", "name", name, "format", "segment", "store_format",
                                (int)segment->format));
}

int ra__segment_body(const ra__segment *segment, ra_str *out, ra_err *err) {
  size_t size;
  const char *text = ra_dataset_body(segment->stores[segment->newest].dataset, &size);
  json_t *body = json_loadb(text, size, 0, NULL);
  if (!body) return ra_fail(err, RA_E_CORRUPT, "", "the body of a dataset is not JSON");
  set_head(segment, body);
  for (size_t k = 0; k < segment->axis_count; k++) {
    set_axis(json_array_get(json_object_get(body, "axes"), k), &segment->axes[k]);
  }
  set_variables(segment, json_object_get(body, "variables"));
  char *made = json_dumps(body, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17));
  if (made) ra_str_add(out, made);
  free(made);
  json_decref(body);
  return made && !out->failed ? RA_OK : ra_fail(err, RA_E_NOMEM, "", "out of memory for a body");
}

void ra__segment_members(const ra__segment *segment, ra_str *out) {
  uint64_t *at = calloc(segment->axis_count + 1, sizeof *at);
  out->failed |= !at;
  ra_str_add_char(out, '[');
  for (size_t i = 0; at && i < segment->member_count; i++) {
    const ra_segment_member *member = &segment->members[i];
    ra_str_add(out, i ? ",\n{\"dataset\":" : "\n{\"dataset\":");
    ra_str_add_json(out, member->dataset);
    ra_str_addf(out, ",\"version\":\"%s\",\"steps\":[", member->version);
    for (size_t k = 0; k < segment->axis_count; k++) {
      ra_str_addf(out, "%s[%llu,%zu]", k ? "," : "", (unsigned long long)at[k], member->count[k]);
      at[k] += member->count[k];
    }
    ra_str_add(out, "]}");
  }
  ra_str_add(out, "]");
  free(at);
}
