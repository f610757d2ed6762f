// json.c - see json.h. The text is given to jansson as it is, and mended only where that refuses it.
#include "format/json.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The length of a number at text; *large: jansson refuses integers above 2^63 - 1, such as fill values of uint64.
static size_t number_length(const char *text, size_t size, bool *large) {
  size_t n = 1;
  bool whole = true;
  for (; n < size && text[n] && strchr("0123456789.eE+-", text[n]); n++) {
    whole = whole && text[n] >= '0' && text[n] <= '9';
  }
  *large = whole && n >= 19;
  return n;
}

static size_t word_length(const char *text, size_t size) {
  static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
    size_t n = strlen(words[i]);
    if (n <= size && memcmp(text, words[i], n) == 0) return n;
  }
  return 0;
}

// What stands at text and has to be copied whole: a number, a bare word, one character. *quote: between quotes.
static size_t token_length(const char *text, size_t size, char before, bool *quote) {
  size_t n = word_length(text, size);
  *quote = n > 0;
  if (n) return n;
  if (text[0] < '0' || text[0] > '9') return 1;
  n = number_length(text, size, quote);
  *quote = *quote && before != '-';
  return n;
}

// Twice the size is enough: what is put between quotes has three characters or more.
static char *mend(const char *json, size_t size, size_t *out_size) {
  char *out = malloc(2 * size + 1), *to = out;
  bool text = false;
  if (!out) return NULL;
  for (size_t i = 0; i < size;) {
    if (text || json[i] == '"') {
      if (json[i] == '"') text = !text;
      if (text && json[i] == '\\' && i + 1 < size) *to++ = json[i++];
      *to++ = json[i++];
      continue;
    }
    bool quote;
    size_t n = token_length(json + i, size - i, i ? json[i - 1] : 0, &quote);
    if (quote) *to++ = '"';
    memcpy(to, json + i, n);
    to += n;
    i += n;
    if (quote) *to++ = '"';
  }
  *out_size = (size_t)(to - out);
  return out;
}

json_t *ra_json_load(const char *text, size_t size, json_error_t *why) {
  json_t *root = json_loadb(text, size, 0, why);
  if (root || size > SIZE_MAX / 4) return root;
  size_t mended_size;
  char *mended = mend(text, size, &mended_size);
  if (mended) root = json_loadb(mended, mended_size, 0, NULL);
  free(mended);
  return root;
}
