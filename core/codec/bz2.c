// bz2.c - bzip2 streams.
#include <bzlib.h>
#include <limits.h>

#include "codec/impl.h"

int ra__bz2_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                   ra_err *err) {
  (void)codec;
  if (src.size > UINT_MAX || cap > UINT_MAX) {
    return ra_fail(err, RA_E_TOOBIG, "", "bz2: a chunk of %zu bytes", cap);
  }
  unsigned made = (unsigned)cap;
  int code = BZ2_bzBuffToBuffDecompress((char *)dst, &made, (char *)(uintptr_t)src.data,
                                        (unsigned)src.size, 0, 0);
  if (code == BZ_MEM_ERROR) return ra_fail(err, RA_E_NOMEM, "", "no memory for bz2");
  if (code == BZ_OUTBUFF_FULL) {
    return ra_fail(err, RA_E_CORRUPT, "", "bz2 gives more than the %zu bytes expected", cap);
  }
  if (code != BZ_OK) return ra_fail(err, RA_E_CORRUPT, "", "a damaged bz2 stream");
  *got = made;
  return RA_OK;
}

int ra__bz2_encode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                   ra_err *err) {
  if (src.size > UINT_MAX / 2) {
    return ra_fail(err, RA_E_TOOBIG, "", "bz2: a chunk of %zu bytes", src.size);
  }
  unsigned made = cap > UINT_MAX ? UINT_MAX : (unsigned)cap;
  int level = codec->level <= 0 || codec->level > 9 ? 9 : codec->level;
  int code = BZ2_bzBuffToBuffCompress((char *)dst, &made, (char *)(uintptr_t)src.data,
                                      (unsigned)src.size, level, 0, 0);
  if (code == BZ_MEM_ERROR) return ra_fail(err, RA_E_NOMEM, "", "no memory for bz2");
  if (code != BZ_OK) return ra_fail(err, RA_E_INTERNAL, "", "bz2: code %d", code);
  *got = made;
  return RA_OK;
}
