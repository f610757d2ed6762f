// segment_plan.c - which arrays a segment has. Those along a time axis are joined; those without time are the newest
// store's, and data among them only where all stores hold the same. What the stores pack unlike is decoded to floats.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "ingest/segment_private.h"

static int no_memory(const char *name, ra_err *err) {
  return ra_fail(err, RA_E_NOMEM, name, "out of memory for the plan of a segment");
}

// ---- along which axis

// Does something in group `outer` hold for what is in `path`? "" is the root.
static bool in_group(const char *path, const char *outer, size_t length) {
  return length == 0 || (!strncmp(path, outer, length) && path[length] == '/');
}

static const char *axis_dim(const ra_dataset *dataset, int axis) {
  for (size_t i = 0; i < ra_dataset_variable_count(dataset); i++) {
    const ra_dataset_variable *variable = ra_dataset_get_variable(dataset, i);
    if (variable->axis_index == axis && variable->time_dim >= 0)
      return variable->dims[variable->time_dim];
  }
  return NULL;
}

// The dimension of a node that is this axis's; -1: none.
static int dim_of(const json_t *node, const char *path, const ra_dataset *dataset, int axis) {
  const ra_dataset_axis *own = ra_dataset_get_axis(dataset, (size_t)axis);
  const char *wanted = axis_dim(dataset, axis), *slash = strrchr(own->name, '/');
  const json_t *names = json_object_get(node, "dimension_names");
  const json_t *shape = json_object_get(node, "shape");
  if (!in_group(path, own->name, slash ? (size_t)(slash - own->name) : 0)) return -1;
  for (size_t d = 0; d < json_array_size(names); d++) {
    const char *name = json_string_value(json_array_get(names, d));
    json_int_t size = json_integer_value(json_array_get(shape, d));
    if (wanted && name && !strcmp(name, wanted) && (size_t)size == own->count) return (int)d;
  }
  return !strcmp(path, own->name) && json_array_size(shape) == 1 && own->count == 1 ? 0 : -1;
}

// An axis without a dimension: is this its coordinate, or the coordinate's bounds?
static bool is_scalar_time(const ra__segment *segment, size_t store, const char *path, int axis) {
  const ra_dataset_axis *own = ra_dataset_get_axis(segment->stores[store].dataset, (size_t)axis);
  if (!strcmp(path, own->name)) return true;
  const json_t *coordinate = ra__segment_node(segment, store, own->name);
  return !strcmp(ra__segment_text(coordinate, "bounds"), path);
}

// The axis that an array of a store lies along, and its dimension there (-1 for a scalar time); axis -1: none.
static int axis_of(const ra__segment *segment, size_t store, const char *path, int *dim) {
  const ra_dataset *dataset = segment->stores[store].dataset;
  const ra_dataset_variable *variable = ra_dataset_find_variable(dataset, path);
  const json_t *node = ra__segment_node(segment, store, path);
  *dim = -1;
  if (variable && variable->axis) {
    *dim = variable->time_dim;
    return variable->axis_index;
  }
  for (int k = 0; k < (int)segment->axis_count; k++) {
    *dim = dim_of(node, path, dataset, k);
    if (*dim >= 0) return k;
    if (!axis_dim(dataset, k) && is_scalar_time(segment, store, path, k)) return k;
  }
  return -1;
}

// ---- attributes

// A fill value above 2^63 - 1 has been read as a text (ra_json_load).
static void unquote_fill(char *text) {
  static const char NAME[] = "\"_FillValue\":\"";
  char *at = text ? strstr(text, NAME) : NULL;
  if (!at) return;
  at += sizeof NAME - 2;
  size_t digits = strspn(at + 1, "0123456789");
  if (digits < 19 || at[1 + digits] != '"') return;
  memmove(at, at + 1, digits);
  memmove(at + digits, at + digits + 2, strlen(at + digits + 2) + 1);
}

const char *ra__segment_attributes(ra__segment *segment, const json_t *node,
                                   const char *const *drop, const char *more) {
  json_t *copy = json_deep_copy(json_object_get(node, "attributes"));
  for (; drop && copy && *drop; drop++) json_object_del(copy, *drop);
  char *text = json_dumps(copy, JSON_COMPACT | JSON_REAL_PRECISION(17));
  unquote_fill(text);
  size_t length = text ? strlen(text) : 2;
  bool both = length > 2 && *more;
  const char *made = ra_arena_printf(&segment->arena, "%.*s%s%s", text ? (int)length - 2 : 0,
                                     text ? text + 1 : "", both ? "," : "", more);
  free(text);
  json_decref(copy);
  return made;
}

// ---- shapes

static void read_fill(const json_t *node, ra_zarr_spec *zarr) {
  const json_t *fill = json_object_get(node, "fill_value");
  const char *text = json_string_value(fill);
  zarr->has_fill = fill && !json_is_null(fill);
  zarr->fill_int = text && zarr->dtype == RA_DTYPE_U64 ? (int64_t)strtoull(text, NULL, 10)
                                                       : json_integer_value(fill);
  zarr->fill = json_number_value(fill);
  if (text && ra_dtype_is_float(zarr->dtype))
    zarr->fill = !strcmp(text, "NaN") ? NAN : *text == '-' ? -INFINITY : INFINITY;
}

static const char *dim_name(const json_t *node, unsigned d) {
  return json_string_value(json_array_get(json_object_get(node, "dimension_names"), d));
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

// The newest store's shape, with all steps; a new first dimension where time is a scalar.
static bool shape_of(const ra__segment *segment, const json_t *node, const ra_zarr_info *info,
                     int dim, ra__segment_array *array) {
  ra_zarr_spec *zarr = &array->zarr;
  unsigned more = array->axis >= 0 && dim < 0;
  if (info->ndim + more > RA_ZARR_DIMS) return false;
  zarr->dtype = info->dtype;
  zarr->ndim = info->ndim + more;
  array->time_dim = dim > 0 ? (unsigned)dim : 0;
  for (unsigned d = 0; d < info->ndim; d++) {
    zarr->shape[d + more] = info->shape[d];
    zarr->dimension_names[d + more] = dim_name(node, d);
  }
  if (array->axis < 0) return true;
  zarr->shape[array->time_dim] = segment->axes[array->axis].total;
  if (!more) return true;
  const ra_dataset *newest = segment->stores[segment->newest].dataset;
  zarr->dimension_names[0] = base_name(ra_dataset_get_axis(newest, (size_t)array->axis)->name);
  for (unsigned d = 1; d < zarr->ndim; d++) {
    const char *name = zarr->dimension_names[d];
    if (name && !strcmp(name, zarr->dimension_names[0])) return false;
  }
  return true;
}

static bool fits(const ra__segment_array *array, const ra_zarr_info *info) {
  const ra_zarr_spec *zarr = &array->zarr;
  unsigned lacks = zarr->ndim - info->ndim;
  if (info->ndim > zarr->ndim || lacks > 1 || (lacks && (array->axis < 0 || array->time_dim)))
    return false;
  for (unsigned d = lacks; d < zarr->ndim; d++) {
    if (array->axis >= 0 && d == array->time_dim) continue;
    if (info->shape[d - lacks] != zarr->shape[d]) return false;
  }
  return true;
}

// Parses the array in every store; false: some lacks it, or has another shape.
static bool open_sources(ra__segment *segment, const char *path, ra__segment_array *array) {
  array->sources = ra_arena_calloc(&segment->arena, segment->store_count, sizeof(ra_zarr_array *));
  for (size_t i = 0; array->sources && i < segment->store_count; i++) {
    const json_t *node = ra__segment_node(segment, i, path);
    int dim;
    if (!node || ra__segment_parse(node, path, &array->sources[i], NULL) < 0) return false;
    if (!fits(array, ra_zarr_array_info(array->sources[i]))) return false;
    if (axis_of(segment, i, path, &dim) != array->axis) return false;
  }
  return array->sources;
}

static void drop_sources(const ra__segment *segment, ra__segment_array *array) {
  for (size_t i = 0; array->sources && i < segment->store_count; i++) {
    ra_zarr_array_unref(array->sources[i]);
    array->sources[i] = NULL;
  }
}

// ---- packing

static bool same_number(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static bool has_missing(const ra_packing *packing, double value) {
  for (unsigned i = 0; i < packing->missing_count; i++) {
    if (same_number(packing->missing[i], value)) return true;
  }
  return false;
}

static bool same_packing(const ra_dataset_variable *a, const ra_dataset_variable *b) {
  const ra_packing *x = &a->packing, *y = &b->packing;
  if (a->dtype != b->dtype || x->scale != y->scale || x->offset != y->offset) return false;
  if (x->has_valid_min != y->has_valid_min || x->has_valid_max != y->has_valid_max) return false;
  if (x->has_valid_min && x->valid_min != y->valid_min) return false;
  if (x->has_valid_max && x->valid_max != y->valid_max) return false;
  for (unsigned i = 0; i < x->missing_count; i++) {
    if (!has_missing(y, x->missing[i])) return false;
  }
  return x->missing_count == y->missing_count;
}

static const char *const PACKING[] = {"scale_factor",  "add_offset", "_FillValue",
                                      "missing_value", "valid_min",  "valid_max",
                                      "valid_range",   "_Unsigned",  NULL};

// Decodes where the stores pack unlike; false without memory.
static bool plan_packing(ra__segment *segment, const json_t *node, ra__segment_array *array) {
  const ra_dataset_variable **list =
      ra_arena_calloc(&segment->arena, segment->store_count, sizeof *list);
  bool same = true, wide = false;
  for (size_t i = 0; list && i < segment->store_count; i++) {
    list[i] = ra_dataset_find_variable(segment->stores[i].dataset, array->zarr.name);
    if (!list[i]) return false;
    same = same && same_packing(list[i], list[0]);
    wide = wide || ra_packing_value_dtype(list[i]->dtype) == RA_DTYPE_F64;
  }
  if (!list || same) return list;
  array->decode = list;
  array->zarr.dtype = wide ? RA_DTYPE_F64 : RA_DTYPE_F32;
  array->zarr.has_fill = true;
  array->zarr.fill = NAN;
  ra_str fill;
  ra_str_init(&fill);
  if (segment->format == 3) ra_zarr_fill_attribute(&array->zarr, &fill);
  array->zarr.attributes = ra__segment_attributes(segment, node, PACKING, fill.ptr ? fill.ptr : "");
  ra_str_deinit(&fill);
  return array->zarr.attributes;
}

// ---- without time

// Reads the same box of the array in a store as numbers.
static int read_static(ra__segment *segment, const ra__segment_array *array, size_t store,
                       const char *path, size_t cells, double *out, ra_err *err) {
  const ra_zarr_info *info = ra_zarr_array_info(array->sources[store]);
  const uint64_t start[RA_ZARR_DIMS] = {0};
  ra_packing plain = ra_packing_none();
  ra_str key;
  void *raw = malloc(cells * 8 + 1);
  if (!raw) return no_memory(path, err);
  ra_str_init(&key);
  ra_dataset_zarr_key(segment->stores[store].dataset, path, &key);
  int rc = key.failed ? no_memory(path, err)
                      : ra_zarr_read(array->sources[store], &segment->reader, key.ptr, start,
                                     info->shape, raw, segment->cancel, NULL, err);
  if (rc >= 0) ra_unpack_f64(info->dtype, raw, cells, &plain, false, out);
  ra_str_deinit(&key);
  free(raw);
  return rc;
}

// Coordinates of one grid may differ in their last digits, and in their type.
static bool close_enough(const double *a, const double *b, size_t n, double tolerance) {
  for (size_t i = 0; i < n; i++) {
    if (!same_number(a[i], b[i]) && !(fabs(a[i] - b[i]) <= tolerance * (1 + fabs(a[i]))))
      return false;
  }
  return true;
}

static int compare_static(ra__segment *segment, const ra__segment_array *array, size_t cells,
                          double tolerance, bool *same, ra_err *err) {
  const char *path = array->zarr.name;
  double *first = malloc(16 * cells + 1), *other = first ? first + cells : NULL;
  if (!first) return no_memory(path, err);
  int rc = read_static(segment, array, segment->newest, path, cells, first, err);
  for (size_t i = 0; i < segment->store_count && rc >= 0 && *same; i++) {
    if (i == segment->newest) continue;
    rc = read_static(segment, array, i, path, cells, other, err);
    if (rc >= 0) *same = close_enough(first, other, cells, tolerance);
  }
  free(first);
  return rc;
}

// *keep: all stores hold the same. What is too big to compare in memory stays where it is.
static int check_static(ra__segment *segment, const json_t *node, ra__segment_array *array,
                        bool *keep, ra_err *err) {
  const ra_dataset *newest = segment->stores[segment->newest].dataset;
  bool data = ra_dataset_find_variable(newest, array->zarr.name);
  bool times = ra_time_units_like(ra__segment_text(node, "units"));
  size_t cells = 1, bytes;
  for (unsigned d = 0; d < array->zarr.ndim; d++) {
    if (!ra_size_mul(cells, (size_t)array->zarr.shape[d], &cells)) cells = SIZE_MAX / 64;
  }
  *keep = ra_size_mul(cells, 24, &bytes) && bytes <= segment->job_bytes;
  if (!*keep) return RA_OK;
  int rc = compare_static(segment, array, cells, data || times ? 0 : 1e-6, keep, err);
  if (rc >= 0 && data && *keep) {
    *keep = plan_packing(segment, node, array) && !array->decode;
  }
  return rc;
}

// ---- one array

static void plan_chunks(const ra__segment *segment, int dim, ra__segment_array *array) {
  const ra_dataset *newest = segment->stores[segment->newest].dataset;
  const ra_dataset_variable *variable = ra_dataset_find_variable(newest, array->zarr.name);
  int more = array->axis >= 0 && dim < 0;
  bool mapped = variable && variable->grid && variable->y_dim >= 0 && variable->x_dim >= 0;
  array->y_dim = mapped ? variable->y_dim + more : -1;
  array->x_dim = mapped ? variable->x_dim + more : -1;
  ra_zarr_plan(&array->zarr, array->axis >= 0 ? (int)array->time_dim : -1, array->y_dim,
               array->x_dim);
}

// A job holds the shard's cells twice or three times (stored and decoded), and the shard.
static void limit_shard(const ra__segment *segment, ra_zarr_spec *zarr) {
  for (;;) {
    size_t bytes = 4 * ra_dtype_size(zarr->dtype);
    unsigned widest = 0;
    for (unsigned d = 0; d < zarr->ndim; d++) {
      if (!ra_size_mul(bytes, (size_t)zarr->shard[d], &bytes)) bytes = SIZE_MAX;
      if (zarr->shard[d] / zarr->chunk[d] > zarr->shard[widest] / zarr->chunk[widest]) widest = d;
    }
    uint64_t chunks = zarr->ndim ? zarr->shard[widest] / zarr->chunk[widest] : 1;
    if (bytes <= segment->job_bytes || chunks < 2) return;
    zarr->shard[widest] = (chunks + 1) / 2 * zarr->chunk[widest];
  }
}

static bool attributes_agree(const ra__segment *segment, const char *path) {
  static const char *const names[] = {"units", "calendar", "scale_factor", "add_offset",
                                      "_FillValue"};
  const json_t *newest =
      json_object_get(ra__segment_node(segment, segment->newest, path), "attributes");
  for (size_t i = 0; i < segment->store_count; i++) {
    const json_t *own = json_object_get(ra__segment_node(segment, i, path), "attributes");
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
      json_t *a = json_object_get(newest, names[k]), *b = json_object_get(own, names[k]);
      if (!a != !b || (a && !json_equal(a, b))) return false;
    }
  }
  return true;
}

static bool dtypes_agree(const ra__segment *segment, const ra__segment_array *array) {
  for (size_t i = 0; i < segment->store_count; i++) {
    if (ra_zarr_array_info(array->sources[i])->dtype != array->zarr.dtype) return false;
  }
  return true;
}

// How an array along time is joined; *keep false: it cannot be, and is no data.
static int plan_timed(ra__segment *segment, const json_t *node, ra__segment_array *array,
                      bool whole, bool *keep, ra_err *err) {
  const char *path = array->zarr.name;
  const ra_dataset *newest = segment->stores[segment->newest].dataset;
  if (ra__segment_times_differ(segment, path, array->axis)) {
    *keep = true;
    return ra__segment_encode_times(segment, array, path, err);
  }
  if (ra_dataset_find_variable(newest, path)) {
    *keep = true;
    if (!whole)
      return ra_fail(err, RA_E_CONFLICT, path, "the stores of one segment have it in other shapes");
    return plan_packing(segment, node, array) ? RA_OK : no_memory(path, err);
  }
  *keep = whole && dtypes_agree(segment, array) && attributes_agree(segment, path);
  return RA_OK;
}

static int plan_array(ra__segment *segment, const char *path, const json_t *node, bool *keep,
                      ra__segment_array *array, ra_err *err) {
  ra_zarr_array *parsed = NULL;
  int dim, rc = ra__segment_parse(node, path, &parsed, err);
  if (rc < 0) return rc;
  *array = (ra__segment_array){.y_dim = -1, .x_dim = -1};
  array->zarr.name = ra_arena_strdup(&segment->arena, path);
  array->axis = axis_of(segment, segment->newest, path, &dim);
  array->zarr.format = segment->format;
  array->zarr.attributes = ra__segment_attributes(segment, node, NULL, "");
  bool shaped = shape_of(segment, node, ra_zarr_array_info(parsed), dim, array);
  read_fill(node, &array->zarr);
  ra_zarr_array_unref(parsed);
  if (!array->zarr.name || !array->zarr.attributes) return no_memory(path, err);
  bool whole = shaped && open_sources(segment, path, array);
  *keep = false;
  if (array->axis >= 0 && shaped) {
    rc = plan_timed(segment, node, array, whole, keep, err);
  } else if (whole) {
    rc = check_static(segment, node, array, keep, err);
  }
  if (rc < 0 || !*keep) return rc;
  plan_chunks(segment, dim, array);
  limit_shard(segment, &array->zarr);
  return RA_OK;
}

// ---- all

// Times that the user gave at ingest have no array in the stores.
static int plan_given_times(ra__segment *segment, ra_err *err) {
  const ra_dataset *newest = segment->stores[segment->newest].dataset;
  for (size_t k = 0; k < segment->axis_count; k++) {
    const char *name = ra_dataset_get_axis(newest, k)->name;
    if (ra__segment_node(segment, segment->newest, name)) continue;
    ra__segment_array *array = &segment->arrays[segment->array_count++];
    *array = (ra__segment_array){.axis = (int)k, .y_dim = -1, .x_dim = -1};
    array->zarr.name = ra_arena_strdup(&segment->arena, name);
    if (!array->zarr.name) return no_memory(name, err);
    array->zarr.format = segment->format;
    array->zarr.ndim = 1;
    array->zarr.shape[0] = segment->axes[k].total;
    array->zarr.dimension_names[0] = base_name(array->zarr.name);
    int rc = ra__segment_encode_times(segment, array, name, err);
    if (rc < 0) return rc;
    ra_zarr_plan(&array->zarr, -1, -1, -1);
  }
  return RA_OK;
}

static bool is_coordinate(const ra__segment *segment, const char *path) {
  const ra_dataset *newest = segment->stores[segment->newest].dataset;
  for (size_t k = 0; k < segment->axis_count; k++) {
    if (!strcmp(ra_dataset_get_axis(newest, k)->name, path)) return true;
  }
  return false;
}

// Time coordinates first: bounds follow what is decided about them.
static int plan_nodes(ra__segment *segment, bool coordinates, ra_err *err) {
  const char *path;
  json_t *node;
  json_object_foreach(segment->stores[segment->newest].nodes, path, node) {
    bool keep = false;
    if (!ra__segment_node(segment, segment->newest, path)) continue;
    if (is_coordinate(segment, path) != coordinates) continue;
    ra__segment_array *array = &segment->arrays[segment->array_count];
    int rc = plan_array(segment, path, node, &keep, array, err);
    if (keep && rc >= 0) {
      segment->array_count++;
    } else {
      drop_sources(segment, array);
    }
    if (rc < 0) return rc;
  }
  return RA_OK;
}

int ra__segment_plan(ra__segment *segment, ra_err *err) {
  size_t nodes = json_object_size(segment->stores[segment->newest].nodes);
  segment->arrays =
      ra_arena_calloc(&segment->arena, nodes + segment->axis_count + 1, sizeof *segment->arrays);
  if (!segment->arrays) return no_memory("", err);
  int rc = plan_nodes(segment, true, err);
  if (rc >= 0) rc = plan_given_times(segment, err);
  return rc < 0 ? rc : plan_nodes(segment, false, err);
}
