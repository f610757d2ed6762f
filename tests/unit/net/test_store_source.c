// A version's source that is a folder of files: what is listed and as it was listed, and nothing else.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/store.h"

static char folder[64];

static void write_file(const char *name, const char *text, long changed) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
  const struct timespec times[2] = {{.tv_sec = changed}, {.tv_sec = changed}};
  assert_int_equal(utimensat(0, path, times, 0), 0);
}

static void put(ra_store *store, const char *key, const char *text) {
  assert_int_equal(ra_store_put(store, key, text, strlen(text), NULL), RA_OK);
}

static int setup(void **state) {
  strcpy(folder, "/tmp/ra-source-XXXXXX");
  if (!mkdtemp(folder)) return -1;
  char path[256], url[128], list[4096] = "";
  snprintf(path, sizeof path, "%s/a.zarr", folder);
  mkdir(path, 0777);
  strcat(path, "/t");
  mkdir(path, 0777);
  write_file("secret", "secret", 1000);
  write_file("a.zarr/unlisted", "unlisted", 1000);
  for (int i = 0; i < 100; i++) {
    char name[64], *end = list + strlen(list);
    snprintf(name, sizeof name, "a.zarr/t/0.%02d", i);
    write_file(name, "cells", 1000 + i);
    snprintf(end, sizeof list - strlen(list), "t/0.%02d 5 %d000000000\n", i, 1000 + i);
  }
  ra_store *store;
  snprintf(url, sizeof url, "%s/store", folder);
  if (ra_store_open(url, true, &store, NULL) < 0) return -1;
  put(store, "c/d/v/" RA_STORE_LIST, list);
  put(store, "c/d/v/manifest.json", "{}");
  put(store, "c/d/v/source/own", "own");
  snprintf(path, sizeof path, "%s/a.zarr", folder);
  if (ra_store_put_pointer(store, "c/d/v", "folder", path, NULL) < 0) return -1;
  *state = store;
  return 0;
}

static int teardown(void **state) {
  char command[128];
  ra_store_free(*state);
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command);
}

static int get(ra_store *store, const char *key, const char *wanted) {
  char cells[8] = "";
  ra_err err = {0};
  ra_reader reader = ra_store_reader(store);
  int rc = reader.read(reader.ctx, key, 0, strlen(wanted), (uint8_t *)cells, &err);
  if (rc == RA_OK) assert_string_equal(cells, wanted);
  if (rc < 0) assert_true(err.message[0] && err.where[0]);
  return rc;
}

static void what_is_listed_is_read(void **state) {
  ra_store *store = *state;
  for (int i = 0; i < 100; i++) {
    char key[64];
    ra_store_file file;
    snprintf(key, sizeof key, "c/d/v/source/t/0.%02d", i);
    assert_int_equal(get(store, key, "cells"), RA_OK);
    assert_int_equal(ra_store_open_object(store, key, &file, NULL), RA_OK);
    assert_int_equal(file.size, 5);
    close(file.fd);
  }
  assert_int_equal(get(store, "c/d/v/source/own", "own"), RA_OK);  // the version's own comes first
}

static void what_was_not_there_is_missing(void **state) {
  const char *const keys[] = {"c/d/v/source/t/0.100", "c/d/v/source/t", "c/d/v/source/0",
                              "c/d/v/source/zz/0.1",  "c/d/w/source/t", "c/d/v/source/t/0.1/x"};
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    int rc = get(*state, keys[i], "cells");
    assert_int_equal(rc, i == 4 ? RA_E_GONE : RA_E_NOTFOUND);
  }
}

static void what_is_not_as_it_was_is_refused(void **state) {
  ra_store *store = *state;
  char path[256], target[256];
  assert_int_equal(get(store, "c/d/v/source/unlisted", "unl"), RA_E_CONFLICT);
  assert_int_equal(get(store, "c/d/v/source/t/0.01", "cells"), RA_OK);
  write_file("a.zarr/t/0.01", "CELLS", 5000);  // open already
  assert_int_equal(get(store, "c/d/v/source/t/0.01", "CELLS"), RA_E_CONFLICT);
  write_file("a.zarr/t/0.02", "CELLS", 5000);
  assert_int_equal(get(store, "c/d/v/source/t/0.02", "CELLS"), RA_E_CONFLICT);
  ra_store_file file;  // what is sent is not read through the store
  assert_int_equal(ra_store_open_object(store, "c/d/v/source/t/0.02", &file, NULL), RA_E_CONFLICT);
  write_file("a.zarr/t/0.03", "longer", 1003);
  assert_int_equal(get(store, "c/d/v/source/t/0.03", "longe"), RA_E_CONFLICT);
  snprintf(path, sizeof path, "%s/a.zarr/t/0.04", folder);
  snprintf(target, sizeof target, "%s/secret", folder);
  unlink(path);
  assert_int_equal(get(store, "c/d/v/source/t/0.04", "cells"), RA_E_CONFLICT);
  assert_int_equal(symlink(target, path), 0);
  assert_int_equal(get(store, "c/d/v/source/t/0.04", "secre"), RA_E_CONFLICT);
  assert_int_equal(get(store, "c/d/v/source/../../secret", "secre"), RA_E_INVALID);
}

static void a_folder_that_was_put_back(void **state) {
  ra_store *store = *state;
  char path[256], away[256];
  snprintf(path, sizeof path, "%s/a.zarr", folder);
  snprintf(away, sizeof away, "%s/away", folder);
  assert_int_equal(rename(path, away), 0);
  assert_int_equal(get(store, "c/d/v/source/t/0.05", "cells"), RA_E_CONFLICT);
  assert_int_equal(rename(away, path), 0);
  assert_int_equal(get(store, "c/d/v/source/t/0.05", "cells"), RA_OK);
}

static void a_damaged_list_is_no_gap(void **state) {
  ra_store *store = *state;
  put(store, "c/d/v/" RA_STORE_LIST, "no list");
  assert_int_equal(get(store, "c/d/v/source/t/0.05", "cells"), RA_E_CORRUPT);
  put(store, "c/d/v/source.pointer", "moon /dark\n");
  ra_store *other;
  char url[128];
  snprintf(url, sizeof url, "%s/store", folder);
  assert_int_equal(ra_store_open(url, false, &other, NULL), RA_OK);
  assert_int_equal(get(other, "c/d/v/source/t/0.05", "cells"), RA_E_CORRUPT);
  ra_store_free(other);
}

// Byte ranges of a file, bytes that stand in the version itself, and the file by its name.
static void references_are_ranges(void **state) {
  ra_store *store = *state;
  char targets[512];
  ra_err err = {0};
  write_file("a.nc", "0123456789", 1000);
  snprintf(targets, sizeof targets, "a.nc\tfile 10 1000000000000 %s/a.nc\n", folder);
  put(store, "c/e/v/" RA_STORE_LIST,
      "t/.zarray\t0 0 2\nt/0\t1 2 3\nt/1\t1 0 -\nt/2\t1 8 3\nt/3\t9 0 1\nt/4\t1 x\n");
  put(store, "c/e/v/" RA_STORE_INLINE, "{}");
  put(store, "c/e/v/" RA_STORE_TARGETS, targets);
  assert_int_equal(ra_store_put_pointer(store, "c/e/v", "references", "a.nc", &err), RA_OK);
  assert_int_equal(get(store, "c/e/v/source/t/.zarray", "{}"), RA_OK);
  assert_int_equal(get(store, "c/e/v/source/t/0", "234"), RA_OK);
  assert_int_equal(get(store, "c/e/v/source/t/1", "0123456"), RA_OK);
  assert_int_equal(get(store, "c/e/v/source/a.nc", "0123456"), RA_OK);
  assert_int_equal(get(store, "c/e/v/source/t/2", "89"), RA_E_CORRUPT);  // past the file's end
  assert_int_equal(get(store, "c/e/v/source/t/3", "0"), RA_E_CORRUPT);   // of no target
  assert_int_equal(get(store, "c/e/v/source/t/4", "0"), RA_E_CORRUPT);
  assert_int_equal(get(store, "c/e/v/source/t/5", "0"), RA_E_NOTFOUND);
  assert_int_equal(get(store, "c/e/v/source/secret", "0"), RA_E_NOTFOUND);
  write_file("a.nc", "abcdefghij", 2000);
  assert_int_equal(get(store, "c/e/v/source/t/0", "cde"), RA_E_CONFLICT);  // open already
  assert_int_equal(get(store, "c/e/v/source/t/.zarray", "{}"), RA_OK);
  write_file("a.nc", "0123456789", 1000);
  assert_int_equal(get(store, "c/e/v/source/t/0", "234"), RA_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(what_is_listed_is_read),           TEST(what_was_not_there_is_missing),
      TEST(what_is_not_as_it_was_is_refused), TEST(a_folder_that_was_put_back),
      TEST(a_damaged_list_is_no_gap),         TEST(references_are_ranges),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
