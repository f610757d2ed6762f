// text.c - letters from the table of glyphs.c.
#include "render/text.h"

#include <stdbool.h>
#include <string.h>

enum { UNKNOWN = 0xfffd, ELLIPSIS = 0x2026 };

void ra__canvas_blend(ra__canvas *canvas, int x, int y, const uint8_t rgba[4], unsigned share) {
  if (x < 0 || y < 0 || x >= canvas->width || y >= canvas->height) return;
  uint8_t *at = canvas->rgba + ((size_t)y * (size_t)canvas->width + (size_t)x) * 4;
  unsigned over = rgba[3] * share / 255, under = at[3] * (255 - over) / 255, sum = over + under;
  if (sum == 0) return;
  for (int c = 0; c < 3; c++) at[c] = (uint8_t)((rgba[c] * over + at[c] * under + sum / 2) / sum);
  at[3] = (uint8_t)sum;
}

static int within(int value, int most) { return value < 0 ? 0 : value > most ? most : value; }

void ra__canvas_fill(ra__canvas *canvas, int x, int y, int width, int height, const uint8_t rgba[4]) {
  int x0 = within(x, canvas->width), x1 = within(x + width, canvas->width);
  int y0 = within(y, canvas->height), y1 = within(y + height, canvas->height);
  for (int row = y0; row < y1; row++) {
    uint8_t *at = canvas->rgba + ((size_t)row * (size_t)canvas->width + (size_t)x0) * 4;
    for (int column = x0; column < x1; column++, at += 4) {
      if (rgba[3] == 255) {
        memcpy(at, rgba, 4);
      } else {
        ra__canvas_blend(canvas, column, row, rgba, 255);
      }
    }
  }
}

// The next character; what is no UTF-8 counts as one unknown character a byte.
static unsigned next_code(const char **text) {
  const unsigned char *at = (const unsigned char *)*text;
  unsigned more = at[0] < 0x80   ? 0
                  : at[0] < 0xc2 ? 9
                  : at[0] < 0xe0 ? 1
                  : at[0] < 0xf0 ? 2
                  : at[0] < 0xf5 ? 3
                                 : 9;
  unsigned code = more == 0 ? at[0] : more == 9 ? UNKNOWN : at[0] & (0x3fu >> more);
  ++*text;
  if (more == 9) return code;
  for (unsigned i = 1; i <= more; i++) {
    if ((at[i] & 0xc0) != 0x80) return UNKNOWN;
    code = code << 6 | (at[i] & 0x3f);
  }
  *text += more;
  return code;
}

static const ra__glyph *find(unsigned code) {
  unsigned low = 0, high = RA__GLYPH_COUNT;
  while (low < high) {
    unsigned middle = low + (high - low) / 2;
    if (RA__GLYPHS[middle].code < code) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low < RA__GLYPH_COUNT && RA__GLYPHS[low].code == code) return &RA__GLYPHS[low];
  return code == UNKNOWN ? &RA__GLYPHS[0] : find(UNKNOWN);
}

static int width_of(const char *text, const char *end) {
  int width = 0;
  while (text < end) width += find(next_code(&text))->advance;
  return width;
}

int ra__text_width(const char *text) { return width_of(text, text + strlen(text)); }

static unsigned share_of(char digit) {
  return 17 * (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static void draw(ra__canvas *canvas, int x, int base, const ra__glyph *glyph, const uint8_t rgba[4]) {
  const char *digit = glyph->rows;
  for (int row = 0; row < glyph->height; row++) {
    for (int column = 0; column < glyph->width; column++, digit++) {
      if (*digit == '0') continue;
      ra__canvas_blend(canvas, x + glyph->left + column, base + glyph->top + row, rgba,
                       share_of(*digit));
    }
  }
}

static void draw_line(ra__canvas *canvas, int x, int y, int most, const char *text, const char *end,
                      const uint8_t rgba[4]) {
  const ra__glyph *dots = find(ELLIPSIS);
  bool cut = width_of(text, end) > most;
  int stop = x + most - dots->advance;
  while (text < end) {
    const ra__glyph *glyph = find(next_code(&text));
    if (cut && x + glyph->advance > stop) {
      if (x <= stop) draw(canvas, x, y + RA__TEXT_BASE, dots, rgba);
      return;
    }
    draw(canvas, x, y + RA__TEXT_BASE, glyph, rgba);
    x += glyph->advance;
  }
}

void ra__text_draw(ra__canvas *canvas, int x, int y, int most, const char *text,
                   const uint8_t rgba[4]) {
  draw_line(canvas, x, y, most, text, text + strlen(text), rgba);
}

// Where the first line of a text ends: before a space, as far as it fits, or at the end of a longer
// word.
static const char *line_end(const char *text, int most) {
  const char *end = text + strcspn(text, " ");
  while (*end) {
    const char *next = end + 1 + strcspn(end + 1, " ");
    if (width_of(text, next) > most) break;
    end = next;
  }
  return end;
}

int ra__text_block(ra__canvas *canvas, int x, int y, int most, int limit, const char *text,
                   const uint8_t rgba[4]) {
  int lines = 0;
  for (text += strspn(text, " "); *text && lines < limit; lines++) {
    const char *end = lines + 1 < limit ? line_end(text, most) : text + strlen(text);
    if (canvas) draw_line(canvas, x, y + lines * RA__TEXT_LINE, most, text, end, rgba);
    text = end + strspn(end, " ");
  }
  return lines;
}
