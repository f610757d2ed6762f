// op_gc.h - what versions a store holds, and removing one: jobs in the io lane, for tidying.
#pragma once
#include "base/str.h"
#include "ops/op.h"

typedef struct ra_op_versions {
  ra_str json;  // [{"collection","dataset","version","objects","bytes","mtime"},…], in the order of keys
} ra_op_versions;

typedef struct ra_op_remove {
  char prefix[1024];
} ra_op_remove;

extern const ra_op_kind RA_OP_VERSIONS, RA_OP_REMOVE;
