// A sketch says the same of the same values however they are cut and in whatever order they come, and what it says agrees
// with the histogram that knew the extremes beforehand.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "random.h"
#include "raster/sketch.h"

enum { N = 20000 };

static double values[N];

static double uniform(uint64_t *r) { return (double)(test_random(r) >> 11) * 0x1p-53; }

// Values of some scale round some centre, a few far out, a few missing.
static void fill(uint64_t *r) {
  double scale = ldexp(1, (int)(test_random(r) % 200) - 100);
  double centre = (test_random(r) % 3) ? scale * (uniform(r) - 0.5) * 1e4 : 0;
  bool whole = test_random(r) % 2;
  for (size_t i = 0; i < N; i++) {
    double v = scale * (uniform(r) + uniform(r) + uniform(r) - 1.5);
    if (test_random(r) % 1000 == 0) v *= 100;
    if (whole) v = floor(v / scale * 50) * scale;
    values[i] = test_random(r) % 50 ? centre + v : (double)NAN;
  }
}

static void extremes(const double *v, size_t n, double *min, double *max) {
  *min = *max = (double)NAN;
  for (size_t i = 0; i < n; i++) {
    *min = fmin(*min, v[i]);
    *max = fmax(*max, v[i]);
  }
}

static ra_sketch *new_sketch(void) {
  ra_sketch *sketch;
  ra_err err = {0};
  assert_int_equal(ra_sketch_new(&sketch, &err), RA_OK);
  return sketch;
}

static void add(ra_sketch *sketch, const double *v, size_t n) {
  double min, max;
  ra_err err = {0};
  extremes(v, n, &min, &max);
  if (isnan(min)) return;
  assert_int_equal(ra_sketch_extend(sketch, min, max, &err), RA_OK);
  ra_sketch_add_f64(sketch, v, n);
}

// Runs of random lengths, from the end, each straight into the sketch or through one of its own.
static ra_sketch *in_parts(uint64_t *r) {
  ra_sketch *all = new_sketch();
  ra_err err = {0};
  for (size_t end = N; end > 0;) {
    size_t n = 1 + (size_t)(test_random(r) % end);
    if (test_random(r) % 2) {
      add(all, values + end - n, n);
    } else {
      ra_sketch *part = new_sketch();
      add(part, values + end - n, n);
      assert_int_equal(ra_sketch_merge(all, part, &err), RA_OK);
      ra_sketch_free(part);
    }
    end -= n;
  }
  return all;
}

static void parts_say_what_the_whole_says(void **state) {
  (void)state;
  uint64_t random = test_seed("sketch");
  for (int round = 0; round < 60; round++) {
    ra_histogram whole, parts;
    fill(&random);
    ra_sketch *a = new_sketch();
    add(a, values, N);
    ra_sketch *b = in_parts(&random);
    ra_sketch_histogram(a, &whole);
    ra_sketch_histogram(b, &parts);
    assert_memory_equal(&whole, &parts, sizeof whole);
    ra_sketch_free(a);
    ra_sketch_free(b);
  }
}

static void agrees_with_a_histogram_that_knew_the_extremes(void **state) {
  (void)state;
  uint64_t random = test_seed("sketch");
  for (int round = 0; round < 60; round++) {
    ra_histogram got, want;
    double min, max;
    fill(&random);
    extremes(values, N, &min, &max);
    ra_sketch *sketch = in_parts(&random);
    ra_sketch_histogram(sketch, &got);
    ra_histogram_init(&want, min, max);
    ra_histogram_add_f64(&want, values, N);
    assert_true(got.min == min && got.max == max);
    assert_int_equal(ra_histogram_count(&got), ra_histogram_count(&want));
    for (int percent = 0; percent <= 100; percent += 2) {
      double a = ra_histogram_percentile(&got, percent), b = ra_histogram_percentile(&want, percent);
      assert_true(fabs(a - b) <= (max - min) / RA_HISTOGRAM_BINS);
    }
    ra_sketch_free(sketch);
  }
}

static void counts_of_flags_are_exact(void **state) {
  (void)state;
  float flags[6000];
  for (size_t i = 0; i < 6000; i++) flags[i] = (float)(i % 6);
  ra_sketch *sketch = new_sketch();
  ra_err err = {0};
  assert_int_equal(ra_sketch_extend(sketch, 0, 5, &err), RA_OK);
  ra_sketch_add_f32(sketch, flags, 6000);
  ra_histogram got, want;
  ra_histogram_init(&want, 0, 5);
  ra_histogram_add_f32(&want, flags, 6000);
  ra_sketch_histogram(sketch, &got);
  assert_memory_equal(&got, &want, sizeof got);
  ra_sketch_free(sketch);
}

static void extreme_numbers(void **state) {
  (void)state;
  const double far[] = {-1.7e308, 1.7e308, 0, 4.9e-324, NAN}, same[] = {3, 3}, zeros[] = {0, -0.0};
  ra_histogram h;
  ra_sketch *sketch = new_sketch();
  ra_sketch_histogram(sketch, &h);
  assert_int_equal(ra_histogram_count(&h), 0);
  add(sketch, far, 5);
  ra_sketch_histogram(sketch, &h);
  assert_int_equal(ra_histogram_count(&h), 4);
  ra_sketch_free(sketch);
  sketch = new_sketch();
  add(sketch, same, 2);
  ra_sketch_histogram(sketch, &h);
  assert_true(h.counts[0] == 2 && ra_histogram_percentile(&h, 98) == 3);
  ra_sketch_free(sketch);
  sketch = new_sketch();
  add(sketch, zeros, 2);
  ra_sketch_histogram(sketch, &h);
  assert_int_equal(h.counts[0], 2);
  ra_sketch_free(sketch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(parts_say_what_the_whole_says),
      cmocka_unit_test(agrees_with_a_histogram_that_knew_the_extremes),
      cmocka_unit_test(counts_of_flags_are_exact),
      cmocka_unit_test(extreme_numbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
