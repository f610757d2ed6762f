// shuffle.c - bytes of items transposed, so that bytes of equal weight lie together. Bytes past the last whole item
// stay as they are. The loops over 2, 4 and 8 bytes are written so that the compiler vectorises them.
#include <string.h>

#include "codec/impl.h"

typedef struct planes {
  uint8_t *restrict dst;
  const uint8_t *restrict src;
  size_t items;
} planes;

static void gather2(planes p) {
  const uint8_t *a = p.src, *b = a + p.items;
  for (size_t i = 0; i < p.items; i++) {
    p.dst[2 * i] = a[i];
    p.dst[2 * i + 1] = b[i];
  }
}

static void gather4(planes p) {
  const uint8_t *a = p.src, *b = a + p.items, *c = b + p.items, *d = c + p.items;
  for (size_t i = 0; i < p.items; i++) {
    uint32_t item = a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24;
    memcpy(p.dst + 4 * i, &item, 4);
  }
}

static void gather8(planes p) {
  const uint8_t *a = p.src, *b = a + p.items, *c = b + p.items, *d = c + p.items;
  const uint8_t *e = d + p.items, *f = e + p.items, *g = f + p.items, *h = g + p.items;
  for (size_t i = 0; i < p.items; i++) {
    uint32_t low = a[i] | (uint32_t)b[i] << 8 | (uint32_t)c[i] << 16 | (uint32_t)d[i] << 24;
    uint32_t high = e[i] | (uint32_t)f[i] << 8 | (uint32_t)g[i] << 16 | (uint32_t)h[i] << 24;
    uint64_t item = low | (uint64_t)high << 32;
    memcpy(p.dst + 8 * i, &item, 8);
  }
}

static void gather_any(planes p, size_t element) {
  for (size_t j = 0; j < element; j++) {
    const uint8_t *plane = p.src + j * p.items;
    uint8_t *to = p.dst + j;
    for (size_t i = 0; i < p.items; i++) to[i * element] = plane[i];
  }
}

static void scatter_any(planes p, size_t element) {
  for (size_t j = 0; j < element; j++) {
    uint8_t *plane = p.dst + j * p.items;
    const uint8_t *from = p.src + j;
    for (size_t i = 0; i < p.items; i++) plane[i] = from[i * element];
  }
}

static int check(ra__span src, size_t cap, ra_err *err) {
  if (src.size <= cap) return RA_OK;
  return ra_fail(err, RA_E_CORRUPT, "", "shuffle gives %zu bytes where %zu were expected", src.size,
                 cap);
}

int ra__shuffle_decode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                       ra_err *err) {
  int rc = check(src, cap, err);
  if (rc < 0) return rc;
  size_t element = codec->element ? codec->element : 1;
  planes p = {dst, src.data, src.size / element};
  switch (element) {
    case 2: gather2(p); break;
    case 4: gather4(p); break;
    case 8: gather8(p); break;
    default: gather_any(p, element); break;
  }
  size_t whole = p.items * element;
  if (src.size > whole) memcpy(dst + whole, src.data + whole, src.size - whole);
  *got = src.size;
  return RA_OK;
}

int ra__shuffle_encode(const ra_codec *codec, ra__span src, uint8_t *dst, size_t cap, size_t *got,
                       ra_err *err) {
  int rc = check(src, cap, err);
  if (rc < 0) return rc;
  size_t element = codec->element ? codec->element : 1;
  planes p = {dst, src.data, src.size / element};
  scatter_any(p, element);
  size_t whole = p.items * element;
  if (src.size > whole) memcpy(dst + whole, src.data + whole, src.size - whole);
  *got = src.size;
  return RA_OK;
}
