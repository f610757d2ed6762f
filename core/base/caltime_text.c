// caltime_text.c - dates and time units as texts: RFC 3339 for people and services, the looser time stamps of udunits
// for "<unit> since <stamp>". Pure functions, any thread.
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/caltime.h"

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

static bool read_date(stamp *s) {
  bool negative = *s->at == '-';
  if (negative || (s->loose && *s->at == '+')) s->at++;
  const char *begin = s->at;
  s->date.month = s->date.day = 1;
  if (!read_digits(s, s->loose ? 1 : 4, YEAR_DIGITS, &s->date.year)) return false;
  if (s->loose && s->at - begin == 8 && *s->at != '-') {  // yyyymmdd
    s->date.day = (int)(s->date.year % 100);
    s->date.month = (int)(s->date.year / 100 % 100);
    s->date.year /= 10000;
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

static bool read_clock(stamp *s) {
  if (!read_part(s, &s->date.hour)) return false;
  if (*s->at != ':') return s->loose;
  s->at++;
  if (!read_part(s, &s->date.minute)) return false;
  if (*s->at != ':') return true;
  s->at++;
  if (!read_part(s, &s->date.second)) return false;
  if (s->date.second == 60) {  // a leap second is the first moment of the next minute
    s->date.second = 59;
    s->extra_ms += 1000;
  }
  return read_fraction(s);
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
  if (*s->at != '+' && *s->at != '-') return true;
  int sign = *s->at++ == '-' ? -1 : 1;
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
  if (s->loose && single) return true;
  s->extra_ms -= sign * (hour * 60 + minute) * MINUTE_MS;
  return true;
}

// Only a clock follows a separator; in loose stamps a zone may stand alone behind the date.
static bool read_stamp(stamp *s) {
  if (!read_date(s)) return false;
  if (*s->at == 'T' || *s->at == 't' || *s->at == ' ') {
    char separator = *s->at++;
    if (s->loose) skip_blanks(s);
    if (isdigit((unsigned char)*s->at)) {
      if (!read_clock(s) || !read_zone(s)) return false;
    } else if (!s->loose || separator != ' ' || !read_zone(s)) {
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

static const struct {
  const char *words;  // each between blanks
  double unit_ms;
  int months;
} unit_table[] = {
    {" nanosecond nanoseconds nanosec nanosecs ns ", 1e-6, 0},
    {" microsecond microseconds microsec microsecs us ", 1e-3, 0},
    {" millisecond milliseconds millisec millisecs msec msecs ms ", 1, 0},
    {" second seconds sec secs s ", 1e3, 0},
    {" minute minutes min mins ", 6e4, 0},
    {" hour hours hr hrs h ", 36e5, 0},
    {" day days d ", 864e5, 0},
    {" week weeks ", 6048e5, 0},
    {" common_year common_years ", 365 * 864e5, 0},
    {" month months mon mons ", 0, 1},
    {" year years yr yrs ", 0, 12},
};

// The unit's word in lower case, and where the stamp begins; NULL when the text is no "<unit> since <stamp>".
static const char *split_units(const char *units, char word[24]) {
  if (!units) return NULL;
  while (isspace((unsigned char)*units)) units++;
  if (!strncasecmp(units, "calendar", 8) && isspace((unsigned char)units[8])) {
    units += 8;
    while (isspace((unsigned char)*units)) units++;
  }
  size_t n = 0;
  for (; isalpha((unsigned char)*units) || *units == '_'; units++) {
    if (n == 23) return NULL;
    word[n++] = (char)tolower((unsigned char)*units);
  }
  word[n] = 0;
  if (!n || !isspace((unsigned char)*units)) return NULL;
  while (isspace((unsigned char)*units)) units++;
  if (strncasecmp(units, "since", 5) != 0 || !isspace((unsigned char)units[5])) return NULL;
  units += 5;
  while (isspace((unsigned char)*units)) units++;
  return units;
}

static bool find_unit(const char *word, ra_time_units *out) {
  char key[28];
  snprintf(key, sizeof key, " %s ", word);
  for (size_t i = 0; i < sizeof unit_table / sizeof *unit_table; i++) {
    if (!strstr(unit_table[i].words, key)) continue;
    out->unit_ms = unit_table[i].unit_ms;
    out->months = unit_table[i].months;
    return true;
  }
  return false;
}

bool ra_time_units_like(const char *units) {
  char word[24];
  ra_time_units found;
  return split_units(units, word) && find_unit(word, &found);
}

int ra_time_units_parse(const char *units, ra_calendar calendar, ra_time_units *out, ra_err *err) {
  char word[24];
  const char *rest = split_units(units, word);
  if (!rest)
    return ra_fail(err, RA_E_INVALID, "",
                   "units '%.60s' are not a time: expected like 'days since 1970-01-01'",
                   units ? units : "");
  if (!find_unit(word, out))
    return ra_fail(err, RA_E_INVALID, "",
                   "'%s' in units '%.60s' is not a unit of time: expected seconds, minutes, hours, "
                   "days, weeks, months or years",
                   word, units);
  stamp s = {.at = rest, .loose = true};
  if (!read_stamp(&s))
    return ra_fail(err, RA_E_INVALID, "",
                   "'%.60s' in units '%.60s' is not a date: expected like 1970-01-01 00:00:00",
                   rest, units);
  int rc = stamp_instant(&s, calendar, &out->epoch_ms, err);
  return rc < 0 ? ra_err_prefix(err, "units '%.60s'", units) : rc;
}

// Whole calendar months, then a share of the month they lead into; a day that it lacks becomes its last.
static int64_t add_months(ra_calendar calendar, int64_t epoch_ms, double months) {
  double whole = floor(months);
  ra_date date;
  ra_time_to_date(calendar, epoch_ms, &date);
  int64_t count = date.year * 12 + date.month - 1 + (int64_t)whole;
  date.year = count / 12 - (count % 12 < 0);
  date.month = (int)(count - date.year * 12) + 1;
  int length = ra_time_month_days(calendar, date.year, date.month);
  if (date.day > length) date.day = length;
  int64_t ms;
  if (ra_time_from_date(calendar, &date, &ms, NULL) < 0) return RA_TIME_NONE;
  return ms + llround((months - whole) * length * 864e5);
}

int64_t ra_time_decode(const ra_time_units *units, ra_calendar calendar, double value) {
  if (units->months) {
    double months = value * units->months;
    return fabs(months) < 1e9 ? add_months(calendar, units->epoch_ms, months) : RA_TIME_NONE;
  }
  double ms = value * units->unit_ms;
  if (!(fabs(ms + (double)units->epoch_ms) < 3e18) || !(fabs(ms) < 6e18)) return RA_TIME_NONE;
  return units->epoch_ms + llround(ms);
}
