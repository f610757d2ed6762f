// The parser from memory: every case whole, byte by byte and cut at random, with the same outcome.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "net/http_parse.h"

static const ra__http_limits limits = {.uri = 200, .headers = 2000, .body = 1000};

// Feeds in steps (0: random ones). The bytes used.
static size_t feed(ra__http_parser *p, const char *data, size_t size, size_t step) {
  size_t used = 0;
  while (used < size && (p->phase == RA__HTTP_HEAD || p->phase == RA__HTTP_BODY)) {
    size_t n = step ? step : 1 + (size_t)rand() % 40;
    if (n > size - used) n = size - used;
    // A copy of its own: the parser may not look past the end, and the sanitizer sees if it does.
    char *piece = malloc(n);
    memcpy(piece, data + used, n);
    used += ra__http_parse(p, piece, n);
    free(piece);
  }
  return used;
}

static const size_t steps[] = {1 << 20, 1, 2, 3, 0, 0, 0};
#define STEPS (sizeof steps / sizeof *steps)

static void refused(const char *data, size_t size, int status) {
  for (size_t i = 0; i < STEPS; i++) {
    ra__http_parser p;
    ra__http_parser_init(&p, &limits);
    feed(&p, data, size, steps[i]);
    if (p.phase != RA__HTTP_BAD || p.status != status) {
      fail_msg("phase %d status %d instead of %d for: %s", p.phase, p.status, status, data);
    }
    assert_true(strlen(p.problem) > 10);
    assert_false(p.keep_alive);
    ra__http_parser_deinit(&p);
  }
}

static void bad(const char *text, int status) { refused(text, strlen(text), status); }

#define HOST "Host: a\r\n"

static void malformed_requests(void **state) {
  (void)state;
  bad("\x16\x03\x01 TLS", 400);
  bad("GET / HTTP/1.1\nHost: a\n\n", 400);
  bad("GET / HTTP/1.1\r\nHost: a\n\r\n", 400);
  bad("GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n", 400);
  bad("\nGET / HTTP/1.1\r\n", 400);
  bad("GET / HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\n" HOST "X : a\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\n" HOST ": empty\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\n" HOST "X: a\x01\r\n\r\n", 400);
  refused("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", 36, 400);
  bad("GET  / HTTP/1.1\r\n" HOST "\r\n", 400);
  bad("GET\t/ HTTP/1.1\r\n" HOST "\r\n", 400);
  bad("GET /\r\n", 400);
  bad("GET /a b HTTP/1.1\r\n" HOST "\r\n", 400);
  bad("GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 400);
  bad("GET /a#b HTTP/1.1\r\n" HOST "\r\n", 400);
  bad("GET a HTTP/1.1\r\n" HOST "\r\n", 400);
  bad("GET * HTTP/1.1\r\n" HOST "\r\n", 400);
  bad("GET / HTTP/1.1 \r\n" HOST "\r\n", 400);
  bad("GET / HTTP/1.1\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\nHost: :80\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400);
  bad("GET / HTTP/1.1\r\nHost: [::1]a\r\n\r\n", 400);
  bad("GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400);
  bad("GET / HTTP/2.0\r\n" HOST "\r\n", 505);
  bad("GET / HTTP/1.2\r\n" HOST "\r\n", 505);
  bad("get / HTTP/1.1\r\n" HOST "\r\n", 405);
  bad("BREW /pot HTTP/1.1\r\n" HOST "\r\n", 405);
  bad("CONNECT a:443 HTTP/1.1\r\n" HOST "\r\n", 405);
  bad("POST / HTTP/1.1\r\n" HOST "Expect: tea\r\nContent-Length: 1\r\n\r\n", 417);
  bad("POST / HTTP/1.1\r\n" HOST "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\n", 415);
}

static void smuggling(void **state) {
  (void)state;
#define POST "POST / HTTP/1.1\r\n" HOST
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
  bad(POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
  bad(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400);
  bad(POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400);
  bad(POST "Content-Length: 3, 3\r\n\r\nabc", 400);
  bad(POST "Content-Length: +3\r\n\r\nabc", 400);
  bad(POST "Content-Length: -3\r\n\r\nabc", 400);
  bad(POST "Content-Length: 0x3\r\n\r\nabc", 400);
  bad(POST "Content-Length: 3 3\r\n\r\nabc", 400);
  bad(POST "Content-Length: 99999999999999999999\r\n\r\nabc", 400);
  bad(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400);
  bad(POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400);
  bad(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501);
  bad(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
  bad("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400);
  bad(CHUNKED "3\nabc\r\n0\r\n\r\n", 400);
  bad(CHUNKED "3\r\nabcd\r\n0\r\n\r\n", 400);
  bad(CHUNKED "3\r\nabc\n0\r\n\r\n", 400);
  bad(CHUNKED "-3\r\nabc\r\n0\r\n\r\n", 400);
  bad(CHUNKED "0x3\r\nabc\r\n0\r\n\r\n", 400);
  bad(CHUNKED "fffffffffffffffff\r\nabc\r\n0\r\n\r\n", 400);
  bad(CHUNKED "3;a\nb\r\nabc\r\n0\r\n\r\n", 400);
  bad(CHUNKED "3\r;\r\nabc\r\n0\r\n\r\n", 400);
  bad(CHUNKED "3\r\nabc\r\n0\r\nX: a\nY: b\r\n\r\n", 400);
  bad(CHUNKED "3\r\nabc\r\n0\r\n\rX", 400);
  bad(CHUNKED "3\r\nabc\r\n0\r\n\n", 400);
  bad(CHUNKED "3\r\nabc\r\n0\n\r\n", 400);
  bad(CHUNKED "3\r\nabc\r\n0\r\nX: a\r\n b\r\n\r\n", 400);
  bad(CHUNKED "3\r\nabc\r\n0\r\n: a\r\n\r\n", 400);
  bad(CHUNKED "3\r\nabc\r\n0\r\nX : a\r\n\r\n", 400);
  bad(CHUNKED "3\r\nabc\r\n0\r\nX\r\n\r\n", 400);
  bad(CHUNKED "3\r\nabc\r\n0\r\nX: a\rY: b\r\n\r\n", 400);
  bad(CHUNKED "3\r\nabc\r\n0\r\nX: \x01\r\n\r\n", 400);
}

static char *repeat(const char *before, const char *unit, size_t times, const char *after) {
  size_t size = strlen(before) + strlen(unit) * times + strlen(after) + 1;
  char *text = malloc(size), *p = text;
  p = stpcpy(p, before);
  for (size_t i = 0; i < times; i++) p = stpcpy(p, unit);
  stpcpy(p, after);
  return text;
}

static void bad_repeat(const char *before, const char *unit, size_t times, const char *after,
                       int status) {
  char *text = repeat(before, unit, times, after);
  bad(text, status);
  free(text);
}

static void limits_hold(void **state) {
  (void)state;
  bad_repeat("GET /", "a", 200, " HTTP/1.1\r\n" HOST "\r\n", 414);
  bad_repeat("GET /", "a", 100000, "", 414);
  bad_repeat("", "A", 100000, "", 414);
  bad_repeat("GET / HTTP/1.1\r\n" HOST, "X: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", 50,
             "\r\n", 431);
  bad_repeat("GET / HTTP/1.1\r\n" HOST "X: ", "y", 100000, "", 431);
  bad_repeat("GET / HTTP/1.1\r\n" HOST, "a:\r\n", 100, "\r\n", 431);  // 101 fields
  bad(POST "Content-Length: 1001\r\n\r\n", 413);
  bad(CHUNKED "3e9\r\n", 413);
  bad_repeat(CHUNKED, "a\r\n0123456789\r\n", 101, "", 413);
  bad_repeat(CHUNKED "1;", "x", 100000, "\r\na\r\n0\r\n\r\n", 400);
  bad_repeat(CHUNKED "1\r\na\r\n0\r\n", "T: trailer\r\n", 10000, "\r\n", 431);
}

static void good(const char *text, const char *method, const char *path, const char *query,
                 const char *body, bool keep_alive) {
  size_t size = strlen(text);
  char *with_next = repeat(text, "GET /next", 1, "");
  for (size_t i = 0; i < STEPS; i++) {
    ra__http_parser p;
    ra__http_parser_init(&p, &limits);
    for (int round = 0; round < 2; round++) {  // the same parser again
      size_t used = feed(&p, with_next, size + 9, steps[i]);
      if (p.phase != RA__HTTP_DONE) fail_msg("%d %s: %s", p.status, p.problem, text);
      assert_int_equal(used, size);
      assert_string_equal(p.request.method, method);
      assert_string_equal(p.request.path, path);
      assert_string_equal(p.request.query, query);
      assert_int_equal(p.keep_alive, keep_alive);
      if (body) {
        assert_int_equal(ra_buf_size(p.request.body), strlen(body));
        assert_memory_equal(ra_buf_data(p.request.body), body, strlen(body));
      } else {
        assert_null(p.request.body);
      }
      ra__http_parser_reset(&p);
      assert_true(ra__http_parser_idle(&p));
    }
    ra__http_parser_deinit(&p);
  }
  free(with_next);
}

static void proper_requests(void **state) {
  (void)state;
  good("GET / HTTP/1.1\r\n" HOST "\r\n", "GET", "/", "", NULL, true);
  good("\r\n\r\nGET /a/b?c=d?e&f HTTP/1.1\r\n" HOST "\r\n", "GET", "/a/b", "c=d?e&f", NULL, true);
  good("GET /? HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", "GET", "/", "", NULL, false);
  good("HEAD /a HTTP/1.0\r\n\r\n", "HEAD", "/a", "", NULL, false);
  good("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/a", "", NULL, true);
  good("OPTIONS * HTTP/1.1\r\n" HOST "\r\n", "OPTIONS", "*", "", NULL, true);
  good("GET http://b:80/x?y HTTP/1.1\r\n" HOST "\r\n", "GET", "/x", "y", NULL, true);
  good("GET http://b HTTP/1.1\r\n" HOST "\r\n", "GET", "/", "", NULL, true);
  good("GET / HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", "GET", "/",
       "", NULL, true);
  good(POST "Content-Length: 3\r\n\r\nabc", "POST", "/", "", "abc", true);
  good(POST "Content-Length: 3\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nabc", "POST", "/", "",
       "abc", true);
  good(POST "Content-Length: 0\r\n\r\n", "POST", "/", "", NULL, true);
  good(POST "content-length:3\r\nContent-Encoding: identity\r\n\r\nabc", "POST", "/", "", "abc",
       true);
  good(POST "Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n", "POST",
       "/", "", "abc0123456789", true);
  good(CHUNKED "3;x=y\r\nabc\r\n0\r\nHost: evil\r\nT: u\r\n\r\n", "POST", "/", "", "abc", true);
}

static void headers_are_lower_case_and_joined(void **state) {
  (void)state;
  const char *text =
      "GET / HTTP/1.1\r\nHOST: A.b:80\r\nX-One:  1 \t\r\nx-one: 2\r\nCookie: a=1\r\nEmpty:\r\n"
      "cookie: b=2\r\nX-ONE: 3\r\nX-Utf: \xc3\xa9\r\n\r\n";
  for (size_t i = 0; i < STEPS; i++) {
    ra__http_parser p;
    ra__http_parser_init(&p, &limits);
    feed(&p, text, strlen(text), steps[i]);
    assert_int_equal(p.phase, RA__HTTP_DONE);
    assert_int_equal(p.request.header_count, 5);
    assert_string_equal(ra__http_header(&p.request, "host"), "A.b:80");
    assert_string_equal(ra__http_header(&p.request, "x-one"), "1, 2, 3");
    assert_string_equal(ra__http_header(&p.request, "cookie"), "a=1; b=2");
    assert_string_equal(ra__http_header(&p.request, "empty"), "");
    assert_string_equal(ra__http_header(&p.request, "x-utf"), "\xc3\xa9");
    assert_null(ra__http_header(&p.request, "x"));
    ra__http_parser_deinit(&p);
  }
}

static void the_target_names_the_host(void **state) {
  (void)state;
  const char *text = "GET http://real:8080/x HTTP/1.1\r\nHost: other\r\n\r\n";
  ra__http_parser p;
  ra__http_parser_init(&p, &limits);
  feed(&p, text, strlen(text), 1);
  assert_string_equal(ra__http_header(&p.request, "host"), "real:8080");
  ra__http_parser_deinit(&p);
}

int main(void) {
  unsigned seed = (unsigned)time(NULL);
  printf("seed %u\n", seed);
  srand(seed);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(malformed_requests),
      cmocka_unit_test(smuggling),
      cmocka_unit_test(limits_hold),
      cmocka_unit_test(proper_requests),
      cmocka_unit_test(headers_are_lower_case_and_joined),
      cmocka_unit_test(the_target_names_the_host),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
