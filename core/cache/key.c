// key.c - cache keys by SipHash-2-4 with 128 bits of output (Aumasson, Bernstein 2012), seeded once a process: a
// name from outside can't be chosen so that it meets another one's key.
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "cache/cache.h"

typedef struct sip {
  uint64_t v0, v1, v2, v3;
} sip;

static uint64_t seed[2];
static pthread_once_t seeded = PTHREAD_ONCE_INIT;

static void make_seed(void) {
  if (getrandom(seed, sizeof seed, 0) == (ssize_t)sizeof seed) return;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  seed[0] = (uint64_t)now.tv_nsec << 32 ^ (uint64_t)now.tv_sec;
  seed[1] = (uint64_t)getpid() * 0x9e3779b97f4a7c15u;
}

static uint64_t rotate(uint64_t x, int by) { return x << by | x >> (64 - by); }

static void rounds(sip *s, int n) {
  for (int i = 0; i < n; i++) {
    s->v0 += s->v1, s->v1 = rotate(s->v1, 13) ^ s->v0, s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3, s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3, s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1, s->v1 = rotate(s->v1, 17) ^ s->v2, s->v2 = rotate(s->v2, 32);
  }
}

static void add_word(sip *s, uint64_t word) {
  s->v3 ^= word;
  rounds(s, 2);
  s->v0 ^= word;
}

static void add_text(sip *s, const char *text, size_t size) {
  uint64_t word;
  for (; size >= sizeof word; text += sizeof word, size -= sizeof word) {
    memcpy(&word, text, sizeof word);
    add_word(s, word);
  }
  word = 0;
  memcpy(&word, text, size);
  add_word(s, word);
}

ra_cache_key ra_cache_key_of(const char *text, const uint64_t *numbers, size_t count) {
  pthread_once(&seeded, make_seed);
  sip s = {seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du ^ 0xee,
           seed[0] ^ 0x6c7967656e657261u, seed[1] ^ 0x7465646279746573u};
  size_t size = strlen(text);
  add_word(&s, size);  // lengths first: no text with numbers looks like another text with other numbers
  add_word(&s, count);
  add_text(&s, text, size);
  for (size_t i = 0; i < count; i++) add_word(&s, numbers[i]);
  s.v2 ^= 0xee;
  rounds(&s, 4);
  ra_cache_key key = {.hi = s.v0 ^ s.v1 ^ s.v2 ^ s.v3};
  s.v1 ^= 0xdd;
  rounds(&s, 4);
  key.lo = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
  return key;
}
