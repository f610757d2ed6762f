// Packing: CF's order of missing test, then scale and offset; every type; float32 fill values; long runs.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "raster/packing.h"

static void cf_example(void **state) {
  (void)state;
  const int16_t cells[] = {-32767, 0, 100, -1, 2000, 1500};
  ra_packing p = ra_packing_none();
  p.scale = 0.01, p.offset = 273.15;
  p.missing_count = 2, p.missing[0] = -32767, p.missing[1] = -1;
  p.has_valid_max = true, p.valid_max = 1500;
  assert_false(ra_packing_is_plain(&p));
  float f[6];
  ra_unpack_f32(RA_DTYPE_I16, cells, 6, &p, true, f);
  assert_true(isnan(f[0]) && isnan(f[3]) && isnan(f[4]));
  assert_true(f[1] == 273.15f && f[2] == 274.15f && f[5] == 288.15f);
  double d[6];
  ra_unpack_f64(RA_DTYPE_I16, cells, 6, &p, false, d);
  assert_true(isnan(d[0]) && isnan(d[3]) && isnan(d[4]));
  assert_true(d[1] == 0 && d[2] == 100 && d[5] == 1500);
}

static void float_fill_is_compared_as_float(void **state) {
  (void)state;
  const float cells[] = {9.96921e36f, 0.1f, -0.0f, NAN, INFINITY};
  ra_packing p = ra_packing_none();
  p.missing_count = 2, p.missing[0] = 9.96921e36, p.missing[1] = NAN;
  p.has_valid_max = true, p.valid_max = 0.1;
  float out[5];
  ra_unpack_f32(RA_DTYPE_F32, cells, 5, &p, true, out);
  assert_true(isnan(out[0]) && out[1] == 0.1f && isnan(out[3]) && isnan(out[4]));
  assert_true(out[2] == 0 && signbit(out[2]));
}

static void value_types(void **state) {
  (void)state;
  assert_int_equal(ra_packing_value_dtype(RA_DTYPE_I16), RA_DTYPE_F32);
  assert_int_equal(ra_packing_value_dtype(RA_DTYPE_U8), RA_DTYPE_F32);
  assert_int_equal(ra_packing_value_dtype(RA_DTYPE_F32), RA_DTYPE_F32);
  assert_int_equal(ra_packing_value_dtype(RA_DTYPE_I32), RA_DTYPE_F64);
  assert_int_equal(ra_packing_value_dtype(RA_DTYPE_F64), RA_DTYPE_F64);
}

// The loops against the definition, cell by cell, for every type and lengths that are no multiple of a vector.
static void loops_agree_with_single_cells(void **state) {
  (void)state;
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  srand(seed);
  enum { N = 2500 };
  double *cells = malloc(N * sizeof *cells), *d = malloc(N * sizeof *d);
  float *f = malloc(N * sizeof *f);
  for (int type = 0; type < RA_DTYPE_COUNT; type++) {
    for (size_t i = 0; i < N; i++) ra_dtype_store((ra_dtype)type, cells, i, rand() % 300 - 100);
    ra_packing p = {.scale = 0.25, .offset = -3, .missing_count = 2, .missing = {7, 90}};
    p.has_valid_min = true, p.valid_min = -80;
    ra_unpack_f32((ra_dtype)type, cells, N, &p, true, f);
    ra_unpack_f64((ra_dtype)type, cells, N, &p, true, d);
    for (size_t i = 0; i < N; i++) {
      double v = ra_dtype_load((ra_dtype)type, cells, i);
      if (v == 7 || v == 90 || v < -80) {
        assert_true(isnan(f[i]) && isnan(d[i]));
      } else {
        assert_true(d[i] == v / 4 - 3 && f[i] == (float)d[i]);
      }
    }
  }
  free(cells), free(d), free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cf_example),
      cmocka_unit_test(float_fill_is_compared_as_float),
      cmocka_unit_test(value_types),
      cmocka_unit_test(loops_agree_with_single_cells),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
