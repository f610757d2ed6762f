// Bundles: which files are in one, its way through a shared file, and what of a damaged one is refused.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "host_fixture.h"
#include "script/bundle_private.h"

static ra_bundle *read_dirs(fixture *f) {
  static const char *const none[] = {NULL};
  const ra_bundle_dirs dirs = {
      .library = RA_SOURCE_DIR "/lua", .plugins = f->dirs, .colormaps = none};
  ra_bundle *bundle = NULL;
  assert_int_equal(ra_bundle_read(&dirs, "{\"a\":1}", &bundle, NULL), RA_OK);
  return bundle;
}

static void make_folder(fixture *f, const char *name) {
  char path[160];
  snprintf(path, sizeof path, "%s/%s", f->dir, name);
  assert_int_equal(mkdir(path, 0777), 0);
}

static void begin(fixture *f) {
  *f = (fixture){0};
  snprintf(f->dir, sizeof f->dir, "/tmp/rastrum-test-XXXXXX");
  assert_non_null(mkdtemp(f->dir));
  f->dirs[0] = f->dir;
}

static void end(fixture *f) {
  char command[100];
  snprintf(command, sizeof command, "rm -rf %s", f->dir);
  assert_int_equal(system(command), 0);
}

static void test_which_files_are_in_it(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  make_folder(&f, "folder");
  make_folder(&f, "no_plugin");
  fixture_write(&f, "one.lua", "return 1");
  fixture_write(&f, "one_spec.lua", "return 1");
  fixture_write(&f, ".hidden.lua", "return 1");
  fixture_write(&f, "notes.txt", "x");
  fixture_write(&f, "folder/init.lua", "return 2");
  fixture_write(&f, "folder/part.lua", "");
  fixture_write(&f, "folder/page.html", "<p>");
  fixture_write(&f, "no_plugin/data.lua", "return 3");
  ra_bundle *bundle = read_dirs(&f);
  static const char *const wanted[] = {"plugins/00/folder/init.lua", "plugins/00/folder/page.html",
                                       "plugins/00/folder/part.lua", "plugins/00/one.lua"};
  size_t at = ra_bundle_first(bundle, "plugins/");
  for (size_t i = 0; i < 4; i++, at++)
    assert_string_equal(ra_bundle_at(bundle, at)->name, wanted[i]);
  assert_string_equal(ra_bundle_at(bundle, at)->name, "rastrum.lua");
  assert_string_equal(ra_bundle_find(bundle, "plugins/00/folder/page.html")->text, "<p>");
  assert_string_equal(ra_bundle_find(bundle, "rastrum.lua")->text, "{\"a\":1}");
  assert_int_equal(ra_bundle_find(bundle, "plugins/00/folder/part.lua")->size, 0);
  assert_non_null(ra_bundle_find(bundle, "library/app.lua"));
  assert_null(ra_bundle_find(bundle, "plugins/00/notes.txt"));
  ra_bundle_unref(bundle);
  end(&f);
}

static void test_a_file_that_is_too_large_says_so(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  char *large = calloc(1, RA_BUNDLE_SOURCE_MOST + 2);
  memset(large, ' ', RA_BUNDLE_SOURCE_MOST + 1);
  fixture_write(&f, "large.lua", large);
  free(large);
  ra_bundle *bundle = read_dirs(&f);
  const ra_bundle_entry *entry = ra_bundle_find(bundle, "plugins/00/large.lua");
  assert_true(entry && entry->failed);
  assert_non_null(strstr(entry->text, "1048576"));
  ra_bundle_unref(bundle);
  end(&f);
}

static void test_through_a_file(void **state) {
  (void)state;
  fixture f;
  begin(&f);
  fixture_write(&f, "one.lua", "return 1");
  ra_bundle *bundle = read_dirs(&f), *other = NULL;
  int fd = memfd_create("bundle", MFD_CLOEXEC);
  uint32_t generation = 0;
  assert_int_equal(ra_bundle_save(bundle, fd, 7, NULL), RA_OK);
  assert_int_equal(ra_bundle_restore(fd, &generation, &other, NULL), RA_OK);
  assert_int_equal(generation, 7);
  assert_true(ra_bundle_digest(bundle) == ra_bundle_digest(other));
  assert_int_equal(ra_bundle_count(bundle), ra_bundle_count(other));
  for (size_t i = 0; i < ra_bundle_count(bundle); i++) {
    const ra_bundle_entry *a = ra_bundle_at(bundle, i), *b = ra_bundle_at(other, i);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->text, b->text, a->size);
  }
  ra_bundle_unref(other);
  fixture_write(&f, "one.lua", "return 2");
  other = read_dirs(&f);
  assert_true(ra_bundle_digest(bundle) != ra_bundle_digest(other));
  ra_bundle_unref(other);
  ra_bundle_unref(bundle);
  close(fd);
  end(&f);
}

// Whatever byte is wrong or missing: refused, or the same bundle (a byte of padding).
static void test_a_damaged_file_is_refused(void **state) {
  (void)state;
  ra_str block;
  ra_str_init(&block);
  ra__bundle_add(&block, "plugins/00/a.lua", false, "return {}", 9);
  ra__bundle_add(&block, "rastrum.lua", false, "", 0);
  ra_bundle *bundle = NULL, *other = NULL;
  assert_int_equal(ra__bundle_index(&block, &bundle, NULL), RA_OK);
  int fd = memfd_create("bundle", MFD_CLOEXEC);
  assert_int_equal(ra_bundle_save(bundle, fd, 1, NULL), RA_OK);
  off_t size = lseek(fd, 0, SEEK_END);
  uint32_t generation;
  for (off_t at = 0; at < size; at++) {
    unsigned char byte, wrong;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    for (int bit = 0; bit < 8; bit++) {
      wrong = byte ^ (unsigned char)(1 << bit);
      assert_int_equal(pwrite(fd, &wrong, 1, at), 1);
      if (ra_bundle_restore(fd, &generation, &other, NULL) == RA_OK) {
        assert_true(ra_bundle_digest(other) == ra_bundle_digest(bundle));
        ra_bundle_unref(other);
      }
    }
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
  }
  for (off_t cut = size - 1; cut >= 0; cut--) {
    assert_int_equal(ftruncate(fd, cut), 0);
    assert_int_equal(ra_bundle_restore(fd, &generation, &other, NULL), RA_E_CORRUPT);
  }
  ra_bundle_unref(bundle);
  close(fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_which_files_are_in_it),
      cmocka_unit_test(test_a_file_that_is_too_large_says_so),
      cmocka_unit_test(test_through_a_file),
      cmocka_unit_test(test_a_damaged_file_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
