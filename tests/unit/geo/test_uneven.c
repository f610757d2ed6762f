// Uneven axes: positions between hand-written centres, in both directions and round the Earth.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "geo/uneven.h"

static void at(const ra_uneven *axis, double place, double want) {
  double got = ra_uneven_position(axis, place);
  if (isnan(want) ? !isnan(got) : !(fabs(got - want) < 1e-12))
    fail_msg("at %g: %.17g is not %g", place, got, want);
}

static void cells_end_halfway(void **state) {
  (void)state;
  const double centres[] = {0, 1, 3, 7};
  const ra_uneven axis = {.centres = centres, .count = 4};
  at(&axis, 0, 0.5);
  at(&axis, 0.5, 1);
  at(&axis, 2, 2);
  at(&axis, 4, 2.75);
  at(&axis, 7, 3.5);
  at(&axis, -0.5, 0);     // half of the first distance
  at(&axis, 8.9, 3.975);  // and of the last one
  at(&axis, -0.51, NAN);
  at(&axis, 9, NAN);
  double edges[2];
  ra_uneven_edges(&axis, edges);
  assert_true(edges[0] == -0.5 && edges[1] == 9);
  assert_int_equal(ra_uneven_even_count(&axis, 9.5, 1000), 19);
  assert_int_equal(ra_uneven_even_count(&axis, 9.5, 12), 12);
}

static void falling_axes_are_the_mirror_image(void **state) {
  (void)state;
  const double centres[] = {7, 3, 1, 0};
  const ra_uneven axis = {.centres = centres, .count = 4};
  at(&axis, 8.9, 0.025);
  at(&axis, 2, 2);
  at(&axis, -0.25, 3.75);
  at(&axis, 9.1, NAN);
}

static void longitudes_go_round(void **state) {
  (void)state;
  const double centres[] = {10, 100, 200, 300};  // the last and the first are 70 apart
  const ra_uneven closed = {.centres = centres, .count = 4, .period = 360, .closed = true};
  at(&closed, 335, 0);
  at(&closed, -60 + 7, 3.6);
  at(&closed, 365, 0.5 - 5.0 / 70);
  at(&closed, -620, 1.5);
  const ra_uneven open = {.centres = centres, .count = 4, .period = 360};
  at(&open, -260, 1.5);
  at(&open, 355, 0.5 - 15.0 / 90);
  const double falling[] = {300, 200, 100, 10};
  const ra_uneven back = {.centres = falling, .count = 4, .period = 360, .closed = true};
  at(&back, 335, 0);
  at(&back, 100 - 360, 2.5);
}

static void neither_rising_nor_falling(void **state) {
  (void)state;
  assert_true(ra_uneven_is_monotonic((double[]){1, 2, 9}, 3));
  assert_true(ra_uneven_is_monotonic((double[]){9, 2, 1}, 3));
  assert_false(ra_uneven_is_monotonic((double[]){1, 1, 2}, 3));
  assert_false(ra_uneven_is_monotonic((double[]){1, 3, 2}, 3));
  assert_false(ra_uneven_is_monotonic((double[]){1, NAN, 2}, 3));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cells_end_halfway),
      cmocka_unit_test(falling_axes_are_the_mirror_image),
      cmocka_unit_test(longitudes_go_round),
      cmocka_unit_test(neither_rising_nor_falling),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
