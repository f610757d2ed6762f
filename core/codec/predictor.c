// predictor.c - TIFF's predictors, row by row: 2 keeps differences of neighbouring integers; 3 splits floats into
// planes of bytes, most significant first, and keeps differences of neighbouring bytes (TIFF Technical Note 3).
#include <string.h>

#include "codec/impl.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define DIFFERENCES(type)                                                        \
  static void differ_##type(void *row, size_t count, size_t stride) {            \
    type *p = row;                                                               \
    for (size_t i = count; i-- > stride;) p[i] = (type)(p[i] - p[i - stride]);   \
  }                                                                              \
  static void sum_##type(void *row, size_t count, size_t stride) {               \
    type *p = row;                                                               \
    for (size_t i = stride; i < count; i++) p[i] = (type)(p[i] + p[i - stride]); \
  }
DIFFERENCES(uint8_t)
DIFFERENCES(uint16_t)
DIFFERENCES(uint32_t)
DIFFERENCES(uint64_t)

// Running sums of single bytes, 16 at a time: the scalar loop waits for each store.
static void sum_bytes(uint8_t *p, size_t count) {
  size_t i = 0;
#if defined(__SSE2__)
  __m128i carry = _mm_setzero_si128();
  for (; i + 16 <= count; i += 16) {
    __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
    x = _mm_add_epi8(x, _mm_slli_si128(x, 1));
    x = _mm_add_epi8(x, _mm_slli_si128(x, 2));
    x = _mm_add_epi8(x, _mm_slli_si128(x, 4));
    x = _mm_add_epi8(x, _mm_slli_si128(x, 8));
    x = _mm_add_epi8(x, carry);
    _mm_storeu_si128((__m128i *)(void *)(p + i), x);
    carry = _mm_set1_epi8((char)p[i + 15]);
  }
#endif
  for (i = i ? i : 1; i < count; i++) p[i] = (uint8_t)(p[i] + p[i - 1]);
}

static void sum(uint8_t *row, size_t count, size_t stride, unsigned size) {
  switch (size) {
    case 1:
      if (stride == 1) {
        sum_bytes(row, count);
      } else {
        sum_uint8_t(row, count, stride);
      }
      break;
    case 2: sum_uint16_t(row, count, stride); break;
    case 4: sum_uint32_t(row, count, stride); break;
    default: sum_uint64_t(row, count, stride); break;
  }
}

// Forwards into another buffer: in place it would have to go backwards, which does not vectorise as well.
static void differ_bytes(uint8_t *restrict dst, const uint8_t *restrict src, size_t count,
                         size_t stride) {
  size_t head = count < stride ? count : stride;
  memcpy(dst, src, head);
  for (size_t i = head; i < count; i++) dst[i] = (uint8_t)(src[i] - src[i - stride]);
}

static void differ(uint8_t *row, size_t count, size_t stride, unsigned size) {
  switch (size) {
    case 1: differ_uint8_t(row, count, stride); break;
    case 2: differ_uint16_t(row, count, stride); break;
    case 4: differ_uint32_t(row, count, stride); break;
    default: differ_uint64_t(row, count, stride); break;
  }
}

static void split4(uint8_t *restrict dst, const uint8_t *restrict src, size_t items) {
  uint8_t *a = dst, *b = a + items, *c = b + items, *d = c + items;
  for (size_t i = 0; i < items; i++) {
    uint32_t item;
    memcpy(&item, src + 4 * i, 4);
    a[i] = (uint8_t)(item >> 24);
    b[i] = (uint8_t)(item >> 16);
    c[i] = (uint8_t)(item >> 8);
    d[i] = (uint8_t)item;
  }
}

static void split_any(uint8_t *restrict dst, const uint8_t *restrict src, size_t items, size_t size) {
  for (size_t j = 0; j < size; j++) {
    for (size_t i = 0; i < items; i++) dst[j * items + i] = src[i * size + size - 1 - j];
  }
}

static void join4(uint8_t *restrict dst, const uint8_t *restrict src, size_t items) {
  const uint8_t *a = src, *b = a + items, *c = b + items, *d = c + items;
  for (size_t i = 0; i < items; i++) {
    uint32_t item = (uint32_t)a[i] << 24 | (uint32_t)b[i] << 16 | (uint32_t)c[i] << 8 | d[i];
    memcpy(dst + 4 * i, &item, 4);
  }
}

static void join_any(uint8_t *restrict dst, const uint8_t *restrict src, size_t items, size_t size) {
  for (size_t j = 0; j < size; j++) {
    for (size_t i = 0; i < items; i++) dst[i * size + size - 1 - j] = src[j * items + i];
  }
}

static int check(int predictor, unsigned size, ra_err *err) {
  if (predictor == 1) return RA_OK;
  if (predictor == 2 && (size == 1 || size == 2 || size == 4 || size == 8)) return RA_OK;
  if (predictor == 3 && (size == 2 || size == 3 || size == 4 || size == 8)) return RA_OK;
  return ra_fail(err, RA_E_UNSUPPORTED, "", "predictor %d with samples of %u bytes", predictor, size);
}

typedef struct row {
  uint8_t *cells, *spare;  // spare: as many bytes
  size_t items, samples;
  unsigned size;  // bytes an item
} row;

static void encode2(const row *r) { differ(r->cells, r->items, r->samples, r->size); }

static void decode2(const row *r) { sum(r->cells, r->items, r->samples, r->size); }

static void encode3(const row *r) {
  if (r->size == 4) {
    split4(r->spare, r->cells, r->items);
  } else {
    split_any(r->spare, r->cells, r->items, r->size);
  }
  differ_bytes(r->cells, r->spare, r->items * r->size, r->samples);
}

static void decode3(const row *r) {
  size_t bytes = r->items * r->size;
  memcpy(r->spare, r->cells, bytes);
  sum(r->spare, bytes, r->samples, 1);
  if (r->size == 4) {
    join4(r->cells, r->spare, r->items);
  } else {
    join_any(r->cells, r->spare, r->items, r->size);
  }
}

static int each_row(void (*step)(const row *), uint8_t *rows, size_t width, size_t height,
                    size_t samples, unsigned size, ra_err *err) {
  row r = {.samples = samples, .size = size};
  size_t bytes;
  if (__builtin_mul_overflow(width, samples, &r.items) ||
      __builtin_mul_overflow(r.items, (size_t)size, &bytes)) {
    return ra_fail(err, RA_E_TOOBIG, "", "rows of %zu pixels with %zu samples", width, samples);
  }
  r.spare = ra__scratch(0, bytes);
  if (!r.spare) return ra_fail(err, RA_E_NOMEM, "", "no memory for a row");
  for (size_t y = 0; y < height; y++) {
    r.cells = rows + y * bytes;
    step(&r);
  }
  return RA_OK;
}

int ra_predictor_encode(int predictor, uint8_t *rows, size_t width, size_t height, size_t samples,
                        unsigned sample_size, ra_err *err) {
  int rc = check(predictor, sample_size, err);
  if (rc < 0 || predictor == 1) return rc;
  return each_row(predictor == 2 ? encode2 : encode3, rows, width, height, samples, sample_size, err);
}

int ra_predictor_decode(int predictor, uint8_t *rows, size_t width, size_t height, size_t samples,
                        unsigned sample_size, ra_err *err) {
  int rc = check(predictor, sample_size, err);
  if (rc < 0 || predictor == 1) return rc;
  return each_row(predictor == 2 ? decode2 : decode3, rows, width, height, samples, sample_size, err);
}
