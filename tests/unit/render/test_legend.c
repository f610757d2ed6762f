// Pictures of ramps: the low end is left or at the bottom; categories are equal fields; what a
// legend shows and leaves out.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
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

typedef struct shot {
  uint32_t width, height;
  uint8_t *rgba;
} shot;

static shot legend(const char *json, const ra_legend *of) {
  ra_ramp *ramp;
  ra_buf *body;
  ra_err err = {0};
  assert_int_equal(ra_ramp_parse(json, strlen(json), &ramp, NULL), RA_OK);
  if (ra_legend_png(ramp, of, &body, &err) < 0) fail_msg("%s", err.message);
  png_image image = {.version = PNG_IMAGE_VERSION};
  assert_true(png_image_begin_read_from_memory(&image, ra_buf_data(body), ra_buf_size(body)));
  image.format = PNG_FORMAT_RGBA;
  shot out = {image.width, image.height, malloc(PNG_IMAGE_SIZE(image))};
  assert_non_null(out.rgba);
  assert_true(png_image_finish_read(&image, NULL, out.rgba, 0, NULL));
  ra_buf_unref(body);
  ra_ramp_unref(ramp);
  return out;
}

static const uint8_t *pixel(const shot *s, uint32_t x, uint32_t y) {
  return s->rgba + ((size_t)y * s->width + x) * 4;
}

// Pixels darker than the ground in a box.
static unsigned ink(const shot *s, uint32_t x0, uint32_t y0, uint32_t x1, uint32_t y1) {
  unsigned n = 0;
  for (uint32_t y = y0; y < y1; y++) {
    for (uint32_t x = x0; x < x1; x++) n += pixel(s, x, y)[1] < 128;
  }
  return n;
}

#define GREY "{\"type\":\"linear\",\"colors\":[\"#c0c0c0\",\"#fff\"]"

static void a_bar_with_points_and_ticks(void **state) {
  (void)state;
  const ra_legend_tick ticks[] = {{0, "0"}, {1, "1"}};
  ra_legend of = {
      .title = "", .width = 272, .height = 50, .ticks = ticks, .tick_count = 2, .missing = "none"};
  shot plain = legend(GREY "}", &of);
  assert_int_equal(ink(&plain, 8, 22, 9, 26), 4);  // a tick of four pixels at either end
  assert_int_equal(ink(&plain, 263, 22, 264, 26), 4);
  shot marked = legend(GREY ",\"below\":\"#ff0000\",\"above\":\"#0000ff\"}", &of);
  const uint8_t red[4] = {255, 0, 0, 255}, blue[4] = {0, 0, 255, 255};
  assert_memory_equal(pixel(&marked, 18, 15), red, 4);
  assert_memory_equal(pixel(&marked, 253, 15), blue, 4);
  shot foot = legend(GREY ",\"missing\":\"#00ff00\"}", &(ra_legend){.title = "", .missing = "none"});
  const uint8_t green[4] = {0, 255, 0, 255};
  assert_memory_equal(pixel(&foot, 15, foot.height - 15), green, 4);
  free(plain.rgba);
  free(marked.rgba);
  free(foot.rgba);
}

static void labels_thin_out_evenly(void **state) {
  (void)state;
  ra_legend_tick ticks[21];
  for (int i = 0; i < 21; i++) ticks[i] = (ra_legend_tick){i / 20.0, "0000"};
  ra_legend of = {.title = "", .width = 216, .height = 50, .ticks = ticks, .tick_count = 21};
  shot s = legend(GREY "}", &of);
  for (int i = 0; i < 21; i++) {
    uint32_t x = 8 + (uint32_t)(i * 10 - (i > 10));
    assert_true(ink(&s, x > 8 ? x - 1 : x, 22, x + 2, 26) >= 3);  // each tick is there
  }
  unsigned letters = ink(&s, 0, 26, 216, 42), one;
  of.tick_count = 1;
  shot single = legend(GREY "}", &of);
  one = ink(&single, 0, 26, 216, 42);
  assert_int_equal(letters, 5 * one);  // every fifth: a fourth would touch the first
  free(s.rgba);
  free(single.rgba);
}

static void what_has_no_room_is_left_out(void **state) {
  (void)state;
  const char *labels[] = {"a", "b", "c", "d"};
  const char *four = "{\"1\":[255,0,0],\"2\":[0,255,0],\"3\":[0,0,255],\"4\":[9,9,9]}";
  ra_legend of = {
      .title = "", .vertical = true, .width = 120, .height = 52, .labels = labels, .label_count = 4};
  shot s = legend(four, &of);
  const uint8_t red[4] = {255, 0, 0, 255};
  assert_memory_equal(pixel(&s, 15, 15), red, 4);
  assert_int_equal(pixel(&s, 15, 33)[1] == 255 && pixel(&s, 15, 33)[0] == 0, 0);  // "… and 3 more"
  assert_true(ink(&s, 8, 26, 112, 42) > 20);
  assert_int_equal(ink(&s, 0, 44, 120, 52), 0);
  of.height = 0;
  of.label_count = 2;
  shot counted = legend(four, &of);
  assert_int_equal(counted.height, 16 + 3 * 18 - 4);  // two and a line for the two others
  ra_legend narrow = {.title = "a long word", .vertical = true, .width = 40, .height = 100};
  shot bare = legend(GREY "}", &narrow);
  assert_int_equal(ink(&bare, 0, 0, 40, 12), 0);
  free(s.rgba);
  free(counted.rgba);
  free(bare.rgba);
}

static void titles_are_broken_at_spaces(void **state) {
  (void)state;
  uint32_t heights[4];
  const char *const titles[] = {"", "one", "one two three four five six", "  one  "};
  for (int i = 0; i < 4; i++) {
    ra_legend of = {.title = titles[i], .width = 100};
    shot s = legend(GREY "}", &of);
    heights[i] = s.height;
    if (i == 2) assert_int_equal(ink(&s, 93, 0, 100, 48), 0);
    free(s.rgba);
  }
  assert_int_equal(heights[1], heights[0] + 16);
  assert_int_equal(heights[2], heights[0] + 32);
  assert_int_equal(heights[3], heights[1]);
}

static void any_bytes_are_drawn(void **state) {
  (void)state;
  const char *const texts[] = {"\xff\xfe",     "\xc3",     "\xe2\x82",        "\xf0\x9f\x98\x80",
                               "\xed\xa0\x80", "\t\n\x01", "\xcf\x80\xc2\xb2"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    const ra_legend_tick tick = {0.5, texts[i]};
    ra_legend of = {.title = texts[i], .ticks = &tick, .tick_count = 1};
    shot s = legend(GREY "}", &of);
    assert_true(ink(&s, 0, 0, s.width, 22) > 5);
    free(s.rgba);
  }
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
  assert_int_equal(ra_ramp_png(ramp, 2048, 2048, false, &body, &err), RA_E_INVALID);
  ra_legend of = {.title = "", .width = 31};
  assert_int_equal(ra_legend_png(ramp, &of, &body, &err), RA_E_INVALID);
  assert_string_equal(err.where, "width");
  ra_ramp_unref(ramp);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(linear_both_ways),
      cmocka_unit_test(categories_are_equal_fields),
      cmocka_unit_test(a_bar_with_points_and_ticks),
      cmocka_unit_test(labels_thin_out_evenly),
      cmocka_unit_test(what_has_no_room_is_left_out),
      cmocka_unit_test(titles_are_broken_at_spaces),
      cmocka_unit_test(any_bytes_are_drawn),
      cmocka_unit_test(sizes_are_limited),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
