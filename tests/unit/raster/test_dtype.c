// Number types: names as numpy says them, limits, saturation on storing.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "raster/dtype.h"

static void names_go_there_and_back(void **state) {
  (void)state;
  static const char *const names[] = {"uint8", "int8",   "uint16", "int16",   "uint32",
                                      "int32", "uint64", "int64",  "float32", "float64"};
  static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 8, 8, 4, 8};
  for (int i = 0; i < RA_DTYPE_COUNT; i++) {
    ra_dtype dtype;
    assert_true(ra_dtype_parse(names[i], &dtype));
    assert_string_equal(ra_dtype_name(dtype), names[i]);
    assert_int_equal(ra_dtype_size(dtype), sizes[i]);
    assert_int_equal(ra_dtype_is_float(dtype), names[i][0] == 'f');
    assert_int_equal(ra_dtype_is_signed(dtype), names[i][0] != 'u');
  }
  ra_dtype dtype;
  assert_false(ra_dtype_parse("float16", &dtype));
  assert_false(ra_dtype_parse("", &dtype));
}

static void integers_saturate_and_round(void **state) {
  (void)state;
  union {
    uint8_t u8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint64_t u64;
  } cell = {0};
  ra_dtype_store(RA_DTYPE_U8, &cell, 0, 300);
  assert_int_equal(cell.u8, 255);
  ra_dtype_store(RA_DTYPE_U8, &cell, 0, -1);
  assert_int_equal(cell.u8, 0);
  ra_dtype_store(RA_DTYPE_I16, &cell, 0, -32768.4);
  assert_int_equal(cell.i16, -32768);
  ra_dtype_store(RA_DTYPE_I16, &cell, 0, 12.6);
  assert_int_equal(cell.i16, 13);
  ra_dtype_store(RA_DTYPE_I32, &cell, 0, NAN);
  assert_int_equal(cell.i32, 0);
  ra_dtype_store(RA_DTYPE_U64, &cell, 0, INFINITY);
  assert_true(cell.u64 == UINT64_MAX);
  ra_dtype_store(RA_DTYPE_I64, &cell, 0, 1e30);
  assert_true(cell.i64 == INT64_MAX);
  ra_dtype_store(RA_DTYPE_I64, &cell, 0, -1e30);
  assert_true(cell.i64 == INT64_MIN);
}

static void floats_are_kept(void **state) {
  (void)state;
  double cell[2] = {0};
  ra_dtype_store(RA_DTYPE_F64, cell, 1, -0.1);
  assert_true(ra_dtype_load(RA_DTYPE_F64, cell, 1) == -0.1);
  ra_dtype_store(RA_DTYPE_F32, cell, 1, 0.1);
  assert_true(ra_dtype_load(RA_DTYPE_F32, cell, 1) == (double)0.1f);
  ra_dtype_store(RA_DTYPE_F32, cell, 0, NAN);
  assert_true(isnan(ra_dtype_load(RA_DTYPE_F32, cell, 0)));
}

static void every_type_loads_what_it_stores(void **state) {
  (void)state;
  for (int i = 0; i < RA_DTYPE_COUNT; i++) {
    uint8_t cells[32] = {0};
    ra_dtype_store((ra_dtype)i, cells, 2, 100);
    assert_true(ra_dtype_load((ra_dtype)i, cells, 2) == 100);
    assert_true(ra_dtype_load((ra_dtype)i, cells, 1) == 0);
    if (!ra_dtype_is_signed((ra_dtype)i)) continue;
    ra_dtype_store((ra_dtype)i, cells, 1, -100);
    assert_true(ra_dtype_load((ra_dtype)i, cells, 1) == -100);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_go_there_and_back),
      cmocka_unit_test(integers_saturate_and_round),
      cmocka_unit_test(floats_are_kept),
      cmocka_unit_test(every_type_loads_what_it_stores),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
