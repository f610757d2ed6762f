// text.h - a picture in memory and letters on it, for legends. Inside render/ only; any thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct ra__glyph {
  uint16_t code;          // Unicode
  uint8_t advance;        // pixels to the next letter
  int8_t left, top;       // from the pen; top from the base line, upwards negative
  uint8_t width, height;  // of the box
  const char *rows;       // width × height hex digits
} ra__glyph;

extern const ra__glyph RA__GLYPHS[];  // by code
extern const unsigned RA__GLYPH_COUNT;

enum {
  RA__TEXT_LINE = 16,
  RA__TEXT_BASE = 12
};  // height of a line, and its base line from the top

typedef struct ra__canvas {
  uint8_t *rgba;  // the caller's
  int width, height;
} ra__canvas;

// What lies outside the picture is left out. Colours are blended over what is there.
void ra__canvas_fill(ra__canvas *canvas, int x, int y, int width, int height, const uint8_t rgba[4]);
void ra__canvas_blend(ra__canvas *canvas, int x, int y, const uint8_t rgba[4],
                      unsigned share);  // of 255

// UTF-8; letters that there are no glyphs for become a box. Width in pixels.
int ra__text_width(const char *text);
// At the top left corner (x, y). A text wider than `most` pixels is cut and ends in "…".
void ra__text_draw(ra__canvas *canvas, int x, int y, int most, const char *text,
                   const uint8_t rgba[4]);
// The same in up to `limit` lines, broken at spaces; only what the last has no room for is cut.
// Returns how many lines it took; without a canvas it only counts.
int ra__text_block(ra__canvas *canvas, int x, int y, int most, int limit, const char *text,
                   const uint8_t rgba[4]);
