// zstd.c - zstd frames. The contexts are the thread's own: making one costs more than a small chunk.
#include <zstd.h>
#include <zstd_errors.h>

#include "codec/impl.h"

int ra__zstd_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                    ra_err *err) {
  (void)codec;
  ZSTD_DCtx *dctx = ra__zstd_dctx();
  if (!dctx) return ra_fail(err, RA_E_NOMEM, "", "no memory for zstd");
  *got = ZSTD_decompressDCtx(dctx, dst, cap, src.data, src.size);
  if (!ZSTD_isError(*got)) return RA_OK;
  if (ZSTD_getErrorCode(*got) == ZSTD_error_dstSize_tooSmall) {
    return ra_fail(err, RA_E_CORRUPT, "", "zstd gives more than the %zu bytes expected", cap);
  }
  return ra_fail(err, RA_E_CORRUPT, "", "a damaged zstd frame: %s", ZSTD_getErrorName(*got));
}

int ra__zstd_encode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                    ra_err *err) {
  ZSTD_CCtx *cctx = ra__zstd_cctx();
  if (!cctx) return ra_fail(err, RA_E_NOMEM, "", "no memory for zstd");
  int level = codec->level == 0 ? 1 : codec->level;
  *got = ZSTD_compressCCtx(cctx, dst, cap, src.data, src.size, level);
  if (!ZSTD_isError(*got)) return RA_OK;
  return ra_fail(err, RA_E_INTERNAL, "", "zstd: %s", ZSTD_getErrorName(*got));
}
