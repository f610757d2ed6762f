// lzf.c - LibLZF streams, h5py's own filter. A control byte under 32 copies that many bytes and one; any other repeats
// what came before: length in its top 3 bits (7: one more byte), distance in the rest and the byte behind.
#include <string.h>

#include "codec/impl.h"

// Where the stream is, and what came of it.
typedef struct stream {
  const uint8_t *at, *end;
  uint8_t *dst;
  size_t made, cap;
} stream;

static bool copy_bytes(stream *s, size_t count) {
  if ((size_t)(s->end - s->at) < count || s->cap - s->made < count) return false;
  memcpy(s->dst + s->made, s->at, count);
  s->at += count;
  s->made += count;
  return true;
}

static bool repeat(stream *s, unsigned control) {
  size_t count = control >> 5;
  if (count == 7) {
    if (s->at == s->end) return false;
    count += *s->at++;
  }
  if (s->at == s->end) return false;
  size_t distance = ((size_t)(control & 31) << 8 | *s->at++) + 1;
  count += 2;
  if (distance > s->made || s->cap - s->made < count) return false;
  for (; count; count--, s->made++) s->dst[s->made] = s->dst[s->made - distance];
  return true;
}

int ra__lzf_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                   ra_err *err) {
  (void)codec;
  stream s = {.at = src.data, .end = src.data + src.size, .cap = cap};
  s.dst = dst;
  while (s.at < s.end) {
    unsigned control = *s.at++;
    bool good = control < 32 ? copy_bytes(&s, control + 1) : repeat(&s, control);
    if (!good) {
      return ra_fail(err, RA_E_CORRUPT, "",
                     "a damaged lzf stream, or more than the %zu bytes expected", cap);
    }
  }
  *got = s.made;
  return RA_OK;
}
