// datetime.c - what --datetime means for a source: a time; a pattern for its name, such as %Y%m%d; or "tag", for the DateTime
// tag of a TIFF.
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "source/source_private.h"

enum { TIME_SIZE = 40 };

static const char *keep(ra_source *source, const struct tm *tm) {
  char text[TIME_SIZE];
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", tm);
  return ra_arena_strdup(&source->arena, text);
}

static struct tm midnight(void) { return (struct tm){.tm_mday = 1, .tm_year = 70}; }

// The first part of the name that the pattern matches and that a digit neither precedes nor follows.
static bool match_name(const char *name, const char *pattern, struct tm *out) {
  for (const char *at = name; *at; at++) {
    *out = midnight();
    bool inside = at > name && at[-1] >= '0' && at[-1] <= '9';
    const char *end = inside ? NULL : strptime(at, pattern, out);
    if (end && !(*end >= '0' && *end <= '9')) return true;
  }
  return false;
}

static int by_name(ra_source *source, const char *pattern, const char **out, ra_err *err) {
  struct tm tm;
  if (!match_name(source->name, pattern, &tm))
    return ra_fail(err, RA_E_INVALID, source->name,
                   "no part of its name is a time like '%s' (--datetime; see strptime)", pattern);
  *out = keep(source, &tm);
  return *out ? RA_OK : ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
}

static int by_tag(ra_source *source, const char **out, ra_err *err) {
  struct tm tm = midnight();
  const char *end = source->tagged ? strptime(source->tagged, "%Y:%m:%d %H:%M:%S", &tm) : NULL;
  if (!end)
    return ra_fail(
        err, RA_E_INVALID, source->name,
        "has no DateTime tag that --datetime tag could take; give a time, or a pattern for "
        "its name");
  *out = keep(source, &tm);
  return *out ? RA_OK : ra_fail(err, RA_E_NOMEM, source->name, "out of memory");
}

int ra_source_datetime(ra_source *source, const char *option, const char **out, ra_err *err) {
  *out = option;
  if (!option) return RA_OK;
  if (strchr(option, '%')) return by_name(source, option, out, err);
  return strcmp(option, "tag") == 0 ? by_tag(source, out, err) : RA_OK;
}
