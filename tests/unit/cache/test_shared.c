// What outlives a reload: values by key, their end, the bounds, and adding from many threads.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cache/shared.h"

static ra_shared *make(size_t most) {
  ra_shared *shared;
  assert_int_equal(ra_shared_new(most, &shared, NULL), RA_OK);
  return shared;
}

static ra_shared_value text(const char *bytes) {
  return (ra_shared_value){.type = RA_SHARED_TEXT, .text = bytes, .size = strlen(bytes)};
}

static ra_shared_value number(double n) {
  return (ra_shared_value){.type = RA_SHARED_NUMBER, .number = n};
}

static ra_shared_value get(ra_shared *shared, const char *key) {
  ra_shared_value value;
  assert_int_equal(ra_shared_get(shared, key, strlen(key), &value, NULL), RA_OK);
  return value;
}

static int put(ra_shared *shared, const char *key, ra_shared_value value, uint64_t ttl, ra_err *err) {
  return ra_shared_set(shared, key, strlen(key), &value, ttl, err);
}

static void expect_text(ra_shared *shared, const char *key, const char *want, size_t size) {
  ra_shared_value value = get(shared, key);
  assert_int_equal(value.type, RA_SHARED_TEXT);
  assert_int_equal(value.size, size);
  assert_memory_equal(value.text, want, size);
  free((char *)value.text);
}

static void test_values(void **state) {
  (void)state;
  ra_shared *shared = make(1 << 20);
  assert_int_equal(get(shared, "a").type, RA_SHARED_NONE);
  put(shared, "a", number(1.5), 0, NULL);
  assert_true(get(shared, "a").number == 1.5);
  put(shared, "a", text("hello"), 0, NULL);
  expect_text(shared, "a", "hello", 5);
  put(shared, "a", (ra_shared_value){.type = RA_SHARED_TEXT, .text = "a\0b", .size = 3}, 0, NULL);
  expect_text(shared, "a", "a\0b", 3);
  put(shared, "", (ra_shared_value){.type = RA_SHARED_BOOLEAN, .number = 1}, 0, NULL);
  assert_int_equal(get(shared, "").type, RA_SHARED_BOOLEAN);
  assert_int_equal(
      ra_shared_set(shared, "a\0", 2, &(ra_shared_value){.type = RA_SHARED_NUMBER}, 0, NULL), RA_OK);
  expect_text(shared, "a", "a\0b", 3);
  assert_int_equal(ra_shared_get_stats(shared).keys, 3);
  put(shared, "a", (ra_shared_value){0}, 0, NULL);
  put(shared, "a", (ra_shared_value){0}, 0, NULL);
  assert_int_equal(get(shared, "a").type, RA_SHARED_NONE);
  assert_int_equal(ra_shared_get_stats(shared).keys, 2);
  ra_shared_free(shared);
}

static void test_an_end(void **state) {
  (void)state;
  ra_shared *shared = make(1 << 20);
  double now;
  put(shared, "short", text("x"), 1, NULL);
  put(shared, "long", text("x"), 3600000, NULL);
  assert_int_equal(ra_shared_incr(shared, "n", 1, 1, 1, &now, NULL), RA_OK);
  usleep(5000);
  assert_int_equal(get(shared, "short").type, RA_SHARED_NONE);
  expect_text(shared, "long", "x", 1);
  assert_int_equal(ra_shared_incr(shared, "n", 1, 1, 0, &now, NULL), RA_OK);
  assert_true(now == 1);
  ra_shared_free(shared);
}

static void test_bounds(void **state) {
  (void)state;
  ra_shared *shared = make(100000);
  ra_err err = {0};
  char key[300], *big = calloc(1, RA_SHARED_TEXT_MOST + 1);
  memset(key, 'k', sizeof key);
  ra_shared_value one = number(1), large = {.type = RA_SHARED_TEXT, .text = big};
  assert_int_equal(ra_shared_set(shared, key, 257, &one, 0, &err), RA_E_TOOBIG);
  assert_int_equal(ra_shared_set(shared, key, 256, &one, 0, &err), RA_OK);
  large.size = RA_SHARED_TEXT_MOST + 1;
  assert_int_equal(put(shared, "big", large, 0, &err), RA_E_TOOBIG);
  large.size = 60000;
  assert_int_equal(put(shared, "big", large, 0, &err), RA_OK);
  assert_int_equal(put(shared, "more", large, 0, &err), RA_E_NOMEM);
  assert_non_null(strstr(err.message, "shared_memory"));
  assert_int_equal(get(shared, "more").type, RA_SHARED_NONE);
  assert_int_equal(put(shared, "big", large, 1, &err), RA_OK);  // in its own place
  usleep(5000);
  assert_int_equal(put(shared, "more", large, 0, &err), RA_OK);  // what has ended makes room
  assert_true(ra_shared_get_stats(shared).bytes <= 100000);
  free(big);
  ra_shared_free(shared);
}

static void test_so_many_keys(void **state) {
  (void)state;
  ra_shared *shared = make(64 << 20);
  ra_err err = {0};
  char key[40];
  for (int i = 0; i < RA_SHARED_KEYS_MOST; i++) {
    snprintf(key, sizeof key, "key %d", i);
    assert_int_equal(put(shared, key, number(i), 0, &err), RA_OK);
  }
  assert_int_equal(put(shared, "one more", number(1), 0, &err), RA_E_NOMEM);
  assert_int_equal(put(shared, "key 77", number(-1), 0, &err), RA_OK);
  assert_true(get(shared, "key 77").number == -1 && get(shared, "key 9999").number == 9999);
  ra_shared_free(shared);
}

static void test_adding(void **state) {
  (void)state;
  ra_shared *shared = make(1 << 20);
  ra_err err = {0};
  double now;
  assert_int_equal(ra_shared_incr(shared, "n", 1, 2.5, 0, &now, &err), RA_OK);
  assert_int_equal(ra_shared_incr(shared, "n", 1, -1, 0, &now, &err), RA_OK);
  assert_true(now == 1.5);
  put(shared, "t", text("1"), 0, NULL);
  assert_int_equal(ra_shared_incr(shared, "t", 1, 1, 0, &now, &err), RA_E_CONFLICT);
  put(shared, "n", number(1.7e308), 0, NULL);
  assert_int_equal(ra_shared_incr(shared, "n", 1, 1.7e308, 0, &now, &err), RA_E_CONFLICT);
  assert_true(get(shared, "n").number == 1.7e308);
  ra_shared_free(shared);
}

static void *add_many(void *ctx) {
  double now;
  for (int i = 0; i < 20000; i++) {
    ra_shared_incr(ctx, "sum", 3, 1, 0, &now, NULL);
    put(ctx, "text", text(i % 2 ? "one" : "another"), 0, NULL);
    ra_shared_value value = get(ctx, "text");
    free((char *)value.text);
  }
  return NULL;
}

static void test_many_threads(void **state) {
  (void)state;
  ra_shared *shared = make(1 << 20);
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, add_many, shared), 0);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  assert_true(get(shared, "sum").number == 80000);
  ra_shared_free(shared);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values), cmocka_unit_test(test_an_end),
      cmocka_unit_test(test_bounds), cmocka_unit_test(test_so_many_keys),
      cmocka_unit_test(test_adding), cmocka_unit_test(test_many_threads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
