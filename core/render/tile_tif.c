// tile_tif.c - values as a GeoTIFF (TIFF 6.0, OGC 19-008r4): one deflated strip a band, NaN as the nodata value, and
// the place in the CRS of the tile.
#include <math.h>
#include <string.h>

#include "codec/codec.h"
#include "geo/crs.h"
#include "render/tile_job.h"

enum { SHORT = 3, LONG = 4, ASCII = 2, DOUBLE = 12, TAGS_MOST = 20 };
enum { HEAD = 8, ENTRY = 12 };

typedef struct tag {
  uint16_t id, type;
  uint32_t count;
  const void *values;  // in the machine's order, which is the file's: little-endian
} tag;

typedef struct tags {
  tag list[TAGS_MOST];
  unsigned count;
} tags;

static size_t value_bytes(const tag *t) {
  static const uint8_t sizes[] = {[ASCII] = 1, [SHORT] = 2, [LONG] = 4, [DOUBLE] = 8};
  return (size_t)t->count * sizes[t->type];
}

static void add(tags *self, uint16_t id, uint16_t type, size_t count, const void *values) {
  self->list[self->count++] = (tag){id, type, (uint32_t)count, values};
}

static size_t even(size_t n) { return n + (n & 1); }

// Where what stands behind the directory begins.
static size_t directory_end(const tags *self) { return HEAD + 2 + self->count * ENTRY + 4; }

static size_t head_size(const tags *self) {
  size_t size = directory_end(self);
  for (unsigned i = 0; i < self->count; i++) {
    size_t bytes = value_bytes(&self->list[i]);
    if (bytes > 4) size += even(bytes);
  }
  return size;
}

static uint8_t *put(uint8_t *at, const void *values, size_t n) {
  memcpy(at, values, n);
  return at + n;
}

static void put_head(const tags *self, uint8_t *file) {
  uint32_t directory = HEAD, behind = (uint32_t)directory_end(self), none = 0;
  uint16_t count = (uint16_t)self->count;
  uint8_t *at = put(put(file, "II*\0", 4), &directory, 4);
  at = put(at, &count, 2);
  for (unsigned i = 0; i < self->count; i++) {
    const tag *t = &self->list[i];
    size_t bytes = value_bytes(t);
    at = put(put(put(at, &t->id, 2), &t->type, 2), &t->count, 4);
    if (bytes <= 4) {
      memset(at, 0, 4);
      memcpy(at, t->values, bytes);
    } else {
      memcpy(at, &behind, 4);
      memset(file + behind + bytes, 0, even(bytes) - bytes);
      memcpy(file + behind, t->values, bytes);
      behind += (uint32_t)even(bytes);
    }
    at += 4;
  }
  put(at, &none, 4);
}

// Band by band, into the arena.
static int pack(ra__tile_job *job, const ra__plane *planes, uint8_t **strips, uint32_t *sizes,
                ra_err *err) {
  static const ra_codec deflate = {.id = RA_CODEC_DEFLATE, .level = 1};
  size_t bytes = planes[0].count * ra__tile_value_size(job), cap = ra_codec_bound(&deflate, 1, bytes);
  for (unsigned i = 0; i < job->request->band_count; i++) {
    size_t got;
    strips[i] = ra_arena_alloc(&job->arena, cap);
    if (!strips[i]) return ra_fail(err, RA_E_NOMEM, "tif", "out of memory for a tile");
    int rc = ra_codec_encode_into(&deflate, 1, planes[i].cells, bytes, strips[i], cap, &got, err);
    if (rc < 0) return rc;
    sizes[i] = (uint32_t)got;
  }
  return RA_OK;
}

typedef struct place {
  double pixel[3], tie[6];
  ra_geokeys keys;
  int has_keys;
} place;

static void find_place(const ra__tile_job *job, place *out) {
  const double *gt = job->gt;
  *out = (place){.pixel = {gt[1], -gt[5], 0}, .tie = {0, 0, 0, gt[0], gt[3], 0}};
  out->has_keys = ra_crs_geokeys(job->crs, &out->keys, NULL) == RA_OK;
}

static void add_place(tags *self, const place *p) {
  add(self, 33550, DOUBLE, 3, p->pixel);
  add(self, 33922, DOUBLE, 6, p->tie);
  if (!p->has_keys) return;
  add(self, 34735, SHORT, p->keys.directory_count, p->keys.directory);
  if (p->keys.double_count) add(self, 34736, DOUBLE, p->keys.double_count, p->keys.doubles);
  if (p->keys.ascii_count) add(self, 34737, ASCII, p->keys.ascii_count, p->keys.ascii);
}

int ra__tile_tif(ra__tile_job *job, const ra__plane *planes, ra_buf **out, ra_err *err) {
  uint8_t *strips[RA_TILE_BANDS];
  uint32_t sizes[RA_TILE_BANDS], offsets[RA_TILE_BANDS];
  int rc = pack(job, planes, strips, sizes, err);
  if (rc < 0) return rc;
  const uint32_t side = job->size, bands = job->request->band_count;
  const uint16_t compression = 8, photometric = 1, planar = 2, samples = (uint16_t)bands;
  uint16_t bits[RA_TILE_BANDS], formats[RA_TILE_BANDS], extras[RA_TILE_BANDS] = {0};
  for (unsigned i = 0; i < bands; i++) {
    bits[i] = (uint16_t)(8 * ra__tile_value_size(job));
    formats[i] = 3;  // IEEE floating point
  }
  place where;
  find_place(job, &where);
  tags list = {.count = 0};
  add(&list, 256, LONG, 1, &side);
  add(&list, 257, LONG, 1, &side);
  add(&list, 258, SHORT, bands, bits);
  add(&list, 259, SHORT, 1, &compression);
  add(&list, 262, SHORT, 1, &photometric);
  add(&list, 273, LONG, bands, offsets);
  add(&list, 277, SHORT, 1, &samples);
  add(&list, 278, LONG, 1, &side);
  add(&list, 279, LONG, bands, sizes);
  add(&list, 284, SHORT, 1, &planar);
  if (bands > 1) add(&list, 338, SHORT, bands - 1, extras);
  add(&list, 339, SHORT, bands, formats);
  add_place(&list, &where);
  add(&list, 42113, ASCII, 4, "nan");
  size_t size = head_size(&list);
  for (unsigned i = 0; i < bands; i++) {
    offsets[i] = (uint32_t)size;
    size += even(sizes[i]);
  }
  rc = ra_buf_new(size, out, err);
  if (rc < 0) return rc;
  memset(ra_buf_bytes(*out), 0, size);
  put_head(&list, ra_buf_bytes(*out));
  for (unsigned i = 0; i < bands; i++) memcpy(ra_buf_bytes(*out) + offsets[i], strips[i], sizes[i]);
  return RA_OK;
}
