// Buffers, texts, keys: what every other layer leans on.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/path.h"
#include "base/sha256.h"
#include "base/str.h"

static void buffers_count_their_bytes(void **state) {
  (void)state;
  size_t before = ra_buf_live_bytes();
  ra_buf *buf, *view;
  ra_err err;
  assert_int_equal(ra_buf_copy("hello world", 11, &buf, &err), RA_OK);
  assert_int_equal(ra_buf_live_bytes() - before, 11);
  assert_int_equal(ra_buf_view(buf, 6, 5, &view, &err), RA_OK);
  assert_int_equal(ra_buf_view(buf, 7, 5, &view, &err), RA_E_INTERNAL);
  ra_buf_unref(buf);
  assert_memory_equal(ra_buf_data(view), "world", 5);
  ra_buf_unref(view);
  assert_int_equal(ra_buf_live_bytes(), before);
  assert_int_equal(ra_buf_new(SIZE_MAX - 3, &buf, &err), RA_E_NOMEM);
}

static void urls_are_shown_without_secrets(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"https://host/path", "https://host/path"},
      {"https://me:pass@host:1/path", "https://***@host:1/path"},
      {"https://token@host", "https://***@host"},
      {"https://a@b:c@host/@d", "https://***@host/@d"},
      {"https://host/path?token=1", "https://host/path?***"},
      {"https://host?a@b", "https://host?***"},
      {"https://host#token", "https://host#***"},
      {"postgres://me:pass@/base", "postgres://***@/base"},
      {"https://", "https://"},
      {"./me@here?no#url", "./me@here?no#url"},
      {"sqlite:./catalog.db?mode=ro", "sqlite:./catalog.db?mode=ro"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    ra_str str;
    ra_str_init(&str);
    ra_str_add_url(&str, cases[i][0]);
    assert_string_equal(str.ptr, cases[i][1]);
    ra_str_deinit(&str);
  }
}

static void texts_escape_and_round_trip(void **state) {
  (void)state;
  ra_str str;
  ra_str_init(&str);
  ra_str_add_json(&str, "a\"b\n\x01\xc3\xa9\xff");
  assert_string_equal(str.ptr, "\"a\\\"b\\n\\u0001\xc3\xa9\xef\xbf\xbd\"");
  ra_str_deinit(&str);
  ra_str_add_json(&str, "\xc2\x85\xc2\x9b\xc2\xa0\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaa");
  assert_string_equal(str.ptr, "\"\\u0085\\u009b\xc2\xa0\xe2\x80\xa7\\u2028\\u2029\xe2\x80\xaa\"");
  ra_str_deinit(&str);
  const double values[] = {0.1, 1.0 / 3, 1e300, -2.5, 123456789.123, 5e-324};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
    ra_str_add_double(&str, values[i]);
    assert_true(strtod(str.ptr, NULL) == values[i]);
    ra_str_deinit(&str);
  }
  ra_str_add_float(&str, 271.35f);
  assert_string_equal(str.ptr, "271.35");
  ra_str_deinit(&str);
  ra_str_add_double(&str, NAN);
  assert_string_equal(str.ptr, "null");
  ra_str_deinit(&str);
}

static void keys_cannot_climb(void **state) {
  (void)state;
  const char *good[] = {"a/b.tif", "c/0/0", "t=2F/x", "...", "a..b/c"};
  const char *bad[] = {"",    "/a",  "a/",   "a//b",  "..", "a/../b",
                       "./a", "a b", "a\\b", "a/%2e", "a:b"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(ra_key_valid(good[i]));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(ra_key_valid(bad[i]));
  ra_str str;
  ra_str_init(&str);
  ra_key_escape(&str, "group/..\xc3\xa9 x", true);
  assert_true(ra_key_valid(str.ptr));
  ra_str_deinit(&str);
  ra_key_add_path(&str, "g/air temp=1/.\xc3\xa9");
  assert_string_equal(str.ptr, "g/air=20temp=1/=2E=C3=A9");
  ra_str back;
  ra_str_init(&back);
  ra_key_add_name(&back, str.ptr);
  assert_string_equal(back.ptr, "g/air temp=1/.\xc3\xa9");
  ra_str_deinit(&back);
  ra_key_add_path(&back, str.ptr);
  assert_string_equal(back.ptr, str.ptr);
  ra_str_deinit(&back);
  ra_str_deinit(&str);
  char id[256];
  ra_id_sanitise("../My file (1).nc", id, sizeof id);
  assert_string_equal(id, "My-file-1-.nc");
  assert_true(ra_id_valid(id));
}

static void arenas_respect_their_limit(void **state) {
  (void)state;
  ra_arena arena;
  ra_arena_init(&arena, 100000);
  assert_non_null(ra_arena_alloc(&arena, 60000));
  assert_string_equal(ra_arena_printf(&arena, "%d-%s", 5, "x"), "5-x");
  assert_null(ra_arena_alloc(&arena, 60000));
  assert_null(ra_arena_calloc(&arena, SIZE_MAX / 2, 4));
  ra_arena_deinit(&arena);
}

static void sha256_of_abc(void **state) {
  (void)state;
  char hex[65];
  ra_sha256_of("abc", 3, hex);  // FIPS 180-2, appendix B.1
  assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(buffers_count_their_bytes),
      cmocka_unit_test(texts_escape_and_round_trip),
      cmocka_unit_test(urls_are_shown_without_secrets),
      cmocka_unit_test(keys_cannot_climb),
      cmocka_unit_test(arenas_respect_their_limit),
      cmocka_unit_test(sha256_of_abc),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
