// hdf5.c - HDF5's filters as codecs: which of ours undoes which filter (hdfgroup.org's registry of filters), and the
// framing that the LZ4 and bitshuffle plugins put round their blocks. Numbers in those frames are big-endian.
#include <lz4.h>
#include <stdio.h>
#include <string.h>
#include <zstd.h>

#include "codec/impl.h"

static const struct {
  unsigned filter;
  ra_codec_id id;
  const char *name;
} FILTERS[] = {
    {1, RA_CODEC_DEFLATE, "deflate"},       {2, RA_CODEC_SHUFFLE, "shuffle"},
    {3, RA_CODEC_FLETCHER32, "fletcher32"}, {307, RA_CODEC_BZ2, "bzip2"},
    {32000, RA_CODEC_LZF, "lzf"},           {32001, RA_CODEC_BLOSC, "blosc"},
    {32004, RA_CODEC_LZ4_HDF5, "lz4"},      {32008, RA_CODEC_BITSHUFFLE, "bitshuffle"},
    {32015, RA_CODEC_ZSTD, "zstd"},
};

// Filters that change values before they are stored and do nothing when they are read.
static bool rounds_only(unsigned filter) { return filter == 32022 || filter == 32023; }

static const struct {
  unsigned filter;
  const char *name;
} OTHERS[] = {
    {4, "szip"},       {5, "nbit"},          {6, "scale-offset"},           {32013, "zfp"},
    {32017, "sz"},     {32022, "bit groom"}, {32023, "granular bit round"}, {32024, "sz3"},
    {32026, "blosc2"},
};

const char *ra_codec_hdf5_name(unsigned filter) {
  for (size_t i = 0; i < sizeof FILTERS / sizeof *FILTERS; i++) {
    if (FILTERS[i].filter == filter) return FILTERS[i].name;
  }
  for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
    if (OTHERS[i].filter == filter) return OTHERS[i].name;
  }
  return "an unknown filter";
}

static bool bitshuffle_of(const unsigned *values, size_t count, ra_codec *out) {
  if (count > 3) out->block = values[3];
  unsigned inner = count > 4 ? values[4] : 0;
  if (inner != 0 && inner != 2 && inner != 3) return false;
  snprintf(out->inner, sizeof out->inner, "%s", inner == 2 ? "lz4" : inner == 3 ? "zstd" : "");
  out->element = count > 2 ? values[2] : 0;
  return out->element > 0;
}

int ra_codec_of_hdf5(unsigned filter, const unsigned *values, size_t count, ra_codec *out) {
  memset(out, 0, sizeof *out);
  if (rounds_only(filter)) return 0;
  for (size_t i = 0; i < sizeof FILTERS / sizeof *FILTERS; i++) {
    if (FILTERS[i].filter != filter) continue;
    out->id = FILTERS[i].id;
    if (out->id == RA_CODEC_SHUFFLE) out->element = count ? values[0] : 0;
    if (out->id == RA_CODEC_SHUFFLE && out->element == 0) return -1;
    if (out->id == RA_CODEC_BITSHUFFLE && !bitshuffle_of(values, count, out)) return -1;
    return 1;
  }
  return -1;
}

static uint32_t load_be32(const uint8_t *p) {
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

// The frame's header: raw bytes of all, raw bytes of a block. What follows stays in *src.
static int open_frame(const char *name, ra__span *src, size_t cap, size_t *total, size_t *block,
                      ra_err *err) {
  if (src->size < 12) return ra_fail(err, RA_E_CORRUPT, "", "%s: the header is missing", name);
  uint64_t bytes = (uint64_t)load_be32(src->data) << 32 | load_be32(src->data + 4);
  *block = load_be32(src->data + 8);
  *src = (ra__span){src->data + 12, src->size - 12};
  if (bytes > cap) {
    return ra_fail(err, RA_E_CORRUPT, "", "%s gives %llu bytes where %zu were expected", name,
                   (unsigned long long)bytes, cap);
  }
  *total = (size_t)bytes;
  if (*block == 0 || *block > LZ4_MAX_INPUT_SIZE)
    return ra_fail(err, RA_E_CORRUPT, "", "%s: blocks of %zu bytes", name, *block);
  return RA_OK;
}

// The next block, behind its size.
static bool take_block(ra__span *src, ra__span *block) {
  if (src->size < 4) return false;
  uint32_t size = load_be32(src->data);
  if (size > src->size - 4) return false;
  *block = (ra__span){src->data + 4, size};
  *src = (ra__span){src->data + 4 + size, src->size - 4 - size};
  return true;
}

static bool unlz4(ra__span src, uint8_t *dst, size_t raw) {
  if (src.size > LZ4_MAX_INPUT_SIZE) return false;
  int made = LZ4_decompress_safe((const char *)src.data, (char *)dst, (int)src.size, (int)raw);
  return made >= 0 && (size_t)made == raw;
}

int ra__lz4_hdf5_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                        ra_err *err) {
  (void)codec;
  size_t total = 0, block = 0;
  int rc = open_frame("lz4", &src, cap, &total, &block, err);
  if (rc < 0) return rc;
  for (size_t at = 0; at < total; at += block) {
    if (block > total - at) block = total - at;
    ra__span packed;
    bool good = take_block(&src, &packed);
    if (good && packed.size == block) {  // a block that did not shrink is stored as it was
      memcpy(dst + at, packed.data, block);
    } else if (!good || !unlz4(packed, dst + at, block)) {
      return ra_fail(err, RA_E_CORRUPT, "", "a damaged lz4 block");
    }
  }
  *got = total;
  return RA_OK;
}

// An 8 × 8 matrix of bits, a row a byte, mirrored at its diagonal.
static uint64_t transpose8(uint64_t x) {
  uint64_t t = (x ^ x >> 7) & 0x00aa00aa00aa00aau;
  x = x ^ t ^ t << 7;
  t = (x ^ x >> 14) & 0x0000cccc0000ccccu;
  x = x ^ t ^ t << 14;
  t = (x ^ x >> 28) & 0x00000000f0f0f0f0u;
  return x ^ t ^ t << 28;
}

// `items` elements, a multiple of 8, from planes of their bits.
static void unshuffle_bits(const uint8_t *src, uint8_t *dst, size_t items, size_t element) {
  size_t row = items / 8;
  for (size_t byte = 0; byte < element; byte++) {
    const uint8_t *plane = src + byte * 8 * row;
    uint8_t *to = dst + byte;
    for (size_t i = 0; i < row; i++) {
      uint64_t bits = 0;
      for (size_t k = 0; k < 8; k++) bits |= (uint64_t)plane[k * row + i] << 8 * k;
      bits = transpose8(bits);
      for (size_t k = 0; k < 8; k++, to += element) *to = (uint8_t)(bits >> 8 * k);
    }
  }
}

static bool unpack_block(const ra_codec *codec, ra__span src, uint8_t *dst, size_t raw) {
  if (codec->inner[0] == 'l') return unlz4(src, dst, raw);
  ZSTD_DCtx *dctx = ra__zstd_dctx();
  return dctx && ZSTD_decompressDCtx(dctx, dst, raw, src.data, src.size) == raw;
}

// bshuf_default_block_size(): part of the format.
static size_t default_items(size_t element) {
  size_t items = 8192 / element / 8 * 8;
  return items < 128 ? 128 : items;
}

// One block of `items` (a multiple of 8); *src moves behind it.
static bool bitshuffle_block(const ra_codec *codec, ra__span *src, uint8_t *dst, size_t items) {
  size_t raw = items * codec->element;
  if (!codec->inner[0]) {
    if (src->size < raw) return false;
    unshuffle_bits(src->data, dst, items, codec->element);
    *src = (ra__span){src->data + raw, src->size - raw};
    return true;
  }
  ra__span packed;
  uint8_t *planes = ra__scratch(RA__SCRATCH_BLOCK, raw);
  if (!planes || !take_block(src, &packed) || !unpack_block(codec, packed, planes, raw))
    return false;
  unshuffle_bits(planes, dst, items, codec->element);
  return true;
}

int ra__bitshuffle_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap,
                          size_t *got, ra_err *err) {
  size_t total = src.size, block = 0, element = codec->element;
  int rc = RA_OK;
  if (codec->inner[0]) rc = open_frame("bitshuffle", &src, cap, &total, &block, err);
  if (rc < 0) return rc;
  if (element == 0 || total > cap || total % element) {
    return ra_fail(err, RA_E_CORRUPT, "", "bitshuffle gives %zu bytes where %zu were expected",
                   total, cap);
  }
  size_t items = total / element, most = codec->inner[0] ? block / element : codec->block;
  if (most == 0 && !codec->inner[0]) most = default_items(element);
  if (most == 0 || most % 8)
    return ra_fail(err, RA_E_CORRUPT, "", "bitshuffle: blocks of %zu items", most);
  for (size_t at = 0; at < items / 8 * 8; at += most) {
    size_t n = items / 8 * 8 - at < most ? items / 8 * 8 - at : most;
    if (!bitshuffle_block(codec, &src, dst + at * element, n))
      return ra_fail(err, RA_E_CORRUPT, "", "a damaged bitshuffle block");
  }
  size_t rest = items % 8 * element;  // stored as they are
  if (src.size < rest)
    return ra_fail(err, RA_E_CORRUPT, "", "bitshuffle: the last items are missing");
  if (rest) memcpy(dst + total - rest, src.data, rest);
  *got = total;
  return RA_OK;
}
