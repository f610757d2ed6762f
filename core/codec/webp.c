// webp.c - WebP out: lossy colours, lossless alpha.
#include "codec/picture.h"

#ifdef RA_HAVE_WEBP
#include <string.h>
#include <webp/encode.h>

int ra_webp_rgba(const uint8_t *rgba, uint32_t width, uint32_t height, int quality, ra_buf **out,
                 ra_err *err) {
  if (width < 1 || height < 1 || width > WEBP_MAX_DIMENSION || height > WEBP_MAX_DIMENSION) {
    return ra_fail(err, RA_E_INVALID, "webp", "%u by %u pixels; 1 to %d a side are wanted", width,
                   height, WEBP_MAX_DIMENSION);
  }
  uint8_t *body = NULL;
  size_t size = WebPEncodeRGBA(rgba, (int)width, (int)height, (int)width * 4, (float)quality, &body);
  if (size == 0) return ra_fail(err, RA_E_NOMEM, "webp", "libwebp could not encode the image");
  int rc = ra_buf_new(size, out, err);
  if (rc == RA_OK) memcpy(ra_buf_bytes(*out), body, size);
  WebPFree(body);
  return rc;
}
#else
int ra_webp_rgba(const uint8_t *rgba, uint32_t width, uint32_t height, int quality, ra_buf **out,
                 ra_err *err) {
  (void)rgba, (void)width, (void)height, (void)quality, (void)out;
  return ra_fail(err, RA_E_UNSUPPORTED, "webp", "this build has no libwebp; ask for png");
}
#endif
