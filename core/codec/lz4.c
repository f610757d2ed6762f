// lz4.c - numcodecs' lz4: the raw size in 4 bytes, then one block.
#include <limits.h>
#include <lz4.h>

#include "codec/impl.h"

int ra__lz4_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                   ra_err *err) {
  (void)codec;
  if (src.size < 4) return ra_fail(err, RA_E_CORRUPT, "", "lz4: the size is missing");
  uint32_t size = ra__load_u32(src.data);
  if (size > cap) {
    return ra_fail(err, RA_E_CORRUPT, "", "lz4 gives %u bytes where %zu were expected", size, cap);
  }
  if (size > INT_MAX || src.size - 4 > INT_MAX) {
    return ra_fail(err, RA_E_CORRUPT, "", "lz4: a block of %u bytes", size);
  }
  int made =
      LZ4_decompress_safe((const char *)src.data + 4, (char *)dst, (int)(src.size - 4), (int)size);
  if (made < 0 || (uint32_t)made != size) {
    return ra_fail(err, RA_E_CORRUPT, "", "a damaged lz4 block");
  }
  *got = size;
  return RA_OK;
}

int ra__lz4_encode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                   ra_err *err) {
  if (src.size > LZ4_MAX_INPUT_SIZE) {
    return ra_fail(err, RA_E_TOOBIG, "", "lz4 takes at most %d bytes", LZ4_MAX_INPUT_SIZE);
  }
  int room = cap - 4 > INT_MAX ? INT_MAX : (int)(cap - 4);
  int made = LZ4_compress_fast((const char *)src.data, (char *)dst + 4, (int)src.size, room,
                               codec->level > 0 ? codec->level : 1);
  if (made <= 0) return ra_fail(err, RA_E_INTERNAL, "", "no room for an lz4 block");
  ra__store_u32(dst, (uint32_t)src.size);
  *got = (size_t)made + 4;
  return RA_OK;
}
