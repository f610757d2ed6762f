// cog.h - our own Cloud Optimized GeoTIFF: writer (whole file in memory, or row by row) and reader (header from bytes, blocks one by
// one). No IO. Layout as GDAL's COG driver (contracts.md §8): ghost area, IFDs first, overviews smallest first.
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/reader.h"
#include "base/str.h"
#include "base/timing.h"
#include "geo/crs.h"
#include "raster/dtype.h"
#include "raster/grid.h"

enum { RA_COG_LEVELS = 32 };  // 1 + overviews, at most

typedef enum ra_cog_compress { RA_COG_ZSTD, RA_COG_DEFLATE, RA_COG_NONE } ra_cog_compress;

typedef struct ra_cog_spec {
  ra_grid grid;       // north-up: gt[1] > 0, gt[5] < 0
  const ra_crs *crs;  // may be NULL, and has no keys where GeoTIFF can't say it
  ra_dtype dtype;
  unsigned bands;
  const char *const *band_names;  // descriptions; NULL or one each
  double scale, offset;           // of all bands (GDAL_METADATA); 1, 0: none
  const char *unit;               // "" or NULL: none
  bool has_nodata;
  double nodata;     // stored value; NaN is fine
  bool categorical;  // overviews by mode instead of average
  ra_cog_compress compress;
  int level;       // 0: default (zstd 1, deflate 6)
  unsigned block;  // 0: 256
} ra_cog_spec;

// pixels: [bands][height][width] stored cells, planar. The result passes rio-cogeo strict and GDAL's validator.
// STATISTICS_* of each band are computed here, over valid stored cells.
int ra_cog_write(const ra_cog_spec *spec, const void *pixels, ra_buf **out, ra_err *err);

// The same from rows that come one after another, for images larger than memory. The file is the header, then the bytes
// that `put` was given for each level, the smallest overview first, full resolution last. One thread at a time; the spec
// must outlive it.
typedef struct ra_cog_writer ra_cog_writer;
// Takes the next bytes of a level (0: full resolution; its bytes come in their order).
typedef int ra_cog_put(void *ctx, size_t level, const void *data, size_t size, ra_err *err);
int ra_cog_writer_new(const ra_cog_spec *spec, ra_cog_put *put, void *ctx, ra_cog_writer **out,
                      ra_err *err);
void ra_cog_writer_free(ra_cog_writer *writer);  // NULL is fine
// The next `count` rows: of the first band from its top to its bottom, then of the second, …
int ra_cog_writer_rows(ra_cog_writer *writer, const void *rows, size_t count, ra_err *err);
// After the last row. Adds the file's first bytes to *header.
int ra_cog_writer_end(ra_cog_writer *writer, ra_str *header, ra_err *err);
size_t ra_cog_writer_levels(const ra_cog_writer *writer);  // 1 + overviews
// Bytes that a writer of such images holds, those of the header included; SIZE_MAX: too many to count.
size_t ra_cog_writer_memory(const ra_cog_spec *spec);

typedef struct ra_cog ra_cog;  // a parsed header: immutable, refcounted, any thread

typedef struct ra_cog_level {
  uint32_t width, height;  // pixels
  uint32_t block_width, block_height;
  uint32_t across, down;  // blocks
} ra_cog_level;

// What says which cells of the other bands are missing.
typedef enum ra_cog_masking {
  RA_COG_MASK_NONE,
  RA_COG_MASK_NODATA,  // the value nodata
  RA_COG_MASK_IMAGE,   // a mask inside the file, which goes before nodata
  RA_COG_MASK_ALPHA,   // the band `alpha`: 0 is missing
} ra_cog_masking;

typedef struct ra_cog_info {
  ra_grid grid;
  ra_dtype dtype;  // of decoded cells: fewer than 8 bits a sample widen to uint8, half floats to float32
  unsigned bits;  // a sample, as stored
  ra_cog_masking masking;
  unsigned alpha;  // with RA_COG_MASK_ALPHA: a band, 0-based
  unsigned bands;
  bool planar;  // a block holds one band; else all bands interleaved by pixel
  bool has_nodata;
  double nodata;
  double scale, offset;
  char datetime[20];  // of the DateTime tag, "2020:01:31 12:00:00"; "": none
  bool placed;        // the file says where the grid lies
  int epsg;           // 0: see keys
  ra_geokeys keys;
} ra_cog_info;

// Parses the first bytes of a file of file_size bytes. When they don't reach: RA_OK with *out NULL and *need the
// number of leading bytes wanted (at most 16 MiB; more is RA_E_CORRUPT).
int ra_cog_parse(const uint8_t *head, size_t size, uint64_t file_size, ra_cog **out, size_t *need,
                 ra_err *err);
// The same of object `key`: reads its first bytes, and more where they don't reach. timing: fetch is added; NULL is fine.
int ra_cog_read_header(const ra_reader *reader, const char *key, ra_timing *timing, ra_cog **out,
                       ra_err *err);
ra_cog *ra_cog_ref(ra_cog *cog);
void ra_cog_unref(ra_cog *cog);
size_t ra_cog_memory(const ra_cog *cog);  // bytes it holds, for cache accounting
const ra_cog_info *ra_cog_get_info(const ra_cog *cog);
size_t ra_cog_level_count(const ra_cog *cog);                           // 1 + overviews
const ra_cog_level *ra_cog_get_level(const ra_cog *cog, size_t level);  // 0: full resolution
// Where a block's bytes lie; *size 0: sparse (all nodata). band 0-based (ignored unless planar).
int ra_cog_block_range(const ra_cog *cog, size_t level, unsigned band, uint32_t column,
                       uint32_t row, uint64_t *offset, uint64_t *size, ra_err *err);
// Decodes a block into block_width × block_height stored cells (times bands unless planar); cells past the image's
// edge are there but meaningless. packed NULL: a sparse block, filled with nodata.
// The mask of a block (RA_COG_MASK_IMAGE, or RA_COG_MASK_ALPHA where planar): where its bytes lie, *size 0: all missing;
// and one byte a cell of the block, 0 where it is missing. packed NULL: all missing.
int ra_cog_mask_range(const ra_cog *cog, size_t level, uint32_t column, uint32_t row,
                      uint64_t *offset, uint64_t *size, ra_err *err);
int ra_cog_mask_decode(const ra_cog *cog, size_t level, const uint8_t *packed, size_t packed_size,
                       uint8_t *valid, ra_err *err);
// The same out of a decoded block of interleaved bands, one of which is alpha.
void ra_cog_block_alpha(const ra_cog *cog, size_t level, const void *cells, uint8_t *valid);
int ra_cog_block_decode(const ra_cog *cog, size_t level, const uint8_t *packed, size_t packed_size,
                        void *cells, ra_err *err);
