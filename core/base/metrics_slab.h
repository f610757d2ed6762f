// metrics_slab.h - where metrics live: an append-only run of records that describes itself, so that another process that
// maps it, or a later one in the same slot, can read it. Only core/base includes this.
//
//   slab:  used | family, child, child, family, child …     each record a multiple of 8 bytes, its last byte 0
//
// One process appends (under a lock of its own); `used` moves when a record is whole. Whoever reads trusts nothing: a
// process that died badly may have left anything.
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/metrics.h"

enum { RA__SLAB_SIZE = 4 << 20, RA__BUCKETS_MOST = 64 };

typedef struct ra__slab {
  _Atomic uint64_t used;  // bytes of records
  char records[RA__SLAB_SIZE - sizeof(uint64_t)];
} ra__slab;

typedef struct ra__family {
  uint32_t size, kind;
  uint32_t type, bucket_count;
  uint32_t name_size, help_size;  // with their NULs
  double buckets[];               // then the name, then the help
} ra__family;

typedef struct ra__child {
  uint32_t size, kind;
  uint32_t family;            // its offset in `records`
  uint32_t labels_size;       // with its NUL
  _Atomic uint64_t bits;      // the value, or a histogram's sum: a double's bits
  _Atomic uint64_t counts[];  // histograms: one a bucket, the last for +Inf; then the labels
} ra__child;

// NULL when the slab is full or a text is too long.
ra__family *ra__slab_add_family(ra__slab *slab, ra_metric_type type, const char *name,
                                const char *help, const double *buckets, unsigned bucket_count);
ra__child *ra__slab_add_child(ra__slab *slab, const ra__family *family, const char *labels);

const char *ra__family_name(const ra__family *family);
const char *ra__family_help(const ra__family *family);
unsigned ra__family_counts(const ra__family *family);  // of each of its children
const char *ra__child_labels(const ra__child *child, const ra__family *family);

// The records from *offset (0 at first) on: the next family alone (*child NULL) or child with its family. false at the
// end, or where what follows is no record.
bool ra__slab_next(const ra__slab *slab, uint64_t *offset, ra__family **family, ra__child **child);

// All slabs that this process sees; *count may be 0.
const ra__slab *ra__metrics_slabs(unsigned *count);

static inline double ra__from_bits(uint64_t bits) {
  double value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static inline uint64_t ra__to_bits(double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}
