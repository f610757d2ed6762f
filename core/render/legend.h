// legend.h - a ramp as a picture, for legends and lists of ramps. Any thread.
#pragma once
#include <stdbool.h>

#include "raster/ramp.h"

// The ramp from left to right, or from the bottom up; categories and intervals as equal fields in their order.
// 1..4096 pixels a side, else RA_E_INVALID naming width or height.
int ra_ramp_png(const ra_ramp *ramp, uint32_t width, uint32_t height, bool vertical, ra_buf **out,
                ra_err *err);
