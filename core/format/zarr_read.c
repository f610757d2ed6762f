// zarr_read.c - a region of an array: which chunks it touches, their bytes (neighbours in a shard in one read), and
// their cells put in place. (contracts.md §7)
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/size.h"
#include "format/box.h"
#include "format/zarr_impl.h"

enum {
  GAP = 4 << 10,  // bytes between two chunks that are read along rather than skipped
  RUN = 8 << 20,  // most bytes of one read, unless a single chunk is larger
};

typedef struct part {  // one inner chunk of the region
  ra__zarr_slot slot;
  uint64_t first[RA_ZARR_DIMS];  // its first cell in the array
} part;

typedef struct region {
  ra_zarr_array *array;
  const ra_reader *reader;
  const char *path;
  const uint64_t *start, *count;
  uint8_t *dst;
  int64_t strides[RA_ZARR_DIMS];  // of dst, in bytes
  ra_cancel *cancel;
  ra_timing *timing;
  uint8_t *raw, *packed;
  size_t packed_cap;
  part *parts;  // stored chunks of the present shard
  size_t part_count, part_cap;
} region;

// ---- which chunks

static int check_region(const ra_zarr_array *array, const uint64_t *start, const uint64_t *count,
                        ra_err *err) {
  for (unsigned i = 0; i < array->info.ndim; i++) {
    uint64_t extent = array->info.shape[i];
    if (start[i] > extent || count[i] > extent - start[i]) {
      return ra_fail(err, RA_E_INVALID, "", "cells %llu + %llu of dimension %u, which has %llu",
                     (unsigned long long)start[i], (unsigned long long)count[i], i,
                     (unsigned long long)extent);
    }
  }
  return RA_OK;
}

int ra_zarr_cost(const ra_zarr_array *array, const uint64_t *start, const uint64_t *count,
                 uint64_t *chunks, uint64_t *bytes, ra_err *err) {
  int rc = check_region(array, start, count, err);
  if (rc < 0) return rc;
  *chunks = 1;
  for (unsigned i = 0; i < array->info.ndim; i++) {
    uint64_t chunk = array->info.chunk[i], n = 0;
    if (count[i]) n = (start[i] + count[i] - 1) / chunk - start[i] / chunk + 1;
    if (__builtin_mul_overflow(*chunks, n, chunks)) *chunks = UINT64_MAX;
  }
  if (__builtin_mul_overflow(*chunks, (uint64_t)array->chunk_bytes, bytes)) *bytes = UINT64_MAX;
  return RA_OK;
}

// Walks the boxes of `step` cells that touch [start, start + count): at[] are their numbers along each dimension.
typedef struct walk {
  unsigned ndim;
  uint64_t first[RA_ZARR_DIMS], last[RA_ZARR_DIMS], at[RA_ZARR_DIMS];
} walk;

static void walk_init(walk *w, unsigned ndim, const uint64_t *start, const uint64_t *count,
                      const uint64_t *step) {
  w->ndim = ndim;
  for (unsigned i = 0; i < ndim; i++) {
    w->first[i] = w->at[i] = start[i] / step[i];
    w->last[i] = (start[i] + count[i] - 1) / step[i];
  }
}

static bool walk_next(walk *w) {
  for (unsigned i = w->ndim; i-- > 0;) {
    if (w->at[i]++ < w->last[i]) return true;
    w->at[i] = w->first[i];
  }
  return false;
}

// ---- putting cells in place

// The part of a chunk that the region wants: as a box from the raw chunk to dst.
static ra_box overlap(const region *r, const uint64_t *first, size_t *from, size_t *to) {
  const ra_zarr_info *info = &r->array->info;
  ra_box box = {.ndim = info->ndim, .size = info->cell};
  int64_t step = box.size;
  *from = *to = 0;
  for (unsigned k = info->ndim; k-- > 0;) {
    unsigned i = r->array->order[k];
    uint64_t low = first[i] > r->start[i] ? first[i] : r->start[i];
    uint64_t end = first[i] + info->chunk[i], region_end = r->start[i] + r->count[i];
    box.count[i] = (end < region_end ? end : region_end) - low;
    box.src[i] = step;
    box.dst[i] = r->strides[i];
    *from += (low - first[i]) * (uint64_t)step;
    *to += (low - r->start[i]) * (uint64_t)r->strides[i];
    step *= (int64_t)info->chunk[i];
  }
  return box;
}

// Where a box of `extent` cells from `first` on and the region overlap.
static void clip(const region *r, const uint64_t *first, const uint64_t *extent, uint64_t *start,
                 uint64_t *count) {
  for (unsigned i = 0; i < r->array->info.ndim; i++) {
    uint64_t end = r->start[i] + r->count[i], high = first[i] + extent[i];
    start[i] = r->start[i] > first[i] ? r->start[i] : first[i];
    count[i] = (end < high ? end : high) - start[i];
  }
}

// Fills what the region wants of a chunk, or of a shard inside a shard, that is not stored.
static void fill_missing(region *r, const uint64_t *first, const uint64_t *extent) {
  uint64_t start[RA_ZARR_DIMS] = {0}, count[RA_ZARR_DIMS] = {0};
  clip(r, first, extent, start, count);
  const ra_zarr_info *info = &r->array->info;
  ra_box box = {.ndim = info->ndim, .size = info->cell};
  size_t to = 0;
  for (unsigned i = 0; i < info->ndim; i++) {
    box.count[i] = count[i];
    box.dst[i] = r->strides[i];
    to += (start[i] - r->start[i]) * (uint64_t)r->strides[i];
  }
  ra_box_fill(&box, r->array->fill, r->dst + to);
}

static int place_chunk(region *r, const char *key, const uint8_t *packed, size_t size,
                       const uint64_t *first, ra_err *err) {
  const ra_zarr_array *array = r->array;
  if (ra_cancel_is_set(r->cancel)) return ra_fail(err, RA_E_CANCELLED, key, "cancelled");
  uint64_t begin = ra_clock_ns();
  size_t cells = array->chunk_bytes / array->info.cell;
  int rc = ra_codec_decode(array->chain, array->chain_count, packed, size, r->raw,
                           cells * array->stored, err);
  if (rc < 0) {
    if (err) snprintf(err->where, sizeof err->where, "%s", key);
    return rc;
  }
  size_t unit = array->filter_count ? array->stored : array->info.unit;
  if (array->big_endian) ra_cells_swap(r->raw, cells * array->stored / unit, unit);
  if (array->filter_count) ra__zarr_undo_filters(array, r->raw, cells);
  size_t from, to;
  ra_box box = overlap(r, first, &from, &to);
  ra_box_copy(&box, r->raw + from, r->dst + to);
  if (r->timing) r->timing->ns[RA_STAGE_DECODE] += ra_clock_ns() - begin;
  return RA_OK;
}

// ---- fetching

static int fetch(region *r, const char *key, uint64_t offset, size_t size, ra_err *err) {
  if (size >= r->packed_cap) {
    free(r->packed);
    r->packed_cap = 0;
    r->packed = malloc(size + 1);
    if (!r->packed) return ra_fail(err, RA_E_NOMEM, key, "no memory to read %zu bytes", size);
    r->packed_cap = size + 1;
  }
  uint64_t begin = ra_clock_ns();
  int rc = size ? r->reader->read(r->reader->ctx, key, offset, size, r->packed, err) : RA_OK;
  if (r->timing) r->timing->ns[RA_STAGE_FETCH] += ra_clock_ns() - begin;
  return rc;
}

static int by_offset(const void *a, const void *b) {
  uint64_t x = ((const part *)a)->slot.offset, y = ((const part *)b)->slot.offset;
  return (x > y) - (x < y);
}

// Parts [from, result) that one read covers, sorted by offset; *end is where it ends.
static size_t run_end(const region *r, size_t from, uint64_t *end) {
  uint64_t begin = r->parts[from].slot.offset;
  *end = begin + r->parts[from].slot.size;
  size_t i = from + 1;
  for (; i < r->part_count; i++) {
    const ra__zarr_slot *slot = &r->parts[i].slot;
    uint64_t slot_end = slot->offset + slot->size;
    if (slot->offset > *end + GAP || slot_end - begin > RUN) break;
    if (slot_end > *end) *end = slot_end;
  }
  return i;
}

static int read_parts(region *r, const char *key, ra_err *err) {
  if (r->part_count > 1) qsort(r->parts, r->part_count, sizeof *r->parts, by_offset);
  for (size_t i = 0; i < r->part_count;) {
    uint64_t begin = r->parts[i].slot.offset, end;
    size_t next = run_end(r, i, &end);
    int rc = fetch(r, key, begin, end - begin, err);
    for (; i < next && rc == RA_OK; i++) {
      const part *p = &r->parts[i];
      rc = place_chunk(r, key, r->packed + (p->slot.offset - begin), p->slot.size, p->first, err);
    }
    if (rc < 0) return rc;
  }
  return RA_OK;
}

static int add_part(region *r, const part *p, ra_err *err) {
  if (r->part_count == r->part_cap) {
    size_t cap = r->part_cap ? 2 * r->part_cap : 8;
    part *parts = realloc(r->parts, cap * sizeof *parts);
    if (!parts) return ra_fail(err, RA_E_NOMEM, "", "no memory for a list of chunks");
    r->parts = parts;
    r->part_cap = cap;
  }
  r->parts[r->part_count++] = *p;
  return RA_OK;
}

// The inner chunk of a shard that begins at `first`: its place in the index.
static size_t slot_of(const ra__zarr_level *level, unsigned ndim, const uint64_t *at) {
  size_t number = 0;
  for (unsigned k = 0; k < ndim; k++) {
    unsigned i = level->order[k];
    number = number * level->inner[i] + at[i] % level->inner[i];
  }
  return number;
}

// Lists the stored chunks that the region touches of the shard that begins at `first`; the others are filled at once.
static int list_parts(region *r, const ra__zarr_level *level, const uint64_t *first,
                      const uint64_t *extent, const ra__zarr_index *index, ra_err *err) {
  const ra_zarr_info *info = &r->array->info;
  uint64_t start[RA_ZARR_DIMS] = {0}, count[RA_ZARR_DIMS] = {0};
  clip(r, first, extent, start, count);
  walk chunks = {0};
  walk_init(&chunks, info->ndim, start, count, level->chunk);
  r->part_count = 0;
  do {
    part p = {0};
    for (unsigned i = 0; i < info->ndim; i++) p.first[i] = chunks.at[i] * level->chunk[i];
    p.slot.offset = RA__ZARR_MISSING;
    if (index->count) p.slot = index->slots[slot_of(level, info->ndim, chunks.at)];
    if (p.slot.offset == RA__ZARR_MISSING) {
      fill_missing(r, p.first, level->chunk);
    } else {
      int rc = add_part(r, &p, err);
      if (rc < 0) return rc;
    }
  } while (walk_next(&chunks));
  return RA_OK;
}

static void chunk_key(const region *r, const uint64_t *shard, ra_str *key) {
  const ra_zarr_array *array = r->array;
  ra_str_add(key, r->path);
  if (r->path[0]) ra_str_add_char(key, '/');
  if (!array->v2_keys) ra_str_add_char(key, 'c');
  for (unsigned i = 0; i < array->info.ndim; i++) {
    if (i || !array->v2_keys) ra_str_add_char(key, array->separator);
    ra_str_addf(key, "%llu", (unsigned long long)shard[i]);
  }
  if (array->v2_keys && array->info.ndim == 0) ra_str_add_char(key, '0');
}

static int read_level(region *r, size_t depth, const uint64_t *first, const uint64_t *extent,
                      const ra__zarr_index *index, uint64_t base, const char *key, ra_err *err);

// A shard that is a chunk of another one.
// NOLINTNEXTLINE(misc-no-recursion): as deep as there are levels
static int read_nested(const region *outer, size_t depth, const part *p, const char *key,
                       ra_err *err) {
  const ra_zarr_array *array = outer->array;
  ra__zarr_index *index;
  int rc = ra__zarr_index_read(&array->level[depth], outer->reader, key, p->slot.offset,
                               p->slot.size, &index, err);
  if (rc < 0) return rc;
  region r = *outer;
  r.parts = NULL;
  r.part_count = r.part_cap = 0;
  r.packed = NULL;
  r.packed_cap = 0;
  rc = read_level(&r, depth, p->first, array->level[depth - 1].chunk, index, p->slot.offset, key,
                  err);
  ra__zarr_index_unref(index);
  free(r.packed);
  free(r.parts);
  return rc;
}

// The shard at `base` of the object, whose first cell is `first`.
// NOLINTNEXTLINE(misc-no-recursion): as deep as there are levels
static int read_level(region *r, size_t depth, const uint64_t *first, const uint64_t *extent,
                      const ra__zarr_index *index, uint64_t base, const char *key, ra_err *err) {
  int rc = list_parts(r, &r->array->level[depth], first, extent, index, err);
  for (size_t i = 0; base && i < r->part_count; i++) r->parts[i].slot.offset += base;
  if (rc < 0 || depth + 1 == r->array->levels) return rc < 0 ? rc : read_parts(r, key, err);
  for (size_t i = 0; i < r->part_count && rc == RA_OK; i++)
    rc = read_nested(r, depth + 1, &r->parts[i], key, err);
  return rc;
}

static int read_shard(region *r, const uint64_t *shard, const char *key, ra_err *err) {
  const ra_zarr_array *array = r->array;
  uint64_t number = 0, first[RA_ZARR_DIMS] = {0};
  for (unsigned i = 0; i < array->info.ndim; i++) {
    number = number * array->grid[i] + shard[i];
    first[i] = shard[i] * array->info.shard[i];
  }
  ra__zarr_index *index;
  uint64_t begin = ra_clock_ns();
  int rc = ra__zarr_index_get(r->array, r->reader, number, key, &index, err);
  if (r->timing) r->timing->ns[RA_STAGE_FETCH] += ra_clock_ns() - begin;
  if (rc < 0) return rc;
  rc = read_level(r, 0, first, array->info.shard, index, 0, key, err);
  ra__zarr_index_unref(index);
  return rc;
}

static int read_plain(region *r, const uint64_t *chunk, const char *key, ra_err *err) {
  const ra_zarr_info *info = &r->array->info;
  uint64_t first[RA_ZARR_DIMS], size;
  for (unsigned i = 0; i < info->ndim; i++) first[i] = chunk[i] * info->chunk[i];
  int rc = r->reader->size(r->reader->ctx, key, &size, err);
  if (rc == RA_E_NOTFOUND) {
    fill_missing(r, first, info->chunk);
    return RA_OK;
  }
  if (rc < 0) return rc;
  if (size > 2 * r->array->chunk_bytes + (64 << 10)) {
    return ra_fail(err, RA_E_CORRUPT, key, "%llu bytes are too many for a chunk of %zu",
                   (unsigned long long)size, r->array->chunk_bytes);
  }
  rc = fetch(r, key, 0, size, err);
  // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): the region owns what it fetched
  return rc == RA_OK ? place_chunk(r, key, r->packed, size, first, err) : rc;
}

static int read_region(region *r, ra_err *err) {
  const ra_zarr_array *array = r->array;
  walk shards = {0};
  walk_init(&shards, array->info.ndim, r->start, r->count, array->info.shard);
  int rc;
  do {
    ra_str key;
    ra_str_init(&key);
    chunk_key(r, shards.at, &key);
    if (key.failed) {
      rc = ra_fail(err, RA_E_NOMEM, r->path, "no memory for a key");
    } else {
      rc = array->levels ? read_shard(r, shards.at, key.ptr, err)
                         : read_plain(r, shards.at, key.ptr, err);
    }
    ra_str_deinit(&key);
  } while (rc == RA_OK && walk_next(&shards));
  return rc;
}

int ra_zarr_read(ra_zarr_array *array, const ra_reader *reader, const char *path,
                 const uint64_t *start, const uint64_t *count, void *dst, ra_cancel *cancel,
                 ra_timing *timing, ra_err *err) {
  int rc = check_region(array, start, count, err);
  if (rc < 0) return rc;
  region r = {.array = array,
              .reader = reader,
              .path = path,
              .start = start,
              .count = count,
              .dst = dst,
              .cancel = cancel,
              .timing = timing};
  int64_t stride = array->info.cell;
  for (unsigned i = array->info.ndim; i-- > 0;) {
    if (count[i] == 0) return RA_OK;
    r.strides[i] = stride;
    stride *= (int64_t)count[i];
  }
  // Filters may widen cells in place.
  size_t widest = array->filter_count && array->info.cell < 8 ? 8 : array->info.cell;
  r.raw = malloc(array->chunk_bytes / array->info.cell * widest);
  rc = r.raw
           ? read_region(&r, err)
           : ra_fail(err, RA_E_NOMEM, path, "no memory for a chunk of %zu bytes", array->chunk_bytes);
  free(r.raw);
  free(r.packed);
  free(r.parts);
  return rc;
}
