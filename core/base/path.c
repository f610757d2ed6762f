// path.c - see path.h
#include "base/path.h"

#include <ctype.h>
#include <string.h>

static bool plain(unsigned char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

bool ra_key_valid(const char *key) {
  size_t part = 0;
  for (const char *p = key;; p++) {
    if (*p == '/' || *p == 0) {
      const char *start = p - part;
      if (part == 0 || (part == 1 && start[0] == '.') || (part == 2 && !memcmp(start, "..", 2))) {
        return false;
      }
      part = 0;
      if (*p == 0) return true;
    } else if (plain((unsigned char)*p) || *p == '=') {
      part++;
    } else {
      return false;
    }
  }
}

bool ra_name_valid(const char *name) {
  size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-");
  return n > 0 && n <= 64 && name[n] == 0;
}

static void escape(ra_str *out, const char *text, bool keep_slash, bool keep_equals) {
  bool first = true;
  for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
    if (*p == '/' && keep_slash) {
      ra_str_add_char(out, '/');
      first = true;
      continue;
    }
    if ((plain(*p) && !(first && *p == '.')) || (keep_equals && *p == '=')) {
      ra_str_add_char(out, (char)*p);
    } else {
      ra_str_addf(out, "=%02X", *p);
    }
    first = false;
  }
}

void ra_key_escape(ra_str *out, const char *text, bool keep_slash) {
  escape(out, text, keep_slash, false);
}

void ra_key_add_path(ra_str *out, const char *name) { escape(out, name, true, true); }

static int digit(char c) {
  return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void ra_key_add_name(ra_str *out, const char *path) {
  for (const char *p = path; *p; p++) {
    int high = *p == '=' ? digit(p[1]) : -1, low = high >= 0 ? digit(p[2]) : -1;
    ra_str_add_char(out, low >= 0 && high + low > 0 ? (char)(high * 16 + low) : *p);
    if (low >= 0 && high + low > 0) p += 2;
  }
}

void ra_id_sanitise(const char *text, char *out, size_t size) {
  size_t n = 0, most = size - 1 < 200 ? size - 1 : 200;
  for (const unsigned char *p = (const unsigned char *)text; *p && n < most; p++) {
    bool keep = plain(*p) && !(n == 0 && (*p == '.' || *p == '-'));
    if (keep) {
      out[n++] = (char)*p;
    } else if (n > 0 && out[n - 1] != '-') {
      out[n++] = '-';
    }
  }
  while (n > 0 && (out[n - 1] == '-' || out[n - 1] == '.')) n--;
  out[n] = 0;
  if (n == 0) strncpy(out, "data", size - 1);
}

bool ra_id_valid(const char *id) {
  size_t n = 0;
  for (; id[n]; n++) {
    if (!plain((unsigned char)id[n])) return false;
  }
  return n > 0 && n <= 200 && id[0] != '.';
}
