// decode.c - one chunk of a variable, by the way in which it is stored: netcdf-c's call, a run of plain bytes, or stored
// bytes through our codecs; see chunks.h
#include <errno.h>
#include <netcdf.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/box.h"
#include "source/storage.h"

int ra__source_readable(const ra_source *source, const ra_source_var *var, ra_err *err) {
  if (var->kind != RA_SOURCE_NUMBERS)
    return ra_fail(err, RA_E_UNSUPPORTED, source->name, "variable '%s' holds no numbers", var->name);
  if (!var->filter) return RA_OK;
  if (var->filter_is_reason)
    return ra_fail(err, RA_E_UNSUPPORTED, source->name, "variable '%s': %s", var->name, var->filter);
  return ra_fail(err, RA_E_UNSUPPORTED, source->name,
                 "variable '%s' is compressed with %s, for which there is no decoder; rewrite it "
                 "with deflate",
                 var->name, var->filter);
}

// ---- netcdf-c, or what stands in its place

// Spreads the box's cells, contiguous in `src`, over the chunk.
static void spread(const ra_source_var *var, const uint64_t *count, const void *src, void *dst) {
  ra_box box = {.ndim = var->ndim, .size = (unsigned)ra_dtype_size(var->dtype)};
  int64_t from = box.size, to = box.size;
  for (unsigned d = var->ndim; d-- > 0;) {
    box.count[d] = count[d];
    box.src[d] = from;
    box.dst[d] = to;
    from *= (int64_t)count[d];
    to *= (int64_t)var->block[d];
  }
  ra_box_copy(&box, src, dst);
}

static int get_vara(const ra_source *source, const ra_source_var *var, const uint64_t *start,
                    const uint64_t *count, void *dst, ra_err *err) {
  size_t first[RA_SOURCE_DIMS], edge[RA_SOURCE_DIMS];
  for (unsigned d = 0; d < var->ndim; d++) {
    first[d] = start[d];
    edge[d] = count[d];
  }
  ra__source_lock();
  int status = nc_get_vara(var->ncid, var->varid, first, edge, dst);
  ra__source_unlock();
  if (!status) return RA_OK;
  return ra_fail(err, RA_E_CORRUPT, source->name, "values of variable '%s' cannot be read: %s",
                 var->name, nc_strerror(status));
}

static int get_box(ra_source *source, const ra_source_var *var, const uint64_t *start,
                   const uint64_t *count, void *dst, ra_err *err) {
  if (source->backend) return source->backend->read(source, var, start, count, dst, err);
  return get_vara(source, var, start, count, dst, err);
}

static int decode_call(ra_source *source, const ra_source_var *var, const uint64_t *start,
                       const uint64_t *count, void *dst, ra_err *err) {
  size_t bytes = ra_dtype_size(var->dtype);
  bool whole = true;
  for (unsigned d = 0; d < var->ndim; d++) {
    bytes *= count[d];
    whole = whole && (d == 0 || count[d] == var->block[d]);
  }
  if (whole) return get_box(source, var, start, count, dst, err);
  void *cells = malloc(bytes);
  if (!cells) return ra_fail(err, RA_E_NOMEM, source->name, "no memory to decode %zu bytes", bytes);
  int rc = get_box(source, var, start, count, cells, err);
  if (rc >= 0) spread(var, count, cells, dst);
  free(cells);
  return rc;
}

// ---- our own decoder

static int cut_short(const ra_source *source, const ra_source_var *var, ra_err *err) {
  if (errno) {
    return ra_fail_errno(err, errno, source->name, "values of variable '%s' cannot be read",
                         var->name);
  }
  return ra_fail(err, RA_E_CORRUPT, source->name,
                 "values of variable '%s' cannot be read: the file ends before them", var->name);
}

static void fill_cells(const ra__storage *storage, size_t cells, const uint8_t *cell, void *dst) {
  ra_box box = {.ndim = 1, .size = (unsigned)storage->format.cell};
  box.count[0] = cells;
  box.dst[0] = (int64_t)storage->format.cell;
  ra_box_fill(&box, cell, dst);
}

// A block of a plain variable is one run of its cells, which may lie in several records.
static int decode_plain(const ra_source *source, const ra_source_var *var, const ra__storage *s,
                        const uint64_t *start, const uint64_t *count, uint8_t *dst, ra_err *err) {
  uint64_t first = 0, cells = 1;
  for (unsigned d = 0; d < var->ndim; d++) {
    first = first * var->shape[d] + start[d];
    cells *= count[d];
  }
  if (s->offset == UINT64_MAX) {
    fill_cells(s, cells, s->fill, dst);
    return RA_OK;
  }
  uint64_t at = first * s->format.cell, end = at + cells * s->format.cell;
  for (uint8_t *to = dst; at < end;) {
    uint64_t record = at / s->record_bytes, inside = at % s->record_bytes, run = end - at;
    if (s->record_stride != s->record_bytes && run > s->record_bytes - inside)
      run = s->record_bytes - inside;
    if (!ra__source_pread(source, to, run, s->offset + record * s->record_stride + inside))
      return cut_short(source, var, err);
    at += run;
    to += run;
  }
  if (s->format.swapped) ra_cells_swap(dst, cells, s->format.cell);
  return RA_OK;
}

static int unpack(const ra_source *source, const ra_source_var *var, const ra__storage *s,
                  uint64_t chunk, const uint8_t *packed, size_t size, uint32_t mask, void *dst,
                  ra_err *err) {
  int rc = ra_chunk_decode(&s->format, mask, packed, size, dst, err);
  if (rc < 0 && err) {
    ra_err_prefix(err, "chunk %llu of variable '%s' is damaged", (unsigned long long)chunk,
                  var->name);
    snprintf(err->where, sizeof err->where, "%s", source->name);
  }
  return rc;
}

static int decode_slot(const ra_source *source, const ra_source_var *var, const ra__storage *s,
                       uint64_t chunk, void *dst, ra_err *err) {
  const ra__slot *slot = ra__storage_slot(s, chunk);
  if (!slot) {
    fill_cells(s, s->format.bytes / s->format.cell, s->fill, dst);
    return RA_OK;
  }
  ra_codec chain[RA_CHUNK_FILTERS];
  bool direct = slot->size == s->format.bytes && ra_chunk_filters(&s->format, slot->mask, chain) == 0;
  uint8_t *packed = direct ? dst : ra_codec_packed(slot->size);
  if (!packed) return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
  if (!ra__source_pread(source, packed, slot->size, slot->offset))
    return cut_short(source, var, err);
  return unpack(source, var, s, chunk, packed, slot->size, slot->mask, dst, err);
}

static int decode_fetched(ra_source *source, const ra_source_var *var, const ra__storage *s,
                          uint64_t chunk, const uint64_t *start, void *dst, ra_err *err) {
  const uint8_t *packed;
  size_t size = 0;
  uint32_t mask = 0;
  ra__source_lock();
  int rc = ra__storage_fetch(source, var, s, start, &packed, &size, &mask, err);
  ra__source_unlock();
  if (rc < 0) return rc;
  if (packed) return unpack(source, var, s, chunk, packed, size, mask, dst, err);
  fill_cells(s, s->format.bytes / s->format.cell, s->fill, dst);
  return RA_OK;
}

// Cells of the chunk that lie past the dataset's own extent.
static void fill_beyond(const ra_source_var *var, const ra__storage *s, const uint64_t *start,
                        uint8_t *dst) {
  for (unsigned past = 0; past < var->ndim; past++) {
    uint64_t inside = s->extent[past] > start[past] ? s->extent[past] - start[past] : 0;
    if (inside >= var->block[past]) continue;
    ra_box box = {.ndim = var->ndim, .size = (unsigned)s->format.cell};
    int64_t step = box.size, offset = 0;
    for (unsigned d = var->ndim; d-- > 0;) {
      box.count[d] = d == past ? var->block[d] - inside : var->block[d];
      box.dst[d] = step;
      if (d == past) offset = (int64_t)inside * step;
      step *= (int64_t)var->block[d];
    }
    ra_box_fill(&box, s->beyond, dst + offset);
  }
}

static bool is_beyond(const ra_source_var *var, const ra__storage *s, const uint64_t *start) {
  for (unsigned d = 0; d < var->ndim; d++) {
    if (start[d] >= s->extent[d]) return true;
  }
  return false;
}

static int decode_chunk(ra_source *source, const ra_source_var *var, const ra__storage *s,
                        uint64_t chunk, const uint64_t *start, void *dst, ra_err *err) {
  if (s->grown && is_beyond(var, s, start)) {
    fill_cells(s, s->format.bytes / s->format.cell, s->beyond, dst);
    return RA_OK;
  }
  int rc = s->way == RA__WAY_CHUNKS ? decode_slot(source, var, s, chunk, dst, err)
                                    : decode_fetched(source, var, s, chunk, start, dst, err);
  if (rc >= 0 && s->grown) fill_beyond(var, s, start, dst);
  return rc;
}

int ra_source_chunk_decode(ra_source *source, const ra_source_var *var, uint64_t chunk, void *dst,
                           ra_err *err) {
  const ra__storage *storage;
  uint64_t start[RA_SOURCE_DIMS], count[RA_SOURCE_DIMS];
  int rc = ra__source_readable(source, var, err);
  ra_source_chunk_box(var, chunk, start, count);
  if (rc >= 0) rc = ra__storage_get(source, var, &storage, err);
  if (rc < 0) return rc;
  if (storage->way == RA__WAY_CALL) {
    rc = decode_call(source, var, start, count, dst, err);
  } else if (storage->way == RA__WAY_PLAIN) {
    rc = decode_plain(source, var, storage, start, count, dst, err);
  } else {
    rc = decode_chunk(source, var, storage, chunk, start, dst, err);
  }
  if (rc < 0) return rc;
  source->chunks_read++;
  return ra__source_unchanged(source, err);
}
