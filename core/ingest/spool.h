// spool.h - bytes that are made before they can be written where they belong: in memory, or in the scratch file but for the
// last of them. One thread at a time.
#pragma once
#include "ingest/scratch.h"

enum { RA__SPOOL = 1 << 20 };  // bytes in memory where there is a scratch file

typedef struct ra__spool {
  ra__scratch *scratch;  // NULL: all in memory
  uint8_t *bytes;
  size_t len, cap;
  struct ra__extent {
    uint64_t offset;
    size_t size;
  } * extents;  // before the bytes in memory
  size_t count, room, next;
} ra__spool;

void ra__spool_deinit(ra__spool *spool);
int ra__spool_add(ra__spool *spool, const void *data, size_t size, ra_err *err);
// The next bytes from the beginning, valid until the next call; *size 0 after the last. Nothing is added any more.
int ra__spool_next(ra__spool *spool, const void **data, size_t *size, ra_err *err);
