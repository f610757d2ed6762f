// base64.c - see base64.h
#include "base/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void ra_base64_add(ra_str *out, const void *data, size_t size) {
  const uint8_t *p = data;
  for (size_t i = 0; i < size; i += 3) {
    size_t left = size - i;
    uint32_t bits =
        (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
    ra_str_add_char(out, digits[bits >> 18]);
    ra_str_add_char(out, digits[bits >> 12 & 63]);
    ra_str_add_char(out, left > 1 ? digits[bits >> 6 & 63] : '=');
    ra_str_add_char(out, left > 2 ? digits[bits & 63] : '=');
  }
}

bool ra_base64_decode(const char *text, size_t size, void *dst, size_t cap, size_t *got) {
  uint8_t *out = dst;
  uint32_t bits = 0;
  unsigned held = 0;
  while (size && text[size - 1] == '=') size--;
  *got = 0;
  for (size_t i = 0; i < size; i++) {
    const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
    if (!digit) return false;
    bits = bits << 6 | (uint32_t)(digit - digits);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    if (*got == cap) return false;
    out[(*got)++] = (uint8_t)(bits >> held);
  }
  return size % 4 != 1;
}
