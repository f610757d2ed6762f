// chunk.h - one stored chunk of an array into cells: whatever lies round it (HDF5, kerchunk references), what its bytes
// are is said here. Any thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "codec/codec.h"

enum { RA_CHUNK_FILTERS = 8 };

typedef struct ra_chunk_format {
  ra_codec chain[RA_CHUNK_FILTERS];  // [0] was applied first when the chunk was written
  uint8_t bit[RA_CHUNK_FILTERS];  // the bit of a chunk's filter mask that says: this one was left out
  size_t filters;
  size_t bytes;  // of the chunk's cells: shape × size of a cell
  size_t cell;   // bytes: 1, 2, 4 or 8
  bool swapped;  // big-endian cells
} ra_chunk_format;

// The filters that a chunk with this mask went through.
size_t ra_chunk_filters(const ra_chunk_format *format, uint32_t mask, ra_codec *chain);
// Stored bytes into format->bytes of cells in native byte order; any other size is RA_E_CORRUPT. dst may be src when
// the chunk has no filters.
int ra_chunk_decode(const ra_chunk_format *format, uint32_t mask, const uint8_t *src, size_t size,
                    void *dst, ra_err *err);
