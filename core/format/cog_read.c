// cog_read.c - a parsed header's facts, and its blocks: where they lie and what they hold.
#include <stdlib.h>
#include <string.h>

#include "format/cog_impl.h"

ra_cog *ra_cog_ref(ra_cog *cog) {
  atomic_fetch_add_explicit(&cog->refs, 1, memory_order_relaxed);
  return cog;
}

void ra_cog_unref(ra_cog *cog) {
  if (!cog || atomic_fetch_sub_explicit(&cog->refs, 1, memory_order_acq_rel) != 1) return;
  for (size_t i = 0; i < RA__COG_LEVELS; i++) {
    free(cog->levels[i].offsets);
    free(cog->levels[i].counts);
  }
  free(cog);
}

size_t ra_cog_memory(const ra_cog *cog) {
  size_t bytes = sizeof *cog;
  for (size_t i = 0; i < cog->level_count; i++) bytes += 16 * cog->levels[i].blocks;
  return bytes;
}

const ra_cog_info *ra_cog_get_info(const ra_cog *cog) { return &cog->info; }
size_t ra_cog_level_count(const ra_cog *cog) { return cog->level_count; }

const ra_cog_level *ra_cog_get_level(const ra_cog *cog, size_t level) {
  return &cog->levels[level].shown;
}

// Cells of a decoded block of `rows` rows.
static size_t block_cells(const ra_cog *cog, const ra__cog_level *level, size_t rows) {
  return level->shown.block_width * rows * (cog->info.planar ? 1 : cog->info.bands);
}

int ra_cog_block_range(const ra_cog *cog, size_t level, unsigned band, uint32_t column,
                       uint32_t row, uint64_t *offset, uint64_t *size, ra_err *err) {
  const ra__cog_level *l = level < cog->level_count ? &cog->levels[level] : NULL;
  if (!l || column >= l->shown.across || row >= l->shown.down || band >= cog->info.bands) {
    return ra_fail(err, RA_E_INVALID, "", "TIFF: no block %u, %u in band %u of level %zu", column,
                   row, band, level);
  }
  size_t n = (size_t)row * l->shown.across + column;
  if (cog->info.planar) n += (size_t)band * l->shown.across * l->shown.down;
  *offset = l->offsets[n];
  *size = *offset ? l->counts[n] : 0;
  if (*offset > cog->file_size || *size > cog->file_size - *offset) {
    return ra_fail(err, RA_E_CORRUPT, "", "TIFF: block %u, %u of level %zu is not in the file",
                   column, row, level);
  }
  size_t raw = block_cells(cog, l, l->shown.block_height) * ra_dtype_size(cog->info.dtype);
  if (*size > 2 * raw + (64 << 10)) {
    return ra_fail(err, RA_E_CORRUPT, "", "TIFF: a block of %zu bytes packed into %llu", raw,
                   (unsigned long long)*size);
  }
  return RA_OK;
}

static void fill(const ra_cog *cog, void *cells, size_t count) {
  size_t size = ra_dtype_size(cog->info.dtype);
  uint8_t *to = cells;
  for (size_t i = 0; i < count; i++) memcpy(to + i * size, cog->missing, size);
}

static ra_codec_id codec_of(uint16_t compression) {
  switch (compression) {
    case RA__TIFF_LZW: return RA_CODEC_LZW;
    case RA__TIFF_PACKBITS: return RA_CODEC_PACKBITS;
    case RA__TIFF_ZSTD: return RA_CODEC_ZSTD;
    default: return RA_CODEC_DEFLATE;
  }
}

// The last strip holds the image's remaining rows only, and some writers cut tiles so, too; every other block is
// whole. *rows: those decoded.
static int unpack(const ra_cog *cog, const ra__cog_level *l, const uint8_t *packed,
                  size_t packed_size, void *cells, size_t *rows, ra_err *err) {
  ra_codec codec = {.id = codec_of(l->compression)};
  size_t size = ra_dtype_size(cog->info.dtype), got = 0;
  size_t whole = block_cells(cog, l, l->shown.block_height) * size;
  size_t last = l->shown.height % l->shown.block_height;
  size_t short_size = last ? block_cells(cog, l, last) * size : whole;
  size_t count = l->compression == RA__TIFF_NONE ? 0 : 1;
  if (count == 0 && packed_size > whole) packed_size = whole;
  int rc = ra_codec_decode_some(&codec, count, packed, packed_size, cells, whole, &got, err);
  if (rc < 0) return rc;
  if (got != whole && got != short_size) {
    return ra_fail(err, RA_E_CORRUPT, "", "TIFF: a block gives %zu bytes where %zu were expected",
                   got, whole);
  }
  *rows = got == whole ? l->shown.block_height : last;
  return RA_OK;
}

int ra_cog_block_decode(const ra_cog *cog, size_t level, const uint8_t *packed, size_t packed_size,
                        void *cells, ra_err *err) {
  if (level >= cog->level_count) return ra_fail(err, RA_E_INVALID, "", "TIFF: no level %zu", level);
  const ra__cog_level *l = &cog->levels[level];
  size_t size = ra_dtype_size(cog->info.dtype), rows = l->shown.block_height;
  if (!packed) {
    fill(cog, cells, block_cells(cog, l, rows));
    return RA_OK;
  }
  int rc = unpack(cog, l, packed, packed_size, cells, &rows, err);
  if (rc < 0) return rc;
  // Predictor 3 has its own byte order, whatever the file's.
  if (cog->swapped && l->predictor != 3) ra_cells_swap(cells, block_cells(cog, l, rows), size);
  return ra_predictor_decode(l->predictor, cells, l->shown.block_width, rows,
                             cog->info.planar ? 1 : cog->info.bands, (unsigned)size, err);
}
