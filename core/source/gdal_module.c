// gdal_module.c - see gdal_module.h. GDAL sees the one file and no file beside it, by its GTiff driver alone.
#include "source/gdal_module.h"

#include <cpl_conv.h>
#include <cpl_error.h>
#include <gdal.h>
#include <gdal_frmts.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ra_gdal_image {
  GDALDatasetH dataset;
  ra_dtype dtype;
  GDALDataType type;
  uint32_t width;
};

enum { BLOCK_MOST = 256 << 20 };

static void start(void) {
  static bool started;
  if (started) return;
  started = true;
  CPLSetConfigOption("GDAL_DISABLE_READDIR_ON_OPEN", "EMPTY_DIR");
  CPLSetConfigOption("GDAL_PAM_ENABLED", "NO");
  CPLSetErrorHandler(CPLQuietErrorHandler);
  GDALRegister_GTiff();
}

static int refuse(int code, const char *where, ra_err *err) {
  const char *said = CPLGetLastErrorMsg();
  return ra_fail(err, code, where, "GDAL: %.300s", said && *said ? said : "cannot read it");
}

static bool dtype_of(GDALDatasetH dataset, ra_dtype *out) {
  GDALRasterBandH band = GDALGetRasterBand(dataset, 1);
  const char *kind = GDALGetMetadataItem(band, "PIXELTYPE", "IMAGE_STRUCTURE");
  switch ((int)GDALGetRasterDataType(band)) {
    case GDT_Byte:
      *out = kind && strcmp(kind, "SIGNEDBYTE") == 0 ? RA_DTYPE_I8 : RA_DTYPE_U8;
      return true;
    case GDT_UInt16: *out = RA_DTYPE_U16; return true;
    case GDT_Int16: *out = RA_DTYPE_I16; return true;
    case GDT_UInt32: *out = RA_DTYPE_U32; return true;
    case GDT_Int32: *out = RA_DTYPE_I32; return true;
    case GDT_Float32: *out = RA_DTYPE_F32; return true;
    case GDT_Float64: *out = RA_DTYPE_F64; return true;
#if GDAL_VERSION_NUM >= GDAL_COMPUTE_VERSION(3, 5, 0)
    case GDT_UInt64: *out = RA_DTYPE_U64; return true;
    case GDT_Int64: *out = RA_DTYPE_I64; return true;
#endif
    default: return false;
  }
}

static int check_bands(GDALDatasetH dataset, ra_err *err) {
  GDALDataType type = GDALGetRasterDataType(GDALGetRasterBand(dataset, 1));
  for (int i = 1; i <= GDALGetRasterCount(dataset); i++) {
    GDALRasterBandH band = GDALGetRasterBand(dataset, i);
    int width, height;
    GDALGetBlockSize(band, &width, &height);
    if (GDALGetRasterDataType(band) != type)
      return ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: bands of different types");
    if ((double)width * height * GDALGetDataTypeSizeBytes(type) > BLOCK_MOST)
      return ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: blocks of more than 256 MiB");
  }
  return RA_OK;
}

static void fill_place(GDALDatasetH dataset, ra_tiff_info *info) {
  info->grid = (ra_grid){.width = info->width, .height = info->height};
  info->has_place = GDALGetGeoTransform(dataset, info->grid.gt) == CE_None;
  if (!info->has_place) memcpy(info->grid.gt, (double[]){0, 1, 0, 0, 0, 1}, 6 * sizeof(double));
  const char *wkt = GDALGetProjectionRef(dataset);
  info->wkt = wkt && *wkt ? wkt : NULL;
}

static void fill_info(GDALDatasetH dataset, ra_tiff_info *info) {
  GDALRasterBandH band = GDALGetRasterBand(dataset, 1);
  int width, height, has;
  info->width = (uint32_t)GDALGetRasterXSize(dataset);
  info->height = (uint32_t)GDALGetRasterYSize(dataset);
  info->bands = (unsigned)GDALGetRasterCount(dataset);
  GDALGetBlockSize(band, &width, &height);
  info->block_height = (uint32_t)height;
  const char *interleave = GDALGetMetadataItem(dataset, "INTERLEAVE", "IMAGE_STRUCTURE");
  info->interleaved = interleave && strcmp(interleave, "PIXEL") == 0;
  info->masked = (GDALGetMaskFlags(band) & (GMF_ALPHA | GMF_PER_DATASET)) != 0;
  info->nodata = GDALGetRasterNoDataValue(band, &has);
  info->has_nodata = has && !info->masked;
  info->scale = GDALGetRasterScale(band, &has);
  info->offset = GDALGetRasterOffset(band, &has);
  int levels = GDALGetOverviewCount(band);
  for (int i = 0; i < levels && info->overview_count < RA_COG_LEVELS; i++) {
    GDALRasterBandH overview = GDALGetOverview(band, i);
    uint32_t *size = info->overviews[info->overview_count++];
    size[0] = (uint32_t)GDALGetRasterBandXSize(overview);
    size[1] = (uint32_t)GDALGetRasterBandYSize(overview);
  }
  const char *time = GDALGetMetadataItem(dataset, "TIFFTAG_DATETIME", NULL);
  if (time && strlen(time) < sizeof info->datetime)
    snprintf(info->datetime, sizeof info->datetime, "%s", time);
  fill_place(dataset, info);
}

static int open_image(const char *path, ra_tiff_info *info, ra_gdal_image **out, ra_err *err) {
  static const char *const drivers[] = {"GTiff", NULL};
  start();
  CPLErrorReset();
  GDALDatasetH dataset = GDALOpenEx(path, GDAL_OF_RASTER | GDAL_OF_READONLY, drivers, NULL, NULL);
  if (!dataset) return refuse(RA_E_UNSUPPORTED, "", err);
  ra_gdal_image *image = calloc(1, sizeof *image);
  if (!image) {
    GDALClose(dataset);
    return ra_fail(err, RA_E_NOMEM, path, "no memory for an image");
  }
  int rc = RA_OK;
  if (GDALGetRasterCount(dataset) < 1) rc = ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: no bands");
  if (rc == RA_OK && !dtype_of(dataset, &info->dtype))
    rc = ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: samples of the type %s are no numbers of a map",
                 GDALGetDataTypeName(GDALGetRasterDataType(GDALGetRasterBand(dataset, 1))));
  if (rc == RA_OK) rc = check_bands(dataset, err);
  if (rc < 0) {
    GDALClose(dataset);
    free(image);
    return rc;
  }
  fill_info(dataset, info);
  *image = (ra_gdal_image){.dataset = dataset,
                           .dtype = info->dtype,
                           .type = GDALGetRasterDataType(GDALGetRasterBand(dataset, 1)),
                           .width = info->width};
  *out = image;
  return RA_OK;
}

static void drop_nan(const ra_gdal_image *image, const void *cells, size_t count, uint8_t *valid) {
  for (size_t i = 0; i < count; i++) {
    bool nan = image->dtype == RA_DTYPE_F32   ? isnan(((const float *)cells)[i])
               : image->dtype == RA_DTYPE_F64 ? isnan(((const double *)cells)[i])
                                              : false;
    valid[i] = valid[i] && !nan;
  }
}

static int read_rows(ra_gdal_image *image, unsigned band, uint64_t first, uint64_t count,
                     void *cells, uint8_t *valid, ra_err *err) {
  GDALRasterBandH from = GDALGetRasterBand(image->dataset, (int)band + 1);
  int width = (int)image->width, y = (int)first, rows = (int)count;
  CPLErrorReset();
  if (GDALRasterIO(from, GF_Read, 0, y, width, rows, cells, width, rows, image->type, 0, 0) != CE_None)
    return refuse(RA_E_CORRUPT, "", err);
  if (!valid) return RA_OK;
  if (GDALRasterIO(GDALGetMaskBand(from), GF_Read, 0, y, width, rows, valid, width, rows, GDT_Byte,
                   0, 0) != CE_None)
    return refuse(RA_E_CORRUPT, "", err);
  drop_nan(image, cells, (size_t)width * (size_t)rows, valid);
  return RA_OK;
}

static void close_image(ra_gdal_image *image) {
  GDALClose(image->dataset);
  free(image);
}

const ra_gdal_api *ra_gdal_module(void) {
  static const ra_gdal_api api = {open_image, read_rows, close_image};
  return &api;
}
