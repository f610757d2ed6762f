// blosc.c - the container of c-blosc 1. Only the _ctx calls, with one internal thread: the pool has the threads.
#include <blosc.h>
#include <limits.h>

#include "codec/impl.h"

int ra__blosc_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                     ra_err *err) {
  (void)codec;
  size_t size;
  if (src.size < BLOSC_MIN_HEADER_LENGTH || blosc_cbuffer_validate(src.data, src.size, &size) != 0) {
    return ra_fail(err, RA_E_CORRUPT, "", "a damaged blosc header");
  }
  if (size > cap) {
    return ra_fail(err, RA_E_CORRUPT, "", "blosc gives %zu bytes where %zu were expected", size, cap);
  }
  int made = blosc_decompress_ctx(src.data, dst, cap, 1);
  if (made < 0 || (size_t)made != size) {
    return ra_fail(err, RA_E_CORRUPT, "", "a damaged blosc chunk");
  }
  *got = size;
  return RA_OK;
}

int ra__blosc_encode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                     ra_err *err) {
  if (src.size > BLOSC_MAX_BUFFERSIZE) {
    return ra_fail(err, RA_E_TOOBIG, "", "blosc takes at most %d bytes", BLOSC_MAX_BUFFERSIZE);
  }
  int level = codec->level == 0 ? 5 : codec->level;
  int made = blosc_compress_ctx(level, codec->shuffle, codec->element ? codec->element : 1, src.size,
                                src.data, dst, cap, codec->inner[0] ? codec->inner : "zstd", 0, 1);
  if (made <= 0) return ra_fail(err, RA_E_UNSUPPORTED, "", "blosc: no codec \"%s\"", codec->inner);
  *got = (size_t)made;
  return RA_OK;
}
