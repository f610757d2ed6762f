// zarr_encode.c - one shard: its inner chunks in C order, each compressed, then the index. (contracts.md §7)
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "format/box.h"
#include "format/zarr_impl.h"

typedef struct encoder {
  const ra_zarr_spec *spec;
  const uint8_t *cells;
  const int64_t *strides;         // of cells, in cells
  uint64_t inside[RA_ZARR_DIMS];  // extent of the shard's part that lies inside the array
  uint64_t inner[RA_ZARR_DIMS];   // chunks along a dimension
  size_t chunks, chunk_bytes, size;
  uint8_t fill[8];
  ra_codec codec;
  uint8_t *raw;  // one chunk
  uint8_t *out;  // what is written so far
  size_t len, cap;
} encoder;

static int plan(encoder *e, const uint64_t *shard, ra_err *err) {
  const ra_zarr_spec *spec = e->spec;
  e->size = ra_dtype_size(spec->dtype);
  e->chunks = 1;
  e->chunk_bytes = e->size;
  for (unsigned i = 0; i < spec->ndim; i++) {
    uint64_t first;
    if (__builtin_mul_overflow(shard[i], spec->shard[i], &first) || first >= spec->shape[i]) {
      return ra_fail(err, RA_E_INTERNAL, spec->name, "shard %llu of dimension %u is outside",
                     (unsigned long long)shard[i], i);
    }
    uint64_t left = spec->shape[i] - first;
    e->inside[i] = left < spec->shard[i] ? left : spec->shard[i];
    e->inner[i] = spec->shard[i] / spec->chunk[i];
    if (!ra_size_mul(e->chunks, e->inner[i], &e->chunks) ||
        !ra_size_mul(e->chunk_bytes, spec->chunk[i], &e->chunk_bytes)) {
      return ra_fail(err, RA_E_TOOBIG, spec->name, "a shard too large to count");
    }
  }
  if (e->chunk_bytes > RA__ZARR_CHUNK_MOST || e->chunks > RA__ZARR_INDEX_MOST / 16) {
    return ra_fail(err, RA_E_TOOBIG, spec->name, "a shard of %zu chunks of %zu bytes", e->chunks,
                   e->chunk_bytes);
  }
  return RA_OK;
}

// The chunk's box inside the cells; false when it lies wholly past the array's edge.
static bool chunk_box(const encoder *e, size_t chunk, ra_box *box, int64_t *offset) {
  const ra_zarr_spec *spec = e->spec;
  *box = (ra_box){.ndim = spec->ndim, .size = (unsigned)e->size};
  *offset = 0;
  int64_t step = (int64_t)e->size;
  for (unsigned i = spec->ndim; i-- > 0;) {
    uint64_t first = chunk % e->inner[i] * spec->chunk[i];
    chunk /= e->inner[i];
    if (first >= e->inside[i]) return false;
    uint64_t left = e->inside[i] - first;
    box->count[i] = left < spec->chunk[i] ? left : spec->chunk[i];
    box->src[i] = e->strides[i] * (int64_t)e->size;
    box->dst[i] = step;
    step *= (int64_t)spec->chunk[i];
    *offset += (int64_t)first * box->src[i];
  }
  return true;
}

static bool is_whole(const ra_zarr_spec *spec, const ra_box *box) {
  for (unsigned i = 0; i < spec->ndim; i++) {
    if (box->count[i] != spec->chunk[i]) return false;
  }
  return true;
}

static void repeat_fill(const encoder *e, uint8_t *to, size_t bytes) {
  for (size_t at = 0; at < bytes; at += e->size) memcpy(to + at, e->fill, e->size);
}

// Bitwise: -0.0 and another NaN are not the fill value.
static bool is_fill(const encoder *e) {
  return memcmp(e->raw, e->fill, e->size) == 0 &&
         memcmp(e->raw, e->raw + e->size, e->chunk_bytes - e->size) == 0;
}

// Gathers a chunk into e->raw, padded with fill; false when there is nothing to store.
static bool gather(encoder *e, size_t chunk) {
  ra_box box;
  int64_t offset;
  if (!chunk_box(e, chunk, &box, &offset)) return false;
  if (!is_whole(e->spec, &box)) repeat_fill(e, e->raw, e->chunk_bytes);
  ra_box_copy(&box, e->cells + offset, e->raw);
  return !is_fill(e);
}

static int reserve(encoder *e, size_t more, ra_err *err) {
  size_t want;
  if (!ra_size_add(e->len, more, &want)) {
    return ra_fail(err, RA_E_TOOBIG, e->spec->name, "a shard too large to hold");
  }
  if (want <= e->cap) return RA_OK;
  size_t cap = e->cap + e->cap / 2 > want ? e->cap + e->cap / 2 : want;
  uint8_t *out = realloc(e->out, cap);
  if (!out) return ra_fail(err, RA_E_NOMEM, e->spec->name, "no memory for a shard");
  e->out = out;
  e->cap = cap;
  return RA_OK;
}

static int append_chunk(encoder *e, ra__zarr_slot *slot, ra_err *err) {
  size_t bound = ra_codec_bound(&e->codec, 1, e->chunk_bytes), got = 0;
  int rc = reserve(e, bound, err);
  if (rc < 0) return rc;
  rc = ra_codec_encode_into(&e->codec, 1, e->raw, e->chunk_bytes, e->out + e->len, bound, &got, err);
  if (rc < 0) return rc;
  *slot = (ra__zarr_slot){e->len, got};
  e->len += got;
  return RA_OK;
}

static int append_index(encoder *e, const ra__zarr_slot *slots, ra_err *err) {
  size_t bytes = e->chunks * sizeof *slots;
  int rc = reserve(e, bytes + 4, err);
  if (rc < 0) return rc;
  memcpy(e->out + e->len, slots, bytes);
  uint32_t sum = ra_crc32c(0, slots, bytes);
  memcpy(e->out + e->len + bytes, &sum, 4);
  e->len += bytes + 4;
  return RA_OK;
}

static int encode(encoder *e, ra__zarr_slot *slots, ra_err *err) {
  for (size_t i = 0; i < e->chunks; i++) {
    slots[i] = (ra__zarr_slot){RA__ZARR_MISSING, RA__ZARR_MISSING};
    if (!gather(e, i)) continue;
    int rc = append_chunk(e, &slots[i], err);
    if (rc < 0) return rc;
  }
  return e->len && e->spec->sharded ? append_index(e, slots, err) : RA_OK;
}

static int hand_over(encoder *e, ra_buf **out, ra_err *err) {
  if (e->len == 0) return RA_OK;
  uint8_t *fitting = realloc(e->out, e->len);
  if (fitting) e->out = fitting;
  int rc = ra_buf_adopt(e->out, e->len, out, err);
  if (rc == RA_OK) e->out = NULL;
  return rc;
}

int ra_zarr_shard_encode(const ra_zarr_spec *spec, const uint64_t *shard, const void *cells,
                         const int64_t *strides, ra_buf **out, ra_err *err) {
  *out = NULL;
  encoder e = {.spec = spec, .cells = cells, .strides = strides};
  int rc = plan(&e, shard, err);
  if (rc < 0) return rc;
  ra__zarr_fill_cell(spec, e.fill);
  e.codec = ra__zarr_write_codec(spec->dtype, spec->level);
  ra__zarr_slot *slots = malloc(e.chunks * sizeof *slots);
  e.raw = malloc(e.chunk_bytes);
  if (slots && e.raw) {
    rc = encode(&e, slots, err);
  } else {
    rc = ra_fail(err, RA_E_NOMEM, spec->name, "no memory for a chunk of %zu bytes", e.chunk_bytes);
  }
  if (rc == RA_OK) rc = hand_over(&e, out, err);
  free(slots);
  free(e.raw);
  free(e.out);
  return rc;
}
