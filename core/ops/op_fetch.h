// op_fetch.h - an HTTP request of ours: waits on the loop, holds no thread.
#pragma once
#include "net/fetch.h"
#include "ops/op.h"

typedef struct ra_op_fetch {
  ra_op *op;  // itself, once started
  // What to ask; texts and lists are owned.
  char *method, *url, **headers;
  void *body;
  size_t size;
  uint64_t timeout_ms;
  size_t most;
  unsigned redirects;
  ra_fetch *fetch;  // NULL: not under way
  ra_fetch_answer answer;
} ra_op_fetch;

extern const ra_op_kind RA_OP_FETCH;
