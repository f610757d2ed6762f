// JPEG and WebP out, read back by the decoders of libjpeg and libwebp: sizes, colours, what becomes of alpha, and refusals.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <webp/decode.h>

#include "codec/picture.h"

enum { WIDE = 67, HIGH = 45 };

// Smooth colours, and alpha that is 0, half and full in bands.
static void paint(uint8_t *rgba) {
  for (int y = 0; y < HIGH; y++) {
    for (int x = 0; x < WIDE; x++) {
      uint8_t *p = rgba + 4 * (y * WIDE + x);
      p[0] = (uint8_t)(3 * x), p[1] = (uint8_t)(5 * y), p[2] = 60;
      p[3] = (uint8_t)(x < 20 ? 0 : x < 40 ? 128 : 255);
    }
  }
}

static uint8_t *read_jpeg(const ra_buf *body, unsigned *width, unsigned *height) {
  struct jpeg_decompress_struct in;
  struct jpeg_error_mgr errors;
  in.err = jpeg_std_error(&errors);
  jpeg_create_decompress(&in);
  jpeg_mem_src(&in, ra_buf_data(body), (unsigned long)ra_buf_size(body));
  assert_int_equal(jpeg_read_header(&in, TRUE), JPEG_HEADER_OK);
  jpeg_start_decompress(&in);
  assert_int_equal(in.output_components, 3);
  *width = in.output_width, *height = in.output_height;
  uint8_t *rgb = malloc((size_t)*width * *height * 3);
  while (in.output_scanline < *height) {
    JSAMPROW row = rgb + (size_t)in.output_scanline * *width * 3;
    jpeg_read_scanlines(&in, &row, 1);
  }
  jpeg_finish_decompress(&in);
  jpeg_destroy_decompress(&in);
  return rgb;
}

// Mean difference of the colours; `channels` of what was read.
static double apart(const uint8_t *rgba, const uint8_t *read, size_t channels, int alpha) {
  double sum = 0, n = 0;
  for (size_t i = 0; i < WIDE * HIGH; i++) {
    if (rgba[4 * i + 3] < alpha) continue;
    for (size_t c = 0; c < 3; c++) sum += abs(rgba[4 * i + c] - read[channels * i + c]);
    n += 3;
  }
  return sum / n;
}

static void jpeg_has_the_colours(void **state) {
  (void)state;
  static uint8_t rgba[4 * WIDE * HIGH];
  paint(rgba);
  double before = 1e9;
  for (int quality = 30; quality <= 95; quality += 65) {
    ra_buf *body = NULL;
    assert_int_equal(ra_jpeg_rgba(rgba, WIDE, HIGH, quality, &body, NULL), RA_OK);
    unsigned width, height;
    uint8_t *rgb = read_jpeg(body, &width, &height);
    assert_int_equal(width, WIDE);
    assert_int_equal(height, HIGH);
    double now = apart(rgba, rgb, 3, 0);
    assert_true(now < 4 && now < before);  // better with more quality
    before = now;
    free(rgb);
    ra_buf_unref(body);
  }
}

static void webp_keeps_alpha_without_loss(void **state) {
  (void)state;
  static uint8_t rgba[4 * WIDE * HIGH];
  paint(rgba);
  ra_buf *body = NULL;
  assert_int_equal(ra_webp_rgba(rgba, WIDE, HIGH, 75, &body, NULL), RA_OK);
  int width, height;
  uint8_t *read = WebPDecodeRGBA(ra_buf_data(body), ra_buf_size(body), &width, &height);
  assert_non_null(read);
  assert_int_equal(width, WIDE);
  assert_int_equal(height, HIGH);
  for (size_t i = 0; i < WIDE * HIGH; i++) assert_int_equal(read[4 * i + 3], rgba[4 * i + 3]);
  assert_true(apart(rgba, read, 4, 255) < 5);
  WebPFree(read);
  ra_buf_unref(body);
}

static void one_pixel(void **state) {
  (void)state;
  const uint8_t grey[4] = {100, 100, 100, 255};
  ra_buf *body = NULL;
  unsigned width, height;
  assert_int_equal(ra_jpeg_rgba(grey, 1, 1, 85, &body, NULL), RA_OK);
  uint8_t *rgb = read_jpeg(body, &width, &height);
  assert_true(width == 1 && height == 1 && abs(rgb[0] - 100) < 3);
  free(rgb);
  ra_buf_unref(body);
  body = NULL;
  assert_int_equal(ra_webp_rgba(grey, 1, 1, 75, &body, NULL), RA_OK);
  ra_buf_unref(body);
}

static void sizes_that_the_formats_have_not(void **state) {
  (void)state;
  static const uint8_t pixel[4];
  static const uint32_t sizes[][2] = {{0, 1}, {1, 0}, {65536, 1}, {1, 4000000000u}};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    ra_buf *body = NULL;
    ra_err err = {0};
    assert_int_equal(ra_jpeg_rgba(pixel, sizes[i][0], sizes[i][1], 85, &body, &err), RA_E_INVALID);
    assert_non_null(strstr(err.message, "pixels"));
    assert_int_equal(ra_webp_rgba(pixel, sizes[i][0], sizes[i][1], 75, &body, &err), RA_E_INVALID);
    assert_null(body);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(jpeg_has_the_colours),
      cmocka_unit_test(webp_keeps_alpha_without_loss),
      cmocka_unit_test(one_pixel),
      cmocka_unit_test(sizes_that_the_formats_have_not),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
