// PNG: what libpng reads back is what went in, for every kind, bit depth and odd size.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <png.h>

#include "codec/png.h"

static void read_rgba(ra_buf *png, uint32_t width, uint32_t height, uint8_t *rgba) {
  png_image image = {.version = PNG_IMAGE_VERSION};
  assert_true(png_image_begin_read_from_memory(&image, ra_buf_data(png), ra_buf_size(png)));
  assert_int_equal(image.width, width);
  assert_int_equal(image.height, height);
  image.format = PNG_FORMAT_RGBA;
  assert_true(png_image_finish_read(&image, NULL, rgba, 0, NULL));
  assert_int_equal(image.warning_or_error, 0);
}

static void indexed_case(uint32_t width, uint32_t height, unsigned count, int smooth) {
  uint8_t palette[256][4];
  for (unsigned i = 0; i < count; i++) {
    for (int c = 0; c < 4; c++) palette[i][c] = (uint8_t)rand();
    if (i > count / 2) palette[i][3] = 255;
  }
  size_t n = (size_t)width * height;
  uint8_t *index = malloc(n), *got = malloc(n * 4);
  for (size_t i = 0; i < n; i++) index[i] = (uint8_t)((smooth ? i / 100 : (size_t)rand()) % count);
  ra_buf *png;
  assert_int_equal(
      ra_png_indexed(index, width, height, (const uint8_t(*)[4])palette, count, &png, NULL), RA_OK);
  read_rgba(png, width, height, got);
  for (size_t i = 0; i < n; i++) assert_memory_equal(got + i * 4, palette[index[i]], 4);
  ra_buf_unref(png);
  free(index), free(got);
}

static void indexed_of_every_depth(void **state) {
  (void)state;
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  srand(seed);
  static const unsigned counts[] = {1, 2, 3, 4, 5, 16, 17, 255, 256};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    for (int smooth = 0; smooth < 2; smooth++) {
      indexed_case(1, 1, counts[i], smooth);
      indexed_case(7, 5, counts[i], smooth);
      indexed_case(257, 63, counts[i], smooth);
      indexed_case(512, 512, counts[i], smooth);
    }
  }
}

static void rgba_noise_and_flat(void **state) {
  (void)state;
  enum { W = 301, H = 199 };
  uint8_t *rgba = malloc(W * H * 4), *got = malloc(W * H * 4);
  for (int flat = 0; flat < 2; flat++) {
    for (size_t i = 0; i < W * H * 4; i++) rgba[i] = flat ? 128 : (uint8_t)rand();
    ra_buf *png;
    assert_int_equal(ra_png_rgba(rgba, W, H, &png, NULL), RA_OK);
    read_rgba(png, W, H, got);
    assert_memory_equal(rgba, got, W * H * 4);
    if (flat) assert_true(ra_buf_size(png) < 2000);
    ra_buf_unref(png);
  }
  free(rgba), free(got);
}

typedef struct source {
  const uint8_t *at;
} source;

static void read_bytes(png_structp png, png_bytep out, size_t n) {
  source *s = png_get_io_ptr(png);
  memcpy(out, s->at, n);
  s->at += n;
}

static void sixteen_bits(void **state) {
  (void)state;
  enum { W = 67, H = 31 };
  for (unsigned channels = 1; channels <= 4; channels++) {
    size_t row = (size_t)W * channels;
    uint16_t *samples = malloc(row * H * 2), *got = malloc(row * H * 2);
    for (size_t i = 0; i < row * H; i++) samples[i] = (uint16_t)rand();
    ra_buf *buf;
    assert_int_equal(ra_png_16(samples, W, H, channels, &buf, NULL), RA_OK);
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    source s = {ra_buf_data(buf)};
    png_set_read_fn(png, &s, read_bytes);
    png_read_info(png, info);
    assert_int_equal(png_get_bit_depth(png, info), 16);
    assert_int_equal(png_get_channels(png, info), channels);
    png_set_swap(png);
    for (size_t y = 0; y < H; y++) png_read_row(png, (png_bytep)(got + y * row), NULL);
    png_read_end(png, NULL);
    assert_memory_equal(samples, got, row * H * 2);
    assert_ptr_equal(s.at, ra_buf_data(buf) + ra_buf_size(buf));
    png_destroy_read_struct(&png, &info, NULL);
    ra_buf_unref(buf);
    free(samples), free(got);
  }
}

static void opaque_palettes_have_no_trns(void **state) {
  (void)state;
  const uint8_t palette[2][4] = {{1, 2, 3, 255}, {4, 5, 6, 255}}, index[4] = {0, 1, 1, 0};
  ra_buf *png;
  assert_int_equal(ra_png_indexed(index, 2, 2, palette, 2, &png, NULL), RA_OK);
  assert_null(memmem(ra_buf_data(png), ra_buf_size(png), "tRNS", 4));
  ra_buf_unref(png);
}

static void refusals(void **state) {
  (void)state;
  const uint8_t palette[1][4] = {{0}}, index[1] = {0};
  ra_buf *png = NULL;
  ra_err err;
  assert_int_equal(ra_png_indexed(index, 0, 1, palette, 1, &png, &err), RA_E_INVALID);
  assert_int_equal(ra_png_indexed(index, 1, 1, palette, 0, &png, &err), RA_E_INVALID);
  assert_int_equal(ra_png_indexed(index, 1, 1, palette, 257, &png, &err), RA_E_INVALID);
  assert_int_equal(ra_png_rgba(index, 1 << 20, 1 << 20, &png, &err), RA_E_TOOBIG);
  assert_null(png);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(indexed_of_every_depth),
      cmocka_unit_test(rgba_noise_and_flat),
      cmocka_unit_test(sixteen_bits),
      cmocka_unit_test(opaque_palettes_have_no_trns),
      cmocka_unit_test(refusals),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
