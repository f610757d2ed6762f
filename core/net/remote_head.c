// remote_head.c - see remote_head.h
#include "net/remote_head.h"

#include <string.h>
#include <strings.h>

typedef struct text {
  const char *at, *end;
} text;

static bool is_header(text *line, const char *name) {
  size_t n = strlen(name);
  if ((size_t)(line->end - line->at) <= n || strncasecmp(line->at, name, n) != 0 || line->at[n] != ':')
    return false;
  line->at += n + 1;
  while (line->at < line->end && (*line->at == ' ' || *line->at == '\t')) line->at++;
  while (line->at < line->end && (line->end[-1] == ' ' || line->end[-1] == '\t')) line->end--;
  return true;
}

static bool take_number(text *t, uint64_t *out) {
  const char *from = t->at;
  *out = 0;
  for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
    uint64_t digit = (uint64_t)(*t->at - '0');
    if (__builtin_mul_overflow(*out, 10u, out) || __builtin_add_overflow(*out, digit, out))
      return false;
  }
  return t->at > from;
}

static bool take_char(text *t, char c) {
  if (t->at == t->end || *t->at != c) return false;
  t->at++;
  return true;
}

// "bytes 0-99/1234" (RFC 9110, 14.4); a total that is not known ("*") is of no use here.
static void read_range(ra__remote_head *head, text t) {
  bool unit = t.end - t.at > 6 && strncasecmp(t.at, "bytes ", 6) == 0;
  if (!unit) return;
  t.at += 6;
  head->has_range = take_number(&t, &head->first) && take_char(&t, '-') &&
                    take_number(&t, &head->last) && take_char(&t, '/') &&
                    take_number(&t, &head->total) && t.at == t.end && head->first <= head->last &&
                    head->last < head->total;
}

static void read_text(char out[RA__REMOTE_TAG], text t) {
  size_t n = (size_t)(t.end - t.at);
  out[0] = 0;
  if (n >= RA__REMOTE_TAG) return;
  for (size_t i = 0; i < n; i++) {
    if ((unsigned char)t.at[i] < 0x20 || (unsigned char)t.at[i] > 0x7e) return;
  }
  memcpy(out, t.at, n);
  out[n] = 0;
}

void ra__remote_head_line(ra__remote_head *head, const char *line, size_t size) {
  text t = {line, line + size};
  if (size >= 5 && strncasecmp(line, "HTTP/", 5) == 0) {
    *head = (ra__remote_head){0};
  } else if (is_header(&t, "Content-Range")) {
    read_range(head, t);
  } else if (is_header(&t, "Content-Length")) {
    head->has_length = take_number(&t, &head->length) && t.at == t.end;
  } else if (is_header(&t, "Content-Encoding")) {
    head->encoded = !(t.end - t.at == 8 && strncasecmp(t.at, "identity", 8) == 0);
  } else if (is_header(&t, "ETag")) {
    read_text(head->etag, t);
  } else if (is_header(&t, "Last-Modified")) {
    read_text(head->modified, t);
  }
}
