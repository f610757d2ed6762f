// series_store.c - from parts in time order to stores: each store is opened once and read in the order of its steps, also
// where the plan goes to it and back (an override in the middle of a segment, sets of variables that take turns).
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "render/series_impl.h"

// ---- finding

static bool same_store(const ra__series_store *store, const ra_series_part *part, unsigned line) {
  return store->line == line && store->part->dataset == part->dataset &&
         store->part->variable == part->variable &&
         !memcmp(store->part->extra, part->extra, sizeof part->extra);
}

static uint64_t mix(uint64_t x) {
  x ^= x >> 31;
  x *= 0x9e3779b97f4a7c15u;
  return x ^ x >> 29;
}

// The index of the part's store, which is made when it is new.
static size_t store_of(ra__series *self, const ra_series_part *part, unsigned line) {
  size_t mask = self->slot_count - 1;
  uint64_t hash = mix((uintptr_t)part->dataset ^ mix((uintptr_t)part->variable + line));
  for (size_t at = hash & mask;; at = (at + 1) & mask) {
    size_t index = self->slots[at];
    if (index && same_store(&self->stores[index - 1], part, line)) return index - 1;
    if (index) continue;
    self->slots[at] = (uint32_t)self->store_count + 1;
    self->stores[self->store_count] = (ra__series_store){.part = part, .line = line};
    return self->store_count++;
  }
}

// ---- entries

typedef struct walk {
  ra__series *self;
  size_t *store_at;  // of each part, [variable][segment]
  void (*each)(struct walk *walk, ra__series_store *store, const ra_series_part *part, size_t at);
} walk;

// Calls for each part of all lines; `at` is its first step's place in the line.
static void each_part(walk *w) {
  const ra_series_request *request = w->self->request;
  for (unsigned v = 0; v < request->variable_count; v++) {
    size_t at = 0;
    for (unsigned s = 0; s < request->segment_count; s++) {
      const ra_series_part *part = ra__series_part_at(w->self, v, s);
      const ra_series_part *clock = ra__series_clock(w->self, v, s);
      size_t *index = &w->store_at[(size_t)v * request->segment_count + s];
      if (part && !w->each) *index = store_of(w->self, part, v);
      if (part && w->each) w->each(w, &w->self->stores[*index], part, at);
      if (clock) at += clock->step_count;
    }
  }
}

static void count_entries(walk *w, ra__series_store *store, const ra_series_part *part, size_t at) {
  (void)w;
  (void)at;
  store->entry_count += part->step_count;
}

static void add_entries(walk *w, ra__series_store *store, const ra_series_part *part, size_t at) {
  (void)w;
  for (size_t i = 0; i < part->step_count; i++) {
    store->entries[store->entry_count++] = (ra__series_entry){ra__series_step(part, i), at + i};
  }
}

static int by_step(const void *a, const void *b) {
  const ra__series_entry *x = a, *y = b;
  return x->step != y->step ? (x->step < y->step ? -1 : 1) : (x->at > y->at) - (x->at < y->at);
}

void ra__series_sort_entries(ra__series_store *store) {
  for (size_t i = 1; i < store->entry_count; i++) {
    if (store->entries[i].step >= store->entries[i - 1].step) continue;
    qsort(store->entries, store->entry_count, sizeof *store->entries, by_step);
    return;
  }
}

static int list_entries(walk *w, ra_err *err) {
  ra__series *self = w->self;
  size_t total = 0;
  w->each = count_entries;
  each_part(w);
  for (size_t i = 0; i < self->store_count; i++) {
    if (!ra_size_add(total, self->stores[i].entry_count, &total)) total = SIZE_MAX / 32;
  }
  self->entries = calloc(total ? total : 1, sizeof *self->entries);
  if (!self->entries) return ra_fail(err, RA_E_NOMEM, "", "no memory for %zu steps", total);
  size_t first = 0;
  for (size_t i = 0; i < self->store_count; i++) {
    self->stores[i].entries = self->entries + first;
    first += self->stores[i].entry_count;
    self->stores[i].entry_count = 0;
  }
  w->each = add_entries;
  each_part(w);
  for (size_t i = 0; i < self->store_count; i++) ra__series_sort_entries(&self->stores[i]);
  return RA_OK;
}

int ra__series_list_stores(ra__series *self, ra_err *err) {
  const ra_series_request *request = self->request;
  size_t parts = (size_t)request->variable_count * request->segment_count;
  self->slot_count = 16;
  while (self->slot_count < 2 * parts) self->slot_count *= 2;
  self->slots = calloc(self->slot_count, sizeof *self->slots);
  self->stores = calloc(parts, sizeof *self->stores);
  self->places = calloc(parts + request->fallback_count, sizeof(ra__series_places *));
  walk w = {.self = self, .store_at = calloc(parts, sizeof *w.store_at)};
  int rc;
  if (self->slots && self->stores && self->places && w.store_at) {
    each_part(&w);
    rc = list_entries(&w, err);
  } else {
    rc = ra_fail(err, RA_E_NOMEM, "", "no memory for a series of %zu parts", parts);
  }
  free(w.store_at);
  return rc;
}

void ra__series_free_stores(ra__series *self) {
  for (size_t i = 0; i < self->store_count; i++) {
    ra__series_close(&self->stores[i]);
  }
  free(self->slots);
  free(self->stores);
  free(self->entries);
}
