// caltime_text.c - dates as texts: RFC 3339 for people and services, the looser time stamps of udunits for
// "<unit> since <stamp>". Pure functions, any thread.
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/caltime_private.h"

enum { MINUTE_MS = 60000, YEAR_DIGITS = 9 };

// One reading of a text; `at` moves on. `loose`: udunits' stamps (single digits, a year alone, "UTC", a bare hour).
typedef struct stamp {
  const char *at;
  bool loose;
  ra_date date;
  int64_t extra_ms;  // what is added after the date: a rounded fraction, a leap second, minus the zone's offset
} stamp;

void ra_time_format(ra_calendar calendar, int64_t ms, char *out) {
  ra_date d;
  ra_time_to_date(calendar, ms, &d);
  int n = snprintf(out, 40, "%s%04lld-%02d-%02dT%02d:%02d:%02d", d.year < 0 ? "-" : "",
                   llabs((long long)d.year), d.month, d.day, d.hour, d.minute, d.second);
  if (d.ms) n += snprintf(out + n, 40 - (size_t)n, ".%03d", d.ms);
  snprintf(out + n, 40 - (size_t)n, "Z");
}

void ra_time_label(ra_calendar calendar, int64_t ms, char *out) {
  ra_date d;
  ra_time_to_date(calendar, ms, &d);
  snprintf(out, 40, "%s%04lld%02d%02dT%02d%02d%02dZ", d.year < 0 ? "-" : "",
           llabs((long long)d.year), d.month, d.day, d.hour, d.minute, d.second);
}

// Between least and most digits; false when there are fewer or more.
static bool read_digits(stamp *s, int least, int most, int64_t *value) {
  int n = 0;
  *value = 0;
  while (isdigit((unsigned char)s->at[n]) && n < most) *value = *value * 10 + (s->at[n++] - '0');
  if (n < least || isdigit((unsigned char)s->at[n])) return false;
  s->at += n;
  return true;
}

static bool read_part(stamp *s, int *part) {
  int64_t value;
  if (!read_digits(s, s->loose ? 1 : 2, 2, &value)) return false;
  *part = (int)value;
  return true;
}

// yyyymmdd or yyyymm, which has been read as a year. Other lengths say no date for certain.
static bool unpack_date(stamp *s, int64_t digits) {
  if (digits != 6 && digits != 8) return false;
  if (digits == 8) {
    s->date.day = (int)(s->date.year % 100);
    s->date.year /= 100;
  }
  s->date.month = (int)(s->date.year % 100);
  s->date.year /= 100;
  return true;
}

static bool read_date(stamp *s) {
  bool negative = *s->at == '-';
  if (negative || (s->loose && *s->at == '+')) s->at++;
  const char *begin = s->at;
  s->date.month = s->date.day = 1;
  if (!read_digits(s, s->loose ? 1 : 4, YEAR_DIGITS, &s->date.year)) return false;
  int64_t digits = s->at - begin;
  if (s->loose && digits > 4 && *s->at != '-') {
    if (!unpack_date(s, digits)) return false;
  } else if (*s->at == '-') {
    s->at++;
    if (!read_part(s, &s->date.month)) return false;
    if (*s->at == '-') {
      s->at++;
      if (!read_part(s, &s->date.day)) return false;
    }
  }
  if (negative) s->date.year = -s->date.year;
  return true;
}

static bool read_fraction(stamp *s) {
  if (*s->at != '.') return true;
  s->at++;
  if (!isdigit((unsigned char)*s->at)) return s->loose;
  double value = 0, unit = 1;
  for (; isdigit((unsigned char)*s->at); s->at++) value += (*s->at - '0') * (unit /= 10);
  s->extra_ms += llround(value * 1000);
  return true;
}

// A leap second is the first moment of the next minute.
static bool read_second(stamp *s) {
  if (!read_part(s, &s->date.second)) return false;
  if (s->date.second == 60) {
    s->date.second = 59;
    s->extra_ms += 1000;
  }
  return read_fraction(s);
}

static bool is_packed(const stamp *s) {
  int n = 0;
  while (isdigit((unsigned char)s->at[n])) n++;
  return s->loose && (n == 4 || n == 6);
}

// "06", "06:30", "06:30:00.5"; "0630", "063000".
static bool read_clock(stamp *s) {
  int64_t packed;
  if (is_packed(s)) {
    const char *begin = s->at;
    if (!read_digits(s, 4, 6, &packed)) return false;
    bool seconds = s->at - begin == 6;
    s->date.second = seconds ? (int)(packed % 100) : 0;
    if (seconds) packed /= 100;
    s->date.minute = (int)(packed % 100);
    s->date.hour = (int)(packed / 100);
    return read_fraction(s);
  }
  if (!read_part(s, &s->date.hour)) return false;
  if (*s->at != ':') return s->loose;
  s->at++;
  if (!read_part(s, &s->date.minute)) return false;
  if (*s->at != ':') return true;
  s->at++;
  return read_second(s);
}

static void skip_blanks(stamp *s) {
  while (isspace((unsigned char)*s->at)) s->at++;
}

static bool read_zone(stamp *s) {
  if (s->loose) skip_blanks(s);
  if (*s->at == 'Z' || *s->at == 'z') {
    s->at++;
    return true;
  }
  if (s->loose && (!strncasecmp(s->at, "UTC", 3) || !strncasecmp(s->at, "GMT", 3))) {
    s->at += 3;
    return true;
  }
  bool bare = s->loose && isdigit((unsigned char)*s->at);
  if (!bare && *s->at != '+' && *s->at != '-') return true;
  int sign = *s->at == '-' ? -1 : 1;
  s->at += !bare;
  int64_t hour = 0, minute = 0;
  bool single = isdigit((unsigned char)s->at[0]) && s->at[1] == ':';
  if (s->loose && isdigit((unsigned char)s->at[0]) && isdigit((unsigned char)s->at[1]) &&
      isdigit((unsigned char)s->at[2])) {  // -0900
    if (!read_digits(s, 3, 4, &hour)) return false;
    minute = hour % 100;
    hour /= 100;
  } else {
    if (!read_digits(s, s->loose ? 1 : 2, 2, &hour)) return false;
    if (*s->at == ':') {
      s->at++;
      if (!read_digits(s, 2, 2, &minute)) return false;
    } else if (!s->loose) {
      return false;
    }
  }
  if (hour > 23 || minute > 59) return false;
  // "-9:00" is no offset to cftime, through which the field reads its times; "-09:00" is one.
  if (single && !bare) return true;
  s->extra_ms -= sign * (hour * 60 + minute) * MINUTE_MS;
  return true;
}

// Only a clock follows a separator; in loose stamps a zone may stand alone behind the date.
static bool read_stamp(stamp *s) {
  if (!read_date(s)) return false;
  if (*s->at == 'T' || *s->at == 't' || *s->at == ' ' || (s->loose && *s->at == '_')) {
    char separator = *s->at++;
    if (s->loose) skip_blanks(s);
    if (isdigit((unsigned char)*s->at)) {
      if (!read_clock(s) || !read_zone(s)) return false;
    } else if (!s->loose || (separator == ' ' && !read_zone(s))) {
      return false;
    }
  } else if (s->loose && (*s->at == 'Z' || *s->at == 'z')) {
    s->at++;
  }
  if (s->loose) skip_blanks(s);
  return *s->at == 0;
}

static int stamp_instant(const stamp *s, ra_calendar calendar, int64_t *ms, ra_err *err) {
  int rc = ra_time_from_date(calendar, &s->date, ms, err);
  if (rc == RA_OK) *ms += s->extra_ms;
  return rc;
}

int ra_time_parse(ra_calendar calendar, const char *text, int64_t *ms, ra_err *err) {
  stamp s = {.at = text};
  if (!read_stamp(&s))
    return ra_fail(err, RA_E_INVALID, "",
                   "'%.60s' is not a date and time: write it like 2020-01-31T06:00:00Z", text);
  return stamp_instant(&s, calendar, ms, err);
}

// Of these calendars udunits and cftime know no year 0: the year before 1 is -1. (cftime: has_year_zero)
static bool lacks_year_zero(ra_calendar calendar) {
  return calendar == RA_CALENDAR_STANDARD || calendar == RA_CALENDAR_JULIAN;
}

int ra__time_stamp(ra_calendar calendar, const char *text, const char *units, int64_t *ms,
                   ra_err *err) {
  stamp s = {.at = text, .loose = true};
  if (!read_stamp(&s))
    return ra_fail(err, RA_E_INVALID, "",
                   "'%.60s' in units '%.60s' is not a date: expected like 1970-01-01 00:00:00",
                   text, units);
  if (s.date.year < 0 && lacks_year_zero(calendar)) s.date.year++;
  int rc = stamp_instant(&s, calendar, ms, err);
  return rc < 0 ? ra_err_prefix(err, "units '%.60s'", units) : rc;
}
