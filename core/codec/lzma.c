// lzma.c - .xz and .lzma streams, which say themselves how large their dictionary is: what asks for more memory than the
// highest setting of xz is refused.
#include <lzma.h>

#include "codec/impl.h"

enum { MEMORY_MOST = 80 << 20 };

static int refuse(lzma_ret code, size_t cap, ra_err *err) {
  switch (code) {
    case LZMA_MEM_ERROR: return ra_fail(err, RA_E_NOMEM, "", "no memory for lzma");
    case LZMA_MEMLIMIT_ERROR:
      return ra_fail(err, RA_E_UNSUPPORTED, "", "lzma with a dictionary of more than 64 MiB");
    case LZMA_OK:
    case LZMA_BUF_ERROR:
      return ra_fail(err, RA_E_CORRUPT, "",
                     "lzma gives more than the %zu bytes expected, or ends too early", cap);
    default: return ra_fail(err, RA_E_CORRUPT, "", "a damaged lzma stream");
  }
}

int ra__lzma_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                    ra_err *err) {
  (void)codec;
  lzma_stream stream = LZMA_STREAM_INIT;
  lzma_ret code = lzma_auto_decoder(&stream, MEMORY_MOST, LZMA_CONCATENATED);
  stream.next_in = src.data;
  stream.avail_in = src.size;
  stream.next_out = dst;
  stream.avail_out = cap;
  if (code == LZMA_OK) code = lzma_code(&stream, LZMA_FINISH);
  *got = cap - stream.avail_out;
  if (code == LZMA_OK && !stream.avail_out) {  // full: the mark of the end may be all that is left
    uint8_t more;
    stream.next_out = &more;
    stream.avail_out = 1;
    code = lzma_code(&stream, LZMA_FINISH);
    if (!stream.avail_out) code = LZMA_BUF_ERROR;
  }
  lzma_end(&stream);
  return code == LZMA_STREAM_END ? RA_OK : refuse(code, cap, err);
}
