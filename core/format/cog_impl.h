// cog_impl.h - what the cog_*.c share: tags, the writer's levels, the parsed file.
#pragma once
#include <stdatomic.h>

#include "base/str.h"
#include "codec/codec.h"
#include "format/cog.h"
#include "raster/packing.h"

enum {
  RA__TAG_SUBFILE = 254,
  RA__TAG_WIDTH = 256,
  RA__TAG_HEIGHT = 257,
  RA__TAG_BITS = 258,
  RA__TAG_COMPRESSION = 259,
  RA__TAG_PHOTOMETRIC = 262,
  RA__TAG_FILL_ORDER = 266,
  RA__TAG_STRIP_OFFSETS = 273,
  RA__TAG_SAMPLES = 277,
  RA__TAG_ROWS_PER_STRIP = 278,
  RA__TAG_STRIP_COUNTS = 279,
  RA__TAG_PLANAR = 284,
  RA__TAG_PREDICTOR = 317,
  RA__TAG_TILE_WIDTH = 322,
  RA__TAG_TILE_HEIGHT = 323,
  RA__TAG_TILE_OFFSETS = 324,
  RA__TAG_TILE_COUNTS = 325,
  RA__TAG_EXTRA_SAMPLES = 338,
  RA__TAG_SAMPLE_FORMAT = 339,
  RA__TAG_PIXEL_SCALE = 33550,
  RA__TAG_TIEPOINTS = 33922,
  RA__TAG_TRANSFORMATION = 34264,
  RA__TAG_GEO_KEYS = 34735,
  RA__TAG_GEO_DOUBLES = 34736,
  RA__TAG_GEO_ASCII = 34737,
  RA__TAG_GDAL_METADATA = 42112,
  RA__TAG_GDAL_NODATA = 42113,
};

enum {  // values of RA__TAG_COMPRESSION
  RA__TIFF_NONE = 1,
  RA__TIFF_LZW = 5,
  RA__TIFF_DEFLATE = 8,
  RA__TIFF_OLD_DEFLATE = 32946,
  RA__TIFF_PACKBITS = 32773,
  RA__TIFF_ZSTD = 50000,
};

enum {  // types of TIFF fields
  RA__TIFF_BYTE = 1,
  RA__TIFF_ASCII = 2,
  RA__TIFF_SHORT = 3,
  RA__TIFF_LONG = 4,
  RA__TIFF_DOUBLE = 12,
  RA__TIFF_LONG8 = 16,
};

enum { RA__COG_LEVELS = 32 };

// ---- writing

typedef struct ra__cog_plane {  // one level of the pyramid, all bands: [bands][height][width]
  uint32_t width, height, across, down;
  const uint8_t *cells;
  uint8_t *owned;                      // NULL for the caller's own pixels
  size_t offsets_field, counts_field;  // where the header has the two arrays
} ra__cog_plane;

typedef struct ra__cog_writer {
  const ra_cog_spec *spec;
  size_t size;  // bytes a cell
  unsigned block;
  bool big;
  int predictor;
  ra_packing packing;              // what is missing
  _Alignas(8) uint8_t missing[8];  // the cell that stands for it
  ra__cog_plane planes[RA__COG_LEVELS];
  size_t count;
  ra_geokeys keys;
} ra__cog_writer;

// Makes planes[1…], each half of the one before, until one block holds it.
int ra__cog_overviews(ra__cog_writer *w, ra_err *err);
// The text of GDAL_METADATA: statistics of each band and what the spec says of them.
int ra__cog_metadata(const ra__cog_writer *w, ra_str *out, ra_err *err);
void ra__cog_nodata_text(double nodata, ra_str *out);
// Header, ghost area, IFDs and room for the arrays of offsets and counts.
int ra__cog_header(ra__cog_writer *w, ra_str *out, ra_err *err);

// ---- reading

typedef struct ra__cog_level {
  ra_cog_level shown;
  uint16_t compression, predictor;
  bool stripped;
  uint64_t *offsets;  // one a block, and a band where planar
  uint64_t *counts;
  size_t blocks;
} ra__cog_level;

struct ra_cog {
  atomic_uint refs;
  ra_cog_info info;
  uint64_t file_size;
  bool swapped;  // the file is big-endian
  _Alignas(8) uint8_t missing[8];
  size_t level_count;
  ra__cog_level levels[RA__COG_LEVELS];
};
