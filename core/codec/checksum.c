// checksum.c - Fletcher-32 as HDF5 stores it and CRC-32C as Zarr does: 4 little-endian bytes behind the data; Adler-32 and
// CRC-32 as numcodecs does: in front of them.
#include <libdeflate.h>
#include <pthread.h>
#include <string.h>

#include "codec/impl.h"
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

static uint32_t table[8][256];  // slicing by 8
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

static void make_table(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    table[0][i] = crc;
  }
  for (uint32_t i = 0; i < 256; i++) {
    for (int k = 1; k < 8; k++)
      table[k][i] = table[k - 1][i] >> 8 ^ table[0][table[k - 1][i] & 255];
  }
}

uint32_t ra__crc32c_portable(uint32_t crc, const uint8_t *p, size_t size) {
  pthread_once(&table_once, make_table);
  for (; size >= 8; p += 8, size -= 8) {
    uint32_t low = ra__load_u32(p) ^ crc, high = ra__load_u32(p + 4);
    crc = table[7][low & 255] ^ table[6][low >> 8 & 255] ^ table[5][low >> 16 & 255] ^
          table[4][low >> 24] ^ table[3][high & 255] ^ table[2][high >> 8 & 255] ^
          table[1][high >> 16 & 255] ^ table[0][high >> 24];
  }
  for (; size; p++, size--) crc = crc >> 8 ^ table[0][(crc ^ *p) & 255];
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse(uint32_t crc, const uint8_t *p,
                                                             size_t size) {
  uint64_t wide = crc;
  for (; size >= 8; p += 8, size -= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = (uint32_t)wide;
  for (; size; p++, size--) crc = _mm_crc32_u8(crc, *p);
  return crc;
}
#endif

uint32_t ra_crc32c(uint32_t crc, const void *data, size_t size) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) return ~crc32c_sse(~crc, data, size);
#endif
  return ~ra__crc32c_portable(~crc, data, size);
}

// Sums over big-endian 16-bit words, folded before they can overflow (360 words), as in H5checksum.c.
static uint32_t fletcher32(const uint8_t *p, size_t size) {
  uint32_t sum1 = 0, sum2 = 0;
  for (size_t words = size / 2; words;) {
    size_t run = words < 360 ? words : 360;
    words -= run;
    for (; run; run--, p += 2) sum2 += sum1 += (uint32_t)(p[0] << 8 | p[1]);
    sum1 = (sum1 & 0xffff) + (sum1 >> 16);
    sum2 = (sum2 & 0xffff) + (sum2 >> 16);
  }
  if (size % 2) {
    sum2 += sum1 += (uint32_t)(*p << 8);
    sum1 = (sum1 & 0xffff) + (sum1 >> 16);
    sum2 = (sum2 & 0xffff) + (sum2 >> 16);
  }
  sum1 = (sum1 & 0xffff) + (sum1 >> 16);
  sum2 = (sum2 & 0xffff) + (sum2 >> 16);
  return sum2 << 16 | sum1;
}

// HDF5 before 1.6.3 swapped the bytes of each half on little-endian machines; its readers accept both.
static bool fletcher32_matches(uint32_t stored, uint32_t sum) {
  uint32_t swapped = (sum & 0x00ff00ffu) << 8 | (sum & 0xff00ff00u) >> 8;
  return stored == sum || stored == swapped;
}

static bool matches(ra_codec_id id, uint32_t stored, ra__span body) {
  switch (id) {
    case RA_CODEC_CRC32C: return stored == ra_crc32c(0, body.data, body.size);
    case RA_CODEC_ADLER32: return stored == libdeflate_adler32(1, body.data, body.size);
    case RA_CODEC_CRC32: return stored == libdeflate_crc32(0, body.data, body.size);
    default: return fletcher32_matches(stored, fletcher32(body.data, body.size));
  }
}

int ra__checksum_strip(const ra_codec *codec, ra__span src, ra__span *raw, ra_err *err) {
  const char *name = ra_codec_name(codec->id);
  bool front = (codec->id == RA_CODEC_ADLER32 || codec->id == RA_CODEC_CRC32) != codec->swap_ends;
  if (src.size < 4) return ra_fail(err, RA_E_CORRUPT, "", "%s: the checksum is missing", name);
  ra__span body = {src.data + (front ? 4 : 0), src.size - 4};
  uint32_t stored = ra__load_u32(front ? src.data : src.data + body.size);
  if (!matches(codec->id, stored, body))
    return ra_fail(err, RA_E_CORRUPT, "", "%s: the checksum does not match", name);
  *raw = body;
  return RA_OK;
}

int ra__checksum_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                        ra_err *err) {
  ra__span raw = {0};
  int rc = ra__checksum_strip(codec, src, &raw, err);
  if (rc < 0) return rc;
  if (raw.size > cap) {
    return ra_fail(err, RA_E_CORRUPT, "", "%zu bytes where %zu were expected", raw.size, cap);
  }
  if (raw.size) memcpy(dst, raw.data, raw.size);
  *got = raw.size;
  return RA_OK;
}

static int append(uint32_t sum, ra__span src, uint8_t *dst, size_t cap, size_t *got, ra_err *err) {
  if (cap < 4 || cap - 4 < src.size)
    return ra_fail(err, RA_E_INTERNAL, "", "no room for a checksum");
  if (src.size) memcpy(dst, src.data, src.size);
  ra__store_u32(dst + src.size, sum);
  *got = src.size + 4;
  return RA_OK;
}

int ra__fletcher32_encode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap,
                          size_t *got, ra_err *err) {
  (void)codec;
  return append(fletcher32(src.data, src.size), src, dst, cap, got, err);
}

int ra__crc32c_encode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                      ra_err *err) {
  (void)codec;
  return append(ra_crc32c(0, src.data, src.size), src, dst, cap, got, err);
}
