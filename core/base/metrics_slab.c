// metrics_slab.c - see metrics_slab.h
#include "base/metrics_slab.h"

#include <string.h>

enum { FAMILY = 0x66616d31, CHILD = 0x63686c31, TEXT_MOST = 4096 };

static size_t round_up(size_t size) { return (size + 7) & ~(size_t)7; }

// Zeroed room for a record at the end; it counts from publish() on.
static void *reserve(ra__slab *slab, size_t size) {
  uint64_t used = atomic_load_explicit(&slab->used, memory_order_relaxed);
  if (used > sizeof slab->records || size > sizeof slab->records - used) return NULL;
  return memset(slab->records + used, 0, size);
}

static void publish(ra__slab *slab, size_t size) {
  atomic_fetch_add_explicit(&slab->used, size, memory_order_release);
}

ra__family *ra__slab_add_family(ra__slab *slab, ra_metric_type type, const char *name,
                                const char *help, const double *buckets, unsigned bucket_count) {
  size_t name_size = strlen(name) + 1, help_size = strlen(help) + 1;
  if (name_size > TEXT_MOST || help_size > TEXT_MOST || bucket_count > RA__BUCKETS_MOST)
    return NULL;
  size_t bounds = bucket_count * sizeof *buckets;
  size_t size = round_up(sizeof(ra__family) + bounds + name_size + help_size);
  ra__family *f = reserve(slab, size);
  if (!f) return NULL;
  f->size = (uint32_t)size;
  f->kind = FAMILY;
  f->type = (uint32_t)type;
  f->bucket_count = bucket_count;
  f->name_size = (uint32_t)name_size;
  f->help_size = (uint32_t)help_size;
  if (bounds) memcpy(f->buckets, buckets, bounds);
  memcpy((char *)f->buckets + bounds, name, name_size);
  memcpy((char *)f->buckets + bounds + name_size, help, help_size);
  publish(slab, size);
  return f;
}

const char *ra__family_name(const ra__family *f) {
  return (const char *)(f->buckets + f->bucket_count);
}
const char *ra__family_help(const ra__family *f) { return ra__family_name(f) + f->name_size; }

unsigned ra__family_counts(const ra__family *f) {
  return f->type == RA_METRIC_HISTOGRAM ? f->bucket_count + 1 : 0;
}

const char *ra__child_labels(const ra__child *c, const ra__family *f) {
  return (const char *)(c->counts + ra__family_counts(f));
}

ra__child *ra__slab_add_child(ra__slab *slab, const ra__family *f, const char *labels) {
  size_t labels_size = strlen(labels) + 1;
  if (labels_size > TEXT_MOST) return NULL;
  size_t counts = ra__family_counts(f) * sizeof(uint64_t);
  size_t size = round_up(sizeof(ra__child) + counts + labels_size);
  ra__child *c = reserve(slab, size);
  if (!c) return NULL;
  c->size = (uint32_t)size;
  c->kind = CHILD;
  c->family = (uint32_t)((const char *)f - slab->records);
  c->labels_size = (uint32_t)labels_size;
  memcpy((char *)c->counts + counts, labels, labels_size);
  publish(slab, size);
  return c;
}

// ---- reading

// Whether what lies at `offset` is a family whose parts fill its record and end in NULs.
static ra__family *family_at(const ra__slab *slab, uint64_t offset, uint64_t used) {
  if (offset % 8 || offset > used || used - offset < sizeof(ra__family)) return NULL;
  ra__family *f = (ra__family *)(slab->records + offset);
  if (f->kind != FAMILY || f->size > used - offset || f->type > RA_METRIC_GAUGE_MAX) return NULL;
  if (f->bucket_count > RA__BUCKETS_MOST || f->name_size > TEXT_MOST || f->help_size > TEXT_MOST)
    return NULL;
  size_t bounds = f->bucket_count * sizeof(double);
  size_t size = round_up(sizeof *f + bounds + f->name_size + f->help_size);
  if (size != f->size || f->name_size < 2 || f->help_size < 1) return NULL;
  const char *name = ra__family_name(f);
  return name[f->name_size - 1] || name[f->name_size + f->help_size - 1] ? NULL : f;
}

static ra__child *child_at(const ra__slab *slab, uint64_t offset, uint64_t used, ra__family **family) {
  if (used - offset < sizeof(ra__child)) return NULL;
  ra__child *c = (ra__child *)(slab->records + offset);
  if (c->kind != CHILD || c->size > used - offset || c->family >= offset) return NULL;
  ra__family *f = family_at(slab, c->family, offset);
  if (!f || c->labels_size < 1 || c->labels_size > TEXT_MOST) return NULL;
  size_t counts = ra__family_counts(f) * sizeof(uint64_t);
  if (c->size != round_up(sizeof *c + counts + c->labels_size)) return NULL;
  *family = f;
  return ra__child_labels(c, f)[c->labels_size - 1] ? NULL : c;
}

bool ra__slab_next(const ra__slab *slab, uint64_t *offset, ra__family **family, ra__child **child) {
  uint64_t used = atomic_load_explicit(&slab->used, memory_order_acquire);
  if (used > sizeof slab->records || *offset >= used) return false;
  *child = child_at(slab, *offset, used, family);
  if (!*child) *family = family_at(slab, *offset, used);
  if (!*child && !*family) return false;
  *offset += *child ? (*child)->size : (*family)->size;
  return true;
}
