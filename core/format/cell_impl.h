// cell_impl.h - the bytes of an index of cells, little-endian as this program's machines are.
#pragma once
#include "format/cell_index.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "objects are little-endian");
#define RA__CELL_MAGIC "RACELLS1"

typedef struct ra__cell_head {
  char magic[8];
  uint64_t cells, bands, bins;
  double south, west;  // degrees: where the first band begins, and each band's first bin
  double height;       // of a band, degrees
  double reach;        // the largest of all cells
} ra__cell_head;

typedef struct ra__cell_band {
  uint64_t first, count;  // bins
  double width;           // of a bin, degrees
} ra__cell_band;

typedef struct ra__cell_entry {
  int32_t lon, lat;  // in RA_PLACE_UNIT
  uint32_t number;
  float reach;  // how far the cell goes from its centre, degrees of arc
} ra__cell_entry;

static inline uint64_t ra__cell_start(const ra__cell_head *head) {
  return sizeof *head + head->bands * sizeof(ra__cell_band) + (head->bins + 1) * sizeof(uint64_t);
}
