// The encoders' pool: every job runs or is dropped once, the first failure is kept, cancelling stops the rest.
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "ingest/pool.h"

static atomic_int ran, dropped;

static int count(void *ctx, ra_err *err) {
  ran++;
  return *(int *)ctx ? ra_fail(err, RA_E_IO, "job", "number %d", *(int *)ctx) : RA_OK;
}

static void drop(void *ctx) {
  (void)ctx;
  dropped++;
}

static void all_jobs_run(void **state) {
  (void)state;
  ra_pool *pool;
  ra_err err = {0};
  int fine = 0;
  ran = dropped = 0;
  assert_int_equal(ra_pool_new(3, NULL, &pool, &err), RA_OK);
  for (int i = 0; i < 500; i++)
    assert_int_equal(ra_pool_submit(pool, count, drop, &fine, &err), RA_OK);
  assert_int_equal(ra_pool_wait(pool, &err), RA_OK);
  assert_int_equal(ran, 500);
  assert_int_equal(dropped, 500);
  assert_int_equal(ra_pool_submit(pool, count, drop, &fine, &err), RA_OK);
  ra_pool_free(pool);  // waits
  assert_int_equal(ran, 501);
}

static void the_first_failure_is_kept(void **state) {
  (void)state;
  ra_pool *pool;
  ra_err err = {0};
  int fine = 0, bad = 7, submitted = 0;
  ran = dropped = 0;
  assert_int_equal(ra_pool_new(2, NULL, &pool, &err), RA_OK);
  assert_int_equal(ra_pool_submit(pool, count, drop, &bad, &err), RA_OK);
  while (submitted < 100000 && ra_pool_submit(pool, count, drop, &fine, &err) == RA_OK) submitted++;
  assert_true(submitted < 100000);
  assert_int_equal(ra_pool_wait(pool, &err), RA_E_IO);
  assert_string_equal(err.message, "number 7");
  assert_int_equal(dropped, submitted + 2);
  ra_pool_free(pool);
}

static void cancelling_stops_the_rest(void **state) {
  (void)state;
  ra_pool *pool;
  ra_err err = {0};
  int fine = 0;
  ran = dropped = 0;
  ra_cancel *cancel = ra_cancel_new();
  assert_int_equal(ra_pool_new(1, cancel, &pool, &err), RA_OK);
  ra_cancel_set(cancel);
  assert_int_equal(ra_pool_submit(pool, count, drop, &fine, &err), RA_E_CANCELLED);
  assert_int_equal(ra_pool_wait(pool, &err), RA_E_CANCELLED);
  assert_int_equal(ran, 0);
  assert_int_equal(dropped, 1);
  ra_pool_free(pool);
  ra_cancel_unref(cancel);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_jobs_run),
      cmocka_unit_test(the_first_failure_is_kept),
      cmocka_unit_test(cancelling_stops_the_rest),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
