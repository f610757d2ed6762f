// dtype.c - the table of number types, and single cells in and out. Loops over many cells live in packing.c.
#include "raster/dtype.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct dtype_facts {
  const char *name;
  size_t size;
  bool is_float, is_signed;
  double least, most;
} dtype_facts;

static const dtype_facts FACTS[RA_DTYPE_COUNT] = {
    [RA_DTYPE_U8] = {"uint8", 1, false, false, 0, UINT8_MAX},
    [RA_DTYPE_I8] = {"int8", 1, false, true, INT8_MIN, INT8_MAX},
    [RA_DTYPE_U16] = {"uint16", 2, false, false, 0, UINT16_MAX},
    [RA_DTYPE_I16] = {"int16", 2, false, true, INT16_MIN, INT16_MAX},
    [RA_DTYPE_U32] = {"uint32", 4, false, false, 0, UINT32_MAX},
    [RA_DTYPE_I32] = {"int32", 4, false, true, INT32_MIN, INT32_MAX},
    [RA_DTYPE_U64] = {"uint64", 8, false, false, 0, 0x1p64},
    [RA_DTYPE_I64] = {"int64", 8, false, true, -0x1p63, 0x1p63},
    [RA_DTYPE_F32] = {"float32", 4, true, true, -FLT_MAX, FLT_MAX},
    [RA_DTYPE_F64] = {"float64", 8, true, true, -DBL_MAX, DBL_MAX},
};

size_t ra_dtype_size(ra_dtype dtype) { return FACTS[dtype].size; }

const char *ra_dtype_name(ra_dtype dtype) { return FACTS[dtype].name; }

bool ra_dtype_parse(const char *name, ra_dtype *out) {
  for (int i = 0; i < RA_DTYPE_COUNT; i++) {
    if (strcmp(FACTS[i].name, name) == 0) {
      *out = (ra_dtype)i;
      return true;
    }
  }
  return false;
}

bool ra_dtype_is_float(ra_dtype dtype) { return FACTS[dtype].is_float; }

bool ra_dtype_is_signed(ra_dtype dtype) { return FACTS[dtype].is_signed; }

void ra_dtype_limits(ra_dtype dtype, double *least, double *most) {
  *least = FACTS[dtype].least;
  *most = FACTS[dtype].most;
}

double ra_dtype_load(ra_dtype dtype, const void *cells, size_t index) {
  switch (dtype) {
    case RA_DTYPE_U8: return ((const uint8_t *)cells)[index];
    case RA_DTYPE_I8: return ((const int8_t *)cells)[index];
    case RA_DTYPE_U16: return ((const uint16_t *)cells)[index];
    case RA_DTYPE_I16: return ((const int16_t *)cells)[index];
    case RA_DTYPE_U32: return ((const uint32_t *)cells)[index];
    case RA_DTYPE_I32: return ((const int32_t *)cells)[index];
    case RA_DTYPE_U64: return (double)((const uint64_t *)cells)[index];
    case RA_DTYPE_I64: return (double)((const int64_t *)cells)[index];
    case RA_DTYPE_F32: return ((const float *)cells)[index];
    case RA_DTYPE_F64: return ((const double *)cells)[index];
    case RA_DTYPE_COUNT: break;
  }
  return NAN;
}

// The limits of the 64-bit types round up to powers of two that the types can't hold, hence >=.
static double saturate(ra_dtype dtype, double value) {
  if (isnan(value)) return 0;
  double whole = rint(value);
  if (whole < FACTS[dtype].least) return FACTS[dtype].least;
  return whole > FACTS[dtype].most ? FACTS[dtype].most : whole;
}

void ra_dtype_store(ra_dtype dtype, void *cells, size_t index, double value) {
  if (dtype == RA_DTYPE_F32) {
    ((float *)cells)[index] = (float)value;
    return;
  }
  if (dtype == RA_DTYPE_F64) {
    ((double *)cells)[index] = value;
    return;
  }
  double v = saturate(dtype, value);
  switch (dtype) {
    case RA_DTYPE_U8: ((uint8_t *)cells)[index] = (uint8_t)v; break;
    case RA_DTYPE_I8: ((int8_t *)cells)[index] = (int8_t)v; break;
    case RA_DTYPE_U16: ((uint16_t *)cells)[index] = (uint16_t)v; break;
    case RA_DTYPE_I16: ((int16_t *)cells)[index] = (int16_t)v; break;
    case RA_DTYPE_U32: ((uint32_t *)cells)[index] = (uint32_t)v; break;
    case RA_DTYPE_I32: ((int32_t *)cells)[index] = (int32_t)v; break;
    case RA_DTYPE_U64: ((uint64_t *)cells)[index] = v >= 0x1p64 ? UINT64_MAX : (uint64_t)v; break;
    case RA_DTYPE_I64: ((int64_t *)cells)[index] = v >= 0x1p63 ? INT64_MAX : (int64_t)v; break;
    default: break;
  }
}

#define SWAP_CELLS(type, swap)                                   \
  for (size_t i = 0; i < count; i++) {                           \
    type cell;                                                   \
    memcpy(&cell, (char *)cells + i * sizeof cell, sizeof cell); \
    cell = swap(cell);                                           \
    memcpy((char *)cells + i * sizeof cell, &cell, sizeof cell); \
  }

void ra_cells_swap(void *cells, size_t count, size_t size) {
  switch (size) {
    case 2: SWAP_CELLS(uint16_t, __builtin_bswap16) break;
    case 4: SWAP_CELLS(uint32_t, __builtin_bswap32) break;
    case 8: SWAP_CELLS(uint64_t, __builtin_bswap64) break;
    default: break;
  }
}
