// test_watch.c - what a watched folder's parts know: names, the table of files, the queue, the journal.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "app/watch_files.h"
#include "app/watch_journal.h"
#include "app/watch_names.h"
#include "app/watch_queue.h"

static void test_names(void **state) {
  (void)state;
  static const char *const yes[] = {"a.nc", "A.NC",   "x.nc4",    "x.cdf",
                                    "x.h5", "x.hdf5", "a.part.nc"};
  static const char *const maybe[] = {"a", "a.txt", "nc", "a.nc.gz", "part", "a.grib"};
  static const char *const no[] = {"",      ".a.nc",      ".nc",   "a.nc.part",     "a.nc.PART",
                                   "a.tmp", "a.nc.error", "a.nc~", "a.nc.filepart", "a.crdownload",
                                   ".",     ".."};
  for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
    assert_int_equal(ra_watch_name_of(yes[i]), RA_WATCH_NAME_YES);
  for (size_t i = 0; i < sizeof maybe / sizeof *maybe; i++)
    assert_int_equal(ra_watch_name_of(maybe[i]), RA_WATCH_NAME_MAYBE);
  for (size_t i = 0; i < sizeof no / sizeof *no; i++)
    assert_int_equal(ra_watch_name_of(no[i]), RA_WATCH_NAME_NO);
}

static bool magic(const char *bytes, size_t size) {
  return ra_watch_magic((const unsigned char *)bytes, size);
}

static void test_magic(void **state) {
  (void)state;
  assert_true(magic("CDF\x01....", 8) && magic("CDF\x02", 4) && magic("CDF\x05", 4));
  assert_true(magic("\x89HDF\r\n\x1a\n", 8));
  assert_false(magic("CDF\x03", 4) || magic("CDF", 3) || magic("", 0) || magic("\x89HDF\r\n\x1a", 7));
  assert_false(magic("\x89PNG\r\n\x1a\n", 8));
}

static void count(void *ctx, ra_watch_file *file) {
  (void)file;
  ++*(int *)ctx;
}

static void remove_odd(void *ctx, ra_watch_file *file) {
  if (atoi(file->path) % 2) ra_watch_files_remove(ctx, file);
}

static void test_files(void **state) {
  (void)state;
  ra_watch_files *files;
  ra_err err = {0};
  char path[32];
  assert_int_equal(ra_watch_files_new(&files, &err), RA_OK);
  for (int i = 0; i < 5000; i++) {
    snprintf(path, sizeof path, "%d.nc", i);
    ra_watch_file *file = ra_watch_files_get(files, path);
    assert_ptr_equal(file, ra_watch_files_get(files, path));
    ra_watch_files_due(files, file, 10000 - (uint64_t)i);
  }
  assert_int_equal(ra_watch_files_next(files), 5001);
  assert_null(ra_watch_files_take_due(files, 5000));
  ra_watch_files_each(files, remove_odd, files);
  int left = 0, due = 0;
  ra_watch_files_each(files, count, &left);
  assert_int_equal(left, 2500);
  assert_null(ra_watch_files_find(files, "1.nc"));
  for (ra_watch_file *file; (file = ra_watch_files_take_due(files, 7000)); due++)
    assert_true(file->due_ms == 0 && atoi(file->path) >= 3000);
  assert_int_equal(due, 1000);
  assert_int_equal(ra_watch_files_next(files), 7002);
  ra_watch_files_free(files);
}

static bool not_busy(void *ctx, const ra_watch_offer *offer) {
  return strcmp(ctx, offer->path) != 0;
}

static void add(ra_watch_queue *queue, const char *path, int64_t mtime) {
  ra_watch_offer offer = {.path = strdup(path), .stamp = {.mtime_ns = mtime}};
  assert_true(ra_watch_queue_add(queue, offer));
}

static void take(ra_watch_queue *queue, char *busy, const char *wanted) {
  ra_watch_offer offer;
  assert_true(ra_watch_queue_take(queue, not_busy, busy, &offer));
  assert_string_equal(offer.path, wanted);
  free(offer.path);
}

static void test_queue(void **state) {
  (void)state;
  ra_watch_queue queue = {0};
  ra_watch_offer offer;
  char busy[] = "busy";
  add(&queue, "young", 9);
  add(&queue, "busy", 1);
  add(&queue, "b", 5);
  add(&queue, "a", 5);
  take(&queue, busy, "a");
  add(&queue, "old", 2);
  take(&queue, busy, "old");
  add(&queue, "gone", 3);
  ra_watch_queue_drop(&queue, "gone");
  take(&queue, busy, "b");
  take(&queue, busy, "young");
  assert_false(ra_watch_queue_take(&queue, not_busy, busy, &offer));
  assert_int_equal(queue.count, 1);
  ra_watch_queue_deinit(&queue);
}

// ---- the journal

static char folder[] = "/tmp/test_watch.XXXXXX";
static char file_path[64], catalog_path[64];

static ra_watch_files *load(const char *options, ra_watch_journal **journal) {
  const ra_watch_journal_config config = {file_path, catalog_path, options};
  ra_watch_files *files;
  ra_err err = {0};
  assert_int_equal(ra_watch_files_new(&files, &err), RA_OK);
  assert_int_equal(ra_watch_journal_new(&config, journal, &err), RA_OK);
  ra_watch_journal_load(*journal, files);
  return files;
}

static int loaded(const char *options) {
  ra_watch_journal *journal;
  ra_watch_files *files = load(options, &journal);
  int n = 0;
  ra_watch_files_each(files, count, &n);
  ra_watch_files_free(files);
  ra_watch_journal_free(journal);
  return n;
}

static void put(const char *path, const char *text, const char *mode) {
  FILE *out = fopen(path, mode);
  assert_non_null(out);
  fputs(text, out);
  fclose(out);
}

static void test_journal(void **state) {
  (void)state;
  assert_non_null(mkdtemp(folder));
  snprintf(file_path, sizeof file_path, "%s/journal", folder);
  snprintf(catalog_path, sizeof catalog_path, "%s/catalog.db", folder);
  put(catalog_path, "", "w");
  ra_watch_journal *journal;
  ra_watch_files *files = load("x", &journal);
  const ra_watch_stamp old = {1, 2, 3, 4}, new = {UINT64_MAX, 5, -6, INT64_MAX};
  ra_watch_journal_add(journal, "a b/c.nc", &old);
  ra_watch_journal_add(journal, "two\nlines.nc", &old);
  ra_watch_journal_add(journal, "a b/c.nc", &new);
  ra_watch_journal_add(journal, "d.nc", &old);
  ra_watch_files_free(files);
  ra_watch_journal_free(journal);
  put(file_path, "1 2 3 4 torn", "a");

  files = load("x", &journal);
  ra_watch_file *file = ra_watch_files_find(files, "a b/c.nc");
  assert_true(file && file->state == RA_WATCH_DONE && ra_watch_stamp_same(&file->done, &new));
  assert_null(ra_watch_files_find(files, "torn"));
  ra_watch_files_remove(files, ra_watch_files_find(files, "d.nc"));
  ra_watch_journal_tidy(journal, files);
  ra_watch_files_free(files);
  ra_watch_journal_free(journal);
  assert_int_equal(loaded("x"), 1);
  assert_int_equal(loaded("y"), 0);
  char other[80];
  snprintf(other, sizeof other, "%s.other", catalog_path);
  put(other, "", "w");
  assert_int_equal(rename(other, catalog_path), 0);
  assert_int_equal(loaded("x"), 0);  // another catalog under the same name
  unlink(file_path);
  unlink(catalog_path);
  assert_int_equal(rmdir(folder), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_magic),
                                     cmocka_unit_test(test_files), cmocka_unit_test(test_queue),
                                     cmocka_unit_test(test_journal)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
