// png.c - PNG out (ISO/IEC 15948). Every row has the filter Up and the stream is ISA-L's level 1: measured on smooth,
// noisy and magnified tiles this takes a third of the time of libdeflate's level 1 for about the same size. The few
// chunks are written here too, since libpng would have to be fed the finished stream through its back door.
#include "codec/png.h"

#include <isa-l/igzip_lib.h>
#include <libdeflate.h>
#include <stdbool.h>
#include <string.h>

#include "base/size.h"
#include "codec/impl.h"

enum { HEAD = 8 + 25, CHUNK = 12, LEVEL_BUFFER = ISAL_DEF_LVL1_DEFAULT };

enum {
  COLOUR_GRAY = 0,
  COLOUR_RGB = 2,
  COLOUR_PALETTE = 3,
  COLOUR_GRAY_ALPHA = 4,
  COLOUR_RGBA = 6
};

typedef struct image {
  uint32_t width, height;
  unsigned depth;   // bits a sample
  unsigned colour;  // PNG's colour type
  const uint8_t (*palette)[4];
  unsigned palette_count;
} image;

typedef struct packer {  // the working memory of one compression
  struct isal_zstream stream;
  uint8_t level_buffer[LEVEL_BUFFER];
  uint8_t out[];
} packer;

static uint8_t *put_u32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) *at++ = (uint8_t)(value >> (24 - 8 * i));
  return at;
}

// The bytes of the chunk's data are at `at + 8` already.
static uint8_t *put_chunk(uint8_t *at, const char type[4], size_t size) {
  put_u32(at, (uint32_t)size);
  for (int i = 0; i < 4; i++) at[4 + i] = (uint8_t)type[i];
  return put_u32(at + 8 + size, libdeflate_crc32(0, at + 4, size + 4));
}

static uint8_t *put_head(uint8_t *at, const image *img) {
  static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  memcpy(at, signature, sizeof signature);
  at += 8;
  uint8_t *data = put_u32(put_u32(at + 8, img->width), img->height);
  data[0] = (uint8_t)img->depth;
  data[1] = (uint8_t)img->colour;
  data[2] = data[3] = data[4] = 0;
  return put_chunk(at, "IHDR", 13);
}

static unsigned transparent_count(const image *img) {
  unsigned n = img->palette_count;
  while (n > 0 && img->palette[n - 1][3] == 255) n--;
  return n;
}

static uint8_t *put_palette(uint8_t *at, const image *img) {
  for (unsigned i = 0; i < img->palette_count; i++) memcpy(at + 8 + i * 3, img->palette[i], 3);
  at = put_chunk(at, "PLTE", (size_t)img->palette_count * 3);
  unsigned alphas = transparent_count(img);
  if (alphas == 0) return at;
  for (unsigned i = 0; i < alphas; i++) at[8 + i] = img->palette[i][3];
  return put_chunk(at, "tRNS", alphas);
}

static size_t palette_size(const image *img) {
  if (!img->palette) return 0;
  unsigned alphas = transparent_count(img);
  return CHUNK + (size_t)img->palette_count * 3 + (alphas ? CHUNK + alphas : 0);
}

static int assemble(const image *img, const uint8_t *stream, size_t size, ra_buf **out, ra_err *err) {
  ra_buf *buf;
  int rc = ra_buf_new(HEAD + palette_size(img) + CHUNK + size + CHUNK, &buf, err);
  if (rc < 0) return rc;
  uint8_t *at = put_head(ra_buf_bytes(buf), img);
  if (img->palette) at = put_palette(at, img);
  memcpy(at + 8, stream, size);
  at = put_chunk(at, "IDAT", size);
  put_chunk(at, "IEND", 0);
  *out = buf;
  return RA_OK;
}

// ISA-L's assembly leaves the upper halves of the vector registers in use, which makes all later SSE code of this
// thread several times slower.
#if defined(__x86_64__)
__attribute__((target("avx"))) static void clear_upper_halves(void) { __builtin_ia32_vzeroupper(); }

static void leave_isal(void) {
  if (__builtin_cpu_supports("avx")) clear_upper_halves();
}
#else
static void leave_isal(void) {}
#endif

// rows: filtered. An incompressible stream grows by a few bytes a stored block; the bound leaves more.
static int compress(const image *img, uint8_t *rows, size_t size, ra_buf **out, ra_err *err) {
  size_t bound = size + size / 64 + 1024;
  packer *p = (packer *)ra__scratch(1, sizeof *p + bound);
  if (!p) return ra_fail(err, RA_E_NOMEM, "png", "out of memory for a %zu-byte image", size);
  isal_deflate_stateless_init(&p->stream);
  p->stream.level = 1;
  p->stream.level_buf = p->level_buffer;
  p->stream.level_buf_size = LEVEL_BUFFER;
  p->stream.gzip_flag = IGZIP_ZLIB;
  p->stream.end_of_stream = 1;
  p->stream.flush = NO_FLUSH;
  p->stream.next_in = rows;
  p->stream.avail_in = (uint32_t)size;
  p->stream.next_out = p->out;
  p->stream.avail_out = (uint32_t)bound;
  int rc = isal_deflate_stateless(&p->stream);
  leave_isal();
  if (rc != COMP_OK) return ra_fail(err, RA_E_INTERNAL, "png", "deflate failed with %d", rc);
  return assemble(img, p->out, p->stream.total_out, out, err);
}

// `a_byte` indexes into each byte, the first in the highest bits; a constant where this is called, so that the inner
// loop is unrolled.
static inline void pack_row(const uint8_t *src, size_t width, unsigned a_byte, uint8_t *dst) {
  unsigned depth = 8 / a_byte;
  size_t whole = width / a_byte, rest = width % a_byte;
  for (size_t i = 0; i < whole; i++, src += a_byte) {
    unsigned bits = 0;
    for (unsigned k = 0; k < a_byte; k++) bits = bits << depth | src[k];
    dst[i] = (uint8_t)bits;
  }
  if (rest == 0) return;
  unsigned bits = 0;
  for (unsigned k = 0; k < a_byte; k++) bits = bits << depth | (k < rest ? src[k] : 0u);
  dst[whole] = (uint8_t)bits;
}

// One row as PNG stores it: samples big-endian, or several palette indexes a byte.
static void store_row(const image *img, const uint8_t *src, size_t row_bytes, uint8_t *dst) {
  switch (img->depth) {
    case 1: pack_row(src, img->width, 8, dst); break;
    case 2: pack_row(src, img->width, 4, dst); break;
    case 4: pack_row(src, img->width, 2, dst); break;
    default:
      for (size_t i = 0; i + 1 < row_bytes; i += 2) dst[i] = src[i + 1], dst[i + 1] = src[i];
  }
}

static void filter_up(const uint8_t *row, const uint8_t *above, size_t n, uint8_t *out) {
  for (size_t i = 0; i < n; i++) out[i] = (uint8_t)(row[i] - above[i]);
}

// src_stride bytes a row in memory, row_bytes in the file.
static int encode(const image *img, const uint8_t *src, size_t src_stride, size_t row_bytes,
                  ra_buf **out, ra_err *err) {
  size_t stride = row_bytes + 1, size, total;
  if (!ra_size_mul(stride, img->height, &size) || size > UINT32_MAX / 2) {
    return ra_fail(err, RA_E_TOOBIG, "png", "an image of %u by %u pixels is over 2 GiB", img->width,
                   img->height);
  }
  bool as_is = img->depth == 8;
  if (!ra_size_add(size, 3 * row_bytes, &total)) total = SIZE_MAX;
  uint8_t *rows = ra__scratch(0, total);
  if (!rows) return ra_fail(err, RA_E_NOMEM, "png", "out of memory for a %zu-byte image", size);
  uint8_t *zeros = rows + size, *stored[2] = {zeros + row_bytes, zeros + 2 * row_bytes};
  memset(zeros, 0, row_bytes);
  const uint8_t *above = zeros;
  for (uint32_t y = 0; y < img->height; y++) {
    const uint8_t *row = src + y * src_stride;
    if (!as_is) {
      store_row(img, row, row_bytes, stored[y & 1]);
      row = stored[y & 1];
    }
    rows[y * stride] = 2;  // Up
    filter_up(row, above, row_bytes, rows + y * stride + 1);
    above = row;
  }
  return compress(img, rows, size, out, err);
}

static int check(uint32_t width, uint32_t height, ra_err *err) {
  if (width > 0 && height > 0 && width <= 1 << 20 && height <= 1 << 20) return RA_OK;
  return ra_fail(err, RA_E_INVALID, "png", "%u by %u pixels; 1 to 1048576 a side are wanted", width,
                 height);
}

int ra_png_indexed(const uint8_t *index, uint32_t width, uint32_t height, const uint8_t (*rgba)[4],
                   unsigned count, ra_buf **out, ra_err *err) {
  int rc = check(width, height, err);
  if (rc < 0) return rc;
  if (count < 1 || count > 256) {
    return ra_fail(err, RA_E_INVALID, "png", "a palette of %u; 1 to 256 are wanted", count);
  }
  unsigned depth = count <= 2 ? 1 : count <= 4 ? 2 : count <= 16 ? 4 : 8;
  image img = {width, height, depth, COLOUR_PALETTE, rgba, count};
  return encode(&img, index, width, ((size_t)width * depth + 7) / 8, out, err);
}

int ra_png_rgba(const uint8_t *rgba, uint32_t width, uint32_t height, ra_buf **out, ra_err *err) {
  int rc = check(width, height, err);
  if (rc < 0) return rc;
  image img = {.width = width, .height = height, .depth = 8, .colour = COLOUR_RGBA};
  return encode(&img, rgba, (size_t)width * 4, (size_t)width * 4, out, err);
}

int ra_png_16(const uint16_t *samples, uint32_t width, uint32_t height, unsigned channels,
              ra_buf **out, ra_err *err) {
  static const unsigned colours[] = {COLOUR_GRAY, COLOUR_GRAY_ALPHA, COLOUR_RGB, COLOUR_RGBA};
  int rc = check(width, height, err);
  if (rc < 0) return rc;
  if (channels < 1 || channels > 4) {
    return ra_fail(err, RA_E_INVALID, "png", "%u channels; 1 to 4 are wanted", channels);
  }
  image img = {.width = width, .height = height, .depth = 16, .colour = colours[channels - 1]};
  size_t row_bytes = (size_t)width * channels * 2;
  return encode(&img, (const uint8_t *)samples, row_bytes, row_bytes, out, err);
}
