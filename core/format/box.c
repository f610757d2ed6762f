// box.c - see box.h
#include "format/box.h"

#include <stdbool.h>
#include <string.h>

// Fewer and longer lines: dimensions of one cell go, neighbours that are contiguous in both layouts become one.
static ra_box simplify(const ra_box *box) {
  ra_box out = {.size = box->size};
  for (unsigned i = 0; i < box->ndim; i++) {
    if (box->count[i] == 1) continue;
    unsigned last = out.ndim - 1;  // wraps while out is empty, and is not used then
    if (out.ndim && out.src[last] == box->src[i] * (int64_t)box->count[i] &&
        out.dst[last] == box->dst[i] * (int64_t)box->count[i]) {
      out.count[last] *= box->count[i];
      out.src[last] = box->src[i];
      out.dst[last] = box->dst[i];
      continue;
    }
    out.count[out.ndim] = box->count[i];
    out.src[out.ndim] = box->src[i];
    out.dst[out.ndim] = box->dst[i];
    out.ndim++;
  }
  return out;
}

#define COPY_CELLS(bytes)                \
  for (uint64_t i = 0; i < count; i++) { \
    memcpy(dst, src, bytes);             \
    src += src_step;                     \
    dst += dst_step;                     \
  }

static void copy_line(unsigned size, uint64_t count, const uint8_t *src, int64_t src_step,
                      uint8_t *dst, int64_t dst_step) {
  if (src_step == size && dst_step == size) {
    memcpy(dst, src, count * size);
    return;
  }
  switch (size) {
    case 1: COPY_CELLS(1) break;
    case 2: COPY_CELLS(2) break;
    case 4: COPY_CELLS(4) break;
    case 8: COPY_CELLS(8) break;
    default: COPY_CELLS(size) break;
  }
}

// Steps the odometer of the outer dimensions; false when all lines are done.
static bool next_line(const ra_box *box, unsigned outer, uint64_t *at, const uint8_t **src,
                      uint8_t **dst) {
  for (unsigned i = outer; i-- > 0;) {
    *src += box->src[i];
    *dst += box->dst[i];
    if (++at[i] < box->count[i]) return true;
    *src -= box->src[i] * (int64_t)box->count[i];
    *dst -= box->dst[i] * (int64_t)box->count[i];
    at[i] = 0;
  }
  return false;
}

static bool is_empty(const ra_box *box) {
  for (unsigned i = 0; i < box->ndim; i++) {
    if (box->count[i] == 0) return true;
  }
  return false;
}

void ra_box_copy(const ra_box *box, const void *src, void *dst) {
  if (is_empty(box)) return;
  ra_box lines = simplify(box);
  const uint8_t *from = src;
  uint8_t *to = dst;
  if (lines.ndim == 0) {
    memcpy(to, from, lines.size);
    return;
  }
  uint64_t at[RA_BOX_DIMS] = {0};
  unsigned inner = lines.ndim - 1;
  do {
    copy_line(lines.size, lines.count[inner], from, lines.src[inner], to, lines.dst[inner]);
  } while (next_line(&lines, inner, at, &from, &to));
}

void ra_box_fill(const ra_box *box, const void *cell, void *dst) {
  ra_box constant = *box;
  memset(constant.src, 0, sizeof constant.src);
  ra_box_copy(&constant, cell, dst);
}
