// box.h - copying an N-dimensional box of cells between two layouts in memory. Strides are in bytes and may be
// negative. Any thread.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { RA__BOX_DIMS = 16 };

typedef struct ra__box {
  unsigned ndim;
  unsigned size;  // bytes a cell: 1, 2, 4 or 8
  uint64_t count[RA__BOX_DIMS];
  int64_t src[RA__BOX_DIMS], dst[RA__BOX_DIMS];
} ra__box;

void ra__box_copy(const ra__box *box, const void *src, void *dst);
// Every cell becomes *cell (`size` bytes); box->src is not used.
void ra__box_fill(const ra__box *box, const void *cell, void *dst);
