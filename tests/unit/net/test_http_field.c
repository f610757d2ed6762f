// Readers of header values: entity tags, ranges (RFC 9110's own examples), Accept-Encoding.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http.h"
#include "net/http_field.h"

static void entity_tags(void **state) {
  (void)state;
  assert_true(ra_http_etag_matches("\"x\"", "\"x\""));
  assert_true(ra_http_etag_matches("\"x-gzip\"", "\"x\""));
  assert_true(ra_http_etag_matches("W/\"x\"", "\"x\""));
  assert_true(ra_http_etag_matches("W/\"x-gzip\"", "\"x\""));
  assert_true(ra_http_etag_matches("\"a\", \"b,c\",\"x\"", "\"x\""));
  assert_true(ra_http_etag_matches(" * ", "\"x\""));
  assert_true(ra_http_etag_matches("\"x\"", "W/\"x\""));
  assert_true(ra_http_etag_matches("\"x-gzip\"", "\"x-gzip\""));
  assert_true(ra_http_etag_matches("\"\"", "\"\""));
  assert_false(ra_http_etag_matches("\"y\"", "\"x\""));
  assert_false(ra_http_etag_matches("\"xx\"", "\"x\""));
  assert_false(ra_http_etag_matches("\"x", "\"x\""));
  assert_false(ra_http_etag_matches("x", "\"x\""));
  assert_false(ra_http_etag_matches("\"a*\"", "\"x\""));
  assert_false(ra_http_etag_matches("", "\"x\""));
  assert_false(ra_http_etag_matches(NULL, "\"x\""));
  assert_false(ra_http_etag_matches("*", NULL));
}

static void ranges(void **state) {
  (void)state;
  static const struct {
    const char *range;
    uint64_t size;
    int rc;
    uint64_t first, last;
  } cases[] = {
      {"bytes=0-499", 10000, RA_HTTP_RANGE_ONE, 0, 499},
      {"bytes=500-999", 10000, RA_HTTP_RANGE_ONE, 500, 999},
      {"bytes=-500", 10000, RA_HTTP_RANGE_ONE, 9500, 9999},
      {"bytes=9500-", 10000, RA_HTTP_RANGE_ONE, 9500, 9999},
      {"bytes=0-0", 10000, RA_HTTP_RANGE_ONE, 0, 0},
      {"Bytes=9999-20000", 10000, RA_HTTP_RANGE_ONE, 9999, 9999},
      {"bytes=-20000", 10000, RA_HTTP_RANGE_ONE, 0, 9999},
      {"bytes=10000-", 10000, RA_E_INVALID, 0, 0},
      {"bytes=-0", 10000, RA_E_INVALID, 0, 0},
      {"bytes=0-", 0, RA_E_INVALID, 0, 0},
      {"bytes=0-0,-1", 10000, RA_HTTP_RANGE_NONE, 0, 0},
      {"bytes=5-4", 10000, RA_HTTP_RANGE_NONE, 0, 0},
      {"bytes=-", 10000, RA_HTTP_RANGE_NONE, 0, 0},
      {"bytes=a-b", 10000, RA_HTTP_RANGE_NONE, 0, 0},
      {"bytes=1-2x", 10000, RA_HTTP_RANGE_NONE, 0, 0},
      {"bytes=99999999999999999999-", 10000, RA_HTTP_RANGE_NONE, 0, 0},
      {"items=0-1", 10000, RA_HTTP_RANGE_NONE, 0, 0},
      {NULL, 10000, RA_HTTP_RANGE_NONE, 0, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint64_t first = 0, last = 0;
    assert_int_equal(ra_http_parse_range(cases[i].range, cases[i].size, &first, &last), cases[i].rc);
    assert_int_equal(first, cases[i].first);
    assert_int_equal(last, cases[i].last);
  }
}

static void codings(void **state) {
  (void)state;
  const char *yes[] = {"gzip", "br, GZIP", "gzip;q=0.5",     "deflate, gzip;q=1.0, *;q=0.5",
                       "*",    "x-gzip",   "gzip ; q=0.001", "br;q=0, gzip"};
  const char *no[] = {"",         "br",    "gzip;q=0", "gzip;q=0.000, br",
                      "identity", "*;q=0", "gzipped",  "*, gzip;q=0"};
  for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) assert_true(ra__http_accepts_gzip(yes[i]));
  for (size_t i = 0; i < sizeof no / sizeof *no; i++) assert_false(ra__http_accepts_gzip(no[i]));
  assert_false(ra__http_accepts_gzip(NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(entity_tags),
      cmocka_unit_test(ranges),
      cmocka_unit_test(codings),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
