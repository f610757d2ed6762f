// COGs written and read back, the pyramid against a slow one, and bad input.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "cog_random.h"

// One band of a level, whole, through the reader.
static void read_level(const ra_cog *cog, const uint8_t *file, size_t level, unsigned band,
                       uint8_t *out) {
  const ra_cog_info *info = ra_cog_get_info(cog);
  const ra_cog_level *l = ra_cog_get_level(cog, level);
  size_t size = ra_dtype_size(info->dtype), samples = info->planar ? 1 : info->bands;
  uint8_t *block = malloc((size_t)l->block_width * l->block_height * size * samples);
  for (uint32_t y = 0; y < l->height; y++) {
    for (uint32_t column = 0; column < l->across; column++) {
      uint64_t offset, bytes;
      ra_err err = {0};
      int rc =
          ra_cog_block_range(cog, level, band, column, y / l->block_height, &offset, &bytes, &err);
      if (rc == RA_OK && y % l->block_height == 0) {
        rc = ra_cog_block_decode(cog, level, bytes ? file + offset : NULL, bytes, block, &err);
      }
      if (rc < 0) fail_msg("%s", err.message);
      if (y % l->block_height) continue;
      for (uint32_t r = 0; r < l->block_height && y + r < l->height; r++) {
        for (uint32_t c = 0; c < l->block_width; c++) {
          uint32_t x = column * l->block_width + c;
          if (x >= l->width) break;
          memcpy(out + ((size_t)(y + r) * l->width + x) * size,
                 block + (((size_t)r * l->block_width + c) * samples + (info->planar ? 0 : band)) *
                             size,
                 size);
        }
      }
    }
  }
  free(block);
}

static void images_there_and_back(void **state) {
  (void)state;
  uint64_t seed = test_seed("images_there_and_back");
  for (int round = 0; round < 60; round++) {
    ra_cog_spec spec = random_cog(&seed);
    size_t size = ra_dtype_size(spec.dtype), plane = cog_cells(&spec) / spec.bands * size;
    uint8_t *cells = random_pixels(&seed, &spec), *got = malloc(plane);
    ra_buf *buf;
    ra_cog *cog;
    ra_err err = {0};
    if (ra_cog_write(&spec, cells, &buf, &err) < 0) fail_msg("%s", err.message);
    if (parse_cog(ra_buf_data(buf), ra_buf_size(buf), &cog, &err) < 0) fail_msg("%s", err.message);
    const ra_cog_info *info = ra_cog_get_info(cog);
    assert_int_equal(info->dtype, spec.dtype);
    assert_int_equal(info->bands, spec.bands);
    assert_int_equal(info->grid.width, spec.grid.width);
    assert_memory_equal(info->grid.gt, spec.grid.gt, sizeof spec.grid.gt);
    assert_true(info->scale == spec.scale && info->offset == spec.offset);
    assert_true(info->has_nodata == (spec.has_nodata || ra_dtype_is_float(spec.dtype)));
    if (spec.has_nodata) {
      assert_true(info->nodata == spec.nodata || (isnan(info->nodata) && isnan(spec.nodata)));
    }
    for (unsigned band = 0; band < spec.bands; band++) {
      read_level(cog, ra_buf_data(buf), 0, band, got);
      assert_memory_equal(got, cells + band * plane, plane);
    }
    const ra_cog_level *last = ra_cog_get_level(cog, ra_cog_level_count(cog) - 1);
    assert_true(last->width <= 256 && last->height <= 256);
    ra_cog_unref(cog);
    ra_buf_unref(buf);
    free(cells);
    free(got);
  }
  assert_int_equal(ra_buf_live_count(), 0);
}

// By definition: cell (x, y) is the mean over its area, each source cell weighted by the share that it covers.
static double slow_mean(const float *from, uint32_t w, uint32_t h, uint32_t x, uint32_t y,
                        uint32_t ow, uint32_t oh) {
  double x0 = (double)x * w / ow, x1 = (double)(x + 1) * w / ow;
  double y0 = (double)y * h / oh, y1 = (double)(y + 1) * h / oh, sum = 0, share = 0;
  for (uint32_t j = 0; j < h; j++) {
    double dy = fmin(y1, j + 1) - fmax(y0, j);
    for (uint32_t i = 0; i < w && dy > 1e-9; i++) {
      double dx = fmin(x1, i + 1) - fmax(x0, i);
      float v = from[(size_t)j * w + i];
      if (dx <= 1e-9 || isnan(v)) continue;
      sum += dx * dy * (double)v;
      share += dx * dy;
    }
  }
  return share > 0 ? sum / share : (double)NAN;
}

static void overviews_are_means_of_what_they_cover(void **state) {
  (void)state;
  uint64_t seed = test_seed("overviews_are_means_of_what_they_cover");
  const uint32_t sides[][2] = {{300, 40}, {301, 41}, {257, 3}, {2, 259}, {4, 300}};
  for (size_t k = 0; k < sizeof sides / sizeof *sides; k++) {
    uint32_t w = sides[k][0], h = sides[k][1];
    float *cells = malloc((size_t)w * h * 4), *got = malloc((size_t)w * h * 4);
    for (size_t i = 0; i < (size_t)w * h; i++) {
      cells[i] = cog_below(&seed, 4) ? (float)cog_below(&seed, 1000) : NAN;
    }
    ra_cog_spec spec = {
        .grid = {w, h, {0, 1, 0, 0, 0, -1}, false}, .dtype = RA_DTYPE_F32, .bands = 1, .scale = 1};
    ra_buf *buf;
    ra_cog *cog;
    assert_int_equal(ra_cog_write(&spec, cells, &buf, NULL), RA_OK);
    assert_int_equal(parse_cog(ra_buf_data(buf), ra_buf_size(buf), &cog, NULL), RA_OK);
    assert_int_equal(ra_cog_level_count(cog), 2);
    const ra_cog_level *l = ra_cog_get_level(cog, 1);
    assert_int_equal(l->width, (w + 1) / 2);
    assert_int_equal(l->height, (h + 1) / 2);
    read_level(cog, ra_buf_data(buf), 1, 0, (uint8_t *)got);
    for (uint32_t y = 0; y < l->height; y++) {
      for (uint32_t x = 0; x < l->width; x++) {
        double want = slow_mean(cells, w, h, x, y, l->width, l->height);
        float v = got[(size_t)y * l->width + x];
        assert_true(isnan(want) ? isnan(v) : fabs((double)v - want) < 1e-3);
      }
    }
    ra_cog_unref(cog);
    ra_buf_unref(buf);
    free(cells);
    free(got);
  }
}

static void first_overview(ra_cog_spec *spec, const void *cells, uint8_t *out) {
  ra_buf *buf;
  ra_cog *cog;
  assert_int_equal(ra_cog_write(spec, cells, &buf, NULL), RA_OK);
  assert_int_equal(parse_cog(ra_buf_data(buf), ra_buf_size(buf), &cog, NULL), RA_OK);
  read_level(cog, ra_buf_data(buf), 1, 0, out);
  ra_cog_unref(cog);
  ra_buf_unref(buf);
}

static void flags_take_the_mode_and_means_avoid_nodata(void **state) {
  (void)state;
  uint8_t cells[2 * 512], got[256];
  memset(cells, 0, sizeof cells);
  cells[0] = 9, cells[1] = 4, cells[512] = 4, cells[513] = 200;
  cells[2] = 5, cells[3] = 255, cells[514] = 255, cells[515] = 255;  // 255: nodata, however many
  ra_cog_spec spec = {.grid = {512, 2, {0, 1, 0, 0, 0, -1}, false},
                      .dtype = RA_DTYPE_U8,
                      .bands = 1,
                      .scale = 1,
                      .has_nodata = true,
                      .nodata = 255,
                      .categorical = true};
  first_overview(&spec, cells, got);
  assert_int_equal(got[0], 4);
  assert_int_equal(got[1], 5);
  spec.categorical = false;
  spec.nodata = 3;
  cells[0] = 2, cells[1] = 4, cells[512] = 2, cells[513] = 4;  // their mean is the nodata value
  cells[2] = cells[3] = cells[514] = cells[515] = 3;
  first_overview(&spec, cells, got);
  assert_int_equal(got[0], 4);
  assert_int_equal(got[1], 3);
}

static void layout_is_gdals(void **state) {
  (void)state;
  float *cells = calloc(600 * 500, 4);
  ra_cog_spec spec = {
      .grid = {600, 500, {0, 1, 0, 0, 0, -1}, false}, .dtype = RA_DTYPE_F32, .bands = 1, .scale = 1};
  ra_buf *buf;
  assert_int_equal(ra_cog_write(&spec, cells, &buf, NULL), RA_OK);
  const uint8_t *file = ra_buf_data(buf);
  assert_memory_equal(file + 8,
                      "GDAL_STRUCTURAL_METADATA_SIZE=000140 bytes\nLAYOUT=IFDS_BEFORE_DATA\n", 67);
  uint32_t first;
  memcpy(&first, file + 4, 4);
  assert_int_equal(first, 192);
  ra_cog *cog;
  assert_int_equal(parse_cog(file, ra_buf_size(buf), &cog, NULL), RA_OK);
  uint64_t last = UINT64_MAX;
  for (size_t level = 0; level < ra_cog_level_count(cog); level++) {
    uint64_t offset, size;
    uint32_t leader;
    assert_int_equal(ra_cog_block_range(cog, level, 0, 0, 0, &offset, &size, NULL), RA_OK);
    memcpy(&leader, file + offset - 4, 4);
    assert_int_equal(leader, size);
    assert_memory_equal(file + offset + size - 4, file + offset + size, 4);
    assert_true(offset < last);  // the smallest overview first
    last = offset;
  }
  ra_cog_unref(cog);
  ra_buf_unref(buf);
  free(cells);
}

static void bad_specs_are_refused(void **state) {
  (void)state;
  uint8_t cell = 0;
  ra_buf *buf;
  const ra_cog_spec good = {
      .grid = {1, 1, {0, 1, 0, 0, 0, -1}, false}, .dtype = RA_DTYPE_U8, .bands = 1, .scale = 1};
  ra_cog_spec spec = good;
  spec.grid.gt[5] = 1;
  assert_int_equal(ra_cog_write(&spec, &cell, &buf, NULL), RA_E_INVALID);
  spec = good;
  spec.grid.width = 0;
  assert_int_equal(ra_cog_write(&spec, &cell, &buf, NULL), RA_E_INVALID);
  spec = good;
  spec.bands = 0;
  assert_int_equal(ra_cog_write(&spec, &cell, &buf, NULL), RA_E_INVALID);
  spec = good;
  spec.block = 100;
  assert_int_equal(ra_cog_write(&spec, &cell, &buf, NULL), RA_E_INVALID);
}

// Whatever is damaged, there are cells or an error, no crash and no huge allocation.
static void damaged_files_are_answered(void **state) {
  (void)state;
  uint64_t seed = test_seed("damaged_files_are_answered");
  for (int round = 0; round < 400; round++) {
    ra_cog_spec spec = random_cog(&seed);
    spec.grid.width = 1 + (int64_t)cog_below(&seed, 60);
    spec.grid.height = 1 + (int64_t)cog_below(&seed, 60);
    spec.block = 16;
    void *cells = random_pixels(&seed, &spec);
    ra_buf *buf;
    assert_int_equal(ra_cog_write(&spec, cells, &buf, NULL), RA_OK);
    uint8_t *file = ra_buf_bytes(buf);
    size_t size = ra_buf_size(buf), head = size < 1500 ? size : 1500;
    for (int k = 0; k < 4; k++) file[cog_below(&seed, head)] = (uint8_t)test_random(&seed);
    if (cog_below(&seed, 3) == 0) size = cog_below(&seed, size);
    ra_cog *cog;
    int rc = parse_cog(file, size, &cog, NULL);
    assert_true(rc == RA_OK || rc == RA_E_CORRUPT || rc == RA_E_UNSUPPORTED);
    if (rc == RA_OK) {
      const ra_cog_info *info = ra_cog_get_info(cog);
      const ra_cog_level *l = ra_cog_get_level(cog, 0);
      size_t bytes = (size_t)l->block_width * l->block_height * ra_dtype_size(info->dtype) *
                     (info->planar ? 1 : info->bands);
      uint8_t *block = malloc(bytes);
      uint64_t offset, packed;
      rc = ra_cog_block_range(cog, 0, 0, 0, 0, &offset, &packed, NULL);
      if (rc == RA_OK) {
        rc = ra_cog_block_decode(cog, 0, packed ? file + offset : NULL, packed, block, NULL);
      }
      assert_true(rc == RA_OK || rc == RA_E_CORRUPT || rc == RA_E_UNSUPPORTED);
      free(block);
    }
    ra_cog_unref(cog);
    ra_buf_unref(buf);
    free(cells);
  }
}

static void rings_and_far_directories_end(void **state) {
  (void)state;
  // A directory of one entry (width 1) whose successor is itself.
  uint8_t ring[64] =
      "II*\0\x08\0\0\0"
      "\x01\0"
      "\0\x01\x03\0\x01\0\0\0\x01\0\0\0"
      "\x08\0\0\0";
  ra_cog *cog;
  size_t need;
  ra_err err;
  assert_int_equal(ra_cog_parse(ring, 64, 64, &cog, &need, &err), RA_E_CORRUPT);  // no height
  ring[4] = 0xff, ring[7] = 0x7f;  // 2 GiB on, in a file that is so large
  assert_int_equal(ra_cog_parse(ring, 64, (uint64_t)1 << 40, &cog, &need, &err), RA_E_UNSUPPORTED);
  assert_non_null(strstr(err.message, "16 MiB"));
  assert_int_equal(ra_cog_parse(ring, 3, 3, &cog, &need, &err), RA_E_CORRUPT);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(images_there_and_back),
      cmocka_unit_test(overviews_are_means_of_what_they_cover),
      cmocka_unit_test(flags_take_the_mode_and_means_avoid_nodata),
      cmocka_unit_test(layout_is_gdals),
      cmocka_unit_test(bad_specs_are_refused),
      cmocka_unit_test(damaged_files_are_answered),
      cmocka_unit_test(rings_and_far_directories_end),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
