// str.h - a growing text. Appending never reports failure: running out of memory is remembered in `failed`
// and reported once, by ra_str_take. The text is always terminated by a zero byte.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef struct ra_str {
  char *ptr;
  size_t len;
  size_t cap;
  bool failed;
} ra_str;

void ra_str_init(ra_str *str);
void ra_str_deinit(ra_str *str);
void ra_str_add(ra_str *str, const char *text);  // a C string
void ra_str_add_bytes(ra_str *str, const void *bytes, size_t n);
void ra_str_add_char(ra_str *str, char c);
// For writers that know how long a piece can get: `n` bytes to write at the end of the text (NULL: out of memory), then
// the number of them that were written.
char *ra_str_room(ra_str *str, size_t n);
void ra_str_wrote(ra_str *str, size_t n);
void ra_str_addf(ra_str *str, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
// `"text"` with JSON escapes, also of what breaks lines outside ASCII; bytes that are not UTF-8 become U+FFFD.
void ra_str_add_json(ra_str *str, const char *text);
void ra_str_add_json_bytes(ra_str *str, const char *text, size_t n);
// The length of the UTF-8 character at p, of whose n bytes (at least 1) it takes no more; 0: it is none.
size_t ra_utf8_length(const unsigned char *p, size_t n);
// A URL as people may see it: `***` stands for user and password, and for what follows `?` or `#`. What is no URL with
// a host is added as it is.
void ra_str_add_url(ra_str *str, const char *url);
// The shortest decimal text that reads back as the same double; `null` for NaN and infinities.
void ra_str_add_double(ra_str *str, double value);
// The shortest decimal text that reads back as the same float; `null` for NaN and infinities.
void ra_str_add_float(ra_str *str, float value);
void ra_str_add_int(ra_str *str, int64_t value);
// Hands the bytes over as a buffer and leaves the text empty.
int ra_str_take(ra_str *str, ra_buf **out, ra_err *err);
