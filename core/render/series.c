// series.c - the plan of a series request: what each variable has in each segment, the stores that hold it, where the
// points fall, what it costs; then reading and writing, a variable at a time.
#include "render/series.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "render/series_impl.h"

void ra_series_request_deinit(ra_series_request *request) {
  size_t count = (size_t)request->variable_count * request->segment_count;
  for (size_t i = 0; i < count && request->parts; i++) {
    ra_dataset_unref(request->parts[i].dataset);
    free(request->parts[i].steps);
  }
  for (unsigned i = 0; request->fallbacks && i < request->fallback_count; i++)
    ra_dataset_unref(request->fallbacks[i].dataset);
  free(request->fallbacks);
  free(request->parts);
  free(request->points);
  free(request->collection);
  *request = (ra_series_request){0};
}

static const ra_series_part *part_at(const ra_series_request *request, unsigned v, unsigned s) {
  const ra_series_part *part = &request->parts[(size_t)v * request->segment_count + s];
  return part->dataset ? part : NULL;
}

// ---- cost from tables: chunks as the catalog has them, or as ingest plans them

static void planned_chunk(const ra_series_part *part, ra_zarr_spec *spec) {
  const ra_dataset_variable *variable = part->variable;
  *spec = (ra_zarr_spec){
      .format = variable->array.format, .dtype = variable->dtype, .ndim = variable->ndim};
  memcpy(spec->shape, variable->shape, variable->ndim * sizeof *spec->shape);
  memcpy(spec->chunk, variable->array.chunk, variable->ndim * sizeof *spec->chunk);
  if (!ra_dataset_store(part->dataset)) {  // an image: a block of the larger kind
    for (unsigned i = 0; i < spec->ndim; i++) spec->chunk[i] = 1;
    spec->chunk[variable->y_dim] = spec->chunk[variable->x_dim] = 512;
  } else if (spec->ndim && !spec->chunk[0])
    ra_zarr_plan(spec, variable->time_dim, variable->y_dim, variable->x_dim);
}

static uint64_t saturated(uint64_t a, uint64_t b) {
  uint64_t product;
  return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

static void add_planned(const ra_series_request *request, const ra_series_part *part,
                        uint64_t *chunks, uint64_t *bytes) {
  ra_zarr_spec spec;
  const ra_dataset_variable *variable = part->variable;
  planned_chunk(part, &spec);
  uint64_t along = 1, size = ra_dtype_size(variable->dtype);
  if (variable->time_dim >= 0) along = part->step_count / spec.chunk[variable->time_dim] + 1;
  for (unsigned i = 0; i < spec.ndim; i++) size = saturated(size, spec.chunk[i]);
  uint64_t cells = (uint64_t)request->point_count * (request->bilinear ? 4 : 1);
  uint64_t count = saturated(cells, along), total = saturated(count, size);
  if (__builtin_add_overflow(*chunks, count, chunks)) *chunks = UINT64_MAX;
  if (__builtin_add_overflow(*bytes, total, bytes)) *bytes = UINT64_MAX;
}

int ra_series_cost(const ra_series_request *request, uint64_t *chunks, uint64_t *bytes, ra_err *err) {
  *chunks = *bytes = 0;
  for (unsigned v = 0; v < request->variable_count; v++) {
    for (unsigned s = 0; s < request->segment_count; s++) {
      const ra_series_part *part = part_at(request, v, s);
      if (!part) continue;
      if (part->variable->ndim > RA_ZARR_DIMS) {
        return ra_fail(err, RA_E_INTERNAL, part->variable->name, "%u dimensions",
                       part->variable->ndim);
      }
      add_planned(request, part, chunks, bytes);
    }
  }
  return RA_OK;
}

// ---- times

static bool same_times(const ra_series_part *a, const ra_series_part *b) {
  const ra_dataset_axis *x = a->variable->axis, *y = b->variable->axis;
  if (a->step_count != b->step_count || !x != !y) return false;
  if (!x || (x == y && !a->steps && !b->steps)) return true;
  if (x->calendar != y->calendar) return false;
  for (size_t i = 0; i < a->step_count; i++) {
    if (x->ms[ra__series_step(a, i)] != y->ms[ra__series_step(b, i)]) return false;
  }
  return true;
}

const ra_series_part *ra__series_part_at(const ra__series *self, unsigned v, unsigned s) {
  return part_at(self->request, v, s);
}

static const ra_series_part *any_part(const ra_series_request *request, unsigned s) {
  for (unsigned v = 0; v < request->variable_count; v++) {
    const ra_series_part *part = part_at(request, v, s);
    if (part) return part;
  }
  return NULL;
}

static bool times_are_shared(const ra_series_request *request) {
  for (unsigned s = 0; s < request->segment_count; s++) {
    const ra_series_part *reference = any_part(request, s);
    for (unsigned v = 0; v < request->variable_count; v++) {
      const ra_series_part *part = part_at(request, v, s);
      if (part && !same_times(part, reference)) return false;
    }
  }
  return true;
}

const ra_series_part *ra__series_clock(const ra__series *self, unsigned v, unsigned s) {
  const ra_series_part *part = part_at(self->request, v, s);
  return part || !self->shared ? part : any_part(self->request, s);
}

// ---- plan

static int check_part(const ra_series_part *part, ra_err *err) {
  const ra_dataset_variable *variable = part->variable;
  size_t steps = variable->axis ? variable->axis->count : 1;
  if (!variable->grid || variable->y_dim < 0 || variable->x_dim < 0) {
    return ra_fail(err, RA_E_INVALID, "variable",
                   "the variable %s has no place on Earth: it lies on no grid", variable->name);
  }
  for (size_t i = 0; i < part->step_count; i++) {
    if (ra__series_step(part, i) < steps) continue;
    return ra_fail(err, RA_E_INTERNAL, variable->name, "step %zu of %zu", ra__series_step(part, i),
                   steps);
  }
  for (unsigned i = 0; i < variable->extra_count; i++) {
    if (part->extra[i] < variable->extra[i].size) continue;
    return ra_fail(err, RA_E_INTERNAL, variable->name, "index %zu of %s", part->extra[i],
                   variable->extra[i].name);
  }
  return RA_OK;
}

static int plan_store(ra__series *self, ra__series_store *store, ra_err *err) {
  int rc = ra__series_open(self, store, err);
  return rc < 0 ? rc : ra__series_locate(self, store, err);
}

static int plan_line(ra__series *self, unsigned v, ra_err *err) {
  ra__series_line *line = &self->lines[v];
  *line = (ra__series_line){.single = true};
  for (unsigned s = 0; s < self->request->segment_count; s++) {
    const ra_series_part *part = part_at(self->request, v, s);
    const ra_series_part *clock = ra__series_clock(self, v, s);
    if (clock && !ra_size_add(line->count, clock->step_count, &line->count)) {
      return ra_fail(err, RA_E_TOOBIG, "datetime", "too many steps");
    }
    if (!part) continue;
    if (!line->first) line->first = part;
    if (ra_packing_value_dtype(part->variable->dtype) != RA_DTYPE_F32) line->single = false;
    int rc = check_part(part, err);
    if (rc < 0) return rc;
  }
  if (line->first) return RA_OK;
  return ra_fail(err, RA_E_NOTFOUND, "variable", "variable number %u is in none of the datasets",
                 v + 1);
}

// Every point has to lie on some variable's grid.
static int check_points(const ra__series *self, ra_err *err) {
  for (unsigned p = 0; p < self->request->point_count; p++) {
    bool held = false;
    for (unsigned v = 0; v < self->request->variable_count && !held; v++) {
      held = ra__series_cell_of(self, v, p) != NULL;
    }
    if (held) continue;
    const double *b = self->lines[0].first->variable->grid->bbox;
    const ra_series_point *at = &self->request->points[p];
    return ra_fail(err, RA_E_INVALID, "lon, lat",
                   "the place %.10g, %.10g lies outside of the data's bbox %.6g, %.6g, %.6g, %.6g",
                   at->lon, at->lat, b[0], b[1], b[2], b[3]);
  }
  return RA_OK;
}

static int check_cost(const ra__series *self, ra_err *err) {
  uint64_t chunks = 0, bytes = 0, numbers = 0, limit = self->request->max_bytes;
  for (unsigned v = 0; v < self->request->variable_count; v++) {
    numbers += saturated(self->lines[v].count, self->request->point_count);
  }
  for (size_t i = 0; i < self->store_count; i++) {
    ra__series_add_cost(&self->stores[i], &chunks, &bytes);
  }
  if (bytes <= limit && saturated(numbers, 16) <= limit) return RA_OK;
  return ra_fail(err, RA_E_TOOBIG, "",
                 "this series reads %llu chunks of %llu bytes in all for %llu values, and one "
                 "request may take "
                 "%llu bytes; ask for fewer points or variables, or a shorter datetime interval",
                 (unsigned long long)chunks, (unsigned long long)bytes, (unsigned long long)numbers,
                 (unsigned long long)limit);
}

static int allocate_values(ra__series *self, ra_err *err) {
  size_t most = 1;
  for (unsigned v = 0; v < self->request->variable_count; v++) {
    if (self->lines[v].count > most) most = self->lines[v].count;
  }
  // In bounds: check_cost has multiplied them.
  size_t n = most * (self->request->point_count ? self->request->point_count : 1);
  self->values = calloc(n, sizeof *self->values);
  if (self->request->bilinear) self->weights = calloc(n, sizeof *self->weights);
  if (self->values && (self->weights || !self->request->bilinear)) return RA_OK;
  return ra_fail(err, RA_E_NOMEM, "", "no memory for %zu values", n);
}

static int compare_datasets(const void *a, const void *b) {
  uintptr_t x = (uintptr_t)((const ra__series_store *)a)->part->dataset;
  uintptr_t y = (uintptr_t)((const ra__series_store *)b)->part->dataset;
  return (x > y) - (x < y);
}

// Several variables of one dataset lie in one store.
static uint64_t count_stores(const ra__series *self) {
  ra__series_store *copy = malloc((self->store_count + 1) * sizeof *copy);
  uint64_t count = 0;
  if (!copy) return 0;
  memcpy(copy, self->stores, self->store_count * sizeof *copy);
  qsort(copy, self->store_count, sizeof *copy, compare_datasets);
  for (size_t i = 0; i < self->store_count; i++) {
    count += !i || copy[i].part->dataset != copy[i - 1].part->dataset;
  }
  free(copy);
  return count;
}

static int make_plan(ra__series *self, ra_err *err) {
  int rc = RA_OK;
  self->lines = calloc(self->request->variable_count, sizeof *self->lines);
  if (!self->lines) return ra_fail(err, RA_E_NOMEM, "", "no memory for a series");
  self->shared = times_are_shared(self->request);
  for (unsigned v = 0; v < self->request->variable_count && rc == RA_OK; v++) {
    rc = plan_line(self, v, err);
  }
  if (rc == RA_OK) rc = ra__series_list_stores(self, err);
  for (size_t i = 0; i < self->store_count && rc == RA_OK; i++) {
    rc = plan_store(self, &self->stores[i], err);
  }
  if (rc == RA_OK) rc = check_points(self, err);
  if (rc == RA_OK) rc = check_cost(self, err);
  if (rc == RA_OK) rc = allocate_values(self, err);
  if (rc == RA_OK) self->timing->stores += count_stores(self);
  return rc;
}

static void free_plan(ra__series *self) {
  for (size_t i = 0; i < self->place_count; i++) ra__series_places_free(self->places[i]);
  free(self->places);
  ra__series_free_stores(self);
  free(self->lines);
  free(self->values);
  free(self->weights);
}

int ra_series_render(ra_render_context *context, const ra_series_request *request,
                     ra_cancel *cancel, ra_timing *timing, ra_buf **out, ra_err *err) {
  *out = NULL;
  if (!request->variable_count || !request->point_count || !request->segment_count) {
    return ra_fail(err, RA_E_NOTFOUND, "", "no step of any dataset is asked for");
  }
  ra_timing unused = {0};
  ra__series self = {
      .context = context, .request = request, .cancel = cancel, .timing = timing ? timing : &unused};
  ra_str text;
  ra_str_init(&text);
  int rc = make_plan(&self, err);
  if (rc == RA_OK) {
    rc = request->format == RA_SERIES_CSV       ? ra__series_csv(&self, &text, err)
         : request->format == RA_SERIES_COVJSON ? ra__series_covjson(&self, &text, err)
                                                : ra__series_json(&self, &text, err);
  }
  free_plan(&self);
  if (rc == RA_OK) return ra_str_take(&text, out, err);
  ra_str_deinit(&text);
  return rc;
}
