// Metrics of several processes: one sum whoever writes it, kept when a process dies; whatever a dead one left is survived.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/metrics.h"
#include "random.h"

enum { SLOTS = 4 };

static void *map_region(void) {
  void *region = mmap(NULL, ra_metrics_region_size(SLOTS), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(region != MAP_FAILED);
  return region;
}

static void count(double amount) {
  static const double buckets[] = {.1, 1};
  ra_metric_add(ra_metric_get(RA_METRIC_COUNTER, "a_total", "A.", NULL, 0), "k=\"x\"", amount);
  ra_metric_observe(ra_metric_get(RA_METRIC_HISTOGRAM, "b_seconds", "B.", buckets, 2), NULL, .5);
  ra_metric_set(ra_metric_get(RA_METRIC_GAUGE, "c_bytes", "C.", NULL, 0), NULL, 100 * amount);
  ra_metric_set(ra_metric_get(RA_METRIC_GAUGE_MAX, "d_info", "D.", NULL, 0), NULL, amount);
}

// Runs body in a process of its own, which dies by SIGKILL after it; false when it failed before.
static bool in_process(void *region, unsigned slot, void (*body)(double), double amount) {
  pid_t pid = fork();
  if (pid == 0) {
    ra_err err = {0};
    if (ra_metrics_share(region, SLOTS, slot, &err) < 0) _exit(1);
    body(amount);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

// The text as a fresh process of slot 3 writes it.
static char *text_of(void *region) {
  static char text[16384];
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  pid_t pid = fork();
  if (pid == 0) {
    ra_str out;
    ra_str_init(&out);
    ra_err err = {0};
    int rc = ra_metrics_share(region, SLOTS, 3, &err);
    ra_metrics_text(&out);
    bool ok = rc == RA_OK && (!out.len || write(fds[1], out.ptr, out.len) == (ssize_t)out.len);
    _exit(ok ? 0 : 1);
  }
  close(fds[1]);
  size_t n = 0;
  for (ssize_t got; (got = read(fds[0], text + n, sizeof text - 1 - n)) > 0;) n += (size_t)got;
  text[n] = 0;
  close(fds[0]);
  int status = -1;
  waitpid(pid, &status, 0);
  assert_int_equal(status, 0);
  return text;
}

static void all_processes_are_one_sum(void **state) {
  (void)state;
  void *region = map_region();
  assert_true(in_process(region, 0, count, 2));
  assert_true(in_process(region, 1, count, 5));
  assert_string_equal(text_of(region),
                      "# HELP a_total A.\n# TYPE a_total counter\na_total{k=\"x\"} 7\n"
                      "# HELP b_seconds B.\n# TYPE b_seconds histogram\n"
                      "b_seconds_bucket{le=\"0.1\"} 0\nb_seconds_bucket{le=\"1\"} 2\n"
                      "b_seconds_bucket{le=\"+Inf\"} 2\nb_seconds_sum 1\nb_seconds_count 2\n"
                      "# HELP c_bytes C.\n# TYPE c_bytes gauge\nc_bytes 700\n"
                      "# HELP d_info D.\n# TYPE d_info gauge\nd_info 5\n");
  munmap(region, ra_metrics_region_size(SLOTS));
}

static void counts_outlive_their_process_and_gauges_do_not(void **state) {
  (void)state;
  void *region = map_region();
  assert_true(in_process(region, 0, count, 2));
  assert_true(in_process(region, 1, count, 1));
  ra_metrics_slot_ended(region, 0);
  char *text = text_of(region);
  assert_non_null(strstr(text, "a_total{k=\"x\"} 3\n"));
  assert_non_null(strstr(text, "c_bytes 100\n"));
  assert_true(in_process(region, 0, count, 10));
  text = text_of(region);
  assert_non_null(strstr(text, "a_total{k=\"x\"} 13\n"));
  assert_non_null(strstr(text, "b_seconds_count 3\n"));
  assert_non_null(strstr(text, "c_bytes 1100\n"));
  munmap(region, ra_metrics_region_size(SLOTS));
}

static void much(double amount) {
  for (int f = 0; f < 100; f++) {
    for (int i = 0; i < 300; i++) {
      char name[40], labels[1000];
      snprintf(name, sizeof name, "many_%d_total", f);
      snprintf(labels, sizeof labels, "n=\"%d%0900d\"", i, 0);
      ra_metric_add(ra_metric_get(RA_METRIC_COUNTER, name, "M.", NULL, 0), labels, amount);
    }
  }
}

static void a_full_slot_drops_metrics_and_goes_on(void **state) {
  (void)state;
  void *region = map_region();
  assert_true(in_process(region, 0, count, 1));
  int saved = dup(STDERR_FILENO);
  assert_non_null(freopen("/dev/null", "w", stderr));  // its one warning
  bool survived = in_process(region, 0, much, 1) && in_process(region, 0, much, 1);
  dup2(saved, STDERR_FILENO);
  close(saved);
  assert_true(survived);
  assert_true(in_process(region, 0, count, 1));
  munmap(region, ra_metrics_region_size(SLOTS));
}

static void whatever_a_dead_process_left_is_survived(void **state) {
  (void)state;
  uint64_t seed = test_seed("metrics_shared");
  unsigned char *region = map_region();
  for (int round = 0; round < 60; round++) {
    memset(region, 0, 8192);
    assert_true(in_process(region, 0, count, 1));
    for (int i = 0; i < 12; i++)
      region[test_random(&seed) % 500] = (unsigned char)test_random(&seed);
    text_of(region);
    assert_true(in_process(region, 0, count, 1));
    text_of(region);
  }
  munmap(region, ra_metrics_region_size(SLOTS));
}

static void sharing_comes_before_counting(void **state) {
  (void)state;
  void *region = map_region();
  count(1);
  ra_err err = {0};
  assert_int_equal(ra_metrics_share(region, SLOTS, 0, &err), RA_E_INTERNAL);
  munmap(region, ra_metrics_region_size(SLOTS));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_processes_are_one_sum),
      cmocka_unit_test(counts_outlive_their_process_and_gauges_do_not),
      cmocka_unit_test(a_full_slot_drops_metrics_and_goes_on),
      cmocka_unit_test(whatever_a_dead_process_left_is_survived),
      cmocka_unit_test(sharing_comes_before_counting),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
