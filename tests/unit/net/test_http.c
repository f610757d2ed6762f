// The server over real sockets: what a client sees, and what is left when it misbehaves.
#include <zlib.h>

#include "net/http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static int start_plain(void **state) {
  *state = fixture_start((ra_http_config){.max_body = 1 << 20});
  return 0;
}

static int stop(void **state) {
  size_t before = ra_buf_live_count();
  fixture_stop(*state);
  return ra_buf_live_count() <= before && ra_buf_live_bytes() == 0 ? 0 : -1;
}

static void connections_are_kept(void **state) {
  fixture *f = *state;
  int fd = dial(f);
  reply r;
  for (int i = 0; i < 3; i++) {
    say(fd, "GET /info?a=1 HTTP/1.1\r\nHost: a\r\nX-Test: t\r\nX-Request-Id: abc.1\r\n\r\n");
    assert_true(hear(fd, &r, false));
    assert_int_equal(r.status, 200);
    assert_string_equal((char *)r.body, "GET|/info|a=1|t|abc.1|127.0.0.1|0");
    assert_string_equal(field(&r, "X-Request-Id"), "abc.1");
    assert_string_equal(field(&r, "Content-Type"), "text/plain");
    assert_string_equal(field(&r, "Server-Timing"), "catalog;dur=1.500, encode;dur=0.250");
    assert_string_equal(field(&r, "Connection"), "");
    assert_int_equal(strlen(field(&r, "Date")), 29);
    forget(&r);
  }
  say(fd, "GET /late HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Request-Id: no spaces\r\n\r\n");
  assert_true(hear(fd, &r, false));
  assert_string_equal(field(&r, "Connection"), "close");
  assert_int_equal(strlen(field(&r, "X-Request-Id")), 16);
  assert_true(ended(fd));
  forget(&r);
  close(fd);
  await(&f->logged, 4);
}

static void old_clients_are_served(void **state) {
  reply r;
  int fd = dial(*state);
  say(fd, "GET /info HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  assert_true(hear(fd, &r, false));
  assert_string_equal(field(&r, "Connection"), "keep-alive");
  forget(&r);
  say(fd, "GET /info HTTP/1.0\r\n\r\n");
  assert_true(hear(fd, &r, false));
  assert_string_equal(field(&r, "Connection"), "close");
  assert_true(ended(fd));
  forget(&r);
  close(fd);
}

// Answers come in the order of the requests, whether they are given at once or late.
static void pipelined_requests_are_answered_in_order(void **state) {
  int fd = dial(*state);
  const char *unit =
      GET("/late") GET("/info") "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz";
  for (int i = 0; i < 4; i++) say(fd, unit);
  reply r;
  for (int i = 0; i < 4; i++) {
    assert_true(hear(fd, &r, false));
    assert_string_equal((char *)r.body, "late");
    forget(&r);
    assert_true(hear(fd, &r, false));
    assert_memory_equal(r.body, "GET|/info", 9);
    forget(&r);
    assert_true(hear(fd, &r, false));
    assert_string_equal((char *)r.body, "xyz");
    forget(&r);
  }
  close(fd);
}

static void *send_many(void *ctx) {
  int fd = *(int *)ctx;
  const char *request =
      "GET /info HTTP/1.1\r\nHost: a\r\nX-Pad: 0123456789012345678901234567890123456789\r\n\r\n";
  say(fd, GET("/late"));
  for (int i = 0; i < 20000; i++) say(fd, request);
  return NULL;
}

// A client that sends 1.7 MB ahead of an answer is read no further than 64 KiB, and loses nothing.
static void a_flood_of_pipelined_requests_is_served(void **state) {
  int fd = dial(*state);
  pthread_t sender;
  pthread_create(&sender, NULL, send_many, &fd);
  reply r;
  for (int i = 0; i < 20001; i++) {
    assert_true(hear(fd, &r, false));
    assert_int_equal(r.status, 200);
    forget(&r);
  }
  pthread_join(sender, NULL);
  close(fd);
}

static void head_is_get_without_its_body(void **state) {
  fixture *f = *state;
  int fd = dial(f);
  reply r;
  const char *paths[] = {"/info", "/file", "/big"};
  size_t sizes[] = {0, FILE_SIZE, BIG};
  for (int i = 0; i < 3; i++) {
    char request[128];
    snprintf(request, sizeof request, "HEAD %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
    say(fd, request);
    assert_true(hear(fd, &r, true));
    assert_int_equal(r.status, 200);
    assert_true(sizes[i] ? r.size == sizes[i] : r.size > 10);
    forget(&r);
  }
  say(fd, GET("/none"));
  assert_true(hear(fd, &r, false));
  assert_int_equal(r.status, 204);
  assert_string_equal(field(&r, "Content-Length"), "");
  forget(&r);
  say(fd, GET("/info"));  // nothing was left over between them
  assert_true(hear(fd, &r, false));
  forget(&r);
  close(fd);
}

static void bodies_arrive(void **state) {
  int fd = dial(*state);
  reply r;
  say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  usleep(20000);
  say(fd, "6\r\n world\r\n0\r\n\r\n");
  assert_true(hear(fd, &r, false));
  assert_string_equal((char *)r.body, "hello world");
  forget(&r);
  say(fd, "PUT /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  uint8_t *bytes = malloc(1000000);
  for (size_t i = 0; i < 1000000; i++) bytes[i] = pattern(i);
  assert_int_equal(send(fd, bytes, 1000000, 0), 1000000);
  assert_true(hear(fd, &r, false));
  assert_int_equal(r.size, 1000000);
  assert_memory_equal(r.body, bytes, 1000000);
  free(bytes);
  forget(&r);
  close(fd);
}

static void expect_continue(void **state) {
  int fd = dial(*state);
  reply r;
  say(fd, "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  assert_true(hear(fd, &r, false));
  assert_int_equal(r.status, 100);
  forget(&r);
  say(fd, "abc");
  assert_true(hear(fd, &r, false));
  assert_int_equal(r.status, 200);
  assert_string_equal((char *)r.body, "abc");
  forget(&r);
  say(fd,
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n");
  assert_true(hear(fd, &r, false));
  assert_int_equal(r.status, 413);
  forget(&r);
  close(fd);
}

static void check_problem(const reply *r, int status) {
  assert_int_equal(r->status, status);
  assert_string_equal(field(r, "Content-Type"), "application/problem+json");
  assert_string_equal(field(r, "Connection"), "close");
  char expected[32];
  snprintf(expected, sizeof expected, "\"status\":%d,\"detail\":\"", status);
  assert_non_null(strstr((char *)r->body, expected));
}

// Each gets its sentence and the end of the connection, also while the client still sends.
static void refusals_reach_the_client(void **state) {
  fixture *f = *state;
  static const struct {
    const char *start, *flood;
    int status;
  } cases[] = {
      {"nonsense\r\n\r\n", "", 400},
      {"GET / HTTP/1.1\nHost: a\n\n", "", 400},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
       "0\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", 400},
      {"GET /", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 414},
      {"GET / HTTP/1.1\r\nHost: a\r\n", "X-Some-Header: with-some-value\r\n", 431},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n",
       "aaaaaaaaaaaaaaaaaaaaaaaa", 413},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
       "10\r\naaaaaaaaaaaaaaaa\r\n", 413},
      {"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 9\r\n\r\n", "",
       415},
      {"BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", "", 405},
      {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "", 505},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int fd = dial(f);
    say(fd, cases[i].start);
    size_t unit = strlen(cases[i].flood);
    for (size_t sent = 0; unit && sent < 3000000; sent += unit) {
      if (send(fd, cases[i].flood, unit, MSG_NOSIGNAL) < 0) break;
    }
    reply r;
    assert_true(hear(fd, &r, false));
    check_problem(&r, cases[i].status);
    forget(&r);
    close(fd);
  }
}

// What is broken comes behind a late answer, and far more after it: it is dropped, piece by piece.
static void a_refusal_of_what_was_sent_ahead(void **state) {
  fixture *f = *state;
  char flood[8192];
  memset(flood, 'x', sizeof flood);
  for (int i = 0; i < 5; i++) {
    int fd = dial(f);
    say(fd, GET("/late") "GET /info HTTP/1.1\r\nHost: a b\r\n\r\n");
    for (int k = 0; k < 100; k++) {
      if (send(fd, flood, sizeof flood, MSG_NOSIGNAL) < 0) break;
    }
    reply r;
    assert_true(hear(fd, &r, false));
    assert_string_equal((char *)r.body, "late");
    forget(&r);
    assert_true(hear(fd, &r, false));
    check_problem(&r, 400);
    forget(&r);
    for (int k = 0; k < 100; k++) {
      if (send(fd, flood, sizeof flood, MSG_NOSIGNAL) < 0) break;
    }
    close(fd);
  }
}

static void broken_answers_become_500(void **state) {
  reply r;
  ask(*state, GET("/evil"), &r);
  assert_int_equal(r.status, 500);
  assert_null(strstr(r.head, "Set-Cookie"));
  forget(&r);
  ask(*state, GET("/length"), &r);
  assert_int_equal(r.status, 500);
  forget(&r);
}

static size_t inflate_all(const uint8_t *packed, size_t size, char *out, size_t out_size) {
  z_stream z = {.next_in = (Bytef *)(uintptr_t)packed,
                .avail_in = (uInt)size,
                .next_out = (Bytef *)out,
                .avail_out = (uInt)out_size};
  assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
  assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
  inflateEnd(&z);
  return z.total_out;
}

static void text_is_packed_for_those_who_take_it(void **state) {
  fixture *f = *state;
  reply r;
  ask(f, GET("/tagged"), &r);
  assert_string_equal(field(&r, "ETag"), "\"tag\"");
  assert_string_equal(field(&r, "Content-Encoding"), "");
  assert_string_equal(field(&r, "Vary"), "Accept, Accept-Encoding");
  assert_int_equal(r.size, 20000);
  forget(&r);
  ask(f, "GET /tagged HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br, gzip\r\n\r\n", &r);
  assert_string_equal(field(&r, "ETag"), "\"tag-gzip\"");
  assert_string_equal(field(&r, "Content-Encoding"), "gzip");
  assert_true(r.size < 1000);
  char *text = malloc(20001);
  assert_int_equal(inflate_all(r.body, r.size, text, 20001), 20000);
  for (int i = 0; i < 20000; i++) assert_int_equal(text[i], "rastrum "[i % 8]);
  free(text);
  size_t packed = r.size;
  forget(&r);
  ask(f, "HEAD /tagged HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n", &r);
  assert_int_equal(r.size, packed);
  forget(&r);
  ask(f, "GET /tagged HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"tag-gzip\"\r\n\r\n", &r);
  assert_int_equal(r.status, 304);
  assert_string_equal(field(&r, "ETag"), "\"tag-gzip\"");
  assert_string_equal(field(&r, "Content-Length"), "");
  forget(&r);
  ask(f,
      "GET /tagged HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nIf-None-Match: \"tag\"\r\n\r\n",
      &r);
  assert_int_equal(r.status, 304);
  assert_string_equal(field(&r, "ETag"), "\"tag\"");
  forget(&r);
}

static void check_bytes(const reply *r, size_t first, size_t size) {
  assert_int_equal(r->size, size);
  for (size_t i = 0; i < size; i++) {
    if (r->body[i] != pattern(first + i)) fail_msg("byte %zu differs", i);
  }
}

static void files_are_sent_whole_and_in_ranges(void **state) {
  fixture *f = *state;
  reply r;
  ask(f, GET("/file"), &r);
  assert_int_equal(r.status, 200);
  check_bytes(&r, 0, FILE_SIZE);
  forget(&r);
  ask(f, "GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=262143-600000\r\n\r\n", &r);
  assert_int_equal(r.status, 206);
  assert_string_equal(field(&r, "Content-Range"), "bytes 262143-600000/8000003");
  check_bytes(&r, 262143, 600000 - 262143 + 1);
  forget(&r);
  ask(f, "GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=-1\r\n\r\n", &r);
  check_bytes(&r, FILE_SIZE - 1, 1);
  forget(&r);
  ask(f, "GET /file HTTP/1.1\r\nHost: a\r\nRange: bytes=8000003-\r\n\r\n", &r);
  assert_int_equal(r.status, 416);
  forget(&r);
}

static void a_shortened_file_ends_the_connection(void **state) {
  fixture *f = *state;
  assert_int_equal(truncate(f->file, 5000000), 0);
  int fd = dial(f);
  say(fd, GET("/file"));
  reply r;
  assert_false(hear(fd, &r, false));
  assert_int_equal(r.size, FILE_SIZE);
  forget(&r);
  close(fd);
  assert_int_equal(truncate(f->file, 100), 0);
  ask(f, GET("/file"), &r);
  assert_int_equal(r.status, 500);
  forget(&r);
}

static void a_client_that_leaves_is_noticed(void **state) {
  fixture *f = *state;
  struct linger reset = {.l_onoff = 1};
  for (int i = 0; i < 3; i++) {
    int fd = dial(f);
    say(fd, GET("/hang"));
    if (i == 2) say(fd, GET("/info"));  // sent ahead: the end behind it is still seen
    usleep(20000);
    if (i == 1) setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    await(&f->gone, i + 1);
    assert_int_equal(atomic_load(&f->last_status), 499);
  }
  // Without on_gone the exchange can still be answered.
  int fd = dial(f);
  say(fd, GET("/hold"));
  usleep(20000);
  close(fd);
  await(&f->logged, 4);
  reply r;
  ask(f, GET("/release"), &r);
  assert_string_equal((char *)r.body, "released");
  forget(&r);
}

// It has said all that it wanted to; what was sent ahead is answered too, and then the connection ends.
static void a_half_closed_client_gets_its_answers(void **state) {
  fixture *f = *state;
  static const char *const requests[] = {GET("/big"), GET("/late"), GET("/late") GET("/late"),
                                         GET("/file"), GET("/late") GET("/info") "GET /cut"};
  static const int answers[] = {1, 1, 2, 1, 2};
  for (int i = 0; i < 5; i++) {
    int fd = dial(f);
    say(fd, requests[i]);
    shutdown(fd, SHUT_WR);
    reply r;
    for (int k = 0; k < answers[i]; k++) {
      assert_true(hear(fd, &r, false));
      assert_int_equal(r.status, 200);
      if (i == 0) check_bytes(&r, 0, BIG);
      if (i == 3) check_bytes(&r, 0, FILE_SIZE);
      if (k == 0 && i != 0 && i != 3) assert_string_equal((char *)r.body, "late");
      forget(&r);
    }
    assert_true(ended(fd));
    close(fd);
  }
  await(&f->logged, 7);
  assert_int_equal(atomic_load(&f->gone), 0);
}

int main(void) {
  ra_lane_pool_size(4);
#define T(name) cmocka_unit_test_setup_teardown(name, start_plain, stop)
  const struct CMUnitTest tests[] = {
      T(connections_are_kept),
      T(old_clients_are_served),
      T(pipelined_requests_are_answered_in_order),
      T(a_flood_of_pipelined_requests_is_served),
      T(head_is_get_without_its_body),
      T(bodies_arrive),
      T(expect_continue),
      T(refusals_reach_the_client),
      T(a_refusal_of_what_was_sent_ahead),
      T(broken_answers_become_500),
      T(text_is_packed_for_those_who_take_it),
      T(files_are_sent_whole_and_in_ranges),
      T(a_shortened_file_ends_the_connection),
      T(a_client_that_leaves_is_noticed),
      T(a_half_closed_client_gets_its_answers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
