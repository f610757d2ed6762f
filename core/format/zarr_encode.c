// zarr_encode.c - one shard: its inner chunks in C order, each compressed, then the index; taken whole or part by part.
// (contracts.md §7)
#include <stdlib.h>
#include <string.h>

#include "base/size.h"
#include "format/box.h"
#include "format/zarr_impl.h"

struct ra_zarr_shard {
  const ra_zarr_spec *spec;
  uint64_t inside[RA_ZARR_DIMS];  // extent of the shard's part that lies inside the array
  uint64_t inner[RA_ZARR_DIMS];   // chunks along a dimension
  size_t chunks, chunk_bytes, size;
  uint8_t fill[8];
  ra_codec codec;
  uint8_t *raw;  // one chunk
  uint8_t *out;  // what the last call encoded
  size_t len, cap;
  uint64_t before;  // bytes that earlier calls gave
  ra__zarr_slot *slots;
};

typedef struct part {  // of the shard's cells
  const uint64_t *start, *count;
  const uint8_t *cells;
  const int64_t *strides;  // in cells
} part;

static int plan(ra_zarr_shard *e, const uint64_t *shard, ra_err *err) {
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

// The chunk's box inside the part, which holds whole chunks; false when it lies wholly past the array's edge.
static bool chunk_box(const ra_zarr_shard *e, const part *p, const uint64_t *at, ra_box *box,
                      int64_t *offset) {
  const ra_zarr_spec *spec = e->spec;
  *box = (ra_box){.ndim = spec->ndim, .size = (unsigned)e->size};
  *offset = 0;
  int64_t step = (int64_t)e->size;
  for (unsigned i = spec->ndim; i-- > 0;) {
    uint64_t first = at[i] * spec->chunk[i];
    if (first >= e->inside[i]) return false;
    uint64_t left = e->inside[i] - first;
    box->count[i] = left < spec->chunk[i] ? left : spec->chunk[i];
    box->src[i] = p->strides[i] * (int64_t)e->size;
    box->dst[i] = step;
    step *= (int64_t)spec->chunk[i];
    *offset += (int64_t)(first - p->start[i]) * box->src[i];
  }
  return true;
}

static bool is_whole(const ra_zarr_spec *spec, const ra_box *box) {
  for (unsigned i = 0; i < spec->ndim; i++) {
    if (box->count[i] != spec->chunk[i]) return false;
  }
  return true;
}

static void repeat_fill(const ra_zarr_shard *e, uint8_t *to, size_t bytes) {
  for (size_t at = 0; at < bytes; at += e->size) memcpy(to + at, e->fill, e->size);
}

// Bitwise: -0.0 and another NaN are not the fill value.
static bool is_fill(const ra_zarr_shard *e) {
  return memcmp(e->raw, e->fill, e->size) == 0 &&
         memcmp(e->raw, e->raw + e->size, e->chunk_bytes - e->size) == 0;
}

// Whether all readers have the same in a chunk that is missing. In v2 there may be no fill value, and integers of more than
// 53 bits are rounded by those that read JSON's numbers as doubles.
static bool may_miss(const ra_zarr_spec *spec) {
  if (spec->format != 2 || (spec->has_fill && ra_dtype_is_float(spec->dtype))) return true;
  if (!spec->has_fill || (spec->dtype == RA_DTYPE_U64 && spec->fill_int < 0)) return false;
  return spec->fill_int >= -(1LL << 53) && spec->fill_int <= 1LL << 53;
}

// Gathers a chunk into e->raw, padded with fill; false when there is nothing to store.
static bool gather(ra_zarr_shard *e, const part *p, const uint64_t *at) {
  ra_box box;
  int64_t offset;
  if (!chunk_box(e, p, at, &box, &offset)) return false;
  if (!is_whole(e->spec, &box)) repeat_fill(e, e->raw, e->chunk_bytes);
  ra_box_copy(&box, p->cells + offset, e->raw);
  return !may_miss(e->spec) || !is_fill(e);
}

static int reserve(ra_zarr_shard *e, size_t more, ra_err *err) {
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

static int append_chunk(ra_zarr_shard *e, ra__zarr_slot *slot, ra_err *err) {
  size_t bound = ra_codec_bound(&e->codec, 1, e->chunk_bytes), got = 0;
  int rc = reserve(e, bound, err);
  if (rc < 0) return rc;
  rc = ra_codec_encode_into(&e->codec, 1, e->raw, e->chunk_bytes, e->out + e->len, bound, &got, err);
  if (rc < 0) return rc;
  *slot = (ra__zarr_slot){e->before + e->len, got};
  e->len += got;
  return RA_OK;
}

static int append_index(ra_zarr_shard *e, ra_err *err) {
  size_t bytes = e->chunks * sizeof *e->slots;
  int rc = reserve(e, bytes + 4, err);
  if (rc < 0) return rc;
  memcpy(e->out + e->len, e->slots, bytes);
  uint32_t sum = ra_crc32c(0, e->slots, bytes);
  memcpy(e->out + e->len + bytes, &sum, 4);
  e->len += bytes + 4;
  return RA_OK;
}

// The chunks [first, last] along each dimension that a part has.
static int part_chunks(const ra_zarr_shard *e, const part *p, uint64_t *first, uint64_t *last,
                       ra_err *err) {
  for (unsigned i = 0; i < e->spec->ndim; i++) {
    uint64_t chunk = e->spec->chunk[i], start = p->start[i], count = p->count[i];
    bool inside = count && start <= e->inside[i] && count <= e->inside[i] - start;
    if (!inside || start % chunk || (count % chunk && start + count != e->inside[i])) {
      return ra_fail(err, RA_E_INTERNAL, e->spec->name, "a part of a shard that is no whole chunks");
    }
    first[i] = start / chunk;
    last[i] = (start + count - 1) / chunk;
  }
  return RA_OK;
}

static uint64_t chunk_number(const ra_zarr_shard *e, const uint64_t *at) {
  uint64_t number = 0;
  for (unsigned i = 0; i < e->spec->ndim; i++) number = number * e->inner[i] + at[i];
  return number;
}

static bool next_chunk(const ra_zarr_shard *e, const uint64_t *first, const uint64_t *last,
                       uint64_t *at) {
  for (unsigned i = e->spec->ndim; i-- > 0;) {
    if (at[i]++ < last[i]) return true;
    at[i] = first[i];
  }
  return false;
}

static int add(ra_zarr_shard *e, const part *p, ra_err *err) {
  uint64_t first[RA_ZARR_DIMS], last[RA_ZARR_DIMS], at[RA_ZARR_DIMS];
  int rc = part_chunks(e, p, first, last, err);
  if (rc < 0) return rc;
  memcpy(at, first, sizeof at);
  do {
    if (gather(e, p, at)) rc = append_chunk(e, &e->slots[chunk_number(e, at)], err);
  } while (rc >= 0 && next_chunk(e, first, last, at));
  return rc;
}

int ra_zarr_shard_add(ra_zarr_shard *e, const uint64_t *start, const uint64_t *count,
                      const void *cells, const int64_t *strides, const void **bytes, size_t *size,
                      ra_err *err) {
  part p = {start, count, cells, strides};
  e->before += e->len;
  e->len = 0;
  int rc = add(e, &p, err);
  *bytes = e->out;
  *size = e->len;
  return rc;
}

static int prepare(ra_zarr_shard *e, const uint64_t *shard, ra_err *err) {
  int rc = plan(e, shard, err);
  if (rc < 0) return rc;
  ra__zarr_fill_cell(e->spec, e->fill);
  e->codec = ra__zarr_write_codec(e->spec->dtype, e->spec->level);
  e->slots = malloc(e->chunks * sizeof *e->slots);
  e->raw = malloc(e->chunk_bytes);
  if (!e->slots || !e->raw) {
    return ra_fail(err, RA_E_NOMEM, e->spec->name, "no memory for a chunk of %zu bytes",
                   e->chunk_bytes);
  }
  for (size_t i = 0; i < e->chunks; i++)
    e->slots[i] = (ra__zarr_slot){RA__ZARR_MISSING, RA__ZARR_MISSING};
  return RA_OK;
}

int ra_zarr_shard_new(const ra_zarr_spec *spec, const uint64_t *shard, ra_zarr_shard **out,
                      ra_err *err) {
  ra_zarr_shard *e = calloc(1, sizeof *e);
  *out = NULL;
  if (!e) return ra_fail(err, RA_E_NOMEM, spec->name, "out of memory");
  e->spec = spec;
  int rc = prepare(e, shard, err);
  if (rc < 0) {
    ra_zarr_shard_free(e);
    return rc;
  }
  *out = e;
  return RA_OK;
}

void ra_zarr_shard_free(ra_zarr_shard *e) {
  if (!e) return;
  free(e->slots);
  free(e->raw);
  free(e->out);
  free(e);
}

int ra_zarr_shard_end(ra_zarr_shard *e, const void **bytes, size_t *size, ra_err *err) {
  e->before += e->len;
  e->len = 0;
  int rc = e->before && e->spec->sharded ? append_index(e, err) : RA_OK;
  *bytes = e->out;
  *size = e->len;
  return rc;
}

static int hand_over(ra_zarr_shard *e, ra_buf **out, ra_err *err) {
  if (e->len == 0) return RA_OK;
  int rc = e->spec->sharded ? append_index(e, err) : RA_OK;
  if (rc < 0) return rc;
  uint8_t *fitting = realloc(e->out, e->len);
  if (fitting) e->out = fitting;
  rc = ra_buf_adopt(e->out, e->len, out, err);
  if (rc == RA_OK) e->out = NULL;
  return rc;
}

int ra_zarr_shard_encode(const ra_zarr_spec *spec, const uint64_t *shard, const void *cells,
                         const int64_t *strides, ra_buf **out, ra_err *err) {
  static const uint64_t origin[RA_ZARR_DIMS] = {0};
  *out = NULL;
  ra_zarr_shard *e;
  int rc = ra_zarr_shard_new(spec, shard, &e, err);
  if (rc < 0 || !e) return rc;
  part whole = {origin, e->inside, cells, strides};
  rc = add(e, &whole, err);
  if (rc >= 0) rc = hand_over(e, out, err);
  ra_zarr_shard_free(e);
  return rc;
}
