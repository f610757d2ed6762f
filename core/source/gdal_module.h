// gdal_module.h - what librastrum_gdal.so offers: reading TIFFs whose compression or colours our own reader does not know. It
// is opened at the first such file; linking GDAL costs 114 libraries and 0.2 s at every start.
#pragma once
#include "source/tiff.h"

typedef struct ra_gdal_image ra_gdal_image;

typedef struct ra_gdal_api {
  // Fills info, whose texts live as long as the image.
  int (*open)(const char *path, ra_tiff_info *info, ra_gdal_image **out, ra_err *err);
  // As ra_tiff_read.
  int (*read)(ra_gdal_image *image, unsigned band, uint64_t first, uint64_t count, void *cells,
              uint8_t *valid, ra_err *err);
  void (*close)(ra_gdal_image *image);
} ra_gdal_api;

// The module's only symbol.
const ra_gdal_api *ra_gdal_module(void);
#define RA_GDAL_MODULE "librastrum_gdal.so"
