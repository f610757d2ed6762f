// impl.h - what the codecs share inside this folder: their common shape and a thread's reusable working memory.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "codec/codec.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "cells in memory are little-endian");

typedef struct ra__span {
  const uint8_t *data;
  size_t size;
} ra__span;

// Decodes src into at most `cap` bytes of dst and says how many in *got. More than cap bytes is RA_E_CORRUPT.
typedef int (*ra__codec_step)(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap,
                              size_t *got, ra_err *err);

typedef struct ra__codec_kind {
  const char *name;
  ra__codec_step decode;
  ra__codec_step encode;        // NULL: read only
  size_t (*bound)(size_t raw);  // most bytes that encoding `raw` of them can give
} ra__codec_kind;

enum { RA__SCRATCH_PACKED = 2, RA__SCRATCH_BLOCK, RA__SCRATCHES };

// Thread-local and freed when the thread ends. Slots 0 and 1 are a chain's; at least `size` bytes; NULL: no memory.
uint8_t *ra__scratch(int slot, size_t size);
struct ZSTD_DCtx_s *ra__zstd_dctx(void);
struct ZSTD_CCtx_s *ra__zstd_cctx(void);
struct libdeflate_decompressor *ra__inflater(void);
struct libdeflate_compressor *ra__deflater(int level);  // 1..12

static inline uint32_t ra__load_u32(const uint8_t *p) {
  return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline void ra__store_u32(uint8_t *p, uint32_t value) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(value >> (8 * i));
}

#define RA__STEP(name) \
  int name(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got, ra_err *err)
RA__STEP(ra__deflate_decode);
RA__STEP(ra__deflate_encode);
RA__STEP(ra__gzip_decode);
RA__STEP(ra__gzip_encode);
RA__STEP(ra__zstd_decode);
RA__STEP(ra__zstd_encode);
RA__STEP(ra__blosc_decode);
RA__STEP(ra__blosc_encode);
RA__STEP(ra__lz4_decode);
RA__STEP(ra__lz4_encode);
RA__STEP(ra__bz2_decode);
RA__STEP(ra__bz2_encode);
RA__STEP(ra__shuffle_decode);
RA__STEP(ra__shuffle_encode);
RA__STEP(ra__checksum_decode);
RA__STEP(ra__fletcher32_encode);
RA__STEP(ra__crc32c_encode);
RA__STEP(ra__lzw_decode);
RA__STEP(ra__packbits_decode);
RA__STEP(ra__lz4_hdf5_decode);
RA__STEP(ra__bitshuffle_decode);
RA__STEP(ra__lzf_decode);
RA__STEP(ra__inflate_decode);
RA__STEP(ra__lzma_decode);
RA__STEP(ra__packed_bits_decode);
#undef RA__STEP
// CRC-32C without the processor's instruction; state in, state out (not inverted).
uint32_t ra__crc32c_portable(uint32_t crc, const uint8_t *p, size_t size);
// Checks a checksum without copying: *raw becomes a view of src without its 4 bytes.
int ra__checksum_strip(const ra_codec *codec, ra__span src, ra__span *raw, ra_err *err);
