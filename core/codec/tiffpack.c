// tiffpack.c - TIFF's two old schemes, read only: LZW (codes from the most significant bit, the width grows one code
// early; TIFF 6.0 section 13) and PackBits (section 9).
#include <string.h>

#include "codec/impl.h"

enum { CLEAR = 256, END = 257, FIRST = 258, TABLE = 4096 };

typedef struct lzw {
  uint16_t prefix[TABLE];
  uint16_t length[TABLE];
  uint8_t suffix[TABLE];
  uint8_t first[TABLE];
  uint8_t *dst;
  size_t cap, made;
  unsigned next;  // code that the next string gets
} lzw;

typedef struct bits {
  ra__span src;
  size_t at;
  uint64_t held;
  unsigned count;
} bits;

static bool take(bits *in, unsigned width, unsigned *code) {
  while (in->count < width) {
    if (in->at == in->src.size) return false;
    in->held = in->held << 8 | in->src.data[in->at++];
    in->count += 8;
  }
  in->count -= width;
  *code = (unsigned)(in->held >> in->count) & ((1u << width) - 1);
  return true;
}

static void lzw_init(lzw *z, uint8_t *dst, size_t cap) {
  for (unsigned i = 0; i < 256; i++) {
    z->length[i] = 1;
    z->suffix[i] = z->first[i] = (uint8_t)i;
    z->prefix[i] = 0;
  }
  z->dst = dst;
  z->cap = cap;
  z->made = 0;
  z->next = FIRST;
}

static bool lzw_write(lzw *z, unsigned code) {
  size_t length = z->length[code];
  if (length > z->cap - z->made) return false;
  uint8_t *end = z->dst + z->made + length;
  z->made += length;
  for (; length > 1; length--, code = z->prefix[code]) *--end = z->suffix[code];
  *--end = z->suffix[code];
  return true;
}

static void lzw_add(lzw *z, unsigned previous, uint8_t suffix) {
  if (z->next == TABLE) return;
  z->prefix[z->next] = (uint16_t)previous;
  z->length[z->next] = (uint16_t)(z->length[previous] + 1);
  z->suffix[z->next] = suffix;
  z->first[z->next] = z->first[previous];
  z->next++;
}

static int damaged(const char *name, ra_err *err) {
  return ra_fail(err, RA_E_CORRUPT, "", "a damaged %s stream", name);
}

// Some writers leave out the end code: the stream also ends where all expected bytes are there.
int ra__lzw_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                   ra_err *err) {
  (void)codec;
  lzw z;
  lzw_init(&z, dst, cap);
  bits in = {.src = src};
  unsigned width = 9, code, previous = CLEAR;
  while (z.made < cap && take(&in, width, &code) && code != END) {
    if (code == CLEAR) {
      z.next = FIRST;
      width = 9;
      previous = CLEAR;
      continue;
    }
    if (previous == CLEAR) {
      if (code >= CLEAR || !lzw_write(&z, code)) return damaged("LZW", err);
    } else {
      if (code > z.next || (code == z.next && z.next == TABLE)) return damaged("LZW", err);
      lzw_add(&z, previous, code < z.next ? z.first[code] : z.first[previous]);
      if (!lzw_write(&z, code)) return damaged("LZW", err);
    }
    previous = code;
    if (z.next + 1 >= 1u << width && width < 12) width++;
  }
  *got = z.made;
  return RA_OK;
}

int ra__packbits_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                        ra_err *err) {
  (void)codec;
  size_t made = 0;
  for (size_t at = 0; at < src.size && made < cap;) {
    int8_t head = (int8_t)src.data[at++];
    if (head == -128) continue;
    size_t run = head >= 0 ? (size_t)head + 1 : (size_t)(1 - head);
    size_t used = head >= 0 ? run : 1;
    if (used > src.size - at || run > cap - made) return damaged("PackBits", err);
    if (head >= 0) {
      memcpy(dst + made, src.data + at, run);
    } else {
      memset(dst + made, src.data[at], run);
    }
    at += used;
    made += run;
  }
  *got = made;
  return RA_OK;
}
