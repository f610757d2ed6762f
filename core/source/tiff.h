// tiff.h - a TIFF as bands of cells: by our own reader (format/cog), or by the GDAL module where that does not know its
// compression or colours. Blocking; one thread at a time. Ingest process only.
#pragma once
#include <stdbool.h>

#include "base/err.h"
#include "format/cog.h"

typedef struct ra_tiff ra_tiff;

typedef struct ra_tiff_info {
  uint32_t width, height;
  unsigned bands;
  uint32_t block_height;  // rows that are decoded together
  bool interleaved;       // all bands of them
  ra_dtype dtype;
  bool native;  // read by ourselves: it can be served where it lies
  bool masked;  // by a mask or an alpha band
  bool has_nodata;
  double nodata, scale, offset;
  ra_grid grid;
  bool has_place;  // the grid's transform stands in the file
  int epsg;
  const char *wkt;    // of the CRS, where the module read it; else NULL
  ra_geokeys keys;    // where we read it
  char datetime[20];  // of the DateTime tag, "2020:01:31 12:00:00"; "": none
  size_t overview_count;
  uint32_t overviews[RA_COG_LEVELS][2];
} ra_tiff_info;

// path must be a regular file. RA_E_UNSUPPORTED with what to install where the module is needed and is not there.
int ra_tiff_open(const char *path, ra_tiff **out, ra_err *err);
void ra_tiff_free(ra_tiff *tiff);
const ra_tiff_info *ra_tiff_get_info(const ra_tiff *tiff);
// The CRS by the module, where its keys are none that we read; NULL: it does not know either, or is not there.
const char *ra_tiff_wkt(ra_tiff *tiff, const char *path);
// Rows [first, first + count) of a band as stored cells, width × count of them. valid: one byte a cell, 1 where it is
// neither masked nor nodata nor NaN; or NULL.
int ra_tiff_read(ra_tiff *tiff, unsigned band, uint64_t first, uint64_t count, void *cells,
                 uint8_t *valid, ra_err *err);
// The full-size image's header where it is read by ourselves; NULL otherwise.
const ra_cog *ra_tiff_cog(const ra_tiff *tiff);
