// Metrics: exact text, label escaping, the bound on label sets, sums under several threads.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/metrics.h"

static char *between(ra_str *text, const char *from, const char *to) {
  ra_str_init(text);
  ra_metrics_text(text);
  char *start = strstr(text->ptr, from);
  assert_non_null(start);
  char *end = strstr(start, to);
  if (end) *end = 0;
  return start;
}

static void text_is_prometheus(void **state) {
  (void)state;
  static const double buckets[] = {.1, 1};
  ra_metric *h = ra_metric_get(RA_METRIC_HISTOGRAM, "a_seconds", "Line\nand \\.", buckets, 2);
  ra_metric *c = ra_metric_get(RA_METRIC_COUNTER, "b_total", "Things.", NULL, 0);
  ra_metric *g = ra_metric_get(RA_METRIC_GAUGE, "c_bytes", "Bytes.", NULL, 0);
  ra_metric_get(RA_METRIC_GAUGE, "d_unused", "Without a sample it is not shown.", NULL, 0);
  assert_ptr_equal(c, ra_metric_get(RA_METRIC_COUNTER, "b_total", "Things.", NULL, 0));
  ra_metric_observe(h, "s=\"x\"", 0.1);
  ra_metric_observe(h, "s=\"x\"", 0.4);
  ra_metric_observe(h, "s=\"x\"", 5);
  ra_metric_add(c, "k=\"z\"", 2);
  ra_metric_add(c, "k=\"a\"", 0.5);
  ra_metric_set(g, NULL, 1e10);
  ra_metric_add(g, NULL, -1);
  ra_str text;
  assert_string_equal(
      between(&text, "# HELP a_s", "# HELP z"),
      "# HELP a_seconds Line\\nand \\\\.\n# TYPE a_seconds histogram\n"
      "a_seconds_bucket{s=\"x\",le=\"0.1\"} 1\na_seconds_bucket{s=\"x\",le=\"1\"} 2\n"
      "a_seconds_bucket{s=\"x\",le=\"+Inf\"} 3\na_seconds_sum{s=\"x\"} 5.5\n"
      "a_seconds_count{s=\"x\"} 3\n"
      "# HELP b_total Things.\n# TYPE b_total counter\nb_total{k=\"a\"} 0.5\n"
      "b_total{k=\"z\"} 2\n"
      "# HELP c_bytes Bytes.\n# TYPE c_bytes gauge\nc_bytes 9999999999\n");
  ra_str_deinit(&text);
  ra_str_init(&text);
  ra_metric_escape(&text, "a\"b\\c\nd");
  assert_string_equal(text.ptr, "a\\\"b\\\\c\\nd");
  ra_str_deinit(&text);
}

static void label_sets_are_bounded(void **state) {
  (void)state;
  ra_metric *m = ra_metric_get(RA_METRIC_COUNTER, "z_many_total", "Many.", NULL, 0);
  for (int i = 0; i < 1000; i++) {
    char labels[32];
    snprintf(labels, sizeof labels, "n=\"%d\"", i);
    ra_metric_add(m, labels, 1);
  }
  ra_str text;
  char *family = between(&text, "# TYPE z_many_total", "# HELP zz");
  int lines = 0;
  for (char *p = family; (p = strchr(p, '\n')); p++) lines++;
  assert_int_equal(lines, 1 + 257);
  assert_non_null(strstr(family, "z_many_total{other=\"true\"} 744\n"));
  ra_str_deinit(&text);
}

static void *hammer(void *ctx) {
  (void)ctx;
  static const double buckets[] = {1};
  for (int i = 0; i < 20000; i++) {
    ra_metric_add(ra_metric_get(RA_METRIC_COUNTER, "zz_total", "Sum.", NULL, 0),
                  i % 2 ? "o=\"1\"" : NULL, 1);
    ra_metric_observe(ra_metric_get(RA_METRIC_HISTOGRAM, "zzz_seconds", "Sum.", buckets, 1), NULL,
                      0.5);
  }
  return NULL;
}

static void threads_lose_nothing(void **state) {
  (void)state;
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, hammer, NULL);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  ra_str text;
  char *family = between(&text, "# HELP zz_total", "# HELP zzzz");
  assert_non_null(strstr(family, "zz_total 40000\nzz_total{o=\"1\"} 40000\n"));
  assert_non_null(strstr(family, "zzz_seconds_sum 40000\nzzz_seconds_count 80000\n"));
  ra_str_deinit(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_is_prometheus),
      cmocka_unit_test(label_sets_are_bounded),
      cmocka_unit_test(threads_lose_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
