// tiff.c - see tiff.h
#include "source/tiff.h"

#include <dlfcn.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/size.h"
#include "source/folder.h"
#include "source/gdal_module.h"

struct ra_tiff {
  ra_tiff_info info;
  const ra_gdal_api *module;  // NULL: native
  ra_gdal_image *image;
  char *wkt;
  ra_folder *folder;  // the file alone
  char *name;         // of the file, in errors
  ra_reader reader;
  ra_cog *cog;
  size_t block_cells, block_bytes;  // of a decoded block, all its bands
  uint8_t *cells, *valid;           // a row of blocks
  int64_t cells_row, valid_row;     // which; -1: none
  unsigned cells_band;
};

// ---- the module

// The one place that decides what our own reader leaves to GDAL: what it does not know, never what is damaged.
static bool is_for_module(int code) { return code == RA_E_UNSUPPORTED; }

// Beside the program, as it is built; below its lib/rastrum, as it is installed; else wherever the loader looks.
static void *load_module(void) {
  static const char *const places[] = {"", "../lib/rastrum/"};
  char program[PATH_MAX], path[PATH_MAX + 64];
  ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
  program[n > 0 ? n : 0] = 0;
  char *slash = strrchr(program, '/');
  for (size_t i = 0; slash && i < sizeof places / sizeof *places; i++) {
    snprintf(path, sizeof path, "%.*s%s" RA_GDAL_MODULE, (int)(slash + 1 - program), program,
             places[i]);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library) return library;
  }
  return dlopen(RA_GDAL_MODULE, RTLD_NOW | RTLD_LOCAL);
}

static int open_by_module(ra_tiff *tiff, const char *path, const ra_err *own, ra_err *err) {
  void *library = load_module();
  const ra_gdal_api *(*entry)(void) = NULL;
  void *symbol = library ? dlsym(library, "ra_gdal_module") : NULL;
  memcpy(&entry, &symbol, sizeof entry);
  if (!entry)
    return ra_fail(err, RA_E_UNSUPPORTED, "",
                   "%.200s; its module for GDAL (" RA_GDAL_MODULE
                   ") would, and is not installed: build with -DRA_GDAL=ON",
                   own->message);
  tiff->module = entry();
  return tiff->module->open(path, &tiff->info, &tiff->image, err);
}

const char *ra_tiff_wkt(ra_tiff *tiff, const char *path) {
  ra_err own = {0};
  ra_tiff *other = calloc(1, sizeof *other);
  if (other && open_by_module(other, path, &own, NULL) == RA_OK && other->info.wkt)
    tiff->wkt = strdup(other->info.wkt);
  ra_tiff_free(other);
  return tiff->wkt;
}

// ---- our own reader

static int fill_info(ra_tiff *tiff, ra_err *err) {
  const ra_cog_info *info = ra_cog_get_info(tiff->cog);
  const ra_cog_level *full = ra_cog_get_level(tiff->cog, 0);
  tiff->info = (ra_tiff_info){
      .width = full->width,
      .height = full->height,
      .bands = info->bands,
      .block_height = full->block_height,
      .interleaved = !info->planar,
      .dtype = info->dtype,
      .native = true,
      .masked = info->masking == RA_COG_MASK_IMAGE || info->masking == RA_COG_MASK_ALPHA,
      .has_nodata = info->masking == RA_COG_MASK_NODATA,
      .nodata = info->nodata,
      .scale = info->scale,
      .offset = info->offset,
      .grid = info->grid,
      .has_place = info->placed,
      .epsg = info->epsg,
      .keys = info->keys};
  memcpy(tiff->info.datetime, info->datetime, sizeof info->datetime);
  for (size_t i = 1; i < ra_cog_level_count(tiff->cog); i++) {
    const ra_cog_level *level = ra_cog_get_level(tiff->cog, i);
    uint32_t *size = tiff->info.overviews[tiff->info.overview_count++];
    size[0] = level->width;
    size[1] = level->height;
  }
  size_t bands = info->planar ? 1 : info->bands;
  if (!ra_size_mul(full->block_width, full->block_height, &tiff->block_cells) ||
      !ra_size_mul(tiff->block_cells, bands * ra_dtype_size(info->dtype), &tiff->block_bytes))
    return ra_fail(err, RA_E_TOOBIG, "", "TIFF: blocks of too many bytes");
  return RA_OK;
}

static int fetch(ra_tiff *tiff, uint64_t offset, uint64_t size, uint8_t **out, ra_err *err) {
  *out = NULL;
  if (!size) return RA_OK;
  *out = malloc(size);
  if (!*out)
    return ra_fail(err, RA_E_NOMEM, "", "no memory for a block of %llu bytes",
                   (unsigned long long)size);
  return tiff->reader.read(tiff->reader.ctx, tiff->name, offset, size, *out, err);
}

// Room for a row of blocks, at its first use.
static int make_room(uint8_t **room, uint32_t across, size_t block, ra_err *err) {
  size_t bytes;
  if (*room) return RA_OK;
  *room = ra_size_mul(across, block, &bytes) ? malloc(bytes) : NULL;
  return *room ? RA_OK : ra_fail(err, RA_E_NOMEM, "", "no memory for a row of blocks");
}

// Decodes the row of blocks that is asked for, unless it is there already.
static int load_cells(ra_tiff *tiff, unsigned band, uint32_t row, ra_err *err) {
  const ra_cog_level *level = ra_cog_get_level(tiff->cog, 0);
  bool planar = ra_cog_get_info(tiff->cog)->planar;
  if (tiff->cells_row == row && (!planar || tiff->cells_band == band)) return RA_OK;
  int rc = make_room(&tiff->cells, level->across, tiff->block_bytes, err);
  tiff->cells_row = -1;
  for (uint32_t x = 0; x < level->across && rc == RA_OK; x++) {
    uint64_t offset, size;
    uint8_t *packed = NULL;
    rc = ra_cog_block_range(tiff->cog, 0, band, x, row, &offset, &size, err);
    if (rc == RA_OK) rc = fetch(tiff, offset, size, &packed, err);
    if (rc == RA_OK)
      rc = ra_cog_block_decode(tiff->cog, 0, packed, size, tiff->cells + x * tiff->block_bytes, err);
    free(packed);
  }
  if (rc < 0) return rc;
  tiff->cells_row = row;
  tiff->cells_band = band;
  return RA_OK;
}

static int load_mask_block(ra_tiff *tiff, uint32_t x, uint32_t row, uint8_t *valid, ra_err *err) {
  uint64_t offset, size;
  uint8_t *packed = NULL;
  int rc = ra_cog_mask_range(tiff->cog, 0, x, row, &offset, &size, err);
  if (rc == RA_OK) rc = fetch(tiff, offset, size, &packed, err);
  if (rc == RA_OK) rc = ra_cog_mask_decode(tiff->cog, 0, packed, size, valid, err);
  free(packed);
  return rc;
}

// The masks of the same row of blocks; after load_cells.
static int load_valid(ra_tiff *tiff, uint32_t row, ra_err *err) {
  const ra_cog_info *info = ra_cog_get_info(tiff->cog);
  const ra_cog_level *level = ra_cog_get_level(tiff->cog, 0);
  if (tiff->valid_row == row) return RA_OK;
  int rc = make_room(&tiff->valid, level->across, tiff->block_cells, err);
  tiff->valid_row = -1;
  for (uint32_t x = 0; x < level->across && rc == RA_OK; x++) {
    uint8_t *valid = tiff->valid + x * tiff->block_cells;
    if (info->masking == RA_COG_MASK_ALPHA && !info->planar) {
      ra_cog_block_alpha(tiff->cog, 0, tiff->cells + x * tiff->block_bytes, valid);
    } else {
      rc = load_mask_block(tiff, x, row, valid, err);
    }
  }
  if (rc == RA_OK) tiff->valid_row = row;
  return rc;
}

static bool uses_mask(const ra_tiff *tiff, unsigned band) {
  const ra_cog_info *info = ra_cog_get_info(tiff->cog);
  return info->masking == RA_COG_MASK_IMAGE ||
         (info->masking == RA_COG_MASK_ALPHA && band != info->alpha);
}

// One image row out of the loaded blocks.
static void copy_row(const ra_tiff *tiff, unsigned band, uint32_t inside, bool masked,
                     uint8_t *cells, uint8_t *valid) {
  const ra_cog_info *info = ra_cog_get_info(tiff->cog);
  const ra_cog_level *level = ra_cog_get_level(tiff->cog, 0);
  size_t size = ra_dtype_size(info->dtype), bands = info->planar ? 1 : info->bands;
  size_t skip = info->planar ? 0 : band;
  if (!tiff->cells) return;
  for (uint32_t x = 0; x < level->width; x++) {
    size_t block = x / level->block_width;
    size_t at = (size_t)inside * level->block_width + x % level->block_width;
    memcpy(cells + x * size, tiff->cells + block * tiff->block_bytes + (at * bands + skip) * size,
           size);
    if (valid) valid[x] = masked ? tiff->valid[block * tiff->block_cells + at] != 0 : 1;
  }
}

static void drop_missing(const ra_tiff *tiff, const uint8_t *cells, size_t count, uint8_t *valid) {
  const ra_tiff_info *info = &tiff->info;
  bool floats = ra_dtype_is_float(info->dtype);
  if (!info->has_nodata && !floats) return;
  // Its text may have more digits than a cell.
  double nodata = info->dtype == RA_DTYPE_F32 ? (double)(float)info->nodata : info->nodata;
  for (size_t i = 0; i < count; i++) {
    double value = ra_dtype_load(info->dtype, cells, i);
    if (isnan(value) || (info->has_nodata && value == nodata)) valid[i] = 0;
  }
}

static int read_native(ra_tiff *tiff, unsigned band, uint64_t first, uint64_t count, uint8_t *cells,
                       uint8_t *valid, ra_err *err) {
  const ra_cog_level *level = ra_cog_get_level(tiff->cog, 0);
  size_t size = ra_dtype_size(tiff->info.dtype), width = level->width;
  bool masked = valid && uses_mask(tiff, band);
  for (uint64_t y = 0; y < count; y++) {
    uint32_t row = (uint32_t)((first + y) / level->block_height);
    int rc = load_cells(tiff, band, row, err);
    if (rc == RA_OK && masked) rc = load_valid(tiff, row, err);
    if (rc < 0) return rc;
    copy_row(tiff, band, (uint32_t)((first + y) % level->block_height), masked,
             cells + y * width * size, valid ? valid + y * width : NULL);
  }
  if (valid) drop_missing(tiff, cells, width * count, valid);
  return RA_OK;
}

// ---- either

static int open_tiff(ra_tiff *tiff, const char *path, ra_err *err) {
  ra_err why = {0};
  const char *slash = strrchr(path, '/');
  tiff->name = strdup(slash ? slash + 1 : path);
  if (!tiff->name) return ra_fail(err, RA_E_NOMEM, path, "no memory for a TIFF");
  int rc = ra_folder_open(path, &tiff->folder, err);
  if (rc < 0) return rc;
  tiff->reader = ra_folder_reader(tiff->folder);
  rc = ra_cog_read_header(&tiff->reader, tiff->name, NULL, &tiff->cog, &why);
  if (rc == RA_OK) return fill_info(tiff, err);
  if (is_for_module(rc)) return open_by_module(tiff, path, &why, err);
  return ra_fail(err, rc, why.where, "%s", why.message);
}

int ra_tiff_open(const char *path, ra_tiff **out, ra_err *err) {
  ra_tiff *tiff = calloc(1, sizeof *tiff);
  if (!tiff) return ra_fail(err, RA_E_NOMEM, path, "no memory for a TIFF");
  tiff->cells_row = tiff->valid_row = -1;
  int rc = open_tiff(tiff, path, err);
  if (rc < 0) {
    ra_tiff_free(tiff);
    const char *slash = strrchr(path, '/');
    if (err && !err->where[0])
      snprintf(err->where, sizeof err->where, "%s", slash ? slash + 1 : path);
    return rc;
  }
  *out = tiff;
  return RA_OK;
}

void ra_tiff_free(ra_tiff *tiff) {
  if (!tiff) return;
  if (tiff->image) tiff->module->close(tiff->image);
  ra_cog_unref(tiff->cog);
  ra_folder_free(tiff->folder);
  free(tiff->cells);
  free(tiff->valid);
  free(tiff->wkt);
  free(tiff->name);
  free(tiff);
}

const ra_tiff_info *ra_tiff_get_info(const ra_tiff *tiff) { return &tiff->info; }

const ra_cog *ra_tiff_cog(const ra_tiff *tiff) { return tiff->cog; }

int ra_tiff_read(ra_tiff *tiff, unsigned band, uint64_t first, uint64_t count, void *cells,
                 uint8_t *valid, ra_err *err) {
  if (band >= tiff->info.bands || first > tiff->info.height || count > tiff->info.height - first)
    return ra_fail(err, RA_E_INVALID, "", "TIFF: rows that it does not have");
  return tiff->image ? tiff->module->read(tiff->image, band, first, count, cells, valid, err)
                     : read_native(tiff, band, first, count, cells, valid, err);
}
