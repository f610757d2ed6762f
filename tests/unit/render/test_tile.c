// Tiles: values worked out from the map's own formula, seams, neighbours, the order of sources, colours, limits.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <png.h>

#include "random.h"
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

static double row_and_column(const map *m, unsigned band, uint32_t row, uint32_t column) {
  (void)m;
  return band * 1000.0 + row * 36.0 + column;
}

static map world(const char *dataset) {
  return (map){.dataset = dataset,
               .columns = 36,
               .rows = 18,
               .bands = 2,
               .west = -180,
               .north = 90,
               .cell = 10,
               .wraps = true,
               .crs = "EPSG:4326",
               .dtype = RA_DTYPE_F32,
               .scale = 1,
               .offset = 0,
               .nodata = NAN,
               .stored = row_and_column};
}

static ra_buf *render(const ra_tile_request *request) {
  ra_buf *body = NULL;
  ra_err err = {0};
  ra_timing timing = {0};
  if (ra_tile_render(context, request, NULL, &timing, &body, &err) < 0) {
    fail_msg("%s: %s", err.where, err.message);
  }
  return body;
}

static const float *cells_of(const ra_buf *npy) { return (const float *)(ra_buf_data(npy) + 128); }

static bool same(double a, double b, double within) {
  return (isnan(a) && isnan(b)) || fabs(a - b) <= within;
}

// The whole world in one tile: each pixel has the cell that holds its longitude and latitude.
static void nearest_world(void **state) {
  (void)state;
  map m = world("m");
  map_put_cog(&m, &store);
  ra_tile_request request = map_request(0, 0, 0, 256, RA_RESAMPLING_NEAREST);
  map_add(&request, map_dataset(&m));
  request.band_count = 2;
  request.bands[0] = 1;
  ra_buf *npy = render(&request);
  assert_memory_equal(ra_buf_data(npy), "\x93NUMPY\x01\x00", 8);
  assert_non_null(memmem(ra_buf_data(npy), 128, "'<f4'", 5));
  assert_non_null(memmem(ra_buf_data(npy), 128, "(3, 256, 256)", 13));
  assert_int_equal(ra_buf_size(npy), 128 + 3 * 65536 * 4);
  const float *cells = cells_of(npy);
  for (int j = 0; j < 256; j++) {
    double lat = atan(sinh(M_PI * (1 - 2 * (j + 0.5) / 256))) * 180 / M_PI;
    for (int i = 0; i < 256; i++) {
      double lon = (i + 0.5) / 256 * 360 - 180;
      double expected = floor((90 - lat) / 10) * 36 + floor((lon + 180) / 10);
      assert_true(cells[j * 256 + i] == expected + 1000);
      assert_true(cells[65536 + j * 256 + i] == expected);
      assert_true(cells[2 * 65536 + j * 256 + i] == 255);
    }
  }
  ra_buf_unref(npy);
  ra_tile_request_deinit(&request);
}

// A region: its cells within its edges, nothing beyond any of them.
static void a_region_ends_at_its_edges(void **state) {
  (void)state;
  map m = world("region");
  m.west = -20;
  m.north = 50;
  m.cell = 2;
  m.wraps = false;
  map_put_cog(&m, &store);
  ra_tile_request request = map_request(1, 0, 0, 256, RA_RESAMPLING_NEAREST);
  map_add(&request, map_dataset(&m));
  for (int part = 0; part < 4; part++) {
    request.x = (uint32_t)part % 2;
    request.y = (uint32_t)part / 2;
    ra_buf *npy = render(&request);
    for (int i = 0; i < 65536; i++) {
      double down = (i / 256 + 0.5 + request.y * 256) / 512,
             across = (i % 256 + 0.5 + request.x * 256) / 512;
      double row = (50 - atan(sinh(M_PI * (1 - 2 * down))) * 180 / M_PI) / 2;
      double column = (across * 360 - 180 + 20) / 2;
      bool inside = row >= 0 && row < 18 && column >= 0 && column < 36;
      double expected = inside ? floor(row) * 36 + floor(column) : NAN;
      assert_true(same(cells_of(npy)[i], expected, 0));
    }
    ra_buf_unref(npy);
  }
  ra_tile_request_deinit(&request);
}

static uint64_t seed;

// Noise that any cell of any map has by its place in the world alone.
static double noise_at(const map *m, unsigned band, uint32_t row, uint32_t column) {
  uint64_t place = seed + band * 7919 + row * 100003u +
                   (uint64_t)(((int64_t)column + m->roll) % (int64_t)m->columns);
  uint64_t noise = test_random(&place);
  return noise % 23 == 0 ? m->nodata : (double)(noise % 2000) / 4;
}

// The same world that begins at another meridian gives the same tiles: no seam at 0, at 180 or anywhere.
static void where_the_grid_begins_does_not_show(void **state) {
  (void)state;
  seed = test_seed("where_the_grid_begins_does_not_show");
  map a = world("a"), b = world("b");
  a.columns = b.columns = 1024;
  a.rows = b.rows = 512;
  a.cell = b.cell = 360.0 / 1024;
  a.stored = b.stored = noise_at;
  a.bands = b.bands = 1;
  b.roll = 4 * (int64_t)(1 + test_random(&seed) % 255);  // whole cells of two overviews
  b.west = a.west + (double)b.roll * a.cell;
  map_put_cog(&a, &store);
  map_put_cog(&b, &store);
  for (int round = 0; round < 60; round++) {
    unsigned z = (unsigned)(test_random(&seed) % 9);
    uint32_t n = 1u << z, x = (uint32_t)(test_random(&seed) % n),
             y = (uint32_t)(test_random(&seed) % n);
    if (round % 3 == 0) x = round % 2 ? 0 : n - 1;         // beside 180
    if (round % 3 == 1) x = n / 2 - (n > 1 && round % 2);  // beside 0
    ra_resampling how = round % 2 ? RA_RESAMPLING_BILINEAR : RA_RESAMPLING_NEAREST;
    ra_tile_request of_a = map_request(z, x, y, 256, how), of_b = of_a;
    map_add(&of_a, map_dataset(&a));
    map_add(&of_b, map_dataset(&b));
    ra_buf *left = render(&of_a), *right = render(&of_b);
    int unlike = 0;
    for (int i = 0; i < 65536; i++) unlike += !same(cells_of(left)[i], cells_of(right)[i], 1e-2);
    if (how == RA_RESAMPLING_BILINEAR) assert_int_equal(unlike, 0);
    assert_true(unlike < 66);  // positions on a cell's edge may fall to either side
    ra_buf_unref(left);
    ra_buf_unref(right);
    ra_tile_request_deinit(&of_a);
    ra_tile_request_deinit(&of_b);
  }
}

// Four tiles are the quarters of the tile of twice their size above them.
static void neighbours_are_parts_of_one_picture(void **state) {
  (void)state;
  seed = test_seed("neighbours_are_parts_of_one_picture");
  static const struct {
    const char *crs;
    double west, north, cell;
    unsigned z;
    uint32_t x, y;
  } places[] = {{"EPSG:4326", -180, 90, 0.36, 2, 1, 1},
                {"EPSG:4326", -180, 90, 0.36, 5, 31, 9},
                {"EPSG:3035", 2500000, 5500000, 3000, 5, 16, 10},
                {"EPSG:3035", 2500000, 5500000, 3000, 4, 8, 5}};
  for (size_t p = 0; p < sizeof places / sizeof *places; p++) {
    map m = world(p < 2 ? "ll" : "eu");
    m.columns = 1000;
    m.rows = p < 2 ? 500 : 1000;
    m.bands = 1;
    m.crs = places[p].crs;
    m.west = places[p].west;
    m.north = places[p].north;
    m.cell = places[p].cell;
    m.wraps = p < 2;
    m.stored = noise_at;
    if (p % 2 == 0) map_put_cog(&m, &store);
    for (int how = 0; how < 2; how++) {
      ra_tile_request whole =
          map_request(places[p].z, places[p].x, places[p].y, 512, (ra_resampling)how);
      map_add(&whole, map_dataset(&m));
      ra_buf *picture = render(&whole);
      for (uint32_t part = 0; part < 4; part++) {
        ra_tile_request quarter = whole;
        quarter.size = 256;
        quarter.z++;
        quarter.x = whole.x * 2 + part % 2;
        quarter.y = whole.y * 2 + part / 2;
        ra_buf *tile = render(&quarter);
        int unlike = 0, valid = 0;
        for (size_t i = 0; i < 65536; i++) {
          size_t at = (i / 256 + part / 2 * 256) * 512 + i % 256 + part % 2 * 256;
          float got = cells_of(tile)[i], want = cells_of(picture)[at];
          valid += !isnan(want);
          // Positions agree to a part of a pixel that is far below what PROJ's own mesh is allowed.
          unlike += !same(got, want, how == RA_RESAMPLING_BILINEAR ? 0.5 : 0);
        }
        assert_true(valid > 10000);
        assert_in_range(unlike, 0, p < 2 ? 0 : 65);
        ra_buf_unref(tile);
      }
      ra_buf_unref(picture);
      ra_tile_request_deinit(&whole);
    }
  }
}

static double holes(const map *m, unsigned band, uint32_t row, uint32_t column) {
  (void)band;
  return (row + column) % 3 == (uint32_t)m->roll ? m->nodata : 100 + (double)m->roll;
}

static void the_first_valid_source_wins(void **state) {
  (void)state;
  map a = world("a"), b = world("b");
  a.stored = b.stored = holes;
  b.roll = 1;
  b.dtype = RA_DTYPE_F64;  // another type: the tile becomes float64
  map_put_cog(&a, &store);
  map_put_cog(&b, &store);
  ra_tile_request request = map_request(0, 0, 0, 256, RA_RESAMPLING_NEAREST);
  map_add(&request, map_dataset(&a));
  map_add(&request, map_dataset(&b));
  ra_buf *npy = render(&request);
  assert_non_null(memmem(ra_buf_data(npy), 128, "'<f8'", 5));
  const double *cells = (const double *)(ra_buf_data(npy) + 128);
  for (int i = 0; i < 65536; i++) {
    int row = (int)floor((90 - atan(sinh(M_PI * (1 - 2 * (i / 256 + 0.5) / 256))) * 180 / M_PI) / 10);
    int column = (int)((i % 256 + 0.5) * 36 / 256);
    assert_true(cells[i] == ((row + column) % 3 == 0 ? 101 : 100));
  }
  ra_buf_unref(npy);
  ra_tile_request_deinit(&request);
}

static double packed(const map *m, unsigned band, uint32_t row, uint32_t column) {
  (void)m, (void)band, (void)row;
  return column < 9 ? -1 : column < 18 ? 5 : column < 27 ? 7 : 200;
}

static void packing_nodata_and_overrides(void **state) {
  (void)state;
  map m = world("p");
  m.dtype = RA_DTYPE_I16;
  m.scale = 0.5;
  m.offset = 10;
  m.nodata = -1;
  m.stored = packed;
  map_put_cog(&m, &store);
  static const struct {
    bool unscale, has_nodata;
    double expected[4];
  } cases[] = {{true, false, {NAN, 12.5, 13.5, 110}},
               {false, false, {NAN, 5, 7, 200}},
               {true, true, {NAN, 12.5, NAN, 110}}};
  for (size_t k = 0; k < 3; k++) {
    ra_tile_request request = map_request(0, 0, 0, 256, RA_RESAMPLING_NEAREST);
    request.unscale = cases[k].unscale;
    request.has_nodata = cases[k].has_nodata;
    request.nodata = 7;
    map_add(&request, map_dataset(&m));
    ra_buf *npy = render(&request);
    for (int q = 0; q < 4; q++) {
      assert_true(same(cells_of(npy)[128 * 256 + q * 64 + 32], cases[k].expected[q], 0));
      float mask = cells_of(npy)[65536 + 128 * 256 + q * 64 + 32];
      assert_true(mask == (isnan(cases[k].expected[q]) ? 0 : 255));
    }
    ra_buf_unref(npy);
    ra_tile_request_deinit(&request);
  }
}

// ---- colours

static void read_png(const ra_buf *body, uint8_t rgba[256 * 256 * 4]) {
  png_image image = {.version = PNG_IMAGE_VERSION};
  assert_true(png_image_begin_read_from_memory(&image, ra_buf_data(body), ra_buf_size(body)));
  assert_int_equal(image.width, 256);
  assert_int_equal(image.height, 256);
  image.format = PNG_FORMAT_RGBA;
  assert_true(png_image_finish_read(&image, NULL, rgba, 0, NULL));
}

static void expect_quarters(const ra_tile_request *request, const uint32_t expected[4]) {
  static uint8_t rgba[256 * 256 * 4];
  ra_buf *body = render(request);
  read_png(body, rgba);
  for (int q = 0; q < 4; q++) {
    const uint8_t *p = rgba + (128 * 256 + q * 64 + 32) * 4;
    uint32_t got = p[3] == 0 ? 0 : (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
    if (got != expected[q]) fail_msg("quarter %d: %08x, wanted %08x", q, got, expected[q]);
  }
  ra_buf_unref(body);
}

static void set_ramp(ra_tile_request *request, const char *json) {
  ra_ramp_unref(request->ramp);
  request->ramp = NULL;
  assert_int_equal(ra_ramp_parse(json, strlen(json), &request->ramp, NULL), RA_OK);
}

static void colours(void **state) {
  (void)state;
  map m = world("p");
  m.nodata = -1;
  m.dtype = RA_DTYPE_I16;
  m.stored = packed;
  map_put_cog(&m, &store);
  ra_tile_request request = map_request(0, 0, 0, 256, RA_RESAMPLING_NEAREST);
  map_add(&request, map_dataset(&m));
  request.format = RA_TILE_PNG;
  request.rescale[0] = 5;
  request.rescale[1] = 15;
  set_ramp(&request, "{\"type\":\"linear\",\"colors\":[\"#000\",\"#fff\"]}");
  // 7 lies at 51 of 255; 200 is clipped
  expect_quarters(&request, (uint32_t[]){0, 0x000000ff, 0x333333ff, 0xffffffff});
  request.return_mask = false;
  expect_quarters(&request, (uint32_t[]){0x000000ff, 0x000000ff, 0x333333ff, 0xffffffff});
  request.return_mask = true;
  set_ramp(&request, "{\"5\":\"#102030\",\"200\":[1,2,3,128]}");
  expect_quarters(&request, (uint32_t[]){0, 0x102030ff, 0, 0x01020380});
  set_ramp(&request, "[[[0,8],\"#0000ff\"],[[7,300],\"#ff0000\"]]");
  expect_quarters(&request, (uint32_t[]){0, 0x0000ffff, 0xff0000ff, 0xff0000ff});
  ra_tile_request_deinit(&request);
}

static double many(const map *m, unsigned band, uint32_t row, uint32_t column) {
  (void)band;
  return row == 5 && column == 5 ? m->nodata : row * 36 + column;
}

// More classes in one tile than a palette holds, and all 256 of a ramp beside a hole.
static void more_colours_than_a_palette(void **state) {
  (void)state;
  map m = world("q");
  m.stored = many;
  map_put_cog(&m, &store);
  ra_str json;
  ra_str_init(&json);
  for (unsigned i = 0; i < 648; i++) {
    ra_str_addf(&json, "%s\"%u\":[%u,%u,9]", i ? "," : "{", i, i & 255, i >> 8);
  }
  ra_str_add(&json, "}");
  ra_tile_request request = map_request(0, 0, 0, 256, RA_RESAMPLING_NEAREST);
  map_add(&request, map_dataset(&m));
  ra_buf *npy = render(&request);
  request.format = RA_TILE_PNG;
  request.rescale[0] = 0;
  request.rescale[1] = 648;
  static uint8_t rgba[256 * 256 * 4];
  for (int linear = 0; linear < 2; linear++) {
    set_ramp(&request,
             linear ? "{\"type\":\"linear\",\"colors\":[\"#000009\",\"#ff0009\"]}" : json.ptr);
    ra_buf *body = render(&request);
    read_png(body, rgba);
    for (int i = 0; i < 65536; i++) {
      float v = cells_of(npy)[i];
      const uint8_t *p = rgba + i * 4;
      assert_int_equal(p[3], isnan(v) ? 0 : 255);
      if (isnan(v)) continue;
      unsigned entry = linear ? (unsigned)((double)v / 648 * 255) : (unsigned)v;
      assert_true(p[0] == (entry & 255) && p[1] == entry >> 8 && p[2] == 9);
    }
    ra_buf_unref(body);
  }
  ra_buf_unref(npy);
  ra_str_deinit(&json);
  ra_tile_request_deinit(&request);
}

// ---- limits and ends

static void nothing_there(void **state) {
  (void)state;
  static uint8_t rgba[256 * 256 * 4];
  map m = world("r");
  m.west = 0;
  m.north = 60;
  m.cell = 1;
  m.wraps = false;
  map_put_cog(&m, &store);
  for (int sources = 0; sources < 2; sources++) {
    ra_tile_request request = map_request(3, 0, 7, 256, RA_RESAMPLING_BILINEAR);
    if (sources) map_add(&request, map_dataset(&m));
    ra_buf *npy = render(&request);
    for (int i = 0; i < 65536; i++) {
      assert_true(isnan(cells_of(npy)[i]) && cells_of(npy)[65536 + i] == 0);
    }
    ra_buf_unref(npy);
    request.format = RA_TILE_PNG;
    set_ramp(&request, "{\"type\":\"linear\",\"colors\":[\"#000\",\"#fff\"]}");
    ra_buf *body = render(&request);
    read_png(body, rgba);
    for (int i = 0; i < 65536; i++) assert_int_equal(rgba[i * 4 + 3], 0);
    assert_true(ra_buf_size(body) < 400);
    ra_buf_unref(body);
    ra_tile_request_deinit(&request);
  }
  assert_int_equal(store.reads, 0);  // outside the data nothing is read
}

static void each_block_is_read_once(void **state) {
  (void)state;
  map m = world("big");
  m.columns = 1440;
  m.rows = 720;
  m.cell = 0.25;
  m.bands = 1;
  m.stored = noise_at;
  map_put_cog(&m, &store);
  ra_tile_request request = map_request(6, 32, 31, 256, RA_RESAMPLING_BILINEAR);  // 5.6 degrees
  map_add(&request, map_dataset(&m));
  ra_timing timing = {0};
  ra_buf *body;
  assert_int_equal(ra_tile_render(context, &request, NULL, &timing, &body, NULL), RA_OK);
  ra_buf_unref(body);
  size_t reads = store.reads;
  assert_in_range(reads, 2, 3);  // the header, and a block or two
  assert_true(timing.ns[RA_STAGE_FETCH] > 0 && timing.ns[RA_STAGE_DECODE] > 0);
  assert_true(timing.ns[RA_STAGE_WARP] > 0 && timing.ns[RA_STAGE_ENCODE] > 0);
  body = render(&request);
  ra_buf_unref(body);
  assert_int_equal(store.reads, reads);
  assert_true(ra_tile_cost(&request) >= 2 * 65536 * sizeof(float));
  ra_tile_request_deinit(&request);
}

static void refusals(void **state) {
  (void)state;
  map m = world("m");
  map_put_cog(&m, &store);
  ra_tile_request good = map_request(1, 1, 1, 256, RA_RESAMPLING_NEAREST);
  map_add(&good, map_dataset(&m));
  struct {
    ra_tile_request request;
    int code;
    const char *where;
  } cases[8];
  for (int i = 0; i < 8; i++) cases[i].request = good, cases[i].code = RA_E_INVALID;
  cases[0].request.size = 32, cases[0].where = "tilesize";
  cases[1].request.size = 2048, cases[1].where = "tilesize";
  cases[2].request.band_count = 0, cases[2].where = "bidx";
  cases[3].request.bands[0] = 2, cases[3].where = "v";
  cases[4].request.x = 2, cases[4].where = "x";
  cases[5].request.z = 40, cases[5].where = "z";
  cases[6].request.format = RA_TILE_PNG, cases[6].where = "colormap";
  cases[7].request.source_count = 17, cases[7].code = RA_E_TOOBIG, cases[7].where = "datetime";
  for (int i = 0; i < 8; i++) {
    ra_buf *body = NULL;
    ra_err err = {0};
    assert_int_equal(ra_tile_render(context, &cases[i].request, NULL, NULL, &body, &err),
                     cases[i].code);
    assert_string_equal(err.where, cases[i].where);
    assert_null(body);
  }
  ra_tile_request_deinit(&good);
}

static void upside_down_stretch(void **state) {
  (void)state;
  ra_tile_request request = map_request(0, 0, 0, 256, RA_RESAMPLING_NEAREST);
  request.format = RA_TILE_PNG;
  request.rescale[0] = 310;
  request.rescale[1] = 260;
  set_ramp(&request, "{\"type\":\"linear\",\"colors\":[\"#000\",\"#fff\"]}");
  ra_err err = {0};
  ra_buf *body;
  assert_int_equal(ra_tile_render(context, &request, NULL, NULL, &body, &err), RA_E_INVALID);
  assert_string_equal(err.where, "rescale");
  ra_tile_request_deinit(&request);
}

static void cancelled_and_lost(void **state) {
  (void)state;
  map m = world("m");
  ra_tile_request request = map_request(0, 0, 0, 256, RA_RESAMPLING_NEAREST);
  map_add(&request, map_dataset(&m));
  ra_buf *body;
  ra_err err = {0};
  assert_int_equal(ra_tile_render(context, &request, NULL, NULL, &body, &err), RA_E_NOTFOUND);
  map_put_cog(&m, &store);
  ra_cancel *cancel = ra_cancel_new();
  ra_cancel_set(cancel);
  assert_int_equal(ra_tile_render(context, &request, cancel, NULL, &body, &err), RA_E_CANCELLED);
  ra_cancel_unref(cancel);
  body = render(&request);
  ra_buf_unref(body);
  ra_tile_request_deinit(&request);
}

static void resampling_names(void **state) {
  (void)state;
  ra_resampling how;
  assert_true(ra_resampling_parse("bilinear", &how) && how == RA_RESAMPLING_BILINEAR);
  assert_true(ra_resampling_parse("nearest", &how) && how == RA_RESAMPLING_NEAREST);
  assert_true(ra_resampling_parse("rms", &how) && how == RA_RESAMPLING_RMS);
  assert_false(ra_resampling_parse("cubics", &how));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(nearest_world),
      TEST(a_region_ends_at_its_edges),
      TEST(where_the_grid_begins_does_not_show),
      TEST(neighbours_are_parts_of_one_picture),
      TEST(the_first_valid_source_wins),
      TEST(packing_nodata_and_overrides),
      TEST(colours),
      TEST(more_colours_than_a_palette),
      TEST(nothing_there),
      TEST(each_block_is_read_once),
      TEST(refusals),
      TEST(upside_down_stretch),
      TEST(cancelled_and_lost),
      TEST(resampling_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
