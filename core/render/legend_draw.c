// legend_draw.c - a legend: a bar with ticks for a linear ramp, a list of fields with labels for the others. It is laid out
// first, which gives the size where none was asked for, and painted then.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "codec/png.h"
#include "render/legend.h"
#include "render/text.h"

enum {
  SIDE_MOST = 4096,
  PAD = 8,
  BAR = 14,
  TICK = 4,
  GAP = 4,
  ARROW = 12,
  FIELD = 14,
  LONG = 320,
  TALL = 240,
  LEAST = 32
};

typedef struct page {
  const ra_ramp *ramp;
  const ra_legend *legend;
  ra__canvas canvas;
  uint8_t ink[4], ground[4];
  int top;      // below the title
  int missing;  // height of the line for no value
} page;

static int line_width(const char *text) { return ra__text_width(text) + FIELD + GAP; }

static bool has_missing(const page *p) {
  return p->legend->missing && ra_ramp_mark_entry(p->ramp, RA_RAMP_MISSING) >= 0;
}

static int most_of(int a, int b) { return a > b ? a : b; }

static const uint8_t *mark_colour(const page *p, ra_ramp_mark mark) {
  int entry = ra_ramp_mark_entry(p->ramp, mark);
  return entry < 0 ? NULL : ra_ramp_colours(p->ramp)[entry];
}

static bool is_list(const page *p) { return ra_ramp_get_kind(p->ramp) != RA_RAMP_LINEAR; }

// ---- size

static int widest_label(const page *p) {
  int width = 0;
  for (unsigned i = 0; i < p->legend->tick_count; i++) {
    width = most_of(width, ra__text_width(p->legend->ticks[i].label));
  }
  for (unsigned i = 0; i < p->legend->label_count; i++) {
    width = most_of(width, line_width(p->legend->labels[i]));
  }
  return width;
}

// Entries side by side in columns of one width; one column where they stand below each other.
static int columns_of(const page *p, int width) {
  if (p->legend->vertical) return 1;
  int fits = (width - 2 * PAD + PAD) / (widest_label(p) + PAD);
  int most = (int)p->legend->label_count;
  return fits < 1 ? 1 : fits > most && most > 0 ? most : fits;
}

static int natural_width(const page *p) {
  int least = ra__text_width(p->legend->title);
  if (has_missing(p)) least = most_of(least, line_width(p->legend->missing));
  int body = is_list(p) ? widest_label(p) : BAR + TICK + GAP + widest_label(p);
  int width = most_of(p->legend->vertical ? body : LONG - 2 * PAD, least) + 2 * PAD;
  return width < SIDE_MOST ? width : SIDE_MOST;
}

static int natural_height(const page *p, int width) {
  int ends = p->top + p->missing + PAD;
  if (is_list(p)) {
    int columns = columns_of(p, width), n = (int)p->legend->label_count;
    return ends + (n + columns - 1) / columns * (FIELD + GAP) - GAP;
  }
  return p->legend->vertical ? TALL : ends + BAR + TICK + RA__TEXT_LINE;
}

static int check_side(const char *name, int pixels, ra_err *err) {
  if (pixels >= LEAST && pixels <= SIDE_MOST) return RA_OK;
  return ra_fail(err, RA_E_INVALID, name, "%s is %d pixels; a legend has %d to %d", name, pixels,
                 LEAST, SIDE_MOST);
}

// ---- painting

static void frame(page *p, int x, int y, int width, int height) {
  uint8_t line[4] = {p->ink[0], p->ink[1], p->ink[2], 110};
  ra__canvas_fill(&p->canvas, x, y, width, 1, line);
  ra__canvas_fill(&p->canvas, x, y + height - 1, width, 1, line);
  ra__canvas_fill(&p->canvas, x, y + 1, 1, height - 2, line);
  ra__canvas_fill(&p->canvas, x + width - 1, y + 1, 1, height - 2, line);
}

static void field(page *p, int x, int y, const uint8_t colour[4], const char *label, int most) {
  ra__canvas_fill(&p->canvas, x, y, FIELD, FIELD, colour);
  frame(p, x, y, FIELD, FIELD);
  ra__text_draw(&p->canvas, x + FIELD + GAP, y - 1, most - FIELD - GAP, label, p->ink);
}

static void paint_list(page *p) {
  const ra_legend *legend = p->legend;
  int columns = columns_of(p, p->canvas.width),
      rows = ((int)legend->label_count + columns - 1) / columns;
  int each = (p->canvas.width - 2 * PAD + PAD) / columns;
  for (int i = 0; i < (int)legend->label_count; i++) {
    int column = i / rows, row = i % rows;
    field(p, PAD + column * each, p->top + row * (FIELD + GAP), ra_ramp_colours(p->ramp)[i],
          legend->labels[i], each - PAD);
  }
}

// A triangle that points away from the bar: towards -1 the low end, 1 the high one.
static void arrow(page *p, int x, int y, int towards, int thick, const uint8_t *colour) {
  for (int i = 0; colour && i < ARROW; i++) {
    int half = thick * (ARROW - i) / ARROW / 2;
    for (int k = -half; k < half; k++) {
      int along = towards * i, across = thick / 2 + k;
      ra__canvas_blend(&p->canvas, p->legend->vertical ? x + across : x + along,
                       p->legend->vertical ? y - along : y + across, colour, 255);
    }
  }
}

typedef struct bar {
  int x, y, length;  // of the top left corner, without arrows
} bar;

static bar place_bar(const page *p) {
  int low = mark_colour(p, RA_RAMP_BELOW) ? ARROW : 0,
      high = mark_colour(p, RA_RAMP_ABOVE) ? ARROW : 0;
  if (p->legend->vertical) {
    // Half a line of room for the letters of the outermost ticks.
    int y = p->top + most_of(high, RA__TEXT_LINE / 2 - 2);
    int end = p->canvas.height - p->missing - PAD - most_of(low, RA__TEXT_LINE / 2 - 2);
    return (bar){PAD, y, end - y};
  }
  return (bar){PAD + low, p->top, p->canvas.width - 2 * PAD - low - high};
}

static void paint_bar(page *p, bar b, int thick) {
  bool vertical = p->legend->vertical;
  unsigned count = ra_ramp_count(p->ramp);
  for (int i = 0; i < b.length; i++) {
    const uint8_t *colour = ra_ramp_colours(p->ramp)[(unsigned)i * count / (unsigned)b.length];
    if (vertical) {
      ra__canvas_fill(&p->canvas, b.x, b.y + b.length - 1 - i, thick, 1, colour);
    } else {
      ra__canvas_fill(&p->canvas, b.x + i, b.y, 1, thick, colour);
    }
  }
  frame(p, b.x, b.y, vertical ? thick : b.length, vertical ? b.length : thick);
  int low_y = vertical ? b.y + b.length : b.y, high_y = vertical ? b.y - 1 : b.y;
  arrow(p, vertical ? b.x : b.x - 1, low_y, -1, thick, mark_colour(p, RA_RAMP_BELOW));
  arrow(p, vertical ? b.x : b.x + b.length, high_y, 1, thick, mark_colour(p, RA_RAMP_ABOVE));
}

static int within(int value, int low, int high) {
  return value < low ? low : value > high ? high : value;
}

// Labels that would touch the one before are left out; their ticks stay.
static void paint_ticks(page *p, bar b, int thick) {
  int last = p->legend->vertical ? SIDE_MOST : -SIDE_MOST;
  for (unsigned i = 0; i < p->legend->tick_count; i++) {
    const ra_legend_tick *tick = &p->legend->ticks[i];
    int along = (int)lround(fmin(fmax(tick->at, 0), 1) * (b.length - 1)),
        width = ra__text_width(tick->label);
    if (p->legend->vertical) {
      int y = b.y + b.length - 1 - along;
      ra__canvas_fill(&p->canvas, b.x + thick, y, TICK, 1, p->ink);
      if (y + RA__TEXT_LINE - 2 > last) continue;
      ra__text_draw(&p->canvas, b.x + thick + TICK + GAP, y - RA__TEXT_LINE / 2,
                    p->canvas.width - b.x - thick - TICK - GAP, tick->label, p->ink);
      last = y;
    } else {
      int x = b.x + along, at = within(x - width / 2, 2, p->canvas.width - 2 - width);
      ra__canvas_fill(&p->canvas, x, b.y + thick, 1, TICK, p->ink);
      if (at < last + GAP) continue;
      ra__text_draw(&p->canvas, at, b.y + thick + TICK, -1, tick->label, p->ink);
      last = at + width;
    }
  }
}

static void paint_linear(page *p) {
  bar b = place_bar(p);
  int rest = p->canvas.height - p->top - p->missing - PAD - TICK - RA__TEXT_LINE;
  int thick = p->legend->vertical ? BAR : within(rest, 2, 4 * BAR);
  if (b.length < 2) return;
  paint_bar(p, b, thick);
  paint_ticks(p, b, thick);
}

static void paint(page *p) {
  if (!p->legend->clear) {
    ra__canvas_fill(&p->canvas, 0, 0, p->canvas.width, p->canvas.height, p->ground);
  }
  ra__text_draw(&p->canvas, PAD, PAD - 4, p->canvas.width - 2 * PAD, p->legend->title, p->ink);
  if (is_list(p)) {
    paint_list(p);
  } else {
    paint_linear(p);
  }
  if (p->missing) {
    field(p, PAD, p->canvas.height - PAD - FIELD, mark_colour(p, RA_RAMP_MISSING),
          p->legend->missing, p->canvas.width - 2 * PAD);
  }
}

int ra_legend_png(const ra_ramp *ramp, const ra_legend *legend, ra_buf **out, ra_err *err) {
  static const uint8_t LIGHT[4] = {255, 255, 255, 255}, INK[4] = {34, 38, 44, 255};
  static const uint8_t DARK[4] = {24, 27, 32, 255}, CHALK[4] = {228, 231, 235, 255};
  page p = {.ramp = ramp, .legend = legend};
  memcpy(p.ink, legend->dark ? CHALK : INK, 4);
  memcpy(p.ground, legend->dark ? DARK : LIGHT, 4);
  p.top = legend->title[0] ? PAD + RA__TEXT_LINE : PAD;
  p.missing = has_missing(&p) ? FIELD + GAP + 2 : 0;
  p.canvas.width = legend->width ? (int)legend->width : natural_width(&p);
  p.canvas.height = legend->height ? (int)legend->height : natural_height(&p, p.canvas.width);
  int rc = check_side("width", p.canvas.width, err);
  if (rc == RA_OK) rc = check_side("height", p.canvas.height, err);
  if (rc < 0) return rc;
  p.canvas.rgba = calloc((size_t)p.canvas.width * (size_t)p.canvas.height, 4);
  if (!p.canvas.rgba) return ra_fail(err, RA_E_NOMEM, "legend", "out of memory for a legend");
  paint(&p);
  rc = ra_png_rgba(p.canvas.rgba, (uint32_t)p.canvas.width, (uint32_t)p.canvas.height, out, err);
  free(p.canvas.rgba);
  return rc;
}
