// chunks.c - the grid of a variable's chunks; see chunks.h
#include "source/chunks.h"

#include <string.h>

#include "base/size.h"
#include "source/storage.h"

static const uint64_t BLOCK_BYTES = (uint64_t)4 << 20;

void ra__source_block(ra_source_var *var) {
  uint64_t room = BLOCK_BYTES / ra_dtype_size(var->dtype);
  for (unsigned d = var->ndim; d-- > 0;) {
    uint64_t side = var->shape[d] < room ? var->shape[d] : room;
    var->block[d] = var->chunked ? var->chunk[d] : side ? side : 1;
    room /= var->block[d] ? var->block[d] : 1;
    if (room == 0 || var->block[d] < var->shape[d]) room = 1;
  }
}

void ra_source_chunk_shape(const ra_source_var *var, uint64_t *shape) {
  memcpy(shape, var->block, var->ndim * sizeof *shape);
}

size_t ra_source_chunk_bytes(const ra_source_var *var) {
  size_t bytes = ra_dtype_size(var->dtype);
  for (unsigned d = 0; d < var->ndim; d++) {
    if (!ra_size_mul(bytes, var->block[d], &bytes)) return SIZE_MAX;
  }
  return bytes;
}

uint64_t ra__grid_side(const ra_source_var *var, unsigned d) {
  return var->shape[d] / var->block[d] + (var->shape[d] % var->block[d] != 0);
}

uint64_t ra_source_chunk_count(const ra_source_var *var) {
  uint64_t count = 1;
  for (unsigned d = 0; d < var->ndim; d++) {
    if (__builtin_mul_overflow(count, ra__grid_side(var, d), &count)) return UINT64_MAX;
  }
  return count;
}

void ra_source_chunk_box(const ra_source_var *var, uint64_t chunk, uint64_t *start, uint64_t *count) {
  for (unsigned d = var->ndim; d-- > 0;) {
    uint64_t side = ra__grid_side(var, d);
    start[d] = chunk % side * var->block[d];
    chunk /= side;
    uint64_t left = var->shape[d] - start[d];
    count[d] = left < var->block[d] ? left : var->block[d];
  }
}
