// refer_private.h - what the files of refer share: how one variable becomes an array of Zarr v2.
#pragma once
#include "source/refer.h"
#include "source/storage.h"

typedef struct ra__referred {
  const ra_source_var *var;
  const ra__storage *storage;  // NULL: the cells stand in the references
  uint64_t chunk[RA_SOURCE_DIMS];
  const ra__slot *slots;  // of chunks
  size_t slot_count;
  ra__slot *listed;  // malloc'd: the same, where they are none of the storage's
  ra_codec chain[RA_CHUNK_FILTERS];
  size_t filters;
  bool big_endian;
  bool has_fill;
  _Alignas(8) uint8_t fill[8];  // a cell, native byte order
} ra__referred;

// A cell of the variable's _FillValue; false when it has none that a cell can hold.
bool ra__referred_fill(const ra_source_var *var, uint8_t cell[8]);
// The text of .zarray, and that of .zattrs.
void ra__referred_array(const ra__referred *r, ra_str *out);
void ra__referred_attributes(const ra_source *source, const ra__referred *r, ra_str *out);
// Of the root group.
void ra__referred_globals(const ra_source *source, ra_str *out);
