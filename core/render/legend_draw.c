// legend_draw.c - a legend from its parts: the title, the body (a bar or a list), the line for no
// value. It is laid out first, which gives the size where none was asked for; where one was, what
// there is no room for is left out whole.
#include <stdlib.h>
#include <string.h>

#include "codec/png.h"
#include "render/legend_page.h"

enum {
  PAD = RA__LEGEND_PAD,
  FIELD = RA__LEGEND_FIELD,
  GAP = RA__LEGEND_GAP,
  SIDE_LEAST = 32,
  NATURAL_MOST = 1024,  // of a side
  LONG = 320,
  COLUMN = 140,  // of a title above a bar that stands
  TITLE_LINES = 4,
  TITLE_LEAST = 60,
  FOOT = FIELD + GAP + 2
};

const uint8_t *ra__page_mark(const ra__page *page, ra_ramp_mark mark) {
  int entry = ra_ramp_mark_entry(page->ramp, mark);
  return entry < 0 ? NULL : ra_ramp_colours(page->ramp)[entry];
}

void ra__page_frame(ra__page *page, int x, int y, int width, int height) {
  uint8_t line[4] = {page->ink[0], page->ink[1], page->ink[2], 110};
  ra__canvas_fill(&page->canvas, x, y, width, 1, line);
  ra__canvas_fill(&page->canvas, x, y + height - 1, width, 1, line);
  ra__canvas_fill(&page->canvas, x, y + 1, 1, height - 2, line);
  ra__canvas_fill(&page->canvas, x + width - 1, y + 1, 1, height - 2, line);
}

int ra__page_field_width(const char *label) { return ra__text_width(label) + FIELD + GAP; }

void ra__page_field(ra__page *page, int x, int y, const uint8_t colour[4], const char *label,
                    int most) {
  ra__canvas_fill(&page->canvas, x, y, FIELD, FIELD, colour);
  ra__page_frame(page, x, y, FIELD, FIELD);
  ra__text_draw(&page->canvas, x + FIELD + GAP, y - 1, most - FIELD - GAP, label, page->ink);
}

// ---- size

static bool is_list(const ra__page *page) { return ra_ramp_get_kind(page->ramp) != RA_RAMP_LINEAR; }

// The line for no value below a bar; a list has it among its fields.
static bool has_foot(const ra__page *page) {
  return !is_list(page) && page->legend->missing && ra__page_mark(page, RA_RAMP_MISSING);
}

static int most_of(int a, int b) { return a > b ? a : b; }
static int least_of(int a, int b) { return a < b ? a : b; }

static int natural_width(const ra__page *page) {
  int title = ra__text_width(page->legend->title);
  int width = is_list(page) ? ra__list_width(page) : ra__bar_width(page);
  if (has_foot(page)) width = most_of(width, ra__page_field_width(page->legend->missing));
  width = page->legend->vertical ? most_of(width, least_of(title, COLUMN))
                                 : most_of(width, LONG - 2 * PAD);
  return least_of(width + 2 * PAD, NATURAL_MOST);
}

// A title of a few letters a line says nothing.
static int title_height(const ra__page *page, int width) {
  if (width < TITLE_LEAST) return 0;
  return RA__TEXT_LINE *
         ra__text_block(NULL, 0, 0, width - 2 * PAD, TITLE_LINES, page->legend->title, page->ink);
}

static int natural_height(const ra__page *page, int width) {
  int body = is_list(page) ? ra__list_height(page, width) : ra__bar_height(page);
  return least_of(2 * PAD + title_height(page, width) + body + (has_foot(page) ? FOOT : 0),
                  NATURAL_MOST);
}

// ---- painting

static void paint_title(ra__page *page) {
  int width = page->canvas.width - 2 * PAD, height = title_height(page, page->canvas.width);
  int least = is_list(page) ? FIELD : ra__bar_least(page);
  int lines = least_of(height, page->bottom - page->top - least) / RA__TEXT_LINE;
  if (lines < 1) return;
  ra__text_block(&page->canvas, PAD, page->top - 4, width, lines, page->legend->title, page->ink);
  page->top += lines * RA__TEXT_LINE;
}

static void paint_foot(ra__page *page) {
  if (!has_foot(page) || page->bottom - page->top - FOOT < ra__bar_least(page)) return;
  ra__page_field(page, PAD, page->bottom - FIELD, ra__page_mark(page, RA_RAMP_MISSING),
                 page->legend->missing, page->canvas.width - 2 * PAD);
  page->bottom -= FOOT;
}

static void paint(ra__page *page) {
  ra__canvas *canvas = &page->canvas;
  page->top = PAD;
  page->bottom = canvas->height - PAD;
  if (!page->legend->clear) {
    ra__canvas_fill(canvas, 0, 0, canvas->width, canvas->height, page->ground);
  }
  paint_title(page);
  paint_foot(page);
  if (is_list(page)) {
    ra__list_paint(page);
  } else {
    ra__bar_paint(page);
  }
}

int ra_legend_png(const ra_ramp *ramp, const ra_legend *legend, ra_buf **out, ra_err *err) {
  static const uint8_t LIGHT[4] = {255, 255, 255, 255}, INK[4] = {34, 38, 44, 255};
  static const uint8_t DARK[4] = {24, 27, 32, 255}, CHALK[4] = {228, 231, 235, 255};
  ra__page page = {.ramp = ramp, .legend = legend};
  memcpy(page.ink, legend->dark ? CHALK : INK, 4);
  memcpy(page.ground, legend->dark ? DARK : LIGHT, 4);
  ra__canvas *canvas = &page.canvas;
  canvas->width = legend->width ? (int)legend->width : natural_width(&page);
  canvas->height = legend->height ? (int)legend->height : natural_height(&page, canvas->width);
  int rc = ra__legend_check((uint32_t)canvas->width, (uint32_t)canvas->height, SIDE_LEAST, err);
  if (rc < 0) return rc;
  canvas->rgba = calloc((size_t)canvas->width * (size_t)canvas->height, 4);
  if (!canvas->rgba) return ra_fail(err, RA_E_NOMEM, "legend", "out of memory for a legend");
  paint(&page);
  rc = ra_png_rgba(canvas->rgba, (uint32_t)canvas->width, (uint32_t)canvas->height, out, err);
  free(canvas->rgba);
  return rc;
}
