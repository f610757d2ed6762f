// The cache: least recently used goes first, bytes stay within the limit, one maker for many that wait, errors are
// not kept, nothing leaks under many threads.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "cache/cache.h"

static atomic_int alive, makes;

typedef struct value {
  atomic_int refs;
  uint64_t number;
} value;

static void *value_ref(void *v) {
  atomic_fetch_add(&((value *)v)->refs, 1);
  return v;
}

static void value_unref(void *v) {
  if (atomic_fetch_sub(&((value *)v)->refs, 1) != 1) return;
  free(v);
  atomic_fetch_sub(&alive, 1);
}

static const ra_cache_ops OPS = {value_ref, value_unref};

typedef struct recipe {
  uint64_t number;
  size_t bytes;
  int fails;   // how many more times
  int sleeps;  // microseconds
} recipe;

static int make(void *ctx, void **out, size_t *bytes, ra_err *err) {
  recipe *r = ctx;
  if (r->sleeps) usleep((useconds_t)r->sleeps);
  atomic_fetch_add(&makes, 1);
  if (r->fails-- > 0) return ra_fail(err, RA_E_IO, "x", "no luck");
  value *v = malloc(sizeof *v);
  atomic_init(&v->refs, 1);
  v->number = r->number;
  atomic_fetch_add(&alive, 1);
  *out = v;
  *bytes = r->bytes;
  return RA_OK;
}

static int get(ra_cache *cache, uint64_t number, size_t bytes) {
  recipe r = {.number = number, .bytes = bytes};
  void *v = NULL;
  int before = atomic_load(&makes);
  assert_int_equal(ra_cache_get(cache, ra_cache_key_of("k", &number, 1), make, &r, &v, NULL), RA_OK);
  assert_int_equal(((value *)v)->number, number);
  value_unref(v);
  return atomic_load(&makes) - before;
}

static void oldest_goes_first(void **state) {
  (void)state;
  ra_cache *cache;
  assert_int_equal(ra_cache_new("test", 10000, &OPS, &cache, NULL), RA_OK);
  for (uint64_t i = 0; i < 3; i++) assert_int_equal(get(cache, i, 3000), 1);
  assert_int_equal(get(cache, 0, 3000), 0);
  assert_int_equal(get(cache, 3, 3000), 1);  // drops 1
  assert_int_equal(get(cache, 0, 3000), 0);
  assert_int_equal(get(cache, 2, 3000), 0);
  assert_int_equal(get(cache, 1, 3000), 1);  // drops 3
  assert_int_equal(get(cache, 3, 3000), 1);
  ra_cache_stats stats = ra_cache_get_stats(cache);
  assert_int_equal(stats.hits, 3);
  assert_int_equal(stats.misses, 6);
  assert_int_equal(stats.evictions, 3);
  assert_int_equal(stats.entries, 3);
  assert_true(stats.bytes <= stats.limit);
  ra_cache_free(cache);
  assert_int_equal(atomic_load(&alive), 0);
}

static void too_large_is_given_but_not_kept(void **state) {
  (void)state;
  ra_cache *cache;
  assert_int_equal(ra_cache_new("test", 1000, &OPS, &cache, NULL), RA_OK);
  assert_int_equal(get(cache, 1, 5000), 1);
  assert_int_equal(get(cache, 1, 5000), 1);
  assert_int_equal(ra_cache_get_stats(cache).bytes, 0);
  ra_cache_free(cache);
  assert_int_equal(atomic_load(&alive), 0);
}

static void errors_are_not_kept(void **state) {
  (void)state;
  ra_cache *cache;
  assert_int_equal(ra_cache_new("test", 1000, &OPS, &cache, NULL), RA_OK);
  recipe r = {.number = 5, .bytes = 1, .fails = 1};
  ra_cache_key key = ra_cache_key_of("k", &r.number, 1);
  void *v;
  ra_err err = {0};
  assert_int_equal(ra_cache_get(cache, key, make, &r, &v, &err), RA_E_IO);
  assert_string_equal(err.message, "no luck");
  assert_int_equal(ra_cache_get(cache, key, make, &r, &v, &err), RA_OK);
  value_unref(v);
  ra_cache_free(cache);
}

typedef struct crowd {
  ra_cache *cache;
  int fails;
  atomic_int failed;
  unsigned seed;
} crowd;

static void *one_of_crowd(void *ctx) {
  crowd *c = ctx;
  recipe r = {.number = 7, .bytes = 100, .fails = c->fails, .sleeps = 20000};
  void *v;
  if (ra_cache_get(c->cache, ra_cache_key_of("same", NULL, 0), make, &r, &v, NULL) < 0) {
    atomic_fetch_add(&c->failed, 1);
  } else {
    value_unref(v);
  }
  return NULL;
}

static void run_crowd(crowd *c, void *(*body)(void *)) {
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) assert_int_equal(pthread_create(&threads[i], NULL, body, c), 0);
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
}

static void one_makes_for_all(void **state) {
  (void)state;
  crowd c = {0};
  assert_int_equal(ra_cache_new("test", 1000, &OPS, &c.cache, NULL), RA_OK);
  int before = atomic_load(&makes);
  run_crowd(&c, one_of_crowd);
  assert_int_equal(atomic_load(&makes) - before, 1);
  assert_int_equal(ra_cache_get_stats(c.cache).hits, 7);
  ra_cache_free(c.cache);
  assert_int_equal(atomic_load(&alive), 0);
}

// Each has its own reason to fail, so each of them tries, one after another.
static void those_who_waited_try_themselves(void **state) {
  (void)state;
  crowd c = {.fails = 1};
  assert_int_equal(ra_cache_new("test", 1000, &OPS, &c.cache, NULL), RA_OK);
  int before = atomic_load(&makes);
  run_crowd(&c, one_of_crowd);
  assert_int_equal(atomic_load(&makes) - before, 8);
  assert_int_equal(atomic_load(&c.failed), 8);
  ra_cache_free(c.cache);
}

static void *busy(void *ctx) {
  crowd *c = ctx;
  unsigned seed = c->seed ^ (unsigned)(uintptr_t)pthread_self();
  for (int i = 0; i < 3000; i++) {
    uint64_t number = (uint64_t)(rand_r(&seed) % 200);
    recipe r = {.number = number, .bytes = (size_t)(rand_r(&seed) % 400), .fails = i % 50 == 0};
    void *v;
    if (ra_cache_get(c->cache, ra_cache_key_of("n", &number, 1), make, &r, &v, NULL) < 0) continue;
    if (((value *)v)->number != number) atomic_fetch_add(&c->failed, 1);
    value_unref(v);
  }
  return NULL;
}

static void threads_get_what_they_ask_for(void **state) {
  (void)state;
  crowd c = {.seed = (unsigned)time(NULL)};
  print_message("seed %u\n", c.seed);
  assert_int_equal(ra_cache_new("test", 20000, &OPS, &c.cache, NULL), RA_OK);
  run_crowd(&c, busy);
  assert_int_equal(atomic_load(&c.failed), 0);
  ra_cache_stats stats = ra_cache_get_stats(c.cache);
  assert_true(stats.bytes <= stats.limit);
  assert_int_equal(stats.hits + stats.misses, 8 * 3000);
  ra_cache_free(c.cache);
  assert_int_equal(atomic_load(&alive), 0);
}

static void many_shards_and_entries(void **state) {
  (void)state;
  ra_cache *cache;
  assert_int_equal(ra_cache_new("many", (size_t)512 << 20, &OPS, &cache, NULL), RA_OK);
  for (uint64_t i = 0; i < 20000; i++) assert_int_equal(get(cache, i, 10), 1);
  for (uint64_t i = 0; i < 20000; i++) assert_int_equal(get(cache, i, 10), 0);
  assert_int_equal(ra_cache_get_stats(cache).entries, 20000);
  ra_str text;
  ra_str_init(&text);
  ra_metrics_text(&text);
  assert_non_null(strstr(text.ptr, "rastrum_cache_hits_total{cache=\"many\"} 20000"));
  assert_non_null(strstr(text.ptr, "rastrum_cache_misses_total{cache=\"many\"} 20000"));
  ra_str_deinit(&text);
  ra_cache_free(cache);
  ra_str_init(&text);
  ra_metrics_text(&text);
  assert_non_null(strstr(text.ptr, "rastrum_cache_bytes{cache=\"many\"} 0\n"));
  ra_str_deinit(&text);
}

static bool same(ra_cache_key a, ra_cache_key b) { return a.hi == b.hi && a.lo == b.lo; }

static void keys_tell_things_apart(void **state) {
  (void)state;
  const uint64_t n[3] = {1, 2, 0};
  assert_true(same(ra_cache_key_of("abc", n, 2), ra_cache_key_of("abc", n, 2)));
  assert_false(same(ra_cache_key_of("abc", n, 2), ra_cache_key_of("abd", n, 2)));
  assert_false(same(ra_cache_key_of("abc", n, 2), ra_cache_key_of("abc", n, 3)));
  assert_false(same(ra_cache_key_of("abc", n, 1), ra_cache_key_of("abc", n + 1, 1)));
  const char *text = "12345678";
  uint64_t same_bits;
  memcpy(&same_bits, text, 8);
  assert_false(same(ra_cache_key_of(text, NULL, 0), ra_cache_key_of("", &same_bits, 1)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(oldest_goes_first),
      cmocka_unit_test(too_large_is_given_but_not_kept),
      cmocka_unit_test(errors_are_not_kept),
      cmocka_unit_test(one_makes_for_all),
      cmocka_unit_test(those_who_waited_try_themselves),
      cmocka_unit_test(threads_get_what_they_ask_for),
      cmocka_unit_test(many_shards_and_entries),
      cmocka_unit_test(keys_tell_things_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
