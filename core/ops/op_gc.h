// op_gc.h - what versions a store holds, removing one, sweeping: jobs in the io lane, for tidying.
#pragma once
#include "base/str.h"
#include "net/store.h"
#include "ops/op.h"

typedef struct ra_op_versions {
  char prefix[512];  // "collection/dataset", or "" for all
  ra_str json;  // [{"collection","dataset","version","objects","bytes","mtime","finished"},…], in the order of keys
} ra_op_versions;

typedef struct ra_op_remove {
  char prefix[1024];
} ra_op_remove;

typedef struct ra_op_sweep {
  int64_t before_ms;
  char **kept;  // owned; NULL-terminated
  ra_store_swept swept;
} ra_op_sweep;

extern const ra_op_kind RA_OP_VERSIONS, RA_OP_REMOVE, RA_OP_SWEEP;
