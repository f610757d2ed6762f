// png.h - PNG out, made for tiles: 8-bit palette with alpha, 8-bit RGBA, 16-bit gray. Whole images in memory, any
// thread; equal input gives equal bytes.
#pragma once
#include <stdint.h>

#include "base/buf.h"

// index: width × height palette indexes. rgba: the palette's entries (count ≤ 256); indexes are below count. Up to 16
// entries are packed into 1, 2 or 4 bits. Trailing opaque entries cost nothing in tRNS.
int ra_png_indexed(const uint8_t *index, uint32_t width, uint32_t height, const uint8_t (*rgba)[4],
                   unsigned count, ra_buf **out, ra_err *err);
int ra_png_rgba(const uint8_t *rgba, uint32_t width, uint32_t height, ra_buf **out, ra_err *err);
// channels 1 (gray), 2 (gray + alpha), 3, 4; samples in native byte order.
int ra_png_16(const uint16_t *samples, uint32_t width, uint32_t height, unsigned channels,
              ra_buf **out, ra_err *err);
