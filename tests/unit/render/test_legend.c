// Pictures of ramps: the low end is left or at the bottom; categories are equal fields.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <png.h>

#include "render/legend.h"

static void picture(const char *json, uint32_t width, uint32_t height, bool vertical, uint8_t *rgba) {
  ra_ramp *ramp;
  ra_buf *body;
  assert_int_equal(ra_ramp_parse(json, strlen(json), &ramp, NULL), RA_OK);
  assert_int_equal(ra_ramp_png(ramp, width, height, vertical, &body, NULL), RA_OK);
  png_image image = {.version = PNG_IMAGE_VERSION};
  assert_true(png_image_begin_read_from_memory(&image, ra_buf_data(body), ra_buf_size(body)));
  assert_int_equal(image.width, width);
  assert_int_equal(image.height, height);
  image.format = PNG_FORMAT_RGBA;
  assert_true(png_image_finish_read(&image, NULL, rgba, 0, NULL));
  ra_buf_unref(body);
  ra_ramp_unref(ramp);
}

static void linear_both_ways(void **state) {
  (void)state;
  const char *grey = "{\"type\":\"linear\",\"colors\":[\"#000\",\"#fff\"]}";
  uint8_t rgba[256 * 3 * 4];
  picture(grey, 256, 3, false, rgba);
  for (int i = 0; i < 256; i++) {
    assert_int_equal(rgba[i * 4], i);
    assert_int_equal(rgba[(2 * 256 + i) * 4 + 3], 255);
  }
  picture(grey, 1, 256, true, rgba);
  for (int i = 0; i < 256; i++) assert_int_equal(rgba[i * 4 + 1], 255 - i);
}

static void categories_are_equal_fields(void **state) {
  (void)state;
  uint8_t rgba[9 * 4];
  picture("{\"7\":[3,0,0],\"-1\":[1,0,0],\"2\":[2,0,0]}", 9, 1, false, rgba);
  for (int i = 0; i < 9; i++) assert_int_equal(rgba[i * 4], 1 + i / 3);
}

static void sizes_are_limited(void **state) {
  (void)state;
  const char *grey = "{\"type\":\"linear\",\"colors\":[\"#000\",\"#fff\"]}";
  ra_ramp *ramp;
  ra_buf *body;
  ra_err err;
  assert_int_equal(ra_ramp_parse(grey, strlen(grey), &ramp, NULL), RA_OK);
  assert_int_equal(ra_ramp_png(ramp, 0, 5, false, &body, &err), RA_E_INVALID);
  assert_string_equal(err.where, "width");
  assert_int_equal(ra_ramp_png(ramp, 5, 5000, false, &body, &err), RA_E_INVALID);
  assert_string_equal(err.where, "height");
  ra_ramp_unref(ramp);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(linear_both_ways),
      cmocka_unit_test(categories_are_equal_fields),
      cmocka_unit_test(sizes_are_limited),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
