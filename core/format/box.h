// box.h - copying an N-dimensional box of cells between two layouts in memory. Strides are in bytes and may be
// negative. Any thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { RA_BOX_DIMS = 16 };

typedef struct ra_box {
  unsigned ndim;
  unsigned size;  // bytes a cell
  uint64_t count[RA_BOX_DIMS];
  int64_t src[RA_BOX_DIMS], dst[RA_BOX_DIMS];
} ra_box;

void ra_box_copy(const ra_box *box, const void *src, void *dst);
// Every cell becomes *cell (`size` bytes); box->src is not used.
void ra_box_fill(const ra_box *box, const void *cell, void *dst);
