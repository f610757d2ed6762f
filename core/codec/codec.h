// codec.h - bytes to bytes: decompression, filters, checksums. A decoded size is always known before decoding (shape
// × dtype); a codec that gives another size is an error. Each thread keeps
// its own contexts; any thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

typedef enum ra_codec_id {
  RA_CODEC_DEFLATE,  // zlib stream (RFC 1950)
  RA_CODEC_GZIP,     // RFC 1952
  RA_CODEC_ZSTD,
  RA_CODEC_BLOSC,  // container of c-blosc 1
  RA_CODEC_LZ4,    // numcodecs: 4 bytes of size, then a block
  RA_CODEC_BZ2,
  RA_CODEC_SHUFFLE,     // HDF5's and numcodecs': bytes of `element` sized items transposed
  RA_CODEC_FLETCHER32,  // HDF5's: 4 bytes behind
  RA_CODEC_CRC32C,      // Zarr's: 4 bytes behind
  RA_CODEC_LZW,         // TIFF's
  RA_CODEC_PACKBITS,    // TIFF's
  RA_CODEC_LZ4_HDF5,    // HDF5's plugin: blocks, each behind its size
  RA_CODEC_BITSHUFFLE,  // HDF5's plugin, with lz4 or zstd inside or without
  RA_CODEC_LZF,
  RA_CODEC_ADLER32,      // numcodecs': 4 bytes in front
  RA_CODEC_CRC32,        // numcodecs': 4 bytes in front
  RA_CODEC_INFLATE,      // deflate without a wrapping (RFC 1951)
  RA_CODEC_LZMA,         // .xz or .lzma streams
  RA_CODEC_PACKED_BITS,  // numcodecs' packbits: the number of unused bits, then a bit a byte of 0 or 1
} ra_codec_id;

typedef struct ra_codec {
  ra_codec_id id;
  int level;         // encoding: compression level, 0 for the codec's default
  unsigned element;  // shuffle, bitshuffle, blosc: bytes an item
  unsigned block;    // bitshuffle without compression: items a block, 0 for the default
  bool swap_ends;    // checksums: the 4 bytes stand at the other end
  int shuffle;       // blosc encoding: 0 none, 1 byte, 2 bit
  char inner[12];    // blosc encoding, bitshuffle: "lz4", "zstd", …
} ra_codec;

const char *ra_codec_name(ra_codec_id id);
// chain[0] was applied first when encoding; decoding walks it backwards. dst gets exactly dst_size bytes.
int ra_codec_decode(const ra_codec *chain, size_t count, const uint8_t *src, size_t src_size,
                    uint8_t *dst, size_t dst_size, ra_err *err);
// The same where the size is known only at most: *got says what came out.
int ra_codec_decode_some(const ra_codec *chain, size_t count, const uint8_t *src, size_t src_size,
                         uint8_t *dst, size_t cap, size_t *got, ra_err *err);
int ra_codec_encode(const ra_codec *chain, size_t count, const uint8_t *src, size_t src_size,
                    ra_buf **out, ra_err *err);
// The most bytes that encoding `size` of them can give, and encoding into that much room of the caller's own.
size_t ra_codec_bound(const ra_codec *chain, size_t count, size_t size);
int ra_codec_encode_into(const ra_codec *chain, size_t count, const uint8_t *src, size_t src_size,
                         uint8_t *dst, size_t cap, size_t *got, ra_err *err);

// The codec that undoes an HDF5 filter with these client values: 1 and *out; 0 when there is nothing to undo (it only
// rounds); -1 when there is none here.
int ra_codec_of_hdf5(unsigned filter, const unsigned *values, size_t count, ra_codec *out);
const char *ra_codec_hdf5_name(unsigned filter);  // "zstd"; "an unknown filter"
// A thread's own memory for the encoded bytes that it decodes next: at least `size`, until its next call. NULL: none.
uint8_t *ra_codec_packed(size_t size);

// CRC-32C (Castagnoli) of data that follow those of `crc`; 0 to begin with.
uint32_t ra_crc32c(uint32_t crc, const void *data, size_t size);
// TIFF predictors over rows of `width` pixels of `samples` interleaved samples, in place; native byte order.
// 2: horizontal differences of integers; 3: floating point (TIFF Technical Note 3).
int ra_predictor_encode(int predictor, uint8_t *rows, size_t width, size_t height, size_t samples,
                        unsigned sample_size, ra_err *err);
int ra_predictor_decode(int predictor, uint8_t *rows, size_t width, size_t height, size_t samples,
                        unsigned sample_size, ra_err *err);
// Appends "zstd 1.5.4, lz4 1.9.4, …".
void ra_codec_versions(ra_str *out);
