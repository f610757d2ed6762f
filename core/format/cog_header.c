// cog_header.c - everything before the pixels: TIFF header, GDAL's ghost area, one IFD a level (full, then overviews
// from large to small) each followed by its values, and at the end the arrays of offsets and sizes, still empty.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "format/cog_impl.h"

static const char ghost[] =
    "LAYOUT=IFDS_BEFORE_DATA\n"
    "BLOCK_ORDER=ROW_MAJOR\n"
    "BLOCK_LEADER=SIZE_AS_UINT4\n"
    "BLOCK_TRAILER=LAST_4_BYTES_REPEATED\n"
    "KNOWN_INCOMPATIBLE_EDITION=NO\n ";  // the blank is room for YES

typedef struct field {
  uint16_t tag, type;
  uint64_t count;
  const void *data;  // NULL: zeros, filled in later
  size_t *place;     // receives where the values stand in the header; may be NULL
} field;

enum { FIELDS = 28 };

typedef struct directory {
  field fields[FIELDS];
  size_t count;
} directory;

static size_t type_size(uint16_t type) {
  switch (type) {
    case RA__TIFF_SHORT: return 2;
    case RA__TIFF_LONG: return 4;
    case RA__TIFF_DOUBLE:
    case RA__TIFF_LONG8: return 8;
    default: return 1;
  }
}

static void add_number(ra_str *out, uint64_t value, size_t bytes) {
  ra_str_add_bytes(out, &value, bytes);
}

static void pad(ra_str *out, size_t multiple) {
  while (out->len % multiple && !out->failed) ra_str_add_char(out, 0);
}

static void put(directory *dir, uint16_t tag, uint16_t type, uint64_t count, const void *data) {
  if (count) dir->fields[dir->count++] = (field){tag, type, count, data, NULL};
}

static void patch(ra_str *out, size_t at, uint64_t value, size_t bytes) {
  if (!out->failed) memcpy(out->ptr + at, &value, bytes);
}

static void add_values(ra_str *out, const field *f, size_t bytes) {
  if (f->data) {
    ra_str_add_bytes(out, f->data, bytes);
  } else {
    for (size_t i = 0; i < bytes; i++) ra_str_add_char(out, 0);
  }
}

// Values that do not fit their field come behind the directory, those with a `place` by add_late.
static void add_directory(const ra__cog_writer *w, const directory *dir, bool last, size_t *where,
                          ra_str *out) {
  size_t word = w->big ? 8 : 4, at[FIELDS];
  add_number(out, dir->count, w->big ? 8 : 2);
  for (size_t i = 0; i < dir->count; i++) {
    const field *f = &dir->fields[i];
    size_t bytes = f->count * type_size(f->type);
    add_number(out, f->tag, 2);
    add_number(out, f->type, 2);
    add_number(out, f->count, word);
    at[i] = where[i] = out->len;
    if (bytes <= word) {
      add_values(out, f, bytes);
      at[i] = 0;
    }
    add_number(out, 0, word - (bytes <= word ? bytes : 0));
  }
  size_t next = out->len;
  add_number(out, 0, word);
  for (size_t i = 0; i < dir->count; i++) {
    const field *f = &dir->fields[i];
    if (!at[i] || f->place) continue;
    pad(out, 8);
    patch(out, at[i], out->len, word);
    add_values(out, f, f->count * type_size(f->type));
  }
  pad(out, 2);
  if (!last) patch(out, next, out->len, word);
}

static void add_late(const ra__cog_writer *w, const directory *dir, const size_t *where, ra_str *out) {
  size_t word = w->big ? 8 : 4;
  for (size_t i = 0; i < dir->count; i++) {
    const field *f = &dir->fields[i];
    size_t bytes = f->count * type_size(f->type);
    if (!f->place) continue;
    *f->place = where[i];
    if (bytes <= word) continue;
    pad(out, 8);
    patch(out, where[i], out->len, word);
    *f->place = out->len;
    add_values(out, f, bytes);
  }
}

typedef struct values {     // what the fields point to
  uint16_t *bits, *format;  // one a band
  uint16_t compression, photometric, samples, planar, predictor, block;
  uint32_t subfile;
  double scale[3], tiepoint[6];
  ra_str metadata, nodata;
} values;

static uint16_t compression_of(ra_cog_compress compress) {
  return compress == RA_COG_ZSTD      ? RA__TIFF_ZSTD
         : compress == RA_COG_DEFLATE ? RA__TIFF_DEFLATE
                                      : RA__TIFF_NONE;
}

static int fill_values(const ra__cog_writer *w, values *v, ra_err *err) {
  const ra_cog_spec *spec = w->spec;
  bool is_float = ra_dtype_is_float(spec->dtype);
  v->bits = calloc(2 * (size_t)spec->bands, sizeof *v->bits);
  if (!v->bits) return ra_fail(err, RA_E_NOMEM, "", "no memory for a COG's bands");
  v->format = v->bits + spec->bands;
  for (unsigned i = 0; i < spec->bands; i++) {
    v->bits[i] = (uint16_t)(8 * w->size);
    v->format[i] = is_float ? 3 : ra_dtype_is_signed(spec->dtype) ? 2 : 1;
  }
  v->compression = compression_of(spec->compress);
  v->photometric = 1;
  v->samples = (uint16_t)spec->bands;
  v->planar = spec->bands > 1 ? 2 : 1;
  v->predictor = (uint16_t)w->predictor;
  v->block = (uint16_t)w->block;
  v->subfile = 1;
  const double *gt = spec->grid.gt;
  memcpy(v->scale, (double[]){gt[1], -gt[5], 0}, sizeof v->scale);
  memcpy(v->tiepoint, (double[]){0, 0, 0, gt[0], gt[3], 0}, sizeof v->tiepoint);
  if (spec->has_nodata || is_float) {
    ra__cog_nodata_text(spec->has_nodata ? spec->nodata : (double)NAN, &v->nodata);
    ra_str_add_char(&v->nodata, 0);
  }
  ra__cog_metadata(w, &v->metadata);
  ra_str_add_char(&v->metadata, 0);
  return v->nodata.failed || v->metadata.failed
             ? ra_fail(err, RA_E_NOMEM, "", "no memory for a COG's metadata")
             : RA_OK;
}

static void put_blocks(ra__cog_writer *w, ra__cog_plane *plane, directory *dir) {
  uint64_t blocks = (uint64_t)plane->across * plane->down * w->spec->bands;
  put(dir, RA__TAG_TILE_OFFSETS, w->big ? RA__TIFF_LONG8 : RA__TIFF_LONG, blocks, NULL);
  dir->fields[dir->count - 1].place = &plane->offsets_field;
  put(dir, RA__TAG_TILE_COUNTS, RA__TIFF_LONG, blocks, NULL);
  dir->fields[dir->count - 1].place = &plane->counts_field;
}

static void make_directory(ra__cog_writer *w, size_t level, const values *v, directory *dir) {
  const ra_geokeys *keys = &w->keys;
  unsigned bands = w->spec->bands;
  ra__cog_plane *plane = &w->planes[level];
  dir->count = 0;
  if (level) put(dir, RA__TAG_SUBFILE, RA__TIFF_LONG, 1, &v->subfile);
  put(dir, RA__TAG_WIDTH, RA__TIFF_LONG, 1, &plane->width);
  put(dir, RA__TAG_HEIGHT, RA__TIFF_LONG, 1, &plane->height);
  put(dir, RA__TAG_BITS, RA__TIFF_SHORT, bands, v->bits);
  put(dir, RA__TAG_COMPRESSION, RA__TIFF_SHORT, 1, &v->compression);
  put(dir, RA__TAG_PHOTOMETRIC, RA__TIFF_SHORT, 1, &v->photometric);
  put(dir, RA__TAG_SAMPLES, RA__TIFF_SHORT, 1, &v->samples);
  put(dir, RA__TAG_PLANAR, RA__TIFF_SHORT, 1, &v->planar);
  if (w->predictor > 1) put(dir, RA__TAG_PREDICTOR, RA__TIFF_SHORT, 1, &v->predictor);
  put(dir, RA__TAG_TILE_WIDTH, RA__TIFF_SHORT, 1, &v->block);
  put(dir, RA__TAG_TILE_HEIGHT, RA__TIFF_SHORT, 1, &v->block);
  put_blocks(w, plane, dir);
  put(dir, RA__TAG_EXTRA_SAMPLES, RA__TIFF_SHORT, bands - 1, NULL);
  put(dir, RA__TAG_SAMPLE_FORMAT, RA__TIFF_SHORT, bands, v->format);
  if (level == 0) {
    put(dir, RA__TAG_PIXEL_SCALE, RA__TIFF_DOUBLE, 3, v->scale);
    put(dir, RA__TAG_TIEPOINTS, RA__TIFF_DOUBLE, 6, v->tiepoint);
    put(dir, RA__TAG_GEO_KEYS, RA__TIFF_SHORT, keys->directory_count, keys->directory);
    put(dir, RA__TAG_GEO_DOUBLES, RA__TIFF_DOUBLE, keys->double_count, keys->doubles);
    put(dir, RA__TAG_GEO_ASCII, RA__TIFF_ASCII, keys->ascii_count, keys->ascii);
    put(dir, RA__TAG_GDAL_METADATA, RA__TIFF_ASCII, v->metadata.len, v->metadata.ptr);
  }
  put(dir, RA__TAG_GDAL_NODATA, RA__TIFF_ASCII, v->nodata.len, v->nodata.ptr);
}

static void add_start(const ra__cog_writer *w, ra_str *out) {
  ra_str_add(out, "II");
  if (w->big) {
    add_number(out, 43, 2);
    add_number(out, 8, 4);
  } else {
    add_number(out, 42, 2);
  }
  size_t first = out->len, word = w->big ? 8 : 4;
  add_number(out, 0, word);
  ra_str_addf(out, "GDAL_STRUCTURAL_METADATA_SIZE=%06zu bytes\n%s", sizeof ghost - 1, ghost);
  pad(out, 2);
  patch(out, first, out->len, word);
}

static void add_all(ra__cog_writer *w, const values *v, ra_str *out) {
  directory dir;
  size_t where[RA__COG_LEVELS][FIELDS];
  add_start(w, out);
  for (size_t level = 0; level < w->count; level++) {
    make_directory(w, level, v, &dir);
    add_directory(w, &dir, level + 1 == w->count, where[level], out);
  }
  for (size_t level = 0; level < w->count; level++) {
    make_directory(w, level, v, &dir);
    add_late(w, &dir, where[level], out);
  }
}

int ra__cog_header(ra__cog_writer *w, ra_str *out, ra_err *err) {
  values v = {0};
  ra_str_init(&v.metadata);
  ra_str_init(&v.nodata);
  int rc = fill_values(w, &v, err);
  if (rc == RA_OK) add_all(w, &v, out);
  if (rc == RA_OK && out->failed) rc = ra_fail(err, RA_E_NOMEM, "", "no memory for a COG's header");
  free(v.bits);
  ra_str_deinit(&v.metadata);
  ra_str_deinit(&v.nodata);
  return rc;
}
