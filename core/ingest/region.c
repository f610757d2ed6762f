// region.c - see region.h
#include "ingest/region.h"

#include <string.h>

#include "base/size.h"
#include "format/box.h"

size_t ra__region_cells(const ra__region *region, unsigned ndim) {
  size_t cells = 1;
  for (unsigned d = 0; d < ndim; d++) {
    if (!ra_size_mul(cells, region->count[d], &cells)) return SIZE_MAX;
  }
  return cells;
}

bool ra__region_meet(const ra__region *a, const ra__region *b, unsigned ndim, ra__region *out) {
  for (unsigned d = 0; d < ndim; d++) {
    uint64_t start = a->start[d] > b->start[d] ? a->start[d] : b->start[d];
    uint64_t end_a = a->start[d] + a->count[d], end_b = b->start[d] + b->count[d];
    uint64_t end = end_a < end_b ? end_a : end_b;
    if (end <= start) return false;
    out->start[d] = start;
    out->count[d] = end - start;
  }
  return true;
}

void ra__region_join(ra__region *into, const ra__region *more, unsigned ndim) {
  for (unsigned d = 0; d < ndim; d++) {
    uint64_t end = into->start[d] + into->count[d], end_more = more->start[d] + more->count[d];
    if (more->start[d] < into->start[d]) into->start[d] = more->start[d];
    into->count[d] = (end > end_more ? end : end_more) - into->start[d];
  }
}

bool ra__tiling_init(ra__tiling *tiling, unsigned ndim, const uint64_t *shape, const uint64_t *side) {
  *tiling = (ra__tiling){.ndim = ndim, .count = 1};
  for (unsigned d = 0; d < ndim; d++) {
    tiling->shape[d] = shape[d];
    tiling->side[d] = side[d];
    tiling->grid[d] = shape[d] / side[d] + (shape[d] % side[d] != 0);
    if (__builtin_mul_overflow(tiling->count, tiling->grid[d], &tiling->count)) return false;
  }
  return true;
}

void ra__tiling_region(const ra__tiling *tiling, uint64_t index, ra__region *out) {
  for (unsigned d = tiling->ndim; d-- > 0;) {
    out->start[d] = index % tiling->grid[d] * tiling->side[d];
    index /= tiling->grid[d];
    uint64_t left = tiling->shape[d] - out->start[d];
    out->count[d] = left < tiling->side[d] ? left : tiling->side[d];
  }
}

static void set_index(ra__walk *walk) {
  walk->index = 0;
  for (unsigned d = 0; d < walk->tiling->ndim; d++) {
    walk->index = walk->index * walk->tiling->grid[d] + walk->at[d];
  }
}

bool ra__walk_init(ra__walk *walk, const ra__tiling *tiling, const ra__region *region) {
  walk->tiling = tiling;
  for (unsigned d = 0; d < tiling->ndim; d++) {
    if (region->count[d] == 0) return false;
    walk->first[d] = walk->at[d] = region->start[d] / tiling->side[d];
    walk->last[d] = (region->start[d] + region->count[d] - 1) / tiling->side[d];
  }
  set_index(walk);
  return true;
}

bool ra__walk_next(ra__walk *walk) {
  unsigned d = walk->tiling->ndim;
  while (d > 0 && walk->at[d - 1] == walk->last[d - 1]) d--;
  if (d == 0) return false;
  walk->at[d - 1]++;
  for (; d < walk->tiling->ndim; d++) walk->at[d] = walk->first[d];
  set_index(walk);
  return true;
}

void ra__view_init(ra__view *view, unsigned ndim, unsigned size, const ra__region *region,
                   void *cells) {
  int64_t stride = size;
  view->region = *region;
  view->cells = cells;
  for (unsigned d = ndim; d-- > 0;) {
    view->stride[d] = stride;
    stride *= (int64_t)region->count[d];
  }
}

void ra__view_copy(const ra__view *from, const ra__view *to, unsigned ndim, unsigned size) {
  ra__region shared;
  if (!ra__region_meet(&from->region, &to->region, ndim, &shared)) return;
  ra_box box = {.ndim = ndim, .size = size};
  int64_t src = 0, dst = 0;
  for (unsigned d = 0; d < ndim; d++) {
    box.count[d] = shared.count[d];
    box.src[d] = from->stride[d];
    box.dst[d] = to->stride[d];
    src += (int64_t)(shared.start[d] - from->region.start[d]) * from->stride[d];
    dst += (int64_t)(shared.start[d] - to->region.start[d]) * to->stride[d];
  }
  ra_box_copy(&box, from->cells + src, to->cells + dst);
}
