// Byte ranges of an HTTP server that answers as a script says: rightly, wrongly, too much, too little, never; and of another
// file than before.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "net/remote.h"
#include "net/remote_head.h"

typedef struct server {
  int listener;
  pthread_t thread;
  char url[64], asked[4096];
  const char *answer;  // NULL: never
  unsigned requests;
} server;

static void serve_one(server *s, int fd) {
  size_t got = 0;
  while (got < sizeof s->asked - 1) {
    ssize_t n = read(fd, s->asked + got, sizeof s->asked - 1 - got);
    if (n <= 0) return;
    got += (size_t)n;
    s->asked[got] = 0;
    if (strstr(s->asked, "\r\n\r\n")) break;
  }
  s->requests++;
  char rest;
  if (!s->answer) {
    (void)!read(fd, &rest, 1);  // until the client gives up
  } else {
    (void)!write(fd, s->answer, strlen(s->answer));
  }
}

static void *serve(void *ctx) {
  server *s = ctx;
  for (int fd; (fd = accept(s->listener, NULL, NULL)) >= 0; close(fd)) serve_one(s, fd);
  return NULL;
}

static int start(void **state) {
  static server s;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  s = (server){.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (bind(s.listener, (struct sockaddr *)&at, size) || listen(s.listener, 8) ||
      getsockname(s.listener, (struct sockaddr *)&at, &size))
    return -1;
  snprintf(s.url, sizeof s.url, "http://127.0.0.1:%d/a.nc", ntohs(at.sin_port));
  *state = &s;
  return pthread_create(&s.thread, NULL, serve, &s);
}

static int stop(void **state) {
  server *s = *state;
  shutdown(s->listener, SHUT_RDWR);
  close(s->listener);
  pthread_join(s->thread, NULL);
  return 0;
}

static const char *const LOOPBACK[] = {"127.0.0.1", NULL};

static ra_remote *client(const char *const *allowed) {
  ra_remote *remote;
  assert_int_equal(ra_remote_new(allowed, 1000, &remote, NULL), RA_OK);
  return remote;
}

#define FOUR "HTTP/1.1 206 Partial Content\r\nConnection: close\r\nETag: \"one\"\r\n"

// Reads bytes 2 to 5 of ten.
static int read_four(server *s, const char *answer, char got[8], ra_err *err) {
  ra_remote *remote = client(LOOPBACK);
  const ra_remote_state state = {10, "\"one\""};
  s->answer = answer;
  memset(got, 0, 8);
  int rc = ra_remote_read(remote, s->url, &state, 2, 4, (uint8_t *)got, NULL, err);
  ra_remote_free(remote);
  return rc;
}

static void the_bytes_that_were_asked_for(void **state) {
  server *s = *state;
  char got[8];
  ra_err err = {0};
  int rc =
      read_four(s, FOUR "Content-Length: 4\r\nContent-Range: bytes 2-5/10\r\n\r\ncdef", got, &err);
  if (rc < 0) fail_msg("%s", err.message);
  assert_string_equal(got, "cdef");
  assert_non_null(strstr(s->asked, "Range: bytes=2-5\r\n"));
}

static void anything_else_is_refused(void **state) {
  static const struct {
    const char *answer;
    int code;
    const char *why;
  } CASES[] = {
      {FOUR "Content-Length: 4\r\nContent-Range: bytes 3-6/10\r\n\r\ndefg", RA_E_UPSTREAM,
       "other bytes"},
      {FOUR "Content-Length: 5\r\nContent-Range: bytes 2-6/10\r\n\r\ncdefg", RA_E_UPSTREAM,
       "other bytes"},
      {FOUR "Content-Range: bytes 2-5/10\r\n\r\ncdefgh", RA_E_UPSTREAM, "more bytes"},
      {FOUR "Content-Range: bytes 2-5/10\r\n\r\ncd", RA_E_UPSTREAM, "cut short"},
      {FOUR "Content-Length: 4\r\nContent-Range: bytes 2-5/10\r\n\r\ncd", RA_E_UPSTREAM, ""},
      {FOUR "Content-Length: 4\r\n\r\ncdef", RA_E_UPSTREAM, "which bytes"},
      {FOUR "Content-Length: 4\r\nContent-Range: bytes 2-5/*\r\n\r\ncdef", RA_E_UPSTREAM,
       "which bytes"},
      {FOUR "Content-Length: 4\r\nContent-Range: bytes 2-5/11\r\n\r\ncdef", RA_E_CONFLICT,
       "was changed"},
      {FOUR "Content-Encoding: gzip\r\nContent-Range: bytes 2-5/10\r\n\r\ncdef", RA_E_UPSTREAM,
       "compressed"},
      {"HTTP/1.1 206 Partial Content\r\nETag: \"two\"\r\nContent-Range: bytes 2-5/10\r\n\r\ncdef",
       RA_E_CONFLICT, "was changed"},
      {"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-5/10\r\n\r\ncdef", RA_E_CONFLICT,
       "was changed"},
      {"HTTP/1.1 200 OK\r\nETag: \"one\"\r\nContent-Length: 10\r\n\r\nabcdefghij", RA_E_UNSUPPORTED,
       "no byte ranges"},
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", RA_E_CONFLICT, "removed"},
      {"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", RA_E_UPSTREAM, "answered 500"},
      {"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", RA_E_UPSTREAM, "does not give"},
      {"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/x\r\nContent-Length: 0\r\n\r\n",
       RA_E_DENIED, "fetch_allow"},
      {"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
       RA_E_UPSTREAM, ""},
      {"nonsense\r\n\r\n", RA_E_UPSTREAM, ""},
      {"", RA_E_UPSTREAM, ""},
      {NULL, RA_E_UPSTREAM_TIMEOUT, "in time"},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
    char got[8];
    ra_err err = {0};
    int rc = read_four(*state, CASES[i].answer, got, &err);
    if (rc != CASES[i].code || !strstr(err.message, CASES[i].why))
      fail_msg("%s: %d %s", CASES[i].answer, rc, err.message);
  }
}

static void special_addresses_are_not_asked(void **state) {
  server *s = *state;
  ra_remote *remote = client(NULL);
  ra_remote_state got;
  ra_err err = {0};
  s->answer = FOUR "Content-Length: 1\r\nContent-Range: bytes 0-0/10\r\n\r\na";
  assert_int_equal(ra_remote_look(remote, s->url, NULL, &got, &err), RA_E_DENIED);
  assert_non_null(strstr(err.message, "fetch_allow"));
  assert_int_equal(s->requests, 0);
  static const char *const BAD[] = {"file:///etc/passwd", "ftp://a/b", "http://u:p@127.0.0.1/",
                                    "http://a/\n", ""};
  for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
    assert_int_equal(ra_remote_look(remote, BAD[i], NULL, &got, NULL), RA_E_INVALID);
  ra_remote_free(remote);
}

static void a_look_tells_what_is_there(void **state) {
  server *s = *state;
  ra_remote *remote = client(LOOPBACK);
  ra_remote_state got;
  s->answer = FOUR "Content-Length: 1\r\nContent-Range: bytes 0-0/10\r\n\r\na";
  assert_int_equal(ra_remote_look(remote, s->url, NULL, &got, NULL), RA_OK);
  assert_int_equal(got.size, 10);
  assert_string_equal(got.tag, "\"one\"");
  s->answer = "HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  assert_int_equal(ra_remote_look(remote, s->url, NULL, &got, NULL), RA_E_NOTFOUND);
  s->answer = "HTTP/1.1 200 OK\r\nLast-Modified: then\r\nConnection: close\r\n\r\nabcd";
  ra_str text;
  ra_str_init(&text);
  assert_int_equal(ra_remote_text(remote, s->url, 4, NULL, &text, &got, NULL), RA_OK);
  assert_string_equal(text.ptr, "abcd");
  assert_string_equal(got.tag, "then");
  text.len = 0;
  assert_int_equal(ra_remote_text(remote, s->url, 3, NULL, &text, &got, NULL), RA_E_TOOBIG);
  ra_str_deinit(&text);
  ra_remote_free(remote);
}

static void heads(void **state) {
  (void)state;
  static const char *const BAD[] = {
      "Content-Range: bytes 5-2/10", "Content-Range: bytes 2-10/10",
      "Content-Range: bytes -5/10",  "Content-Range: bytes 2-5/99999999999999999999",
      "Content-Range: items 2-5/10", "Content-Range: bytes 2-5/10x",
      "Content-Range: bytes 2-5",    "Content-Range:"};
  ra__remote_head head = {0};
  for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
    ra__remote_head_line(&head, BAD[i], strlen(BAD[i]));
    assert_false(head.has_range);
  }
  const char good[] = "content-range:  Bytes 2-5/18446744073709551615 ";
  ra__remote_head_line(&head, good, sizeof good - 1);
  assert_true(head.has_range && head.total == UINT64_MAX && head.first == 2 && head.last == 5);
  ra__remote_head_line(&head, "HTTP/2 200", 10);
  assert_false(head.has_range);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(the_bytes_that_were_asked_for),
      TEST(anything_else_is_refused),
      TEST(special_addresses_are_not_asked),
      TEST(a_look_tells_what_is_there),
      cmocka_unit_test(heads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
