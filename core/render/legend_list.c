// legend_list.c - a legend of categories or intervals: fields with labels, one below the other or
// in columns. The colours for what lies below and above and for no value are the last of them. What
// there is no room for is counted in the last line.
#include <stdio.h>

#include "render/legend_page.h"

enum { PAD = RA__LEGEND_PAD, ROW = RA__LEGEND_FIELD + RA__LEGEND_GAP, MARKS = RA_RAMP_MARKS };

typedef struct item {
  const uint8_t *colour;
  const char *label;
} item;

static const char *mark_label(const ra__page *page, unsigned mark) {
  const ra_legend *legend = page->legend;
  return mark == RA_RAMP_BELOW   ? legend->below
         : mark == RA_RAMP_ABOVE ? legend->above
                                 : legend->missing;
}

typedef struct items {
  const ra__page *page;
  item marks[MARKS];  // behind the labelled entries
  unsigned labelled, count;
} items;

static items items_of(const ra__page *page) {
  unsigned entries = ra_ramp_count(page->ramp), labels = page->legend->label_count;
  items all = {.page = page, .labelled = labels < entries ? labels : entries};
  unsigned marks = 0;
  for (unsigned m = 0; m < MARKS; m++) {
    const uint8_t *colour = ra__page_mark(page, (ra_ramp_mark)m);
    if (colour && mark_label(page, m)) all.marks[marks++] = (item){colour, mark_label(page, m)};
  }
  all.count = all.labelled + marks;
  return all;
}

static item item_at(const items *all, unsigned i) {
  if (i >= all->labelled) return all->marks[i - all->labelled];
  return (item){ra_ramp_colours(all->page->ramp)[i], all->page->legend->labels[i]};
}

// Entries without a label: they are counted in a line of their own.
static unsigned hidden(const items *all) { return ra_ramp_count(all->page->ramp) - all->labelled; }

static unsigned lines_of(const items *all) { return all->count + (hidden(all) ? 1 : 0); }

static int widest(const items *all) {
  int width = RA__LEGEND_FIELD;
  for (unsigned i = 0; i < all->count; i++) {
    int each = ra__page_field_width(item_at(all, i).label);
    if (each > width) width = each;
  }
  return width;
}

static unsigned columns_of(const items *all, int width) {
  if (all->page->legend->vertical) return 1;
  int fits = (width - PAD) / (widest(all) + PAD);
  unsigned columns = fits < 1 ? 1 : (unsigned)fits, lines = lines_of(all);
  return columns > lines && lines > 0 ? lines : columns;
}

static unsigned rows_of(const items *all, unsigned columns) {
  return (lines_of(all) + columns - 1) / columns;
}

int ra__list_width(const ra__page *page) {
  items all = items_of(page);
  return widest(&all);
}

int ra__list_height(const ra__page *page, int width) {
  items all = items_of(page);
  return (int)rows_of(&all, columns_of(&all, width)) * ROW - RA__LEGEND_GAP;
}

static void paint_rest(ra__page *page, int x, int y, unsigned rest, int most) {
  char text[48];
  snprintf(text, sizeof text, "… and %u more", rest);
  ra__text_draw(&page->canvas, x, y - 1, most, text, page->ink);
}

void ra__list_paint(ra__page *page) {
  items all = items_of(page);
  unsigned columns = columns_of(&all, page->canvas.width), rows = rows_of(&all, columns);
  int height = page->bottom - page->top + RA__LEGEND_GAP;
  int each = (page->canvas.width - PAD) / (int)columns;
  unsigned room = height < ROW ? 0 : (unsigned)(height / ROW);
  if (rows > room) rows = room;
  if (rows == 0) return;
  unsigned slots = rows * columns;
  unsigned shown = lines_of(&all) <= slots ? all.count : slots - 1;
  unsigned rest = all.count - shown + hidden(&all);
  for (unsigned i = 0; i < shown + (rest ? 1 : 0) && i < slots; i++) {
    int x = PAD + (int)(i / rows) * each, y = page->top + (int)(i % rows) * ROW;
    if (i == shown) {
      paint_rest(page, x, y, rest, each - PAD);
    } else {
      item it = item_at(&all, i);
      ra__page_field(page, x, y, it.colour, it.label, each - PAD);
    }
  }
}
