// Statistics: textbook values, parts merge to the whole, precision far from zero, percentiles.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "raster/stats.h"

static void textbook(void **state) {
  (void)state;
  const double values[] = {2, 4, 4, 4, 5, 5, 7, 9, NAN, INFINITY};
  ra_stats s;
  ra_stats_init(&s);
  assert_true(isnan(s.min) && isnan(ra_stats_stddev(&s)));
  ra_stats_add_f64(&s, values, 10);
  assert_int_equal(s.total, 10);
  assert_int_equal(s.count, 8);
  assert_true(s.min == 2 && s.max == 9 && s.mean == 5 && ra_stats_stddev(&s) == 2);
}

static void nothing_valid(void **state) {
  (void)state;
  const float values[] = {NAN, NAN, -INFINITY};
  ra_stats s;
  ra_stats_init(&s);
  ra_stats_add_f32(&s, values, 3);
  assert_int_equal(s.total, 3);
  assert_int_equal(s.count, 0);
  assert_true(isnan(s.min) && isnan(s.max));
}

// 1e9 + {0, 1, 2, …, 9}: a naive sum of squares loses everything here; the variance is 8.25 exactly.
static void far_from_zero(void **state) {
  (void)state;
  enum { N = 1000000 };
  double *values = malloc(N * sizeof *values);
  for (size_t i = 0; i < N; i++) values[i] = 1e9 + (double)(i % 10);
  ra_stats s;
  ra_stats_init(&s);
  ra_stats_add_f64(&s, values, N);
  assert_true(fabs(ra_stats_stddev(&s) - sqrt(8.25)) < 1e-7);
  assert_true(fabs(s.mean - (1e9 + 4.5)) < 1e-6);
  free(values);
}

static void parts_merge_to_the_whole(void **state) {
  (void)state;
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  srand(seed);
  enum { N = 30000 };
  float *values = malloc(N * sizeof *values);
  for (size_t i = 0; i < N; i++) {
    values[i] = rand() % 7 == 0 ? NAN : (float)(rand() % 100000) / 100 - 300;
  }
  ra_stats whole, sum;
  ra_stats_init(&whole), ra_stats_init(&sum);
  ra_histogram all, parts;
  ra_histogram_init(&all, -200, 500), ra_histogram_init(&parts, -200, 500);
  ra_stats_add_f32(&whole, values, N);
  ra_histogram_add_f32(&all, values, N);
  for (size_t at = 0; at < N;) {
    size_t n = (size_t)(rand() % 3000);
    if (n > N - at) n = N - at;
    ra_stats part;
    ra_stats_init(&part);
    ra_stats_add_f32(&part, values + at, n);
    ra_stats_merge(&sum, &part);
    ra_histogram piece;
    ra_histogram_init(&piece, -200, 500);
    ra_histogram_add_f32(&piece, values + at, n);
    assert_true(ra_histogram_merge(&parts, &piece));
    at += n;
  }
  assert_int_equal(sum.count, whole.count);
  assert_true(sum.min == whole.min && sum.max == whole.max);
  assert_true(fabs(sum.mean - whole.mean) < 1e-9);
  assert_true(fabs(ra_stats_stddev(&sum) - ra_stats_stddev(&whole)) < 1e-9);
  assert_memory_equal(&all, &parts, sizeof all);
  assert_int_equal(ra_histogram_count(&all), whole.count);
  free(values);
}

static void percentiles_of_even_numbers(void **state) {
  (void)state;
  double values[10001];
  for (int i = 0; i <= 10000; i++) values[i] = i / 100.0;
  ra_histogram h;
  ra_histogram_init(&h, 0, 100);
  assert_true(isnan(ra_histogram_percentile(&h, 50)));
  ra_histogram_add_f64(&h, values, 10001);
  assert_int_equal(h.below + h.above, 0);
  for (int p = 0; p <= 100; p += 2) {
    assert_true(fabs(ra_histogram_percentile(&h, p) - p) < 100.0 / 256);
  }
}

static void outside_and_flat(void **state) {
  (void)state;
  const double values[] = {-5, -5, -5, 1, 2, 20, NAN, INFINITY, -INFINITY};
  ra_histogram h;
  ra_histogram_init(&h, 0, 10);
  ra_histogram_add_f64(&h, values, 9);
  assert_int_equal(h.below, 3);
  assert_int_equal(h.above, 1);
  assert_true(ra_histogram_percentile(&h, 10) == 0);
  assert_true(ra_histogram_percentile(&h, 100) == 10);
  ra_histogram other;
  ra_histogram_init(&other, 0, 11);
  assert_false(ra_histogram_merge(&h, &other));
  ra_histogram flat;
  ra_histogram_init(&flat, 3, 3);
  const double threes[] = {3, 3};
  ra_histogram_add_f64(&flat, threes, 2);
  assert_int_equal(flat.counts[0], 2);
  assert_true(ra_histogram_percentile(&flat, 98) == 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(textbook),
      cmocka_unit_test(nothing_valid),
      cmocka_unit_test(far_from_zero),
      cmocka_unit_test(parts_merge_to_the_whole),
      cmocka_unit_test(percentiles_of_even_numbers),
      cmocka_unit_test(outside_and_flat),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
