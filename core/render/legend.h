// legend.h - a ramp as a picture, bare for lists of ramps or with title, ticks and labels. Any thread.
#pragma once
#include <stdbool.h>

#include "raster/ramp.h"

// The ramp from left to right, or from the bottom up; categories and intervals as equal fields in their order.
// 1..4096 pixels a side, else RA_E_INVALID naming width or height.
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
  const char *const *labels;  // of categories and intervals, one an entry; those beyond label_count are not shown
  unsigned label_count;
  const char *missing;  // beside the colour for no value, where the ramp has one
} ra_legend;

// RA_E_INVALID naming width or height where the size is no room for the ramp.
int ra_legend_png(const ra_ramp *ramp, const ra_legend *legend, ra_buf **out, ra_err *err);
