// spill.h - pieces of blocks that wait in the scratch file for the object they are part of. A bin is one part of one
// object; its records form a chain from the newest back, so that memory holds only its end. Any thread, one a bin.
#pragma once
#include "codec/codec.h"
#include "ingest/region.h"
#include "ingest/scratch.h"

enum { RA__RECORD = 4 << 20 };  // bytes of cells after which a record is written

// How cells of `size` bytes are compressed there.
ra_codec ra__spill_codec(unsigned size);

typedef struct ra__bin {
  uint64_t offset, size;  // the newest record; size 0: none
} ra__bin;

// A record being gathered; one thread.
typedef struct ra__record {
  unsigned ndim, size;  // size: bytes a cell
  uint8_t *cells;
  size_t len, cap;
  uint64_t *blocks;
  size_t count, room;
} ra__record;

void ra__record_deinit(ra__record *record);
// Adds what `block` (number and cells) has of the region; nothing when they do not meet.
int ra__record_add(ra__record *record, uint64_t block, const ra__view *cells,
                   const ra__region *region, ra_err *err);
// Compresses and appends it to the bin, when it holds anything, and empties it.
int ra__record_write(ra__record *record, ra__scratch *scratch, ra__bin *bin, ra_err *err);

// Copies all that a bin holds of the region into the views and gives up its room in the file; `blocks` is the tiling that
// the blocks' numbers are of.
int ra__bin_read(const ra__bin *bin, ra__scratch *scratch, const ra__tiling *blocks, unsigned size,
                 const ra__region *region, const ra__view *views, size_t count, ra_err *err);
