// random.h - the random numbers of property tests (splitmix64). The seed is printed and can be given back as
// RA_TEST_SEED.
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t test_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

static inline uint64_t test_seed(const char *test) {
  const char *given = getenv("RA_TEST_SEED");
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t seed =
      given ? strtoull(given, NULL, 0) : (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec;
  fprintf(stderr, "%s: RA_TEST_SEED=%llu\n", test, (unsigned long long)seed);
  return seed;
}
