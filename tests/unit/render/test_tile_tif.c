// Tiles as GeoTIFFs, taken apart by a reader of this test's own (TIFF 6.0 and OGC 19-008r4) and inflated by libdeflate: what
// the tags say, where the tile lies, and the same values as in the .npy of the same request.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <libdeflate.h>

#include "tile_world.h"

static memstore store;
static ra_render_context *context;

static int open_store(void **state) {
  (void)state;
  ra_reader reader = memstore_reader(&store);
  return ra_render_context_new(&reader, 1 << 20, 64 << 20, &context, NULL);
}

static int close_store(void **state) {
  (void)state;
  ra_render_context_free(context);
  memstore_clear(&store);
  return ra_buf_live_bytes() == 0 ? 0 : -1;
}

static double holes(const map *m, unsigned band, uint32_t row, uint32_t column) {
  return (row + column) % 5 == 0 ? m->nodata : band * 1000.0 + row * 36.0 + column;
}

static map world(ra_dtype dtype) {
  return (map){.dataset = "d",
               .columns = 36,
               .rows = 18,
               .bands = 3,
               .west = -180,
               .north = 90,
               .cell = 10,
               .wraps = true,
               .crs = "EPSG:4326",
               .dtype = dtype,
               .scale = 1,
               .offset = 0,
               .nodata = -9999,
               .stored = holes};
}

static ra_buf *render(ra_tile_request *request, ra_tile_format format) {
  ra_buf *body = NULL;
  ra_err err = {0};
  ra_timing timing = {0};
  request->format = format;
  if (ra_tile_render(context, request, NULL, &timing, &body, &err) < 0)
    fail_msg("%s: %s", err.where, err.message);
  return body;
}

// ---- the reader

typedef struct tiff {
  const uint8_t *at;
  size_t size;
} tiff;

static uint32_t number(const tiff *t, size_t at, unsigned bytes) {
  assert_true(at + bytes <= t->size);
  uint32_t v = 0;
  for (unsigned i = 0; i < bytes; i++) v |= (uint32_t)t->at[at + i] << (8 * i);
  return v;
}

// Of its `i`th value; a tag that is not there fails unless nobody minds.
static bool find(const tiff *t, uint16_t id, unsigned *count, size_t *where, unsigned *width) {
  static const unsigned widths[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8};
  size_t directory = number(t, 4, 4);
  unsigned n = number(t, directory, 2), before = 0;
  bool found = false;
  for (unsigned i = 0; i < n; i++) {
    size_t entry = directory + 2 + 12 * i;
    unsigned own = number(t, entry, 2), type = number(t, entry + 2, 2);
    assert_true(own > before &&
                type < sizeof widths / sizeof *widths);  // in rising order, as TIFF wants them
    before = own;
    if (own != id) continue;
    *count = number(t, entry + 4, 4), *width = widths[type];
    *where = *count * *width <= 4 ? entry + 8 : number(t, entry + 8, 4);
    assert_true(*where + (size_t)*count * *width <= t->size && *where % 2 == 0);
    found = true;
  }
  assert_int_equal(number(t, directory + 2 + 12 * n, 4), 0);  // the only image
  return found;
}

static uint32_t tag(const tiff *t, uint16_t id, unsigned i) {
  unsigned count, width;
  size_t where;
  assert_true(find(t, id, &count, &where, &width) && i < count);
  return number(t, where + i * width, width);
}

static double real(const tiff *t, uint16_t id, unsigned i) {
  unsigned count, width;
  size_t where;
  double v;
  assert_true(find(t, id, &count, &where, &width) && i < count && width == 8);
  memcpy(&v, t->at + where + 8 * i, 8);
  return v;
}

static uint32_t geokey(const tiff *t, uint16_t key) {
  for (unsigned i = 0; i < tag(t, 34735, 3); i++) {
    if (tag(t, 34735, 4 + 4 * i) == key) return tag(t, 34735, 4 + 4 * i + 3);
  }
  return 0;
}

static void *strip(const tiff *t, unsigned band, size_t bytes) {
  struct libdeflate_decompressor *inflate = libdeflate_alloc_decompressor();
  uint8_t *out = malloc(bytes);
  size_t offset = tag(t, 273, band), size = tag(t, 279, band), got = 0;
  assert_true(offset + size <= t->size);
  assert_int_equal(libdeflate_zlib_decompress(inflate, t->at + offset, size, out, bytes, &got), 0);
  assert_int_equal(got, bytes);
  libdeflate_free_decompressor(inflate);
  return out;
}

// ---- the tests

static void expect(const tiff *t, unsigned side, unsigned bands, unsigned bits) {
  assert_memory_equal(t->at, "II*\0", 4);
  assert_int_equal(tag(t, 256, 0), side);
  assert_int_equal(tag(t, 257, 0), side);
  assert_int_equal(tag(t, 259, 0), 8);  // deflate
  assert_int_equal(tag(t, 262, 0), 1);  // black is zero
  assert_int_equal(tag(t, 277, 0), bands);
  assert_int_equal(tag(t, 278, 0), side);
  assert_int_equal(tag(t, 284, 0), 2);  // band by band
  for (unsigned b = 0; b < bands; b++) {
    assert_int_equal(tag(t, 258, b), bits);
    assert_int_equal(tag(t, 339, b), 3);  // floating point
    if (b) assert_int_equal(tag(t, 338, b - 1), 0);
  }
  unsigned count, width;
  size_t where;
  assert_true(find(t, 42113, &count, &where, &width));
  assert_string_equal((const char *)t->at + where, "nan");
}

static void values_and_tags(ra_dtype dtype, unsigned bands) {
  const size_t width = dtype == RA_DTYPE_F64 ? 8 : 4, cells = 64 * 64;
  map m = world(dtype);
  map_put_cog(&m, &store);
  ra_tile_request request = map_request(1, 1, 0, 64, RA_RESAMPLING_NEAREST);
  request.band_count = bands;
  for (unsigned b = 0; b < bands; b++) request.bands[b] = bands - 1 - b;
  map_add(&request, map_dataset(&m));
  ra_buf *tif = render(&request, RA_TILE_TIF), *npy = render(&request, RA_TILE_NPY);
  tiff t = {ra_buf_data(tif), ra_buf_size(tif)};
  expect(&t, 64, bands, (unsigned)(8 * width));
  for (unsigned b = 0; b < bands; b++) {
    void *got = strip(&t, b, cells * width);
    assert_memory_equal(got, ra_buf_data(npy) + 128 + b * cells * width, cells * width);
    free(got);
  }
  ra_buf_unref(tif);
  ra_buf_unref(npy);
  ra_tile_request_deinit(&request);
}

static void one_band(void **state) {
  (void)state;
  values_and_tags(RA_DTYPE_F32, 1);
}

static void bands_in_the_order_asked_for(void **state) {
  (void)state;
  values_and_tags(RA_DTYPE_F32, 3);
}

static void doubles(void **state) {
  (void)state;
  values_and_tags(RA_DTYPE_F64, 2);
}

// EPSG:3857, its pixel and corner by the size of the world, 2 pi 6378137 m.
static void its_place_in_web_mercator(void **state) {
  (void)state;
  const double world_side = 2 * 3.14159265358979323846 * 6378137;
  map m = world(RA_DTYPE_F32);
  map_put_cog(&m, &store);
  ra_tile_request request = map_request(2, 3, 1, 64, RA_RESAMPLING_NEAREST);
  request.buffer = 4;  // half pixels: two pixels more at each side
  map_add(&request, map_dataset(&m));
  ra_buf *tif = render(&request, RA_TILE_TIF);
  tiff t = {ra_buf_data(tif), ra_buf_size(tif)};
  expect(&t, 68, 1, 32);
  double pixel = world_side / 4 / 64;
  assert_true(fabs(real(&t, 33550, 0) - pixel) < 1e-6 && fabs(real(&t, 33550, 1) - pixel) < 1e-6);
  for (unsigned i = 0; i < 3; i++) assert_true(real(&t, 33922, i) == 0);
  assert_true(fabs(real(&t, 33922, 3) - (world_side / 4 - 2 * pixel)) < 1e-6);
  assert_true(fabs(real(&t, 33922, 4) - (world_side / 4 + 2 * pixel)) < 1e-6);
  assert_int_equal(geokey(&t, 1024), 1);  // projected
  assert_int_equal(geokey(&t, 1025), 1);  // a pixel is an area
  assert_int_equal(geokey(&t, 3072), 3857);
  ra_buf_unref(tif);
  ra_tile_request_deinit(&request);
}

static void its_place_in_another_set(void **state) {
  (void)state;
  map m = world(RA_DTYPE_F32);
  map_put_cog(&m, &store);
  ra_tile_request request = map_request(0, 0, 0, 64, RA_RESAMPLING_NEAREST);
  assert_int_equal(ra_tile_crs("EPSG:4326", &request.crs, NULL), RA_OK);
  request.left = -180, request.top = 90, request.pixel = 180.0 / 64;
  map_add(&request, map_dataset(&m));
  ra_buf *tif = render(&request, RA_TILE_TIF);
  tiff t = {ra_buf_data(tif), ra_buf_size(tif)};
  assert_true(real(&t, 33550, 0) == 180.0 / 64 && real(&t, 33922, 3) == -180 &&
              real(&t, 33922, 4) == 90);
  assert_int_equal(geokey(&t, 1024), 2);  // geographic
  assert_int_equal(geokey(&t, 2048), 4326);
  float *got = strip(&t, 0, 64 * 64 * 4);
  for (int j = 0; j < 64; j++) {
    for (int i = 0; i < 64; i++) {
      uint32_t row = (uint32_t)((j + 0.5) * 180 / 64 / 10),
               column = (uint32_t)((i + 0.5) * 180 / 64 / 10);
      double want = holes(&m, 0, row, column);
      float v = got[64 * j + i];
      if (want == m.nodata) {
        assert_true(isnan(v));
      } else {
        assert_true((double)v == want);
      }
    }
  }
  free(got);
  ra_buf_unref(tif);
  ra_tile_request_deinit(&request);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

int main(void) {
  const struct CMUnitTest tests[] = {TEST(one_band), TEST(bands_in_the_order_asked_for),
                                     TEST(doubles), TEST(its_place_in_web_mercator),
                                     TEST(its_place_in_another_set)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
