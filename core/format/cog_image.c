// cog_image.c - what a TIFF's tags say of the image as a whole: where it lies, its CRS, what is missing, scale.
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/cog_tags.h"

enum {
  KEY_MODEL = 1024,
  KEY_RASTER = 1025,
  KEY_GEOGRAPHIC = 2048,
  KEY_ANGLE = 2054,
  KEY_PROJECTED = 3072
};
enum { MODEL_PROJECTED = 1, MODEL_GEOGRAPHIC = 2, PIXEL_IS_POINT = 2, USER_DEFINED = 32767 };

// A key whose value stands in the directory itself; 0 when it is absent.
static unsigned short_key(const ra_geokeys *keys, unsigned id) {
  for (size_t i = 4; i + 3 < keys->directory_count; i += 4) {
    const uint16_t *key = &keys->directory[i];
    if (key[0] == id && key[1] == 0) return key[3];
  }
  return 0;
}

static int too_many_keys(ra_err *err) {
  return ra_fail(err, RA_E_UNSUPPORTED, "", "TIFF: more GeoKeys than we read");
}

static int parse_directory(ra__tiff *tiff, const ra__tag *tag, ra_geokeys *keys, ra_err *err) {
  uint64_t values[sizeof keys->directory / sizeof *keys->directory];
  if (tag->count > sizeof values / sizeof *values) return too_many_keys(err);
  int rc = ra__tiff_numbers(tiff, tag, (size_t)tag->count, values, err);
  if (rc != RA_OK) return rc;
  keys->directory_count = (size_t)tag->count;
  for (size_t i = 0; i < keys->directory_count; i++) keys->directory[i] = (uint16_t)values[i];
  return RA_OK;
}

static int parse_keys(ra__tiff *tiff, const ra__ifd *ifd, ra_geokeys *keys, ra_err *err) {
  const ra__tag *directory = ra__tiff_find(ifd, RA__TAG_GEO_KEYS);
  const ra__tag *doubles = ra__tiff_find(ifd, RA__TAG_GEO_DOUBLES);
  const ra__tag *ascii = ra__tiff_find(ifd, RA__TAG_GEO_ASCII);
  if (!directory) return RA_OK;
  int rc = parse_directory(tiff, directory, keys, err);
  if (rc == RA_OK && doubles) {
    if (doubles->count > sizeof keys->doubles / sizeof *keys->doubles) return too_many_keys(err);
    keys->double_count = (size_t)doubles->count;
    rc = ra__tiff_doubles(tiff, doubles, keys->double_count, keys->doubles, err);
  }
  if (rc == RA_OK && ascii) {
    const char *text;
    size_t size;
    rc = ra__tiff_text(tiff, ascii, &text, &size, err);
    if (rc != RA_OK) return rc;
    if (size > sizeof keys->ascii) return too_many_keys(err);
    memcpy(keys->ascii, text, size);
    keys->ascii_count = size;
  }
  return rc;
}

static void from_matrix(const double *m, double *gt) {
  memcpy(gt, (double[]){m[3], m[0], m[1], m[7], m[4], m[5]}, 6 * sizeof *gt);
}

// The first tie point, and the cell's size; some write its height negative, and GDAL takes it so, too.
static void from_scale(const double *s, const double *t, double *gt) {
  double y = fabs(s[1]);
  memcpy(gt, (double[]){t[3] - t[0] * s[0], s[0], 0, t[4] + t[1] * y, 0, -y}, 6 * sizeof *gt);
}

// Where both are there the scale counts, as in GDAL.
static int parse_affine(ra__tiff *tiff, const ra__ifd *ifd, ra_cog_info *info, ra_err *err) {
  const ra__tag *scale = ra__tiff_find(ifd, RA__TAG_PIXEL_SCALE);
  const ra__tag *tie = ra__tiff_find(ifd, RA__TAG_TIEPOINTS);
  const ra__tag *matrix = ra__tiff_find(ifd, RA__TAG_TRANSFORMATION);
  double s[2] = {0}, t[6], m[16];
  int rc = RA_OK;
  if (scale && tie) rc = ra__tiff_doubles(tiff, scale, 2, s, err);
  bool scaled = s[0] != 0 && s[1] != 0;
  if (rc == RA_OK && scaled) rc = ra__tiff_doubles(tiff, tie, 6, t, err);
  if (rc == RA_OK && !scaled && matrix) rc = ra__tiff_doubles(tiff, matrix, 16, m, err);
  if (rc != RA_OK) return rc;
  info->placed = scaled || matrix;
  memcpy(info->grid.gt, (double[]){0, 1, 0, 0, 0, 1}, sizeof info->grid.gt);
  if (scaled) {
    from_scale(s, t, info->grid.gt);
  } else if (matrix) {
    from_matrix(m, info->grid.gt);
  }
  return RA_OK;
}

// Longitudes and latitudes in arc seconds and the like become degrees.
static void to_degrees(ra_cog_info *info) {
  double degrees;
  if (!ra_geokeys_angle(short_key(&info->keys, KEY_ANGLE), &degrees)) return;
  for (int i = 0; i < 6 && degrees != 1; i++) info->grid.gt[i] *= degrees;
}

static int parse_place(ra__tiff *tiff, const ra__ifd *ifd, ra_cog_info *info, ra_err *err) {
  int rc = parse_keys(tiff, ifd, &info->keys, err);
  if (rc == RA_OK) rc = parse_affine(tiff, ifd, info, err);
  if (rc != RA_OK) return rc;
  double *gt = info->grid.gt;
  for (int i = 0; i < 6; i++) {
    if (!isfinite(gt[i]))
      return ra_fail(err, RA_E_CORRUPT, "", "TIFF: a geotransform that is not finite");
  }
  if (short_key(&info->keys, KEY_RASTER) == PIXEL_IS_POINT) {  // the tie point is a centre
    gt[0] -= 0.5 * (gt[1] + gt[2]);
    gt[3] -= 0.5 * (gt[4] + gt[5]);
  }
  unsigned model = short_key(&info->keys, KEY_MODEL);
  if (model == MODEL_GEOGRAPHIC) to_degrees(info);
  unsigned code = model == MODEL_PROJECTED    ? short_key(&info->keys, KEY_PROJECTED)
                  : model == MODEL_GEOGRAPHIC ? short_key(&info->keys, KEY_GEOGRAPHIC)
                                              : 0;
  info->epsg = code == USER_DEFINED ? 0 : (int)code;
  info->grid.wraps = model == MODEL_GEOGRAPHIC &&
                     fabs((double)info->grid.width * gt[1] - 360) < 0.01 * fabs(gt[1]);
  return RA_OK;
}

// Numbers as GDAL writes them: "nan", "-9999", "1e+20". Of several, as some write one a band, the first. The largest
// double has too few digits in some files, which makes it infinite.
static bool parse_real(const char *text, size_t size, double *out) {
  char copy[64], *end;
  while (size && isspace((unsigned char)*text)) text++, size--;
  size_t n = 0;
  while (n < size && n < sizeof copy - 1 && text[n]) copy[n] = text[n], n++;
  copy[n] = 0;
  errno = 0;
  *out = strtod(copy, &end);
  if (errno == ERANGE && isinf(*out)) *out = copysign(DBL_MAX, *out);
  return end != copy && (*end == 0 || isspace((unsigned char)*end));
}

// The largest float, which many write with too few digits.
static double near_limit(double value) {
  if (fabs(fabs(value) - (double)FLT_MAX) < 1e-6 * (double)FLT_MAX)
    return copysign((double)FLT_MAX, value);
  return value;
}

static int parse_nodata(ra__tiff *tiff, const ra__ifd *ifd, ra_cog *cog, ra_err *err) {
  const ra__tag *tag = ra__tiff_find(ifd, RA__TAG_GDAL_NODATA);
  const char *text;
  size_t size;
  ra_dtype dtype = cog->info.dtype;
  if (!tag) return RA_OK;
  int rc = ra__tiff_text(tiff, tag, &text, &size, err);
  if (rc != RA_OK) return rc;
  double value, least, most;
  if (!parse_real(text, size, &value)) return RA_OK;
  value = near_limit(value);
  ra_dtype_limits(dtype, &least, &most);
  if (!ra_dtype_is_float(dtype) && !(value >= least && value <= most))
    return RA_OK;  // no cell is it
  cog->info.has_nodata = true;
  cog->info.nodata = value;
  ra_dtype_store(dtype, cog->missing, 0, value);
  return RA_OK;
}

static const char *find(const char *text, size_t size, const char *word) {
  return memmem(text, size, word, strlen(word));
}

// The value of the first band's <Item … sample="0" role="ROLE">VALUE</Item>.
static void parse_item(const char *text, size_t size, const char *role, double *out) {
  const char *end = text + size;
  for (const char *item; (item = find(text, (size_t)(end - text), "<Item")); text = item + 5) {
    const char *close = memchr(item, '>', (size_t)(end - item));
    if (!close) return;
    size_t length = (size_t)(close - item);
    if (!find(item, length, role) || !find(item, length, "sample=\"0\"")) continue;
    const char *stop = memchr(close, '<', (size_t)(end - close));
    double value;
    if (stop && parse_real(close + 1, (size_t)(stop - close - 1), &value)) *out = value;
    return;
  }
}

static int parse_metadata(ra__tiff *tiff, const ra__ifd *ifd, ra_cog_info *info, ra_err *err) {
  const ra__tag *tag = ra__tiff_find(ifd, RA__TAG_GDAL_METADATA);
  const char *text;
  size_t size;
  info->scale = 1;
  info->offset = 0;
  if (!tag) return RA_OK;
  int rc = ra__tiff_text(tiff, tag, &text, &size, err);
  if (rc != RA_OK) return rc;
  parse_item(text, size, "role=\"scale\"", &info->scale);
  parse_item(text, size, "role=\"offset\"", &info->offset);
  return RA_OK;
}

static int parse_datetime(ra__tiff *tiff, const ra__ifd *ifd, ra_cog_info *info, ra_err *err) {
  const ra__tag *tag = ra__tiff_find(ifd, RA__TAG_DATETIME);
  const char *text;
  size_t size;
  if (!tag || tag->count != sizeof info->datetime) return RA_OK;
  int rc = ra__tiff_text(tiff, tag, &text, &size, err);
  if (rc == RA_OK && size >= sizeof info->datetime - 1)
    memcpy(info->datetime, text, sizeof info->datetime - 1);
  return rc;
}

int ra__cog_parse_image(ra__tiff *tiff, const ra__ifd *ifd, ra_cog *cog, ra_err *err) {
  int rc = parse_place(tiff, ifd, &cog->info, err);
  if (rc == RA_OK) rc = parse_nodata(tiff, ifd, cog, err);
  if (rc == RA_OK) rc = parse_metadata(tiff, ifd, &cog->info, err);
  if (rc == RA_OK) rc = parse_datetime(tiff, ifd, &cog->info, err);
  return rc;
}
