// TIFF predictors: hand-made rows after TIFF 6.0 section 14 and Technical Note 3, and random ones there and back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/codec.h"
#include "random.h"

static void differences_by_sample(void **state) {
  (void)state;
  uint8_t rgb[] = {10, 20, 30, 11, 18, 30, 0, 255, 31};
  const uint8_t want[] = {10, 20, 30, 1, 254, 0, 245, 237, 1};
  assert_int_equal(ra_predictor_encode(2, rgb, 3, 1, 3, 1, NULL), RA_OK);
  assert_memory_equal(rgb, want, sizeof want);
  uint16_t gray[] = {1000, 1300, 1250, 7, 7, 8};  // two rows: each begins anew
  const uint16_t want16[] = {1000, 300, 65486, 7, 0, 1};
  assert_int_equal(ra_predictor_encode(2, (uint8_t *)gray, 3, 2, 1, 2, NULL), RA_OK);
  assert_memory_equal(gray, want16, sizeof want16);
}

static void floats_become_planes(void **state) {
  (void)state;
  float row[] = {1.0f, -2.0f};  // 3f800000 c0000000
  const uint8_t want[] = {0x3f, 0x81, 0xc0, 0x80,
                          0,    0,    0,    0};  // 3f c0 | 80 00 | 00 00 | 00 00, then differences
  assert_int_equal(ra_predictor_encode(3, (uint8_t *)row, 2, 1, 1, 4, NULL), RA_OK);
  assert_memory_equal(row, want, sizeof want);
}

static void rows_there_and_back(void **state) {
  (void)state;
  uint64_t seed = test_seed("rows_there_and_back");
  const unsigned sizes[2][4] = {{1, 2, 4, 8}, {2, 3, 4, 8}};
  for (int round = 0; round < 400; round++) {
    int predictor = 1 + (int)(test_random(&seed) % 3);
    unsigned size = sizes[predictor == 3][test_random(&seed) % 4];
    size_t width = 1 + test_random(&seed) % 100, height = 1 + test_random(&seed) % 5;
    size_t samples = 1 + test_random(&seed) % 4, bytes = width * height * samples * size;
    uint8_t *raw = malloc(bytes), *rows = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) rows[i] = raw[i] = (uint8_t)test_random(&seed);
    assert_int_equal(ra_predictor_encode(predictor, rows, width, height, samples, size, NULL), RA_OK);
    assert_int_equal(ra_predictor_decode(predictor, rows, width, height, samples, size, NULL), RA_OK);
    assert_memory_equal(rows, raw, bytes);
    free(raw);
    free(rows);
  }
}

static void unknown_ones_are_refused(void **state) {
  (void)state;
  uint8_t row[8] = {0};
  assert_int_equal(ra_predictor_decode(4, row, 1, 1, 1, 4, NULL), RA_E_UNSUPPORTED);
  assert_int_equal(ra_predictor_decode(3, row, 1, 1, 1, 1, NULL), RA_E_UNSUPPORTED);
  assert_int_equal(ra_predictor_decode(2, row, 1, 1, 1, 3, NULL), RA_E_UNSUPPORTED);
  assert_int_equal(ra_predictor_decode(3, row, SIZE_MAX / 2, 1, 1, 4, NULL), RA_E_TOOBIG);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(differences_by_sample),
      cmocka_unit_test(floats_become_planes),
      cmocka_unit_test(rows_there_and_back),
      cmocka_unit_test(unknown_ones_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
