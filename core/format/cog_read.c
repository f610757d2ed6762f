// cog_read.c - a parsed header's facts, and its blocks: where they lie and what they hold.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "format/cog_impl.h"
#include "raster/half.h"

enum { HEAD_FIRST = 16384 };

// Parses the first `size` bytes; *need becomes larger than size when they don't reach.
static int parse_head(const ra_reader *reader, const char *key, size_t size, uint64_t file_size,
                      ra_timing *timing, ra_cog **out, size_t *need, ra_err *err) {
  uint8_t *head = malloc(size ? size : 1);
  if (!head) return ra_fail(err, RA_E_NOMEM, key, "out of memory for %zu bytes", size);
  uint64_t start = ra_clock_ns();
  int rc = reader->read(reader->ctx, key, 0, size, head, err);
  if (timing) timing->ns[RA_STAGE_FETCH] += ra_clock_ns() - start;
  if (rc == RA_OK) rc = ra_cog_parse(head, size, file_size, out, need, err);
  free(head);
  return rc;
}

int ra_cog_read_header(const ra_reader *reader, const char *key, ra_timing *timing, ra_cog **out,
                       ra_err *err) {
  uint64_t file_size = 0;
  int rc = reader->size(reader->ctx, key, &file_size, err);
  *out = NULL;
  for (size_t size = HEAD_FIRST, need = 0; rc == RA_OK && !*out; size = need) {
    if (size > file_size) size = (size_t)file_size;
    rc = parse_head(reader, key, size, file_size, timing, out, &need, err);
    if (rc == RA_OK && !*out && (need <= size || need > file_size))
      rc = ra_fail(err, RA_E_CORRUPT, key, "the header does not end within the file");
  }
  if (rc < 0 && err && !err->where[0]) snprintf(err->where, sizeof err->where, "%s", key);
  return rc;
}

ra_cog *ra_cog_ref(ra_cog *cog) {
  atomic_fetch_add_explicit(&cog->refs, 1, memory_order_relaxed);
  return cog;
}

void ra_cog_unref(ra_cog *cog) {
  if (!cog || atomic_fetch_sub_explicit(&cog->refs, 1, memory_order_acq_rel) != 1) return;
  for (size_t i = 0; i < RA__COG_LEVELS; i++) {
    free(cog->levels[i].offsets);
    free(cog->levels[i].counts);
    free(cog->masks[i].offsets);
    free(cog->masks[i].counts);
  }
  free(cog);
}

size_t ra_cog_memory(const ra_cog *cog) {
  size_t bytes = sizeof *cog;
  for (size_t i = 0; i < cog->level_count; i++)
    bytes += 16 * (cog->levels[i].blocks + cog->masks[i].blocks);
  return bytes;
}

const ra_cog_info *ra_cog_get_info(const ra_cog *cog) { return &cog->info; }
size_t ra_cog_level_count(const ra_cog *cog) { return cog->level_count; }

const ra_cog_level *ra_cog_get_level(const ra_cog *cog, size_t level) {
  return &cog->levels[level].shown;
}

// Samples that stand together in a block.
static size_t samples_of(const ra_cog *cog, const ra__cog_level *level) {
  bool mask = level >= cog->masks && level < cog->masks + RA__COG_LEVELS;
  return mask || cog->info.planar ? 1 : cog->info.bands;
}

// Cells of a decoded block of `rows` rows.
static size_t block_cells(const ra_cog *cog, const ra__cog_level *level, size_t rows) {
  return level->shown.block_width * rows * samples_of(cog, level);
}

// Bytes of a block of `rows` rows as it is stored: rows begin at bytes.
static size_t stored_bytes(const ra_cog *cog, const ra__cog_level *level, size_t rows) {
  return (level->shown.block_width * samples_of(cog, level) * level->bits + 7) / 8 * rows;
}

static int no_block(uint32_t column, uint32_t row, unsigned band, size_t level, ra_err *err) {
  return ra_fail(err, RA_E_INVALID, "", "TIFF: no block %u, %u in band %u of level %zu", column,
                 row, band, level);
}

static int range_of(const ra_cog *cog, const ra__cog_level *l, size_t n, uint64_t *offset,
                    uint64_t *size, ra_err *err) {
  size_t raw = stored_bytes(cog, l, l->shown.block_height);
  *offset = l->offsets[n];
  *size = *offset ? l->counts[n] : 0;
  if (l->compression == RA__TIFF_NONE && *size > raw) *size = raw;  // what is behind is not ours
  if (*offset > cog->file_size || *size > cog->file_size - *offset)
    return ra_fail(err, RA_E_CORRUPT, "", "TIFF: block %zu of an image %u wide is not in the file",
                   n, l->shown.width);
  if (*size > 2 * raw + (64 << 10))
    return ra_fail(err, RA_E_CORRUPT, "", "TIFF: a block of %zu bytes packed into %llu", raw,
                   (unsigned long long)*size);
  return RA_OK;
}

int ra_cog_block_range(const ra_cog *cog, size_t level, unsigned band, uint32_t column,
                       uint32_t row, uint64_t *offset, uint64_t *size, ra_err *err) {
  const ra__cog_level *l = level < cog->level_count ? &cog->levels[level] : NULL;
  if (!l || column >= l->shown.across || row >= l->shown.down || band >= cog->info.bands)
    return no_block(column, row, band, level, err);
  size_t n = (size_t)row * l->shown.across + column;
  if (cog->info.planar) n += (size_t)band * l->shown.across * l->shown.down;
  return range_of(cog, l, n, offset, size, err);
}

int ra_cog_mask_range(const ra_cog *cog, size_t level, uint32_t column, uint32_t row,
                      uint64_t *offset, uint64_t *size, ra_err *err) {
  if (cog->info.masking == RA_COG_MASK_ALPHA)
    return ra_cog_block_range(cog, level, cog->info.alpha, column, row, offset, size, err);
  const ra__cog_level *l = level < cog->level_count ? &cog->masks[level] : NULL;
  if (!l || column >= l->shown.across || row >= l->shown.down)
    return no_block(column, row, 0, level, err);
  return range_of(cog, l, (size_t)row * l->shown.across + column, offset, size, err);
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
  size_t got = 0, whole = stored_bytes(cog, l, l->shown.block_height);
  size_t last = l->shown.height % l->shown.block_height;
  size_t short_size = last ? stored_bytes(cog, l, last) : whole;
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

// Samples of 1, 2 or 4 bits, most significant first, become bytes; in place, from the end.
static void widen_bits(uint8_t *cells, size_t width, size_t rows, unsigned bits) {
  size_t stored = (width * bits + 7) / 8;
  unsigned mask = (1u << bits) - 1;
  for (size_t y = rows; y-- > 0;) {
    for (size_t x = width; x-- > 0;) {
      size_t bit = x * bits;
      cells[y * width + x] = (uint8_t)(cells[y * stored + bit / 8] >> (8 - bits - bit % 8) & mask);
    }
  }
}

// Half floats become floats; in place, from the end.
static void widen_halves(uint8_t *cells, size_t count) {
  for (size_t i = count; i-- > 0;) {
    uint16_t bits;
    memcpy(&bits, cells + 2 * i, 2);
    float value = ra_half_load(bits);
    memcpy(cells + 4 * i, &value, 4);
  }
}

static int decode(const ra_cog *cog, const ra__cog_level *l, ra_dtype dtype, const uint8_t *packed,
                  size_t packed_size, uint8_t *cells, ra_err *err) {
  size_t rows = l->shown.block_height, samples = samples_of(cog, l);
  int rc = unpack(cog, l, packed, packed_size, cells, &rows, err);
  if (rc < 0) return rc;
  if (l->bits < 8) {
    widen_bits(cells, l->shown.block_width * samples, rows, l->bits);
    return RA_OK;
  }
  unsigned size = l->bits / 8;
  // Predictor 3 has its own byte order, whatever the file's.
  if (cog->swapped && l->predictor != 3) ra_cells_swap(cells, block_cells(cog, l, rows), size);
  rc = ra_predictor_decode(l->predictor, cells, l->shown.block_width, rows, samples, size, err);
  if (rc == RA_OK && size < ra_dtype_size(dtype)) widen_halves(cells, block_cells(cog, l, rows));
  return rc;
}

int ra_cog_block_decode(const ra_cog *cog, size_t level, const uint8_t *packed, size_t packed_size,
                        void *cells, ra_err *err) {
  if (level >= cog->level_count) return ra_fail(err, RA_E_INVALID, "", "TIFF: no level %zu", level);
  const ra__cog_level *l = &cog->levels[level];
  if (packed) return decode(cog, l, cog->info.dtype, packed, packed_size, cells, err);
  fill(cog, cells, block_cells(cog, l, l->shown.block_height));
  return RA_OK;
}

// ---- masks

static void from_alpha(const ra_cog *cog, const uint8_t *cells, size_t count, size_t step,
                       uint8_t *valid) {
  static const uint8_t none[8];
  size_t size = ra_dtype_size(cog->info.dtype);
  for (size_t i = 0; i < count; i++) valid[i] = memcmp(cells + i * step * size, none, size) != 0;
}

void ra_cog_block_alpha(const ra_cog *cog, size_t level, const void *cells, uint8_t *valid) {
  const ra_cog_level *l = &cog->levels[level].shown;
  size_t size = ra_dtype_size(cog->info.dtype);
  from_alpha(cog, (const uint8_t *)cells + cog->info.alpha * size,
             (size_t)l->block_width * l->block_height, cog->info.bands, valid);
}

static int alpha_decode(const ra_cog *cog, size_t level, const uint8_t *packed, size_t packed_size,
                        uint8_t *valid, ra_err *err) {
  size_t cells = block_cells(cog, &cog->levels[level], cog->levels[level].shown.block_height);
  uint8_t *alpha = malloc(cells * ra_dtype_size(cog->info.dtype));
  if (!alpha) return ra_fail(err, RA_E_NOMEM, "", "TIFF: no memory for a mask");
  int rc = ra_cog_block_decode(cog, level, packed, packed_size, alpha, err);
  if (rc == RA_OK) from_alpha(cog, alpha, cells, 1, valid);
  free(alpha);
  return rc;
}

int ra_cog_mask_decode(const ra_cog *cog, size_t level, const uint8_t *packed, size_t packed_size,
                       uint8_t *valid, ra_err *err) {
  if (level >= cog->level_count) return ra_fail(err, RA_E_INVALID, "", "TIFF: no level %zu", level);
  const ra_cog_level *l = &cog->levels[level].shown;
  if (!packed) {
    memset(valid, 0, (size_t)l->block_width * l->block_height);
    return RA_OK;
  }
  if (cog->info.masking == RA_COG_MASK_ALPHA)
    return alpha_decode(cog, level, packed, packed_size, valid, err);
  return decode(cog, &cog->masks[level], RA_DTYPE_U8, packed, packed_size, valid, err);
}
