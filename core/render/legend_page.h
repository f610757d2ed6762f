// legend_page.h - what the parts of a legend share: the page with its measures, and fields with a
// label.
#pragma once
#include "render/legend.h"
#include "render/text.h"

enum {
  RA__LEGEND_PAD = 8,
  RA__LEGEND_FIELD = 14,  // side of a field, and thickness of a bar
  RA__LEGEND_GAP = 4
};

typedef struct ra__page {
  const ra_ramp *ramp;
  const ra_legend *legend;
  ra__canvas canvas;
  uint8_t ink[4], ground[4];
  int top, bottom;  // where the body begins and ends
} ra__page;

// The sizes that a picture may have; `least` pixels a side.
int ra__legend_check(uint32_t width, uint32_t height, uint32_t least, ra_err *err);

const uint8_t *ra__page_mark(const ra__page *page, ra_ramp_mark mark);  // NULL: the ramp has none
void ra__page_frame(ra__page *page, int x, int y, int width, int height);
// A field and what stands beside it, in `most` pixels.
void ra__page_field(ra__page *page, int x, int y, const uint8_t colour[4], const char *label,
                    int most);
int ra__page_field_width(const char *label);

// A linear ramp: a bar with ticks. The natural sizes are those of the body; `least`: below that
// there is no room.
int ra__bar_width(const ra__page *page);
int ra__bar_height(const ra__page *page);
int ra__bar_least(const ra__page *page);
void ra__bar_paint(ra__page *page);

// Categories and intervals: fields with labels, and the marks with theirs.
int ra__list_width(const ra__page *page);
int ra__list_height(const ra__page *page, int width);
void ra__list_paint(ra__page *page);
