// str.c - see str.h
#include "base/str.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/size.h"

void ra_str_init(ra_str *str) { *str = (ra_str){0}; }

void ra_str_deinit(ra_str *str) {
  free(str->ptr);
  *str = (ra_str){0};
}

static bool reserve(ra_str *str, size_t more) {
  size_t need;
  if (str->failed || !ra_size_add(str->len, more, &need) || !ra_size_add(need, 1, &need)) {
    str->failed = true;
    return false;
  }
  if (need <= str->cap) return true;
  size_t cap = str->cap ? str->cap : 128;
  while (cap < need) cap = cap > SIZE_MAX / 2 ? need : cap * 2;
  char *ptr = realloc(str->ptr, cap);
  if (!ptr) {
    str->failed = true;
    return false;
  }
  str->ptr = ptr;
  str->cap = cap;
  return true;
}

void ra_str_add_bytes(ra_str *str, const void *bytes, size_t n) {
  if (!reserve(str, n)) return;
  if (n) memcpy(str->ptr + str->len, bytes, n);
  str->len += n;
  str->ptr[str->len] = 0;
}

char *ra_str_room(ra_str *str, size_t n) { return reserve(str, n) ? str->ptr + str->len : NULL; }

void ra_str_wrote(ra_str *str, size_t n) {
  str->len += n;
  str->ptr[str->len] = 0;
}

void ra_str_add(ra_str *str, const char *text) { ra_str_add_bytes(str, text, strlen(text)); }
void ra_str_add_char(ra_str *str, char c) { ra_str_add_bytes(str, &c, 1); }

void ra_str_addf(ra_str *str, const char *fmt, ...) {
  char small[256];
  va_list ap, again;
  va_start(ap, fmt);
  va_copy(again, ap);
  int n = vsnprintf(small, sizeof small, fmt, ap);
  va_end(ap);
  if (n >= 0 && (size_t)n < sizeof small) {
    ra_str_add_bytes(str, small, (size_t)n);
  } else if (n >= 0 && reserve(str, (size_t)n)) {
    vsnprintf(str->ptr + str->len, (size_t)n + 1, fmt, again);
    str->len += (size_t)n;
  } else {
    str->failed = true;
  }
  va_end(again);
}

// Length of the UTF-8 sequence at p (of n bytes), 0 if it is not well formed (RFC 3629).
size_t ra_utf8_length(const unsigned char *p, size_t n) {
  size_t want = p[0] < 0x80                   ? 1
                : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                : (p[0] & 0xf0) == 0xe0       ? 3
                : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                              : 0;
  if (!want || want > n) return 0;
  for (size_t i = 1; i < want; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
  }
  if (want == 3 && ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))) return 0;
  if (want == 4 && ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))) return 0;
  return want;
}

static void add_escaped(ra_str *str, unsigned char c) {
  switch (c) {
    case '"': ra_str_add(str, "\\\""); break;
    case '\\': ra_str_add(str, "\\\\"); break;
    case '\n': ra_str_add(str, "\\n"); break;
    case '\r': ra_str_add(str, "\\r"); break;
    case '\t': ra_str_add(str, "\\t"); break;
    default: ra_str_addf(str, "\\u%04x", c);
  }
}

// What some readers and terminals take for a line's end or a command: U+0080 to U+009F, U+2028 and U+2029; 0 for others.
static unsigned breaking(const unsigned char *p, size_t length) {
  if (length == 2 && p[0] == 0xc2 && p[1] < 0xa0) return p[1];
  if (length == 3 && p[0] == 0xe2 && p[1] == 0x80 && (p[2] & ~1u) == 0xa8)
    return 0x2000u + (p[2] & 0x3fu);
  return 0;
}

void ra_str_add_json_bytes(ra_str *str, const char *text, size_t n) {
  const unsigned char *p = (const unsigned char *)text;
  ra_str_add_char(str, '"');
  for (size_t i = 0; i < n;) {
    size_t run = i;
    while (run < n && p[run] >= 0x20 && p[run] < 0x7f && p[run] != '"' && p[run] != '\\') run++;
    if (run > i) {
      ra_str_add_bytes(str, p + i, run - i);
      i = run;
      continue;
    }
    size_t length = ra_utf8_length(p + i, n - i);
    unsigned code = breaking(p + i, length);
    if (code) {
      ra_str_addf(str, "\\u%04x", code);
      i += length;
    } else if (length > 1) {
      ra_str_add_bytes(str, p + i, length);
      i += length;
    } else if (length == 1) {
      add_escaped(str, p[i++]);
    } else {
      ra_str_add(str, "\xef\xbf\xbd");
      i++;
    }
  }
  ra_str_add_char(str, '"');
}

void ra_str_add_json(ra_str *str, const char *text) {
  ra_str_add_json_bytes(str, text, strlen(text));
}

void ra_str_add_url(ra_str *str, const char *url) {
  const char *host = strstr(url, "://");
  if (!host) {
    ra_str_add(str, url);
    return;
  }
  host += strlen("://");
  ra_str_add_bytes(str, url, (size_t)(host - url));
  const char *at = memrchr(host, '@', strcspn(host, "/?#"));
  if (at) {
    ra_str_add(str, "***");
    host = at;
  }
  size_t n = strcspn(host, "?#");
  ra_str_add_bytes(str, host, n);
  if (host[n]) ra_str_addf(str, "%c***", host[n]);
}

void ra_str_add_double(ra_str *str, double value) {
  char text[RA_NUMBER_TEXT];
  ra_str_add_bytes(str, text, ra_number_double(value, text));
}

void ra_str_add_float(ra_str *str, float value) {
  char text[RA_NUMBER_TEXT];
  ra_str_add_bytes(str, text, ra_number_float(value, text));
}

void ra_str_add_int(ra_str *str, int64_t value) { ra_str_addf(str, "%" PRId64, value); }

int ra_str_take(ra_str *str, ra_buf **out, ra_err *err) {
  if (str->failed) {
    ra_str_deinit(str);
    return ra_fail(err, RA_E_NOMEM, "", "no memory for a text");
  }
  if (!str->ptr) return ra_buf_new(0, out, err);
  int rc = ra_buf_adopt(str->ptr, str->len, out, err);
  if (rc < 0) {
    ra_str_deinit(str);
    return rc;
  }
  *str = (ra_str){0};
  return RA_OK;
}
