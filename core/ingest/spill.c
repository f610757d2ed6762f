// spill.c - a record: where the one before it is, its blocks, then frames of at most RA__RECORD bytes, each with its
// compressed size in front; see spill.h
#include "ingest/spill.h"

#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "codec/codec.h"

typedef struct head {
  ra__bin before;
  uint64_t len, count;  // bytes of cells, blocks
} head;

ra_codec ra__spill_codec(unsigned size) {
  return (ra_codec){
      .id = RA_CODEC_BLOSC, .level = 3, .element = size, .shuffle = size > 1, .inner = "lz4"};
}

void ra__record_deinit(ra__record *record) {
  free(record->cells);
  free(record->blocks);
  *record = (ra__record){.ndim = record->ndim, .size = record->size};
}

static int grow(ra__record *record, size_t bytes, ra_err *err) {
  size_t want;
  if (!ra_size_add(record->len, bytes, &want)) want = SIZE_MAX;
  if (want > record->cap) {
    size_t cap = want > RA__RECORD ? want : RA__RECORD;
    uint8_t *cells = realloc(record->cells, cap);
    if (!cells) return ra_fail(err, RA_E_NOMEM, "", "no memory to spill %zu bytes", want);
    record->cells = cells;
    record->cap = cap;
  }
  if (record->count == record->room) {
    size_t room = record->room ? 2 * record->room : 64;
    uint64_t *blocks = realloc(record->blocks, room * sizeof *blocks);
    if (!blocks) return ra_fail(err, RA_E_NOMEM, "", "no memory to spill %zu blocks", room);
    record->blocks = blocks;
    record->room = room;
  }
  return RA_OK;
}

int ra__record_add(ra__record *record, uint64_t block, const ra__view *cells,
                   const ra__region *region, ra_err *err) {
  ra__region shared;
  if (!ra__region_meet(&cells->region, region, record->ndim, &shared)) return RA_OK;
  size_t bytes = ra__region_cells(&shared, record->ndim) * record->size;
  int rc = grow(record, bytes, err);
  if (rc < 0) return rc;
  ra__view piece;
  ra__view_init(&piece, record->ndim, record->size, &shared, record->cells + record->len);
  ra__view_copy(cells, &piece, record->ndim, record->size);
  record->blocks[record->count++] = block;
  record->len += bytes;
  return RA_OK;
}

static size_t frames_of(size_t len) { return (len + RA__RECORD - 1) / RA__RECORD; }

static int compress(const ra__record *record, uint8_t *out, size_t *len, ra_err *err) {
  ra_codec codec = ra__spill_codec(record->size);
  for (size_t at = 0; at < record->len; at += RA__RECORD) {
    size_t n = record->len - at < RA__RECORD ? record->len - at : RA__RECORD, got;
    int rc = ra_codec_encode_into(&codec, 1, record->cells + at, n, out + *len + 8,
                                  ra_codec_bound(&codec, 1, n), &got, err);
    if (rc < 0) return rc;
    uint64_t size = got;
    memcpy(out + *len, &size, 8);
    *len += 8 + got;
  }
  return RA_OK;
}

int ra__record_write(ra__record *record, ra__scratch *scratch, ra__bin *bin, ra_err *err) {
  if (record->count == 0) return RA_OK;
  ra_codec codec = ra__spill_codec(record->size);
  size_t ids = record->count * sizeof *record->blocks, len = sizeof(head) + ids;
  size_t frames = frames_of(record->len);
  uint8_t *out = malloc(len + frames * (8 + ra_codec_bound(&codec, 1, RA__RECORD)));
  if (!out) return ra_fail(err, RA_E_NOMEM, "", "no memory to spill %zu bytes", record->len);
  head front = {.before = *bin, .len = record->len, .count = record->count};
  memcpy(out, &front, sizeof front);
  memcpy(out + sizeof front, record->blocks, ids);
  uint64_t offset;
  int rc = compress(record, out, &len, err);
  if (rc >= 0) rc = ra__scratch_append(scratch, out, len, &offset, err);
  if (rc >= 0) *bin = (ra__bin){offset, len};
  free(out);
  record->len = record->count = 0;
  return rc;
}

static int damaged(ra_err *err) {
  return ra_fail(err, RA_E_IO, "", "the scratch file has changed behind our back");
}

static int expand(const uint8_t *from, size_t size, unsigned element, uint8_t *cells, size_t len,
                  ra_err *err) {
  ra_codec codec = ra__spill_codec(element);
  for (size_t at = 0; at < len; at += RA__RECORD) {
    size_t n = len - at < RA__RECORD ? len - at : RA__RECORD;
    uint64_t packed;
    if (size < 8) return damaged(err);
    memcpy(&packed, from, 8);
    if (packed > size - 8) return damaged(err);
    int rc = ra_codec_decode(&codec, 1, from + 8, packed, cells + at, n, err);
    if (rc < 0) return rc;
    from += 8 + packed;
    size -= 8 + packed;
  }
  return RA_OK;
}

typedef struct reading {
  const ra__tiling *blocks;
  unsigned size;
  const ra__region *region;
  const ra__view *views;
  size_t count;
} reading;

// Each piece lies as its block's share of the region, in C order.
static int place(const reading *r, const uint8_t *ids, size_t count, uint8_t *cells, size_t len,
                 ra_err *err) {
  unsigned ndim = r->blocks->ndim;
  for (size_t i = 0; i < count; i++) {
    uint64_t block;
    ra__region region, shared;
    memcpy(&block, ids + i * sizeof block, sizeof block);
    if (block >= r->blocks->count) return damaged(err);
    ra__tiling_region(r->blocks, block, &region);
    if (!ra__region_meet(&region, r->region, ndim, &shared)) return damaged(err);
    size_t bytes = ra__region_cells(&shared, ndim) * r->size;
    if (bytes > len) return damaged(err);
    ra__view piece;
    ra__view_init(&piece, ndim, r->size, &shared, cells);
    for (size_t v = 0; v < r->count; v++) ra__view_copy(&piece, &r->views[v], ndim, r->size);
    cells += bytes;
    len -= bytes;
  }
  return len ? damaged(err) : RA_OK;
}

static int unpack(const reading *r, const uint8_t *bytes, size_t size, ra__bin *before, ra_err *err) {
  head front;
  if (size < sizeof front) return damaged(err);
  memcpy(&front, bytes, sizeof front);
  *before = front.before;
  size -= sizeof front;
  if (front.count > size / 8) return damaged(err);
  const uint8_t *ids = bytes + sizeof front, *frames = ids + 8 * front.count;
  uint8_t *cells = malloc(front.len ? front.len : 1);
  if (!cells)
    return ra_fail(err, RA_E_NOMEM, "", "no memory to read back %llu spilled bytes",
                   (unsigned long long)front.len);
  int rc = expand(frames, size - 8 * front.count, r->size, cells, front.len, err);
  if (rc >= 0) rc = place(r, ids, front.count, cells, front.len, err);
  free(cells);
  return rc;
}

int ra__bin_read(const ra__bin *bin, ra__scratch *scratch, const ra__tiling *blocks, unsigned size,
                 const ra__region *region, const ra__view *views, size_t count, ra_err *err) {
  reading r = {blocks, size, region, views, count};
  ra__bin at = *bin;
  int rc = RA_OK;
  while (at.size && rc >= 0) {
    ra__bin here = at;
    uint8_t *bytes = malloc(at.size);
    if (!bytes) return ra_fail(err, RA_E_NOMEM, "", "no memory to read back spilled cells");
    rc = ra__scratch_read(scratch, at.offset, bytes, at.size, err);
    if (rc >= 0) rc = unpack(&r, bytes, at.size, &at, err);
    if (rc >= 0) ra__scratch_release(scratch, here.offset, here.size);
    free(bytes);
  }
  return rc;
}
