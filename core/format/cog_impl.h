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
  RA__TAG_DATETIME = 306,
  RA__TAG_PREDICTOR = 317,
  RA__TAG_TILE_WIDTH = 322,
  RA__TAG_TILE_HEIGHT = 323,
  RA__TAG_TILE_OFFSETS = 324,
  RA__TAG_TILE_COUNTS = 325,
  RA__TAG_SUB_IFDS = 330,
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
  RA__TIFF_FLOAT = 11,
  RA__TIFF_DOUBLE = 12,
  RA__TIFF_IFD = 13,
  RA__TIFF_LONG8 = 16,
  RA__TIFF_IFD8 = 18,
};

enum { RA__COG_LEVELS = RA_COG_LEVELS };

// ---- writing

typedef struct ra__cog_span {  // the source cells along one side that an overview's cell covers
  uint32_t first, count;
  double weight[3];
} ra__cog_span;

enum { RA__COG_SPAN = 3 };  // most source cells along one side of an overview's cell

// One level of the pyramid: its rows pass through, band after band.
typedef struct ra__cog_plane {
  uint32_t width, height, across, down;
  uint32_t row;       // the next one of this band
  uint8_t *strip;     // the rows of the blocks that are being filled
  uint64_t *offsets;  // of blocks, from the first byte of the level's
  uint32_t *counts;
  size_t block_count;                  // so far
  uint64_t len;                        // bytes so far
  size_t offsets_field, counts_field;  // where the header has the two arrays
  double *values[RA__COG_SPAN];  // the last rows, NaN where missing; row i in i modulo RA__COG_SPAN
  // Towards the next level; none where there is no next one.
  uint32_t made;               // rows of it so far
  ra__cog_span *columns;       // one a cell of the next level's row
  double *sum, *share, *mean;  // of the rows a column; of the new row
  uint8_t *cells;              // the new row
} ra__cog_plane;

typedef struct ra_cog_writer ra__cog_writer;
struct ra_cog_writer {
  const ra_cog_spec *spec;
  ra_cog_put *put;
  void *ctx;
  size_t size;  // bytes a cell
  unsigned block, band;
  bool big;
  int predictor;
  ra_packing packing;              // what is missing
  _Alignas(8) uint8_t missing[8];  // the cell that stands for it
  ra__cog_plane planes[RA__COG_LEVELS];
  size_t count;
  struct ra_stats *stats;  // one a band
  uint8_t *cells;          // one block
  uint8_t *packed;         // the same compressed
  size_t packed_cap;
  ra_geokeys keys;
};

// Sizes of planes[1…], each half of the one before, until one block holds it.
int ra__cog_levels(ra__cog_writer *w, ra_err *err);
// Room for what leads from one level to the next.
bool ra__cog_overview_init(ra__cog_writer *w, size_t level);
// Whether the next row of the level above can be made of the rows that came; makes it in `cells`.
bool ra__cog_overview_row(const ra__cog_writer *w, size_t level);
// The text of GDAL_METADATA: statistics of each band and what the spec says of them.
void ra__cog_metadata(const ra__cog_writer *w, ra_str *out);
void ra__cog_nodata_text(double nodata, ra_str *out);
// Header, ghost area, IFDs and room for the arrays of offsets and counts.
int ra__cog_header(ra__cog_writer *w, ra_str *out, ra_err *err);

// ---- reading

typedef struct ra__cog_level {
  ra_cog_level shown;
  uint16_t compression, predictor;
  unsigned bits;  // a sample
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
  size_t level_count, mask_count;
  ra__cog_level levels[RA__COG_LEVELS];
  ra__cog_level masks[RA__COG_LEVELS];  // each of the level at its place
};
