// source_tiff.c - a TIFF as a source: the variable `data` over (band,) y and x, with coordinates of its cells' centres and its
// CRS as a CF grid mapping. Where a mask or an alpha band says what is missing, cells are floats and the missing ones NaN.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/source_private.h"
#include "source/tiff.h"

typedef struct state {
  ra_tiff *tiff;
  pthread_mutex_t lock;  // a TIFF has one reader at a time
  unsigned data, x, y;   // variables
} state;

static int no_memory(const ra_source *source, ra_err *err) {
  return ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
}

// ---- cells

static bool is_skewed(const double *gt) { return gt[2] != 0 || gt[4] != 0; }

// Along rows that follow no axis of the CRS: the distance from the first cell's corner.
static double centre(const ra_tiff_info *info, bool rows, uint64_t i) {
  const double *gt = info->grid.gt;
  double at = (double)i + 0.5;
  if (is_skewed(gt)) return rows ? -at * hypot(gt[2], gt[5]) : at * hypot(gt[1], gt[4]);
  return rows ? gt[3] + gt[5] * at : gt[0] + gt[1] * at;
}

// Columns [x, x + n) of a row into floats, NaN where it is missing.
static void mask_row(const ra_tiff_info *info, const uint8_t *cells, const uint8_t *valid,
                     uint64_t x, uint64_t n, ra_dtype to, uint8_t *dst) {
  for (uint64_t i = 0; i < n; i++) {
    double value = valid[x + i] ? ra_dtype_load(info->dtype, cells, x + i) : NAN;
    ra_dtype_store(to, dst, i, value);
  }
}

// Rows of one band, cut to the box's columns.
static int read_rows(const state *s, const ra_source_var *var, unsigned band, const uint64_t *start,
                     const uint64_t *count, uint8_t *dst, ra_err *err) {
  const ra_tiff_info *info = ra_tiff_get_info(s->tiff);
  size_t size = ra_dtype_size(info->dtype), out = ra_dtype_size(var->dtype);
  uint8_t *row = malloc(info->width * (size + 1));
  if (!row) return ra_fail(err, RA_E_NOMEM, "", "no memory for a row");
  uint8_t *valid = row + info->width * size;
  int rc = RA_OK;
  for (uint64_t y = 0; y < count[0] && rc == RA_OK; y++) {
    rc = ra_tiff_read(s->tiff, band, start[0] + y, 1, row, info->masked ? valid : NULL, err);
    if (rc < 0) break;
    uint8_t *to = dst + y * count[1] * out;
    if (info->masked) {
      mask_row(info, row, valid, start[1], count[1], var->dtype, to);
    } else {
      memcpy(to, row + start[1] * size, count[1] * size);
    }
  }
  free(row);
  return rc;
}

static int read_data(state *s, const ra_source_var *var, const uint64_t *start,
                     const uint64_t *count, uint8_t *dst, ra_err *err) {
  bool bands = var->ndim == 3;
  uint64_t first = bands ? start[0] : 0, n = bands ? count[0] : 1;
  const uint64_t *place = start + bands, *box = count + bands;
  size_t bytes = box[0] * box[1] * ra_dtype_size(var->dtype);
  int rc = RA_OK;
  pthread_mutex_lock(&s->lock);
  for (uint64_t b = 0; b < n && rc == RA_OK; b++)
    rc = read_rows(s, var, (unsigned)(first + b), place, box, dst + b * bytes, err);
  pthread_mutex_unlock(&s->lock);
  return rc;
}

static int read_tiff(ra_source *source, const ra_source_var *var, const uint64_t *start,
                     const uint64_t *count, void *dst, ra_err *err) {
  state *s = source->backend_state;
  if (var->index == s->data) {
    int rc = read_data(s, var, start, count, dst, err);
    if (rc < 0 && err && !err->where[0])
      snprintf(err->where, sizeof err->where, "%s", source->name);
    return rc;
  }
  double *to = dst;
  bool rows = var->index == s->y;
  for (uint64_t i = 0; i < (var->ndim ? count[0] : 1); i++)
    to[i] = var->ndim ? centre(ra_tiff_get_info(s->tiff), rows, start[0] + i) : 0;
  return RA_OK;
}

static void close_tiff(ra_source *source) {
  state *s = source->backend_state;
  if (!s) return;
  ra_tiff_free(s->tiff);
  pthread_mutex_destroy(&s->lock);
  free(s);
}

static const ra__backend BACKEND = {read_tiff, close_tiff};

// ---- the model

static bool add_axis(ra_source *source, const char *name, bool rows, bool geographic, uint64_t size,
                     unsigned *dim, unsigned *out) {
  ra_source_var *var = ra__model_var(source, "", name);
  if (!var || !ra__model_dim(source, "", name, size, dim)) return false;
  var->kind = RA_SOURCE_NUMBERS;
  var->dtype = RA_DTYPE_F64;
  var->ndim = 1;
  var->dims[0] = *dim;
  var->shape[0] = var->chunk[0] = size;
  ra__source_block(var);
  *out = var->index;
  const char *standard = geographic ? (rows ? "latitude" : "longitude")
                         : rows     ? "projection_y_coordinate"
                                    : "projection_x_coordinate";
  return ra__model_text(source, var, "axis", rows ? "Y" : "X") &&
         ra__model_text(source, var, "standard_name", standard) &&
         (!geographic ||
          ra__model_text(source, var, "units", rows ? "degrees_north" : "degrees_east"));
}

static bool add_mapping(ra_source *source, const ra_crs *crs) {
  ra_source_var *var = ra__model_var(source, "", "crs");
  if (!var) return false;
  var->kind = RA_SOURCE_NUMBERS;
  var->dtype = RA_DTYPE_F64;
  return ra__model_text(source, var, "crs_wkt", ra_crs_wkt2(crs));
}

static bool add_numbers(ra_source *source, ra_source_var *var, const ra_tiff_info *info) {
  bool good = true;
  if (info->masked) good = ra__model_number(source, var, "_FillValue", var->dtype, NAN, 0);
  if (info->has_nodata)
    good = ra__model_number(source, var, "_FillValue", var->dtype, info->nodata,
                            (int64_t)(fabs(info->nodata) < 0x1p62 ? info->nodata : 0));
  if (info->scale != 1 || info->offset != 0)
    good = good && ra__model_number(source, var, "scale_factor", RA_DTYPE_F64, info->scale, 0) &&
           ra__model_number(source, var, "add_offset", RA_DTYPE_F64, info->offset, 0);
  return good;
}

// Integers of up to 16 bits are exact as float32.
static ra_dtype dtype_of(const ra_tiff_info *info) {
  if (!info->masked) return info->dtype;
  return ra_dtype_size(info->dtype) <= 2 || info->dtype == RA_DTYPE_F32 ? RA_DTYPE_F32 : RA_DTYPE_F64;
}

static bool add_data(ra_source *source, state *s, unsigned y, unsigned x) {
  const ra_tiff_info *info = ra_tiff_get_info(s->tiff);
  ra_source_var *var = ra__model_var(source, "", "data");
  unsigned band = 0;
  if (!var || (info->bands > 1 && !ra__model_dim(source, "", "band", info->bands, &band)))
    return false;
  var->kind = RA_SOURCE_NUMBERS;
  var->dtype = dtype_of(info);
  if (info->bands > 1) var->dims[var->ndim++] = band;
  var->dims[var->ndim++] = y;
  var->dims[var->ndim++] = x;
  for (unsigned d = 0; d < var->ndim; d++)
    var->shape[d] = var->chunk[d] = source->dims[var->dims[d]].size;
  // Rows of blocks are what is decoded at once, of all bands where they are interleaved.
  var->chunked = true;
  if (info->bands > 1 && !info->interleaved) var->chunk[0] = 1;
  var->chunk[var->ndim - 2] = info->block_height;
  ra__source_block(var);
  s->data = var->index;
  return add_numbers(source, var, info) && ra__model_text(source, var, "grid_mapping", "crs");
}

static int find_crs(const ra_source *source, ra_tiff *tiff, ra_crs **out, ra_err *err) {
  const ra_tiff_info *info = ra_tiff_get_info(tiff);
  if (!info->has_place)
    return ra_fail(err, RA_E_UNSUPPORTED, source->name,
                   "says nowhere where it lies (no GeoTIFF tags); give it a georeference, as with "
                   "gdal_edit");
  if (info->wkt) return ra_crs_new(info->wkt, out, err);
  if (info->keys.directory_count < 8 && !info->epsg)
    return ra_fail(err, RA_E_UNSUPPORTED, source->name,
                   "names no CRS; give it one, as with gdal_edit -a_srs");
  ra_err why = {0};
  int rc = ra_crs_from_geokeys(&info->keys, out, &why);
  const char *wkt = rc == RA_E_UNSUPPORTED ? ra_tiff_wkt(tiff, source->path) : NULL;
  if (wkt) return ra_crs_new(wkt, out, err);
  return rc < 0 ? ra_fail(err, rc, why.where, "%s", why.message) : rc;
}

static int fill_model(ra_source *source, state *s, ra_err *err) {
  const ra_tiff_info *info = ra_tiff_get_info(s->tiff);
  ra_crs *crs = NULL;
  unsigned y, x;
  int rc = find_crs(source, s->tiff, &crs, err);
  if (rc < 0) {
    if (err && !err->where[0]) snprintf(err->where, sizeof err->where, "%s", source->name);
    return rc;
  }
  source->skewed = is_skewed(info->grid.gt);
  memcpy(source->affine, info->grid.gt, sizeof source->affine);
  source->servable = info->native;
  source->tagged = info->datetime[0] ? ra_arena_strdup(&source->arena, info->datetime) : NULL;
  bool geographic = ra_crs_is_geographic(crs);
  bool good =
      add_axis(source, geographic ? "lat" : "y", true, geographic, info->height, &y, &s->y) &&
      add_axis(source, geographic ? "lon" : "x", false, geographic, info->width, &x, &s->x) &&
      add_mapping(source, crs) && add_data(source, s, y, x);
  ra_crs_unref(crs);
  return good ? RA_OK : no_memory(source, err);
}

int ra__source_open_tiff(ra_source *source, ra_err *err) {
  state *s = calloc(1, sizeof *s);
  if (!s) return no_memory(source, err);
  pthread_mutex_init(&s->lock, NULL);
  source->backend = &BACKEND;
  source->backend_state = s;
  int rc = ra_tiff_open(source->path, &s->tiff, err);
  return rc < 0 ? rc : fill_model(source, s, err);
}
