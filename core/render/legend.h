// legend.h - a ramp as a picture, bare for lists of ramps or with title, ticks and labels. Any
// thread.
#pragma once
#include <stdbool.h>

#include "raster/ramp.h"

// A picture is made where it is asked for, so it is bounded.
enum { RA_LEGEND_PIXELS = 1 << 21 };

// The ramp from left to right, or from the bottom up; categories and intervals as equal fields in
// their order. 1..4096 pixels a side and no more than RA_LEGEND_PIXELS, else RA_E_INVALID naming
// width or height.
int ra_ramp_png(const ra_ramp *ramp, uint32_t width, uint32_t height, bool vertical, ra_buf **out,
                ra_err *err);

typedef struct ra_legend_tick {
  double at;          // 0 to 1 from the low end
  const char *label;  // UTF-8
} ra_legend_tick;

typedef struct ra_legend {
  const char *title;            // "" for none
  bool vertical;                // the ramp from the bottom up; entries one below the other
  bool dark;                    // light letters, on dark ground
  bool clear;                   // no ground
  uint32_t width, height;       // pixels, to 4096; 0: what fits
  const ra_legend_tick *ticks;  // of a linear ramp
  unsigned tick_count;
  const char *const *labels;  // of categories and intervals; entries beyond label_count are only counted
  unsigned label_count;
  // Beside the colours for what lies below and above (of a list; a bar has points) and for no
  // value, where the ramp has them; NULL: not shown.
  const char *below, *above, *missing;
} ra_legend;

// Where a size leaves no room for the title, labels or entries, they are left out. RA_E_INVALID
// names the width or the height that is below 32 or above 4096, and more than RA_LEGEND_PIXELS.
int ra_legend_png(const ra_ramp *ramp, const ra_legend *legend, ra_buf **out, ra_err *err);
