// segment_cells.c - a segment of a curvilinear grid has its index of cells, too: equal for all members, so the newest's is
// copied.
#include <stdlib.h>

#include "codec/codec.h"
#include "ingest/segment_private.h"

enum { PIECE = 1 << 20 };

typedef struct copying {
  const ra_reader *reader;
  const char *key;
  uint64_t size, at;
  uint32_t crc32c;
  uint8_t *piece;
} copying;

static int next(void *ctx, const void **data, size_t *size, ra_err *err) {
  copying *c = ctx;
  *size = c->size - c->at < PIECE ? (size_t)(c->size - c->at) : PIECE;
  *data = c->piece;
  if (*size == 0) return RA_OK;
  int rc = c->reader->read(c->reader->ctx, c->key, c->at, *size, c->piece, err);
  if (rc < 0) return rc;
  c->crc32c = ra_crc32c(c->crc32c, c->piece, *size);
  c->at += *size;
  return RA_OK;
}

static int copy(ra__segment *segment, const char *from, const char *to, ra_err *err) {
  copying c = {.reader = &segment->reader, .key = from, .piece = malloc(PIECE)};
  if (!c.piece) return ra_fail(err, RA_E_NOMEM, from, "no memory for a piece of an index");
  int rc = c.reader->size(c.reader->ctx, from, &c.size, err);
  if (rc >= 0) rc = ra_store_put_stream(segment->target, to, next, &c, err);
  if (rc >= 0) ra__segment_note(segment, to, c.size, c.crc32c);
  free(c.piece);
  return rc;
}

int ra__segment_cells(ra__segment *segment, ra_err *err) {
  const ra_dataset *newest = segment->stores[segment->newest].dataset;
  int rc = RA_OK;
  for (size_t i = 0; i < ra_dataset_grid_count(segment->dataset) && rc >= 0; i++) {
    const ra_dataset_grid *grid = ra_dataset_get_grid(segment->dataset, i);
    if (grid->layout != RA_DATASET_CURVED) continue;
    ra_str from, to;
    ra_str_init(&from);
    ra_str_init(&to);
    ra_dataset_cells_key(newest, grid, &from);
    ra_dataset_cells_key(segment->dataset, grid, &to);
    rc = from.failed || to.failed ? ra_fail(err, RA_E_NOMEM, grid->id, "out of memory")
                                  : copy(segment, from.ptr, to.ptr, err);
    ra_str_deinit(&from);
    ra_str_deinit(&to);
  }
  return rc;
}
