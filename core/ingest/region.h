// region.h - boxes of an array's cells: where they are, how an array is cut into them, and copying between two of them in
// memory, whatever the order of dimensions and the direction of axes. Plain values; any thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RA__DIMS = 16 };

typedef struct ra__region {
  uint64_t start[RA__DIMS], count[RA__DIMS];
} ra__region;

size_t ra__region_cells(const ra__region *region, unsigned ndim);  // SIZE_MAX: does not fit
// What two regions share; false when that is nothing.
bool ra__region_meet(const ra__region *a, const ra__region *b, unsigned ndim, ra__region *out);
// Makes *into the smallest region that holds both.
void ra__region_join(ra__region *into, const ra__region *more, unsigned ndim);

// An array cut into equal boxes (cut short at its far edges), numbered in C order.
typedef struct ra__tiling {
  unsigned ndim;
  uint64_t shape[RA__DIMS], side[RA__DIMS], grid[RA__DIMS];
  uint64_t count;  // of boxes
} ra__tiling;

bool ra__tiling_init(ra__tiling *tiling, unsigned ndim, const uint64_t *shape,
                     const uint64_t *side);  // false: too many boxes to count
void ra__tiling_region(const ra__tiling *tiling, uint64_t index, ra__region *out);

// The boxes of a tiling that touch a region, in C order:
//   for (bool more = ra__walk_init(&walk, tiling, region); more; more = ra__walk_next(&walk)) … walk.index …
typedef struct ra__walk {
  const ra__tiling *tiling;
  uint64_t first[RA__DIMS], last[RA__DIMS], at[RA__DIMS];
  uint64_t index;
} ra__walk;

bool ra__walk_init(ra__walk *walk, const ra__tiling *tiling, const ra__region *region);
bool ra__walk_next(ra__walk *walk);

// A region in memory: its first cell, and how many bytes further the next one along a dimension is.
typedef struct ra__view {
  ra__region region;
  uint8_t *cells;
  int64_t stride[RA__DIMS];
} ra__view;

void ra__view_init(ra__view *view, unsigned ndim, unsigned size, const ra__region *region,
                   void *cells);  // C order
// Copies what the two share.
void ra__view_copy(const ra__view *from, const ra__view *to, unsigned ndim, unsigned size);
