// http_field.c - see http_field.h and http.h
#include "net/http_field.h"

#include <string.h>
#include <strings.h>

#include "net/http.h"

bool ra__http_is_token_char(unsigned char c) {
  if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) return true;
  return c && strchr("!#$%&'*+-.^_`|~", c);
}

bool ra__http_is_token(const char *text) {
  if (!*text) return false;
  for (; *text; text++) {
    if (!ra__http_is_token_char((unsigned char)*text)) return false;
  }
  return true;
}

bool ra__http_is_value(const char *text) {
  for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
    if ((*p < 0x20 && *p != '\t') || *p == 0x7f) return false;
  }
  return true;
}

static const char *skip_space(const char *p) {
  while (*p == ' ' || *p == '\t') p++;
  return p;
}

static size_t word_length(const char *p) { return strcspn(p, " \t,;"); }

// The next element of a comma-separated list; NULL at the end.
static const char *next_element(const char *p) {
  p = strchr(p, ',');
  return p ? skip_space(p + 1) : NULL;
}

bool ra__http_list_has(const char *list, const char *word) {
  size_t len = strlen(word);
  for (const char *p = skip_space(list); p; p = next_element(p)) {
    if (word_length(p) == len && strncasecmp(p, word, len) == 0) return true;
  }
  return false;
}

// q=0, q=0.0 …: the element is not acceptable.
static bool refused(const char *element) {
  const char *q = memchr(element, ';', strcspn(element, ","));
  if (!q) return false;
  q = skip_space(q + 1);
  if (strncasecmp(q, "q=", 2) != 0) return false;
  return q[2] == '0' && strspn(q + 2, "0.") == word_length(q + 2);
}

bool ra__http_accepts_gzip(const char *accept_encoding) {
  if (!accept_encoding) return false;
  bool any = false;
  for (const char *p = skip_space(accept_encoding); p; p = next_element(p)) {
    size_t len = word_length(p);
    if ((len == 4 && strncasecmp(p, "gzip", 4) == 0) ||
        (len == 6 && strncasecmp(p, "x-gzip", 6) == 0)) {
      return !refused(p);
    }
    if (len == 1 && *p == '*') any = !refused(p);
  }
  return any;
}

// The opaque part of an entity tag at *p, between its quotes, past it in *p. False when there is no tag.
static bool next_tag(const char **p, const char **opaque, size_t *len) {
  const char *at = skip_space(*p);
  while (*at == ',') at = skip_space(at + 1);
  if (strncmp(at, "W/", 2) == 0) at += 2;
  if (*at != '"') return false;
  const char *end = strchr(at + 1, '"');
  if (!end) return false;
  *opaque = at + 1;
  *len = (size_t)(end - at) - 1;
  *p = end + 1;
  return true;
}

static size_t without_gzip(const char *opaque, size_t len) {
  return len >= 5 && memcmp(opaque + len - 5, "-gzip", 5) == 0 ? len - 5 : len;
}

bool ra_http_etag_matches(const char *if_none_match, const char *etag) {
  const char *mine, *theirs;
  size_t my_len, their_len;
  if (!if_none_match || !etag || !next_tag(&etag, &mine, &my_len)) return false;
  const char *p = skip_space(if_none_match);
  if (*p == '*' && !*skip_space(p + 1)) return true;
  while (next_tag(&p, &theirs, &their_len)) {
    if (my_len == their_len && memcmp(mine, theirs, my_len) == 0) return true;
    if (without_gzip(theirs, their_len) == my_len && memcmp(mine, theirs, my_len) == 0) return true;
  }
  return false;
}

// Digits only; false when there are none or the number is too large.
static bool read_number(const char **p, uint64_t *out) {
  uint64_t value = 0;
  const char *start = *p;
  for (; **p >= '0' && **p <= '9'; (*p)++) {
    if (__builtin_mul_overflow(value, 10u, &value)) return false;
    if (__builtin_add_overflow(value, (uint64_t)(**p - '0'), &value)) return false;
  }
  *out = value;
  return *p > start;
}

int ra_http_parse_range(const char *range, uint64_t size, uint64_t *first, uint64_t *last) {
  if (!range || strncasecmp(range, "bytes=", 6) != 0) return RA_HTTP_RANGE_NONE;
  const char *p = skip_space(range + 6);
  uint64_t from = 0, to = UINT64_MAX;
  bool suffix = *p == '-';
  if (!suffix && !read_number(&p, &from)) return RA_HTTP_RANGE_NONE;
  if (*p++ != '-') return RA_HTTP_RANGE_NONE;
  if (*p >= '0' && *p <= '9') {
    if (!read_number(&p, &to)) return RA_HTTP_RANGE_NONE;
  } else if (suffix) {
    return RA_HTTP_RANGE_NONE;
  }
  if (*skip_space(p)) return RA_HTTP_RANGE_NONE;
  if (suffix) {
    if (!to || !size) return RA_E_INVALID;
    *first = to < size ? size - to : 0;
    *last = size - 1;
    return RA_HTTP_RANGE_ONE;
  }
  if (to < from) return RA_HTTP_RANGE_NONE;
  if (from >= size) return RA_E_INVALID;
  *first = from;
  *last = to < size ? to : size - 1;
  return RA_HTTP_RANGE_ONE;
}

const char *ra__http_status_text(int status) {
  static const struct {
    int status;
    const char *text;
  } texts[] = {
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {203, "Non-Authoritative Information"},
      {204, "No Content"},
      {206, "Partial Content"},
      {300, "Multiple Choices"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {303, "See Other"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {416, "Range Not Satisfiable"},
      {417, "Expectation Failed"},
      {422, "Unprocessable Content"},
      {428, "Precondition Required"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"},
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    if (texts[i].status == status) return texts[i].text;
  }
  return status < 400 ? "OK" : "Error";
}
