// test_address.c - which addresses are nobody's on the public internet.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>

#include "net/address.h"

static ra_address parsed(const char *text) {
  ra_address address;
  assert_true(ra_address_parse(text, &address));
  return address;
}

static void test_special(void **state) {
  (void)state;
  static const char *const special[] = {"127.0.0.1",
                                        "127.255.255.255",
                                        "0.0.0.0",
                                        "10.0.0.1",
                                        "100.64.0.1",
                                        "169.254.169.254",
                                        "172.16.0.1",
                                        "172.31.255.255",
                                        "192.168.1.1",
                                        "198.18.0.1",
                                        "224.0.0.1",
                                        "255.255.255.255",
                                        "::1",
                                        "::",
                                        "fe80::1",
                                        "fc00::1",
                                        "fdff::1",
                                        "ff02::1",
                                        "::ffff:127.0.0.1",
                                        "::ffff:10.1.2.3",
                                        "::127.0.0.1",
                                        "64:ff9b::7f00:1",
                                        "64:ff9b::a00:1",
                                        "2002:7f00:1::",
                                        "2002:c0a8:101::1",
                                        "2001:db8::1"};
  for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
    ra_address a = parsed(special[i]);
    if (!ra_address_special(&a)) fail_msg("%s counts as public", special[i]);
  }
}

static void test_public(void **state) {
  (void)state;
  static const char *const open_[] = {
      "1.1.1.1",         "9.255.255.255", "11.0.0.0",        "100.63.255.255",  "100.128.0.0",
      "126.255.255.255", "128.0.0.1",     "169.253.255.255", "172.15.255.255",  "172.32.0.0",
      "192.167.255.255", "192.169.0.0",   "223.255.255.255", "2606:4700::1111", "64:ff9b::101:101",
      "2002:101:101::1", "::ffff:8.8.8.8"};
  for (size_t i = 0; i < sizeof open_ / sizeof *open_; i++) {
    ra_address a = parsed(open_[i]);
    if (ra_address_special(&a)) fail_msg("%s counts as special", open_[i]);
  }
}

static void test_networks(void **state) {
  (void)state;
  ra_address a = parsed("10.1.2.3"), b = parsed("fd00::5");
  assert_true(ra_address_in("10.0.0.0/8", &a) && ra_address_in("10.1.2.3", &a));
  assert_true(ra_address_in("0.0.0.0/0", &a) && ra_address_in("fd00::/8", &b));
  assert_false(ra_address_in("10.1.2.2", &a) || ra_address_in("11.0.0.0/8", &a));
  assert_false(ra_address_in("0.0.0.0/0", &b) || ra_address_in("10.0.0.0/", &a));
  assert_false(ra_address_in("10.0.0.0/33", &a) || ra_address_in("localhost", &a));
  struct sockaddr_in name = {.sin_family = AF_INET};
  inet_pton(AF_INET, "10.1.2.3", &name.sin_addr);
  ra_address c;
  assert_true(ra_address_of((const struct sockaddr *)&name, &c));
  assert_memory_equal(a.bytes, c.bytes, sizeof a.bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_special), cmocka_unit_test(test_public),
                                     cmocka_unit_test(test_networks)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
