// op_store.h - opening a stored object for sending it, and whether there is a store: one job in the io lane. The state owns the descriptor until
// somebody takes it (sets fd to -1).
#pragma once
#include "net/store.h"
#include "ops/op.h"

typedef struct ra_op_open {
  char key[1024];
  ra_store_file file;  // its fd is set to -1 by whoever makes the operation
} ra_op_open;

extern const ra_op_kind RA_OP_OPEN;
extern const ra_op_kind RA_OP_STORE_CHECK;  // no state; see ra_store_check
