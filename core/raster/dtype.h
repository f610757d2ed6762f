// dtype.h - the number types of cells.
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef enum ra_dtype {
  RA_DTYPE_U8,
  RA_DTYPE_I8,
  RA_DTYPE_U16,
  RA_DTYPE_I16,
  RA_DTYPE_U32,
  RA_DTYPE_I32,
  RA_DTYPE_U64,
  RA_DTYPE_I64,
  RA_DTYPE_F32,
  RA_DTYPE_F64,
  RA_DTYPE_COUNT
} ra_dtype;

size_t ra_dtype_size(ra_dtype dtype);       // bytes a cell
const char *ra_dtype_name(ra_dtype dtype);  // "uint8" … "float64": the word of numpy, Zarr v3 and STAC
bool ra_dtype_parse(const char *name, ra_dtype *out);
bool ra_dtype_is_float(ra_dtype dtype);
bool ra_dtype_is_signed(ra_dtype dtype);  // floats too
// Smallest and largest value of an integer type; -/+ largest finite of a float type.
void ra_dtype_limits(ra_dtype dtype, double *least, double *most);
// Turns the bytes of `count` cells of `size` bytes (1, 2, 4 or 8) round.
void ra_cells_swap(void *cells, size_t count, size_t size);
// One cell as a double (64-bit integers beyond 2^53 round).
double ra_dtype_load(ra_dtype dtype, const void *cells, size_t index);
// Stores a double; integers round to nearest and saturate, NaN becomes 0.
void ra_dtype_store(ra_dtype dtype, void *cells, size_t index, double value);
