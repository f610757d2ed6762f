// legend_bar.c - a legend of a linear ramp: a bar, pointed where there are colours for what lies
// beyond it, with ticks.
#include <math.h>

#include "render/legend_page.h"

enum {
  PAD = RA__LEGEND_PAD,
  BAR = RA__LEGEND_FIELD,
  GAP = RA__LEGEND_GAP,
  TICK = 4,
  ARROW = 12,
  TALL = 180,
  LABEL = TICK + RA__TEXT_LINE,  // below a bar that lies
  HALF_LINE = RA__TEXT_LINE / 2 - 2
};

static int most_of(int a, int b) { return a > b ? a : b; }

static int within(int value, int low, int high) {
  return value < low ? low : value > high ? high : value;
}

static int widest_label(const ra__page *page) {
  int width = 0;
  for (unsigned i = 0; i < page->legend->tick_count; i++) {
    width = most_of(width, ra__text_width(page->legend->ticks[i].label));
  }
  return width;
}

int ra__bar_width(const ra__page *page) {
  return page->legend->vertical ? BAR + TICK + GAP + widest_label(page) : 0;
}

int ra__bar_height(const ra__page *page) { return page->legend->vertical ? TALL : BAR + LABEL; }

int ra__bar_least(const ra__page *page) {
  return page->legend->vertical ? 3 * BAR : BAR / 2 + LABEL;
}

typedef struct bar {
  int x, y, length, thick;  // of the top left corner, without the points
  bool labels;              // there is room for them
} bar;

static bar place(const ra__page *page) {
  int low = ra__page_mark(page, RA_RAMP_BELOW) ? ARROW : 0;
  int high = ra__page_mark(page, RA_RAMP_ABOVE) ? ARROW : 0;
  int width = page->canvas.width, height = page->bottom - page->top;
  if (page->legend->vertical) {
    int y = page->top + most_of(high, HALF_LINE), end = page->bottom - most_of(low, HALF_LINE);
    return (bar){PAD, y, end - y, BAR, PAD + ra__bar_width(page) <= width};
  }
  bool labels = height >= ra__bar_least(page) && widest_label(page) <= width - 4;
  int thick = within(height - (labels ? LABEL : 0), 2, 4 * BAR);
  return (bar){PAD + low, page->top, width - 2 * PAD - low - high, thick, labels};
}

// A triangle that points away from the bar: towards -1 the low end, 1 the high one.
static void point(ra__page *page, int x, int y, int towards, int thick, const uint8_t *colour) {
  bool vertical = page->legend->vertical;
  for (int i = 0; colour && i < ARROW; i++) {
    int half = thick * (ARROW - i) / ARROW / 2;
    for (int k = -half; k < half; k++) {
      int along = towards * i, across = thick / 2 + k;
      ra__canvas_blend(&page->canvas, vertical ? x + across : x + along,
                       vertical ? y - along : y + across, colour, 255);
    }
  }
}

static void paint_points(ra__page *page, const bar *b) {
  const uint8_t *below = ra__page_mark(page, RA_RAMP_BELOW),
                *above = ra__page_mark(page, RA_RAMP_ABOVE);
  if (page->legend->vertical) {
    point(page, b->x, b->y + b->length, -1, b->thick, below);
    point(page, b->x, b->y - 1, 1, b->thick, above);
  } else {
    point(page, b->x - 1, b->y, -1, b->thick, below);
    point(page, b->x + b->length, b->y, 1, b->thick, above);
  }
}

static void paint_colours(ra__page *page, const bar *b) {
  unsigned count = ra_ramp_count(page->ramp);
  bool vertical = page->legend->vertical;
  for (int i = 0; i < b->length; i++) {
    const uint8_t *colour = ra_ramp_colours(page->ramp)[(unsigned)i * count / (unsigned)b->length];
    if (vertical) {
      ra__canvas_fill(&page->canvas, b->x, b->y + b->length - 1 - i, b->thick, 1, colour);
    } else {
      ra__canvas_fill(&page->canvas, b->x + i, b->y, 1, b->thick, colour);
    }
  }
  ra__page_frame(page, b->x, b->y, vertical ? b->thick : b->length, vertical ? b->length : b->thick);
}

// Of a tick: its place along the bar, and the first and last pixel of its label.
typedef struct span {
  int at, first, last;
} span;

static span span_of(const ra__page *page, const bar *b, const ra_legend_tick *tick) {
  int along = (int)lround(fmin(fmax(tick->at, 0), 1) * (b->length - 1));
  if (page->legend->vertical) {
    int at = b->y + b->length - 1 - along;
    return (span){at, at - RA__TEXT_LINE / 2, at + RA__TEXT_LINE / 2};
  }
  int at = b->x + along, width = ra__text_width(tick->label);
  int first = within(at - width / 2, 2, page->canvas.width - 2 - width);
  return (span){at, first, first + width};
}

static bool apart(span one, span other) {
  return one.first < other.first ? one.last + GAP <= other.first : other.last <= one.first + 2;
}

static span span_at(const ra__page *page, const bar *b, unsigned i) {
  return span_of(page, b, &page->legend->ticks[i]);
}

// Whether every nth label leaves room for the next.
static bool fits(const ra__page *page, const bar *b, unsigned n) {
  for (unsigned i = n; i < page->legend->tick_count; i += n) {
    if (!apart(span_at(page, b, i - n), span_at(page, b, i))) return false;
  }
  return true;
}

static bool is_even(const ra_legend *legend) {
  const ra_legend_tick *ticks = legend->ticks;
  for (unsigned i = 2; i < legend->tick_count; i++) {
    if (fabs(ticks[i].at - 2 * ticks[i - 1].at + ticks[i - 2].at) > 1e-6) return false;
  }
  return true;
}

static void paint_tick(ra__page *page, const bar *b, const ra_legend_tick *tick, bool labelled) {
  span s = span_of(page, b, tick);
  bool vertical = page->legend->vertical;
  int x = vertical ? b->x + b->thick : s.at, y = vertical ? s.at : b->y + b->thick;
  ra__canvas_fill(&page->canvas, x, y, vertical ? TICK : 1, vertical ? 1 : TICK, page->ink);
  if (!labelled) return;
  if (vertical) {
    ra__text_draw(&page->canvas, x + TICK + GAP, s.first, page->canvas.width, tick->label, page->ink);
  } else {
    ra__text_draw(&page->canvas, s.first, y + TICK, page->canvas.width, tick->label, page->ink);
  }
}

// Even ticks keep every nth label, so that what is left is even; of others each that has room after
// the one before.
static void paint_ticks(ra__page *page, const bar *b) {
  bool even = is_even(page->legend);
  unsigned every = 1, last = 0, n = page->legend->tick_count;
  while (even && every < n && !fits(page, b, every)) every++;
  for (unsigned i = 0; i < n; i++) {
    bool labelled =
        even ? i % every == 0 : i == 0 || apart(span_at(page, b, last), span_at(page, b, i));
    if (labelled) last = i;
    paint_tick(page, b, &page->legend->ticks[i], labelled);
  }
}

void ra__bar_paint(ra__page *page) {
  bar b = place(page);
  if (b.length < 2) return;
  paint_colours(page, &b);
  paint_points(page, &b);
  if (b.labels) paint_ticks(page, &b);
}
