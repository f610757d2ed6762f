// The file store: keys, reads through the descriptor cache, puts that are whole or absent, no way out of the root.
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/store.h"

static char folder[64];

static int setup(void **state) {
  strcpy(folder, "/tmp/ra-store-XXXXXX");
  if (!mkdtemp(folder)) return -1;
  ra_store *store;
  char url[128];
  snprintf(url, sizeof url, "file://%s/made/root", folder);
  if (ra_store_open(url, true, &store, NULL) < 0) return -1;
  *state = store;
  return 0;
}

static int teardown(void **state) {
  ra_store_free(*state);
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command);
}

static void in_root(const ra_store *store, const char *name, char *out, size_t size) {
  snprintf(out, size, "%s/%s", ra_store_root(store), name);
}

static void put(ra_store *store, const char *key, const char *text) {
  ra_err err;
  if (ra_store_put(store, key, text, strlen(text), &err) < 0)
    fail_msg("%s %s", err.where, err.message);
}

static int get(ra_store *store, const char *key, uint64_t offset, size_t size, char *out) {
  ra_reader reader = ra_store_reader(store);
  ra_err err = {0};
  int rc = reader.read(reader.ctx, key, offset, size, (uint8_t *)out, &err);
  if (rc < 0) assert_true(err.message[0] && err.where[0]);
  return rc;
}

static void names_of_stores(void **state) {
  ra_store *store = *state, *other;
  char expected[128];
  ra_err err;
  snprintf(expected, sizeof expected, "file://%s/made/root", folder);
  assert_string_equal(ra_store_url(store), expected);
  assert_int_equal(ra_store_open("s3://bucket/x", false, &other, &err), RA_E_UNSUPPORTED);
  assert_int_equal(ra_store_open("file://host/x", false, &other, &err), RA_E_INVALID);
  assert_int_equal(ra_store_open("", false, &other, &err), RA_E_INVALID);
  assert_int_equal(ra_store_open("file:/no/such/folder", false, &other, &err), RA_E_NOTFOUND);
  assert_int_equal(ra_store_open(ra_store_root(store), false, &other, &err), RA_OK);
  assert_string_equal(ra_store_url(other), expected);
  ra_store_free(other);
}

static void reads_are_exact(void **state) {
  ra_store *store = *state;
  char out[16] = {0};
  put(store, "a/b/c.bin", "0123456789");
  assert_int_equal(get(store, "a/b/c.bin", 3, 4, out), RA_OK);
  assert_memory_equal(out, "3456", 4);
  assert_int_equal(get(store, "a/b/c.bin", 8, 3, out), RA_E_CORRUPT);
  assert_int_equal(get(store, "a/b/c.bin", UINT64_MAX, 1, out), RA_E_CORRUPT);
  assert_int_equal(get(store, "a/b/d.bin", 0, 1, out), RA_E_NOTFOUND);
  assert_int_equal(get(store, "a/b/c.bin/x", 0, 1, out), RA_E_NOTFOUND);
  assert_int_equal(get(store, "a/b", 0, 1, out), RA_E_NOTFOUND);
  assert_int_equal(get(store, "../root/a/b/c.bin", 0, 1, out), RA_E_INVALID);
  ra_reader reader = ra_store_reader(store);
  uint64_t size;
  assert_int_equal(reader.size(reader.ctx, "a/b/c.bin", &size, NULL), RA_OK);
  assert_int_equal(size, 10);
  put(store, "a/b/c.bin", "new");  // a put is seen although the old descriptor was held
  assert_int_equal(get(store, "a/b/c.bin", 0, 3, out), RA_OK);
  assert_memory_equal(out, "new", 3);
  ra_store_file file;
  assert_int_equal(ra_store_open_object(store, "a/b/c.bin", &file, NULL), RA_OK);
  assert_true(file.size == 3 && file.offset == 0);
  assert_true(file.mtime_ms > 1600000000000);
  close(file.fd);
}

static void nothing_leads_out(void **state) {
  ra_store *store = *state;
  char secret[128], path[256], out[8];
  snprintf(secret, sizeof secret, "%s/secret", folder);
  FILE *f = fopen(secret, "w");
  fputs("secret", f);
  fclose(f);
  put(store, "d/inside", "inside");
  in_root(store, "link", path, sizeof path);
  assert_int_equal(symlink(secret, path), 0);
  in_root(store, "up", path, sizeof path);
  assert_int_equal(symlink("../..", path), 0);
  in_root(store, "pipe", path, sizeof path);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_int_equal(get(store, "link", 0, 6, out), RA_E_DENIED);
  int rc = get(store, "up/secret", 0, 6, out);  // without openat2 the link is no folder
  assert_true(rc == RA_E_DENIED || rc == RA_E_NOTFOUND);
  assert_int_equal(get(store, "pipe", 0, 1, out), RA_E_CORRUPT);
  ra_err err;
  assert_true(ra_store_put(store, "up/evil", "x", 1, &err) < 0);
  assert_true(ra_store_remove(store, "up", &err) == RA_OK);  // the link goes, what it names stays
  assert_int_equal(access(secret, F_OK), 0);
  assert_int_equal(ra_store_put(store, "link", "mine", 4, &err), RA_OK);  // replaces the link itself
  f = fopen(secret, "r");
  assert_non_null(fgets(out, sizeof out, f));
  fclose(f);
  assert_string_equal(out, "secret");
}

static int collect(void *ctx, const char *key, uint64_t size, int64_t mtime_ms) {
  char *text = ctx;
  assert_true(mtime_ms > 0);
  size_t n = strlen(text);
  snprintf(text + n, 256 - n, "%s=%llu ", key, (unsigned long long)size);
  return strcmp(key, "z") == 0 ? RA_E_CANCELLED : RA_OK;
}

static void folders_are_listed_and_removed(void **state) {
  ra_store *store = *state;
  char text[256] = "", path[256];
  put(store, "b/2/x", "xx");
  put(store, "b/1", "1");
  put(store, "ba", "");
  put(store, "c/only", "1");
  in_root(store, "b/.tmp-1-1", path, sizeof path);
  close(open(path, O_CREAT | O_WRONLY, 0600));  // what a killed writer leaves
  assert_int_equal(ra_store_list(store, "", collect, text, NULL), RA_OK);
  assert_string_equal(text, "b/1=1 b/2/x=2 ba=0 c/only=1 ");
  text[0] = 0;
  assert_int_equal(ra_store_list(store, "b", collect, text, NULL), RA_OK);
  assert_string_equal(text, "b/1=1 b/2/x=2 ");
  text[0] = 0;
  assert_int_equal(ra_store_list(store, "none/such", collect, text, NULL), RA_OK);
  assert_string_equal(text, "");
  assert_int_equal(ra_store_sync(store, "b/2", NULL), RA_OK);
  assert_int_equal(ra_store_sync(store, "b/2/x", NULL), RA_OK);
  assert_int_equal(ra_store_remove(store, "c/only", NULL), RA_OK);
  in_root(store, "c", path, sizeof path);
  assert_int_equal(access(path, F_OK), -1);
  assert_int_equal(ra_store_remove(store, "b", NULL), RA_OK);
  assert_int_equal(ra_store_remove(store, "b", NULL), RA_OK);
  put(store, "y", "");
  put(store, "z", "");
  put(store, "zz", "");
  text[0] = 0;
  assert_int_equal(ra_store_list(store, "", collect, text, NULL), RA_E_CANCELLED);
  assert_string_equal(text, "ba=0 y=0 z=0 ");
  assert_int_equal(ra_store_remove(store, "", NULL), RA_OK);
  assert_int_equal(access(ra_store_root(store), F_OK), 0);
}

static void make(const ra_store *store, const char *name, bool is_folder, int64_t mtime_s) {
  char path[256];
  in_root(store, name, path, sizeof path);
  if (is_folder) {
    assert_int_equal(mkdir(path, 0700), 0);
  } else {
    int fd = open(path, O_CREAT | O_WRONLY, 0600);  // of a folder that is there only the time is set
    if (fd >= 0) close(fd);
  }
  const struct timespec times[2] = {{.tv_sec = mtime_s}, {.tv_sec = mtime_s}};
  assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static bool is_there(const ra_store *store, const char *name) {
  char path[256];
  in_root(store, name, path, sizeof path);
  return access(path, F_OK) == 0;
}

static void what_a_death_left_is_swept(void **state) {
  ra_store *store = *state;
  put(store, "c/d/v/object", "whole");
  put(store, "c/kept/v/object", "whole");
  make(store, "c/kept/v/.tmp-9-3", false, 1000);
  make(store, "c/d/v/.tmp-9-1", false, 1000);  // a write
  make(store, "c/d/v/.tmp-9-2", false, 9000);  // too young
  make(store, "c/d/.tmp-9-4", true, 9000);     // a removal: its contents' age tells nothing
  make(store, "c/d/.tmp-9-4/object", false, 1000);
  make(store, "c/d/.tmp-9-4", false, 1000);
  make(store, "c/d/empty", true, 1000);
  make(store, "c/d/young", true, 9000);
  make(store, "lost+found", true, 1000);
  make(store, "mine.txt", false, 1000);
  const char *const kept[] = {"c/kept", NULL};
  ra_store_swept swept;
  assert_int_equal(ra_store_sweep(store, 5000000, kept, &swept, NULL), RA_OK);
  assert_int_equal(swept.files, 2);
  static const char *const left[] = {"c/d/v/object",   "c/kept/v/object", "c/kept/v/.tmp-9-3",
                                     "c/d/v/.tmp-9-2", "c/d/young",       "lost+found",
                                     "mine.txt"};
  for (size_t i = 0; i < sizeof left / sizeof *left; i++) assert_true(is_there(store, left[i]));
  static const char *const gone[] = {"c/d/v/.tmp-9-1", "c/d/.tmp-9-4", "c/d/empty"};
  for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) assert_false(is_there(store, gone[i]));
}

// A reader must be able to tell an object that never was from one whose version was removed under it.
static void a_version_goes_as_a_whole(void **state) {
  ra_store *store = *state;
  char out[8];
  put(store, "c/d/v/data.zarr/a/c/0", "x");
  assert_int_equal(get(store, "c/d/v/data.zarr/a/c/1", 0, 1, out), RA_E_NOTFOUND);
  assert_int_equal(ra_store_remove(store, "c/d/v", NULL), RA_OK);
  assert_int_equal(get(store, "c/d/v/data.zarr/a/c/1", 0, 1, out), RA_E_GONE);
  assert_int_equal(get(store, "c/d/v", 0, 1, out), RA_E_NOTFOUND);
  assert_false(is_there(store, "c"));
}

static void bad_keys_are_refused(void **state) {
  ra_store *store = *state;
  ra_err err;
  char deep[3000], part[300];
  memset(part, 'p', 256);
  part[256] = 0;
  memset(deep, 'd', sizeof deep);
  for (size_t i = 100; i < sizeof deep; i += 100) deep[i] = '/';
  deep[sizeof deep - 1] = 0;
  const char *bad[] = {"",       "/etc/passwd", "a/../b", "a//b", "a b",
                       ".tmp-1", "x/.tmp-1/y",  part,     deep};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(ra_store_put(store, bad[i], "x", 1, &err), RA_E_INVALID);
  }
}

// More objects than descriptors, read by four threads at once while one is put again and again.
static void *read_many(void *ctx) {
  ra_store *store = ctx;
  for (unsigned i = 0; i < 4000; i++) {
    char key[32], out[8], expected[8];
    unsigned n = i * 7919u % 400u;
    snprintf(key, sizeof key, "many/%u", n);
    snprintf(expected, sizeof expected, "%06u", n);
    if (get(store, key, 0, 6, out) < 0 || memcmp(out, expected, 6) != 0) return ctx;
    if (i % 100 == 0 && ra_store_put(store, key, expected, 6, NULL) < 0) return ctx;
  }
  return NULL;
}

static unsigned open_descriptors(void) {
  unsigned n = 0;
  for (int fd = 0; fd < 2000; fd++) n += fcntl(fd, F_GETFD) != -1;
  return n;
}

static void many_objects_share_few_descriptors(void **state) {
  ra_store *store = *state;
  for (unsigned i = 0; i < 400; i++) {
    char key[32], text[8];
    snprintf(key, sizeof key, "many/%u", i);
    snprintf(text, sizeof text, "%06u", i);
    put(store, key, text);
  }
  unsigned before = open_descriptors();
  pthread_t threads[4];
  void *failed;
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, read_many, store);
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], &failed);
    assert_null(failed);
  }
  unsigned held = open_descriptors() - before;
  assert_true(held > 200 && held <= 256);
}

// A child that dies at the n-th fault point leaves the old object or the new one, never a part.
static void a_crash_leaves_whole_objects(void **state) {
  ra_store *store = *state;
  put(store, "k/object", "old");
  bool finished = false;
  for (int n = 1; n < 20 && !finished; n++) {
    pid_t child = fork();
    if (child == 0) {
      char text[8];
      snprintf(text, sizeof text, "%d", n);
      setenv("RASTRUM_FAULT", text, 1);
      execl("/proc/self/exe", "test", "put", ra_store_root(store), NULL);
      _exit(1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    finished = WEXITSTATUS(status) == 0;
    assert_true(finished || WEXITSTATUS(status) == 70);
    char out[4] = {0};
    ra_store *fresh;
    assert_int_equal(ra_store_open(ra_store_root(store), false, &fresh, NULL), RA_OK);
    assert_int_equal(get(fresh, "k/object", 0, 3, out), RA_OK);
    ra_store_free(fresh);
    assert_true(strcmp(out, "old") == 0 || strcmp(out, "new") == 0);
    assert_true(!finished || strcmp(out, "new") == 0);
  }
  assert_true(finished);
}

static int put_as_child(const char *root) {
  ra_store *store;
  if (ra_store_open(root, false, &store, NULL) < 0) return 2;
  int rc = ra_store_put(store, "k/object", "new", 3, NULL);
  if (rc == RA_OK) rc = ra_store_sync(store, "k", NULL);
  ra_store_free(store);
  return rc < 0 ? 3 : 0;
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "put") == 0) return put_as_child(argv[2]);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(names_of_stores, setup, teardown),
      cmocka_unit_test_setup_teardown(reads_are_exact, setup, teardown),
      cmocka_unit_test_setup_teardown(nothing_leads_out, setup, teardown),
      cmocka_unit_test_setup_teardown(folders_are_listed_and_removed, setup, teardown),
      cmocka_unit_test_setup_teardown(what_a_death_left_is_swept, setup, teardown),
      cmocka_unit_test_setup_teardown(a_version_goes_as_a_whole, setup, teardown),
      cmocka_unit_test_setup_teardown(bad_keys_are_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(many_objects_share_few_descriptors, setup, teardown),
      cmocka_unit_test_setup_teardown(a_crash_leaves_whole_objects, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
