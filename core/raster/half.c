// half.c - see half.h
#include "raster/half.h"

#include <math.h>
#include <string.h>

float ra_half_load(uint16_t bits) {
  uint32_t sign = (uint32_t)(bits & 0x8000) << 16, rest = bits & 0x7fff, wide;
  float value;
  if (rest < 0x400) {  // zero, or subnormal
    value = (float)rest * 0x1p-24f;
    return sign ? -value : value;
  }
  wide = sign | (rest >= 0x7c00 ? 0x7f800000 | rest << 13 : (rest << 13) + 0x38000000);
  memcpy(&value, &wide, 4);
  return value;
}

uint16_t ra_half_store(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  uint32_t sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
  uint32_t half = rest > 0x7f800000    ? 0x7e00
                  : rest >= 0x47800000 ? 0x7c00
                  : rest < 0x38800000  ? (uint32_t)lrintf(fabsf(value) * 0x1p24f)
                                       : (rest - 0x38000000 + 0xfff + (rest >> 13 & 1)) >> 13;
  return (uint16_t)(sign | half);
}
