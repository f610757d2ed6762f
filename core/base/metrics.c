// metrics.c - see metrics.h. Families form a list and label sets short hash chains that point into this process's slab;
// both only ever grow, published at the head, so that looking up and counting need no lock. Making one takes the lock.
// Nothing is ever freed.
#include "base/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/metrics_slab.h"

#define CHAINS 64
#define MAX_CHILDREN 256
#define OTHER "other=\"true\""

typedef struct child {
  struct child *next;
  ra__child *record;
  const char *labels;
} child;

struct ra_metric {
  ra_metric *next;
  const ra__family *record;
  const char *name;
  atomic_uint child_count;
  _Atomic(child *) chains[CHAINS];
};

static _Atomic(ra_metric *) families;
static ra_metric dummy;  // swallows updates when there is no room: it never gets a child
static pthread_mutex_t making = PTHREAD_MUTEX_INITIALIZER;

// The slabs of all processes, and ours. A process that shares nothing maps one for itself.
static struct {
  ra__slab *slabs, *own;
  unsigned count;
  bool full;
} region;

static ra__slab *own_slab(void) {
  if (region.own) return region.own;
  void *map =
      mmap(NULL, sizeof(ra__slab), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return NULL;
  region.slabs = region.own = map;
  region.count = 1;
  return region.own;
}

static void no_room(const char *name) {
  if (!region.full)
    ra_log(RA_LOG_WARN, "there is no room for the metric %s, nor for later ones", name);
  region.full = true;
}

static ra_metric *find_family(const char *name) {
  for (ra_metric *m = atomic_load_explicit(&families, memory_order_acquire); m; m = m->next) {
    if (strcmp(m->name, name) == 0) return m;
  }
  return NULL;
}

static ra_metric *know_family(const ra__family *record) {
  ra_metric *m = record ? calloc(1, sizeof *m) : NULL;
  if (!m) return &dummy;
  m->record = record;
  m->name = ra__family_name(record);
  m->next = atomic_load(&families);
  atomic_store_explicit(&families, m, memory_order_release);
  return m;
}

ra_metric *ra_metric_get(ra_metric_type type, const char *name, const char *help,
                         const double *buckets, unsigned bucket_count) {
  ra_metric *m = find_family(name);
  if (m) return m;
  pthread_mutex_lock(&making);
  m = find_family(name);
  ra__slab *slab = m ? NULL : own_slab();
  if (slab) {
    m = know_family(ra__slab_add_family(slab, type, name, help, buckets, bucket_count));
  }
  if (!m) m = &dummy;
  if (m == &dummy) no_room(name);
  pthread_mutex_unlock(&making);
  return m;
}

static unsigned hash_labels(const char *labels) {
  unsigned hash = 2166136261u;
  for (const unsigned char *p = (const unsigned char *)labels; *p; p++)
    hash = (hash ^ *p) * 16777619u;
  return hash;
}

static child *find_child(ra_metric *m, const char *labels) {
  child *head = atomic_load_explicit(&m->chains[hash_labels(labels) % CHAINS], memory_order_acquire);
  for (child *c = head; c; c = c->next) {
    if (strcmp(c->labels, labels) == 0) return c;
  }
  return NULL;
}

static child *know_child(ra_metric *m, ra__child *record) {
  child *c = record ? calloc(1, sizeof *c) : NULL;
  if (!c) return NULL;
  c->record = record;
  c->labels = ra__child_labels(record, m->record);
  _Atomic(child *) *chain = &m->chains[hash_labels(c->labels) % CHAINS];
  c->next = atomic_load(chain);
  atomic_store_explicit(chain, c, memory_order_release);
  atomic_fetch_add(&m->child_count, 1);
  return c;
}

static child *make_child(ra_metric *m, const char *labels) {
  pthread_mutex_lock(&making);
  child *c = find_child(m, labels);
  if (!c) c = know_child(m, ra__slab_add_child(region.own, m->record, labels));
  if (!c) no_room(m->name);
  pthread_mutex_unlock(&making);
  return c;
}

// The record of a label set, made when it is new. NULL without room.
static ra__child *record_of(ra_metric *m, const char *labels) {
  if (m == &dummy) return NULL;
  if (!labels) labels = "";
  child *c = find_child(m, labels);
  if (!c && strcmp(labels, OTHER) != 0 && atomic_load(&m->child_count) >= MAX_CHILDREN)
    return record_of(m, OTHER);
  if (!c) c = make_child(m, labels);
  return c ? c->record : NULL;
}

static void add_bits(_Atomic uint64_t *bits, double amount) {
  uint64_t old = atomic_load_explicit(bits, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit(bits, &old, ra__to_bits(ra__from_bits(old) + amount),
                                                memory_order_relaxed, memory_order_relaxed)) {
  }
}

void ra_metric_add(ra_metric *metric, const char *labels, double amount) {
  ra__child *c = record_of(metric, labels);
  if (c) add_bits(&c->bits, amount);
}

void ra_metric_set(ra_metric *metric, const char *labels, double value) {
  ra__child *c = record_of(metric, labels);
  if (c) atomic_store_explicit(&c->bits, ra__to_bits(value), memory_order_relaxed);
}

void ra_metric_observe(ra_metric *metric, const char *labels, double value) {
  ra__child *c = record_of(metric, labels);
  if (!c || metric->record->type != RA_METRIC_HISTOGRAM || isnan(value)) return;
  unsigned bucket = 0;
  while (bucket < metric->record->bucket_count && value > metric->record->buckets[bucket]) bucket++;
  atomic_fetch_add_explicit(&c->counts[bucket], 1, memory_order_relaxed);
  add_bits(&c->bits, value);
}

// ---- sharing

size_t ra_metrics_region_size(unsigned slots) { return slots * sizeof(ra__slab); }

void ra_metrics_slot_ended(void *memory, unsigned slot) {
  ra__family *f;
  ra__child *c;
  for (uint64_t offset = 0; ra__slab_next((ra__slab *)memory + slot, &offset, &f, &c);) {
    bool gauge = f->type == RA_METRIC_GAUGE || f->type == RA_METRIC_GAUGE_MAX;
    if (c && gauge) atomic_store(&c->bits, 0);
  }
}

// Learns what an earlier process in the same slot has counted.
static void take_over(ra__slab *slab) {
  ra__family *f;
  ra__child *c;
  uint64_t offset = 0;
  while (ra__slab_next(slab, &offset, &f, &c)) {
    ra_metric *m = find_family(ra__family_name(f));
    if (c && m) {
      know_child(m, c);
    } else if (!m) {
      know_family(f);
    }
  }
  atomic_store(&slab->used, offset);  // nothing, unless the end was broken
}

int ra_metrics_share(void *memory, unsigned slots, unsigned slot, ra_err *err) {
  pthread_mutex_lock(&making);
  bool early = !region.own && slot < slots;
  if (early) {
    region.slabs = memory;
    region.count = slots;
    region.own = &region.slabs[slot];
    ra_metrics_slot_ended(memory, slot);
    take_over(region.own);
  }
  pthread_mutex_unlock(&making);
  return early ? RA_OK
               : ra_fail(err, RA_E_INTERNAL, "", "metrics were counted before they were shared");
}

const ra__slab *ra__metrics_slabs(unsigned *count) {
  pthread_mutex_lock(&making);
  *count = own_slab() ? region.count : 0;
  pthread_mutex_unlock(&making);
  return region.slabs;
}
