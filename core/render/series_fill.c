// series_fill.c - values that the chosen steps lack, from other datasets or runs that have the same time: the first that
// has a value wins, as for a map's pixels. Each step asks at most as many as a map is drawn from.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "render/series_impl.h"

// One place along the line: its time, and the step that was chosen for it.
typedef struct place {
  int64_t ms;  // RA_TIME_NONE: no time
  const ra_dataset *dataset;
  size_t step;
  unsigned asked;
} place;

typedef struct filling {
  ra__series *self;
  unsigned line;
  size_t count;  // of places
  place *places;
  ra__series_entry *entries;
  double *values, *weights;  // the scratch that a fallback is read into
} filling;

static void list_places(filling *f) {
  size_t at = 0;
  for (unsigned s = 0; s < f->self->request->segment_count; s++) {
    const ra_series_part *part = ra__series_part_at(f->self, f->line, s);
    const ra_series_part *clock = ra__series_clock(f->self, f->line, s);
    for (size_t i = 0; clock && i < clock->step_count; i++, at++) {
      const ra_dataset_axis *axis = clock->variable->axis;
      f->places[at] = (place){axis ? axis->ms[ra__series_step(clock, i)] : RA_TIME_NONE,
                              part ? part->dataset : NULL, part ? ra__series_step(part, i) : 0, 1};
    }
  }
}

static bool lacks(const filling *f, size_t at) {
  for (unsigned p = 0; p < f->self->request->point_count; p++)
    if (isnan(f->self->values[(size_t)p * f->count + at])) return true;
  return false;
}

// The entries that a fallback may fill.
static size_t list_entries(filling *f, const ra_series_fallback *from) {
  const ra_dataset_axis *axis = from->variable->axis;
  size_t n = 0, step;
  for (size_t at = 0; axis && at < f->count; at++) {
    place *here = &f->places[at];
    if (here->ms == RA_TIME_NONE || here->asked >= RA_TILE_SOURCES || !lacks(f, at)) continue;
    if (!ra_dataset_axis_find(axis, here->ms, RA_TIME_EXACT, from->run, &step)) continue;
    if (here->dataset == from->dataset && here->step == step) continue;
    here->asked++;
    f->entries[n++] = (ra__series_entry){step, at};
  }
  return n;
}

static void clear(const filling *f, const ra__series_store *store) {
  for (unsigned p = 0; p < f->self->request->point_count; p++) {
    for (size_t i = 0; i < store->entry_count; i++) {
      size_t at = (size_t)p * f->count + store->entries[i].at;
      f->values[at] = f->weights ? 0 : NAN;
      if (f->weights) f->weights[at] = 0;
    }
  }
}

static void take(const filling *f, const ra__series_store *store) {
  for (unsigned p = 0; p < f->self->request->point_count; p++) {
    for (size_t i = 0; i < store->entry_count; i++) {
      size_t at = (size_t)p * f->count + store->entries[i].at;
      double value = f->values[at];
      if (f->weights) value = f->weights[at] > 1e-9 ? value / f->weights[at] : NAN;
      if (isnan(f->self->values[at])) f->self->values[at] = value;
    }
  }
}

static int check_cost(filling *f, const ra__series_store *store, ra_err *err) {
  uint64_t chunks = 0, limit = f->self->request->max_bytes;
  ra__series_add_cost(store, &chunks, &f->self->filled_bytes);
  if (f->self->filled_bytes <= limit) return RA_OK;
  return ra_fail(err, RA_E_TOOBIG, "",
                 "the places that this series asks for have no value in many datasets of the same "
                 "time, and one request may read %llu bytes of others; ask for fewer points, a "
                 "shorter datetime interval, or one run",
                 (unsigned long long)limit);
}

// Reads with the scratch in place of the line's values.
static int read_scratch(filling *f, ra__series_store *store, ra_err *err) {
  ra__series *self = f->self;
  double *values = self->values, *weights = self->weights;
  clear(f, store);
  self->values = f->values;
  self->weights = f->weights;
  int rc = ra__series_read_store(self, store, err);
  self->values = values;
  self->weights = weights;
  if (rc == RA_OK) take(f, store);
  return rc;
}

static int ask(filling *f, const ra_series_fallback *from, ra_err *err) {
  ra_series_part part = {.dataset = from->dataset, .variable = from->variable};
  memcpy(part.extra, from->extra, sizeof part.extra);
  ra__series_store store = {.part = &part, .line = f->line, .entries = f->entries};
  store.entry_count = list_entries(f, from);
  if (!store.entry_count) return RA_OK;
  ra__series_sort_entries(&store);
  int rc = ra__series_open(f->self, &store, err);
  if (rc == RA_OK) rc = ra__series_locate(f->self, &store, err);
  if (rc == RA_OK) rc = check_cost(f, &store, err);
  if (rc == RA_OK) rc = read_scratch(f, &store, err);
  ra__series_close(&store);
  return rc;
}

static int allocate(filling *f, ra_err *err) {
  size_t n = f->count * f->self->request->point_count;  // in bounds: so large are the values
  f->places = calloc(f->count + 1, sizeof *f->places);
  f->entries = calloc(f->count + 1, sizeof *f->entries);
  f->values = calloc(n + 1, sizeof *f->values);
  if (f->self->weights) f->weights = calloc(n + 1, sizeof *f->weights);
  if (f->places && f->entries && f->values && (f->weights || !f->self->weights)) return RA_OK;
  return ra_fail(err, RA_E_NOMEM, "", "no memory for %zu values", n);
}

static bool has_fallback(const ra_series_request *request, unsigned v) {
  for (unsigned i = 0; i < request->fallback_count; i++)
    if (request->fallbacks[i].line == v) return true;
  return false;
}

int ra__series_fill(ra__series *self, unsigned v, ra_err *err) {
  const ra_series_request *request = self->request;
  filling f = {.self = self, .line = v, .count = self->lines[v].count};
  if (!has_fallback(request, v)) return RA_OK;
  int rc = allocate(&f, err);
  if (rc == RA_OK) list_places(&f);
  for (unsigned i = 0; rc == RA_OK && i < request->fallback_count; i++)
    if (request->fallbacks[i].line == v) rc = ask(&f, &request->fallbacks[i], err);
  free(f.places);
  free(f.entries);
  free(f.values);
  free(f.weights);
  return rc;
}
