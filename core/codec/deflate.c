// deflate.c - zlib and gzip streams, by libdeflate.
#include <libdeflate.h>

#include "codec/impl.h"

static int result(enum libdeflate_result code, const char *name, size_t cap, ra_err *err) {
  if (code == LIBDEFLATE_SUCCESS) return RA_OK;
  if (code == LIBDEFLATE_INSUFFICIENT_SPACE) {
    return ra_fail(err, RA_E_CORRUPT, "", "%s gives more than the %zu bytes expected", name, cap);
  }
  return ra_fail(err, RA_E_CORRUPT, "", "a damaged %s stream", name);
}

static int no_memory(ra_err *err) { return ra_fail(err, RA_E_NOMEM, "", "no memory for deflate"); }

int ra__deflate_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                       ra_err *err) {
  (void)codec;
  struct libdeflate_decompressor *inflater = ra__inflater();
  if (!inflater) return no_memory(err);
  return result(libdeflate_zlib_decompress(inflater, src.data, src.size, dst, cap, got), "zlib",
                cap, err);
}

int ra__inflate_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                       ra_err *err) {
  (void)codec;
  struct libdeflate_decompressor *inflater = ra__inflater();
  if (!inflater) return no_memory(err);
  return result(libdeflate_deflate_decompress(inflater, src.data, src.size, dst, cap, got),
                "deflate", cap, err);
}

// A gzip file may hold several members behind each other.
int ra__gzip_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                    ra_err *err) {
  (void)codec;
  struct libdeflate_decompressor *inflater = ra__inflater();
  if (!inflater) return no_memory(err);
  *got = 0;
  do {
    size_t used = 0, made = 0;
    int rc = result(libdeflate_gzip_decompress_ex(inflater, src.data, src.size, dst + *got,
                                                  cap - *got, &used, &made),
                    "gzip", cap, err);
    if (rc < 0) return rc;
    *got += made;
    src.data += used;
    src.size -= used;
  } while (src.size > 0);
  return RA_OK;
}

typedef size_t (*compressor)(struct libdeflate_compressor *, const void *, size_t, void *, size_t);

static int compress(compressor call, const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap,
                    size_t *got, ra_err *err) {
  int level = codec->level <= 0 ? 6 : codec->level > 12 ? 12 : codec->level;
  struct libdeflate_compressor *deflater = ra__deflater(level);
  if (!deflater) return no_memory(err);
  *got = call(deflater, src.data, src.size, dst, cap);
  return *got ? RA_OK : ra_fail(err, RA_E_INTERNAL, "", "no room for a deflate stream");
}

int ra__deflate_encode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                       ra_err *err) {
  return compress(libdeflate_zlib_compress, codec, src, dst, cap, got, err);
}

int ra__gzip_encode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                    ra_err *err) {
  return compress(libdeflate_gzip_compress, codec, src, dst, cap, got, err);
}
