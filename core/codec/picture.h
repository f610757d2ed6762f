// picture.h - JPEG and WebP out, by libjpeg and libwebp, for tiles. Whole images in memory, any thread. A build without
// one of the libraries answers RA_E_UNSUPPORTED for its format.
#pragma once
#include <stdint.h>

#include "base/buf.h"

// width × height pixels of four bytes; the alpha is not looked at. Quality 1 to 100.
int ra_jpeg_rgba(const uint8_t *rgba, uint32_t width, uint32_t height, int quality, ra_buf **out,
                 ra_err *err);
// The alpha is kept, without loss.
int ra_webp_rgba(const uint8_t *rgba, uint32_t width, uint32_t height, int quality, ra_buf **out,
                 ra_err *err);
