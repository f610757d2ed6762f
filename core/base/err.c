// err.c - see err.h
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const char *const NAMES[] = {
    "ok",        "no_memory", "invalid", "not_found",   "too_big",         "busy",
    "cancelled", "io",        "corrupt", "unsupported", "conflict",        "timeout",
    "denied",    "internal",  "gone",    "upstream",    "upstream_timeout"};
enum { NAME_COUNT = sizeof NAMES / sizeof *NAMES };

// Names come from files and requests: what would steer a terminal or is not UTF-8 (perhaps cut off here) is shown as '?'.
static void make_printable(char *text) {
  size_t n = strlen(text);
  for (size_t i = 0; i < n;) {
    size_t length = ra_utf8_length((const unsigned char *)text + i, n - i);
    bool c1 = length == 2 && text[i] == '\xc2' && (unsigned char)text[i + 1] < 0xa0;
    if (!length || (unsigned char)text[i] < 0x20 || text[i] == 0x7f || c1) text[i] = '?';
    i += length && !c1 ? length : 1;
  }
}

static void fill(ra_err *err, int code, const char *where, const char *fmt, va_list ap) {
  err->code = code;
  err->retry = code == RA_E_BUSY || code == RA_E_TIMEOUT || code == RA_E_GONE ||
               code == RA_E_UPSTREAM || code == RA_E_UPSTREAM_TIMEOUT;
  snprintf(err->where, sizeof err->where, "%s", where ? where : "");
  vsnprintf(err->message, sizeof err->message, fmt, ap);
  make_printable(err->where);
  make_printable(err->message);
}

int ra_fail(ra_err *err, int code, const char *where, const char *fmt, ...) {
  if (!err) return code;
  va_list ap;
  va_start(ap, fmt);
  fill(err, code, where, fmt, ap);
  va_end(ap);
  return code;
}

static int code_of_errno(int errnum) {
  switch (errnum) {
    case ENOMEM: return RA_E_NOMEM;
    case ENOENT:
    case ENOTDIR: return RA_E_NOTFOUND;
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case EXDEV: return RA_E_DENIED;
    default: return RA_E_IO;
  }
}

int ra_fail_errno(ra_err *err, int errnum, const char *where, const char *fmt, ...) {
  int code = code_of_errno(errnum);
  if (!err) return code;
  va_list ap;
  va_start(ap, fmt);
  fill(err, code, where, fmt, ap);
  va_end(ap);
  size_t used = strlen(err->message);
  char text[128];
  snprintf(err->message + used, sizeof err->message - used, ": %s",
           strerror_r(errnum, text, sizeof text));
  return code;
}

int ra_err_prefix(ra_err *err, const char *fmt, ...) {
  if (!err) return RA_E_INTERNAL;
  char old[sizeof err->message];
  memcpy(old, err->message, sizeof old);
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(err->message, sizeof err->message, fmt, ap);
  va_end(ap);
  if (n >= 0 && (size_t)n < sizeof err->message) {
    snprintf(err->message + n, sizeof err->message - (size_t)n, ": %.*s", 400, old);
  }
  return err->code;
}

const char *ra_err_name(int code) {
  int i = -code;
  return i >= 0 && i < NAME_COUNT ? NAMES[i] : "internal";
}

int ra_err_code(const char *name) {
  for (int i = 0; i < NAME_COUNT; i++) {
    if (strcmp(NAMES[i], name) == 0) return -i;
  }
  return RA_E_INTERNAL;
}
