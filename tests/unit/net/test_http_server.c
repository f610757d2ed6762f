// The server as a whole: timeouts, limits, back-pressure, draining, proxies, origins, listening.
#include <malloc.h>
#include <sys/un.h>

#include "net/http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static void slow_clients_are_told(void **state) {
  (void)state;
  fixture *f = fixture_start(
      (ra_http_config){.header_timeout_ms = 200, .body_timeout_ms = 300, .idle_timeout_ms = 600});
  reply r;
  ask(f, "GET / HTT", &r);
  assert_int_equal(r.status, 408);
  forget(&r);
  ask(f, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", &r);
  assert_int_equal(r.status, 408);
  assert_non_null(strstr((char *)r.body, "body"));
  forget(&r);
  int fd = dial(f);  // one byte now and then does not help
  const char *text = "GET /a-long-path-that-takes-for-ever HTTP/1.1";
  for (int i = 0; i < 20 && text[i]; i++) {
    if (send(fd, text + i, 1, MSG_NOSIGNAL) < 0) break;
    usleep(30000);
  }
  assert_true(hear(fd, &r, false));
  assert_int_equal(r.status, 408);
  forget(&r);
  close(fd);
  fd = dial(f);  // silence ends without an answer
  assert_true(ended(fd));
  close(fd);
  fd = dial(f);
  say(fd, GET("/info"));
  assert_true(hear(fd, &r, false));
  forget(&r);
  assert_true(ended(fd));
  close(fd);
  fixture_stop(f);
}

static void readers_that_stop_are_closed(void **state) {
  (void)state;
  fixture *f = fixture_start((ra_http_config){.write_timeout_ms = 300});
  int fd = dial(f);
  int small = 4096;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  say(fd, GET("/big"));
  await(&f->logged, 1);
  assert_int_equal(atomic_load(&f->last_status), 200);
  assert_true(atomic_load(&f->last_bytes) < BIG);
  close(fd);
  fixture_stop(f);
  assert_int_equal(ra_buf_live_bytes(), 0);
}

// Where memory is short they have an eighth of their time.
static void readers_that_stop_give_way(void **state) {
  (void)state;
  fixture *crowded = fixture_start((ra_http_config){.write_timeout_ms = 8000, .crowded = BIG / 2});
  fixture *roomy = fixture_start((ra_http_config){.write_timeout_ms = 8000, .crowded = 100 * BIG});
  int fd = dial(crowded), other = dial(roomy);
  say(other, GET("/big"));
  say(fd, GET("/big"));
  await(&crowded->logged, 1);
  assert_true(atomic_load(&crowded->last_bytes) < BIG);
  assert_int_equal(atomic_load(&roomy->logged), 0);
  close(fd);
  close(other);
  fixture_stop(crowded);
  fixture_stop(roomy);
  assert_int_equal(ra_buf_live_bytes(), 0);
}

// Many slow readers of a file hold one piece each, whatever the file's size; and all get it.
static void slow_readers_hold_little(void **state) {
  (void)state;
  fixture *f = fixture_start((ra_http_config){.write_timeout_ms = 10000});
  enum { READERS = 20 };
  int fds[READERS], small = 65536;
  struct mallinfo2 before = mallinfo2();
  for (int i = 0; i < READERS; i++) {
    fds[i] = dial(f);
    setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(fds[i], GET("/file"));
  }
  usleep(200000);
  assert_int_equal(atomic_load(&f->logged), 0);  // all of them wait in the middle
  struct mallinfo2 after = mallinfo2();
  assert_true(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd < READERS * 80000u);
  reply r;
  ask(f, GET("/info"), &r);  // others are served meanwhile
  assert_int_equal(r.status, 200);
  forget(&r);
  for (int i = 0; i < READERS; i++) {
    assert_true(hear(fds[i], &r, false));
    assert_int_equal(r.size, FILE_SIZE);
    for (size_t k = 0; k < r.size; k += 997) assert_int_equal(r.body[k], pattern(k));
    forget(&r);
    close(fds[i]);
  }
  fixture_stop(f);
}

// With the lane full a file is refused before its first byte, and only late after it.
static void files_wait_for_a_full_lane(void **state) {
  (void)state;
  fixture_lane.width = 1;
  fixture_lane.depth = 1;
  fixture *f = fixture_start((ra_http_config){.header_timeout_ms = 100});
  enum { READERS = 8 };
  int fds[READERS], whole = 0;
  for (int i = 0; i < READERS; i++) fds[i] = dial(f);
  for (int i = 0; i < READERS; i++) say(fds[i], GET("/file"));
  for (int i = 0; i < READERS; i++) {
    reply r;
    assert_true(hear(fds[i], &r, false));
    assert_true(r.status == 200 || r.status == 503);
    if (r.status == 200) whole++;
    for (size_t k = 0; r.status == 200 && k < r.size; k += 997)
      assert_int_equal(r.body[k], pattern(k));
    forget(&r);
    close(fds[i]);
  }
  assert_true(whole >= 1);
  fixture_stop(f);
  fixture_lane.width = 2;
  fixture_lane.depth = 100;
}

static void too_many_connections_get_503(void **state) {
  (void)state;
  fixture *f = fixture_start((ra_http_config){.max_connections = 3});
  int fds[3];
  reply r;
  for (int i = 0; i < 3; i++) {
    fds[i] = dial(f);
    say(fds[i], GET("/info"));
    assert_true(hear(fds[i], &r, false));
    assert_int_equal(r.status, 200);
    forget(&r);
  }
  ask(f, GET("/info"), &r);
  assert_int_equal(r.status, 503);
  assert_string_equal(field(&r, "Retry-After"), "1");
  forget(&r);
  for (int i = 0; i < 3; i++) close(fds[i]);
  usleep(50000);
  ask(f, GET("/info"), &r);
  assert_int_equal(r.status, 200);
  forget(&r);
  fixture_stop(f);
}

static void draining_finishes_what_is_in_flight(void **state) {
  (void)state;
  fixture *f = fixture_start((ra_http_config){0});
  int idle = dial(f), busy = dial(f);
  reply r;
  say(idle, GET("/info"));
  assert_true(hear(idle, &r, false));
  forget(&r);
  say(busy, GET("/late"));
  usleep(20000);
  uv_async_send(&f->drain);
  assert_true(ended(idle));
  assert_true(hear(busy, &r, false));
  assert_string_equal((char *)r.body, "late");
  assert_string_equal(field(&r, "Connection"), "close");
  forget(&r);
  assert_true(ended(busy));
  await(&f->drained, 1);
  close(idle);
  close(busy);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f->port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), -1);
  close(fd);
  fixture_stop(f);
}

static void an_idle_server_drains_at_once(void **state) {
  (void)state;
  fixture *f = fixture_start((ra_http_config){0});
  uv_async_send(&f->drain);
  await(&f->drained, 1);
  fixture_stop(f);
}

static void closing_tells_the_handlers(void **state) {
  (void)state;
  fixture *f = fixture_start((ra_http_config){0});
  int fd = dial(f), other = dial(f);
  say(fd, GET("/hang"));
  say(other, GET("/big"));
  usleep(50000);
  uv_async_send(&f->stop);
  pthread_join(f->thread, NULL);
  assert_int_equal(atomic_load(&f->gone), 1);
  assert_int_equal(uv_loop_close(&f->loop), 0);
  close(fd);
  close(other);
  unlink(f->file);
  free(f);
  assert_int_equal(ra_buf_live_bytes(), 0);
}

static void proxies_speak_for_their_clients(void **state) {
  (void)state;
  static const char *const trusted[] = {"127.0.0.0/8", "10.1.0.0/16", "2001:db8::/33", NULL};
  fixture *f = fixture_start((ra_http_config){.trusted_proxies = trusted});
  static const char *const cases[][2] = {
      {"X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n", "203.0.113.7|1"},
      {"X-Forwarded-For: 6.6.6.6, 203.0.113.7\r\n", "203.0.113.7|0"},
      {"X-Forwarded-For: 203.0.113.7, 10.1.2.3\r\n", "203.0.113.7|0"},
      {"X-Forwarded-For: 203.0.113.7:4711\r\nX-Forwarded-Proto: http, https\r\n", "203.0.113.7|1"},
      {"X-Forwarded-For: [2001:db8:8000::1]:80, 2001:db8:7fff::1\r\n", "2001:db8:8000::1|0"},
      {"X-Forwarded-For: evil\"\r\n", "127.0.0.1|0"},
      {"X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: evil, 10.1.0.1\r\n", "10.1.0.1|0"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char request[256];
    snprintf(request, sizeof request, "GET /info HTTP/1.1\r\nHost: a\r\n%s\r\n", cases[i][0]);
    reply r;
    ask(f, request, &r);
    const char *end = (char *)r.body + r.size - strlen(cases[i][1]);
    assert_string_equal(end, cases[i][1]);
    forget(&r);
  }
  fixture_stop(f);
  f = fixture_start((ra_http_config){0});
  reply r;
  ask(f,
      "GET /info HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: "
      "https\r\n\r\n",
      &r);
  assert_non_null(strstr((char *)r.body, "|127.0.0.1|0"));
  forget(&r);
  fixture_stop(f);
}

#define FROM(origin) "Host: a\r\nOrigin: " origin "\r\n"

static void listed_origins_may_read(void **state) {
  (void)state;
  static const char *const origins[] = {"https://map.example", NULL};
  fixture *f = fixture_start((ra_http_config){.cors_origins = origins});
  reply r;
  ask(f, "GET /info HTTP/1.1\r\n" FROM("https://map.example") "\r\n", &r);
  assert_string_equal(field(&r, "Access-Control-Allow-Origin"), "https://map.example");
  assert_string_equal(field(&r, "Access-Control-Allow-Credentials"), "true");
  assert_string_equal(field(&r, "Vary"), "Origin");
  forget(&r);
  ask(f, "GET /info HTTP/1.1\r\n" FROM("https://map.example.evil") "\r\n", &r);
  assert_string_equal(field(&r, "Access-Control-Allow-Origin"), "");
  assert_string_equal(field(&r, "Vary"), "Origin");
  forget(&r);
  ask(f, "OPTIONS /info HTTP/1.1\r\n" FROM("https://map.example") "Access-Control-Request-Method: PUT\r\n"
         "Access-Control-Request-Headers: x-a, authorization\r\n\r\n", &r);
  assert_int_equal(r.status, 204);
  assert_string_equal(field(&r, "Access-Control-Allow-Headers"), "x-a, authorization");
  assert_non_null(strstr(field(&r, "Access-Control-Allow-Methods"), "PUT"));
  forget(&r);
  ask(f,
      "OPTIONS /info HTTP/1.1\r\n" FROM(
          "https://evil") "Access-Control-Request-Method: PUT\r\n\r\n",
      &r);
  assert_memory_equal(r.body, "OPTIONS|/info", 13);  // the handler's affair
  assert_string_equal(field(&r, "Access-Control-Allow-Origin"), "");
  forget(&r);
  ask(f, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", &r);
  assert_int_equal(r.status, 204);
  assert_non_null(strstr(field(&r, "Allow"), "GET"));
  forget(&r);
  fixture_stop(f);
}

static void any_origin_goes_without_credentials(void **state) {
  (void)state;
  static const char *const origins[] = {"*", NULL};
  fixture *f = fixture_start((ra_http_config){.cors_origins = origins});
  reply r;
  ask(f, "GET /nowhere HTTP/1.1\r\n" FROM("https://any") "\r\n", &r);
  assert_int_equal(r.status, 404);
  assert_string_equal(field(&r, "Access-Control-Allow-Origin"), "*");
  assert_string_equal(field(&r, "Access-Control-Allow-Credentials"), "");
  assert_string_equal(field(&r, "Vary"), "");
  forget(&r);
  fixture_stop(f);
}

static void taken_ports_are_passed_over(void **state) {
  (void)state;
  int first, second, third, port, next;
  ra_err err;
  char address[32];
  assert_int_equal(ra_http_bind("127.0.0.1:0", false, &first, &port, &err), RA_OK);
  assert_true(fcntl(first, F_GETFD) & FD_CLOEXEC);
  snprintf(address, sizeof address, "127.0.0.1:%d", port);
  assert_int_equal(ra_http_bind(address, false, &second, &next, &err), RA_E_CONFLICT);
  assert_int_equal(ra_http_bind(address, true, &second, &next, &err), RA_OK);
  assert_true(next > port && next <= port + 20);
  assert_int_equal(ra_http_bind("[::1]:0", false, &third, &next, &err), RA_OK);
  close(first);
  close(second);
  close(third);
  const char *bad[] = {
      "", "8080", "host.example:80", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "unix:"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(ra_http_bind(bad[i], false, &first, &port, &err), RA_E_INVALID);
  }
}

static void a_unix_socket_is_its_owners(void **state) {
  (void)state;
  char path[64] = "/tmp/ra-sock-XXXXXX", address[80];
  assert_non_null(mkdtemp(path));
  strcat(path, "/s");
  snprintf(address, sizeof address, "unix:%s", path);
  int fd, port, again;
  ra_err err;
  assert_int_equal(ra_http_bind(address, false, &fd, &port, &err), RA_OK);
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  assert_true(ra_http_bind(address, false, &again, &port, &err) < 0);  // it is served
  close(fd);
  assert_int_equal(ra_http_bind(address, false, &fd, &port, &err), RA_OK);  // a dead one is replaced
  fixture *f = fixture_start_with((ra_http_config){0}, fd);
  struct sockaddr_un to = {.sun_family = AF_UNIX};
  strcpy(to.sun_path, path);
  int client = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof to), 0);
  say(client, GET("/info"));
  reply r;
  assert_true(hear(client, &r, false));
  assert_non_null(strstr((char *)r.body, "|unix|0"));
  forget(&r);
  close(client);
  fixture_stop(f);
  unlink(path);
  path[strlen(path) - 2] = 0;
  rmdir(path);
}

int main(void) {
  ra_lane_pool_size(4);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(slow_clients_are_told),
      cmocka_unit_test(readers_that_stop_are_closed),
      cmocka_unit_test(readers_that_stop_give_way),
      cmocka_unit_test(slow_readers_hold_little),
      cmocka_unit_test(files_wait_for_a_full_lane),
      cmocka_unit_test(too_many_connections_get_503),
      cmocka_unit_test(draining_finishes_what_is_in_flight),
      cmocka_unit_test(an_idle_server_drains_at_once),
      cmocka_unit_test(closing_tells_the_handlers),
      cmocka_unit_test(proxies_speak_for_their_clients),
      cmocka_unit_test(listed_origins_may_read),
      cmocka_unit_test(any_origin_goes_without_credentials),
      cmocka_unit_test(taken_ports_are_passed_over),
      cmocka_unit_test(a_unix_socket_is_its_owners),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
