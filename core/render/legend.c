// legend.c - the bare picture of a ramp: one line of colours, repeated across.
#include "render/legend_page.h"

#include <stdlib.h>
#include <string.h>

#include "codec/png.h"

enum { SIDE_MOST = 4096 };

static int check_side(const char *name, uint32_t pixels, uint32_t least, ra_err *err) {
  if (pixels >= least && pixels <= SIDE_MOST) return RA_OK;
  return ra_fail(err, RA_E_INVALID, name, "%s is %u pixels; it takes %u to %d", name, pixels, least,
                 SIDE_MOST);
}

int ra__legend_check(uint32_t width, uint32_t height, uint32_t least, ra_err *err) {
  int rc = check_side("width", width, least, err);
  if (rc == RA_OK) rc = check_side("height", height, least, err);
  if (rc < 0 || (uint64_t)width * height <= RA_LEGEND_PIXELS) return rc;
  return ra_fail(err, RA_E_INVALID, "width", "%u by %u pixels; a picture has up to %d in all",
                 width, height, RA_LEGEND_PIXELS);
}

// The entry at pixel i of n, counted from the low end.
static const uint8_t *colour_at(const ra_ramp *ramp, uint32_t i, uint32_t n) {
  uint64_t entry = (uint64_t)i * ra_ramp_count(ramp) / n;
  return ra_ramp_colours(ramp)[entry];
}

static void paint(const ra_ramp *ramp, uint32_t width, uint32_t height, bool vertical, uint8_t *rgba) {
  for (uint32_t y = 0; y < height; y++) {
    for (uint32_t x = 0; x < width; x++, rgba += 4) {
      memcpy(rgba, vertical ? colour_at(ramp, height - 1 - y, height) : colour_at(ramp, x, width), 4);
    }
  }
}

int ra_ramp_png(const ra_ramp *ramp, uint32_t width, uint32_t height, bool vertical, ra_buf **out,
                ra_err *err) {
  int rc = ra__legend_check(width, height, 1, err);
  if (rc < 0) return rc;
  uint8_t *rgba = malloc((size_t)width * height * 4);
  if (!rgba) return ra_fail(err, RA_E_NOMEM, "colormap", "out of memory for a picture of the ramp");
  paint(ramp, width, height, vertical, rgba);
  rc = ra_png_rgba(rgba, width, height, out, err);
  free(rgba);
  return rc;
}
