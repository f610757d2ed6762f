// spool.c - see spool.h
#include "ingest/spool.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"

void ra__spool_deinit(ra__spool *spool) {
  free(spool->bytes);
  free(spool->extents);
  *spool = (ra__spool){.scratch = spool->scratch};
}

static int reserve(ra__spool *spool, size_t more, ra_err *err) {
  size_t want;
  if (!ra_size_add(spool->len, more, &want)) return ra_fail(err, RA_E_TOOBIG, "", "too many bytes");
  if (want <= spool->cap) return RA_OK;
  size_t cap = spool->cap + spool->cap / 2;
  if (cap < want) cap = want;
  uint8_t *bytes = realloc(spool->bytes, cap);
  if (!bytes) return ra_fail(err, RA_E_NOMEM, "", "no memory for %zu encoded bytes", want);
  spool->bytes = bytes;
  spool->cap = cap;
  return RA_OK;
}

static int flush(ra__spool *spool, ra_err *err) {
  if (spool->count == spool->room) {
    size_t room = spool->room ? 2 * spool->room : 16;
    struct ra__extent *extents = realloc(spool->extents, room * sizeof *extents);
    if (!extents) return ra_fail(err, RA_E_NOMEM, "", "out of memory");
    spool->extents = extents;
    spool->room = room;
  }
  struct ra__extent *extent = &spool->extents[spool->count];
  extent->size = spool->len;
  int rc = ra__scratch_append(spool->scratch, spool->bytes, spool->len, &extent->offset, err);
  if (rc < 0) return rc;
  spool->count++;
  spool->len = 0;
  return RA_OK;
}

int ra__spool_add(ra__spool *spool, const void *data, size_t size, ra_err *err) {
  int rc = spool->scratch && spool->len && spool->len + size > RA__SPOOL ? flush(spool, err) : RA_OK;
  if (rc >= 0) rc = reserve(spool, size, err);
  if (rc < 0) return rc;
  memcpy(spool->bytes + spool->len, data, size);
  spool->len += size;
  return RA_OK;
}

// What is still in memory goes to the file too when anything is there, so that the buffer is free for reading.
int ra__spool_next(ra__spool *spool, const void **data, size_t *size, ra_err *err) {
  int rc = spool->count && spool->next == 0 && spool->len ? flush(spool, err) : RA_OK;
  *data = spool->bytes;
  *size = 0;
  if (rc < 0) return rc;
  if (spool->next == spool->count) {
    *size = spool->len;
    spool->len = 0;
    return RA_OK;
  }
  const struct ra__extent *extent = &spool->extents[spool->next++];
  rc = ra__scratch_read(spool->scratch, extent->offset, spool->bytes, extent->size, err);
  if (rc < 0) return rc;
  ra__scratch_release(spool->scratch, extent->offset, extent->size);
  *size = extent->size;
  return RA_OK;
}
