// caltime_units.c - units of time as files write them (CF 1.11 §4.4, udunits' grammar and names), and what a number in
// such units means. Pure functions, any thread.
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/caltime_private.h"

enum { WORD = 32 };

typedef struct unit {
  const char *words;  // each between blanks, in lower case
  double seconds;     // 0 for calendar months and years
  double months;
} unit;

// Months and years are the calendar's; udunits' own month of 30.44 days would bring every map to an odd hour.
static const unit UNITS[] = {
    {" second seconds sec secs s ", 1, 0},
    {" minute minutes min mins ", 60, 0},
    {" hour hours hr hrs h ", 3600, 0},
    {" day days d ", 86400, 0},
    {" week weeks ", 604800, 0},
    {" fortnight fortnights ", 1209600, 0},
    {" month months mon mons ", 0, 1},
    {" year years yr yrs ", 0, 12},
    {" eon eons ", 0, 12e9},
    {" common_year common_years ", 365 * 86400.0, 0},
    {" leap_year leap_years ", 366 * 86400.0, 0},
    {" julian_year julian_years ", 365.25 * 86400, 0},
    {" gregorian_year gregorian_years ", 365.2425 * 86400, 0},
    {" tropical_year tropical_years ", 31556925.9747, 0},
    {" sidereal_year sidereal_years ", 31558150, 0},
    {" sidereal_day sidereal_days ", 86164.09, 0},
    {" sidereal_hour sidereal_hours ", 3590.17, 0},
    {" sidereal_minute sidereal_minutes ", 59.83617, 0},
    {" sidereal_second sidereal_seconds ", 0.9972696, 0},
    {" sidereal_month sidereal_months ", 27.321661 * 86400, 0},
    {" tropical_month tropical_months ", 27.321582 * 86400, 0},
    {" lunar_month lunar_months ", 29.530589 * 86400, 0},
    {" work_year work_years ", 2056 * 3600.0, 0},
    {" work_month work_months ", 2056 * 300.0, 0},
    {" shake shakes ", 1e-8, 0},
    {" jiffy jiffies ", 0.01, 0},
};

static const struct {
  const char *name, *symbol;
  double factor;
} PREFIXES[] = {
    {"yotta", "Y", 1e24},  {"zetta", "Z", 1e21},        {"exa", "E", 1e18},
    {"peta", "P", 1e15},   {"tera", "T", 1e12},         {"giga", "G", 1e9},
    {"mega", "M", 1e6},    {"kilo", "k", 1e3},          {"hecto", "h", 100},
    {"deka", "da", 10},    {"deci", "d", 0.1},          {"centi", "c", 0.01},
    {"milli", "m", 1e-3},  {"micro", "u", 1e-6},        {"micro", "\xc2\xb5", 1e-6},
    {"nano", "n", 1e-9},   {"micro", "\xce\xbc", 1e-6}, {"pico", "p", 1e-12},
    {"femto", "f", 1e-15}, {"atto", "a", 1e-18},        {"zepto", "z", 1e-21},
    {"yocto", "y", 1e-24},
};

static bool known_word(const char *word, double factor, ra_time_units *out) {
  char key[WORD + 2];
  if (!*word) return false;
  snprintf(key, sizeof key, " %s ", word);
  for (char *p = key; *p; p++) *p = (char)tolower((unsigned char)*p);
  for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
    if (!strstr(UNITS[i].words, key)) continue;
    out->unit_ms = UNITS[i].seconds * factor * 1000;
    out->months = UNITS[i].months * factor;
    return true;
  }
  return false;
}

// The unit itself goes before a prefix: "min" is a minute, "ds" a tenth of a second. A symbol's case tells mega from
// milli; other words, and units without a prefix, have any case.
static bool find_unit(const char *word, double factor, ra_time_units *out) {
  if (known_word(word, factor, out)) return true;
  for (size_t i = 0; i < sizeof PREFIXES / sizeof *PREFIXES; i++) {
    size_t name = strlen(PREFIXES[i].name), symbol = strlen(PREFIXES[i].symbol);
    double scaled = factor * PREFIXES[i].factor;
    if (!strncasecmp(word, PREFIXES[i].name, name) && known_word(word + name, scaled, out))
      return true;
    if (!strncmp(word, PREFIXES[i].symbol, symbol) && known_word(word + symbol, scaled, out))
      return true;
  }
  return false;
}

static const char *skip_blanks(const char *p) {
  while (isspace((unsigned char)*p)) p++;
  return p;
}

// ---- "<numbers and a unit> since <stamp>"

// A text in its parts; `unit` is empty where there is none.
typedef struct parts {
  double factor;     // the product of the numbers before and behind the unit
  char unit[WORD];   // may be cut: then it is none of ours
  const char *rest;  // behind "since"
  bool since;        // not "from", "after", "ref" or "@", which other quantities have too
} parts;

static const char *read_word(const char *p, char word[WORD]) {
  size_t n = 0;
  for (; isalpha((unsigned char)*p) || *p == '_' || (unsigned char)*p > 127; p++) {
    if (n < WORD - 1) word[n++] = *p;
  }
  word[n] = 0;
  return p;
}

static bool is_shift(const char *word) {
  return !strcasecmp(word, "since") || !strcasecmp(word, "from") || !strcasecmp(word, "after") ||
         !strcasecmp(word, "ref");
}

// One of the numbers, by which is multiplied or, behind '/', divided.
static bool read_factor(const char **at, bool divide, double *factor) {
  char *end;
  const char *digits = *at + (**at == '+' || **at == '-');
  if (!isdigit((unsigned char)digits[*digits == '.'])) return false;
  double value = strtod(*at, &end);
  *at = end;
  *factor = divide ? *factor / value : *factor * value;
  return isfinite(*factor) && *factor != 0;
}

// False where there is neither "since" nor one of its likes behind a unit.
static bool split(const char *units, parts *out) {
  *out = (parts){.factor = 1};
  if (!units) return false;
  for (const char *p = skip_blanks(units);; p = skip_blanks(p)) {
    char word[WORD];
    bool divide = *p == '/';
    if (*p == '*' || divide) p = skip_blanks(p + 1);
    const char *end = read_word(p, word);
    if (*p == '@' || is_shift(word)) {
      out->rest = skip_blanks(*p == '@' ? p + 1 : end);
      out->since = !strcasecmp(word, "since");
      return *out->unit && *out->rest;
    }
    if (end > p) {
      bool calendar = !strcasecmp(out->unit, "calendar");  // "calendar month since …"
      if ((*out->unit && !calendar) || divide) return false;
      memcpy(out->unit, word, sizeof word);
      p = end;
    } else if (!read_factor(&p, divide, &out->factor)) {
      return false;
    }
  }
}

// ---- "day as %Y%m%d.%f"

// How many parts of a date the numbers have; 0: it is nothing of the kind. A fraction may always follow.
static unsigned parts_of_dates(const char *units) {
  static const struct {
    const char *unit, *format;
  } FORMATS[] = {{"year", "%Y"}, {"month", "%Y%m"}, {"day", "%Y%m%d"}};
  char word[WORD];
  if (!units) return 0;
  const char *p = skip_blanks(read_word(skip_blanks(units), word));
  if (strncasecmp(p, "as", 2) != 0 || !isspace((unsigned char)p[2])) return 0;
  p = skip_blanks(p + 2);
  for (unsigned i = 0; i < 3; i++) {
    size_t length = strlen(FORMATS[i].format);
    if (strcasecmp(word, FORMATS[i].unit) != 0 || strncmp(p, FORMATS[i].format, length) != 0)
      continue;
    const char *end = p + length;
    if (!strncmp(end, ".%f", 3)) end += 3;
    if (!*skip_blanks(end)) return i + 1;
  }
  return 0;
}

// ---- public

bool ra_time_units_like(const char *units) {
  parts found;
  ra_time_units known;
  if (parts_of_dates(units)) return true;
  if (!split(units, &found)) return false;
  return found.since || find_unit(found.unit, found.factor, &known);
}

int ra_time_units_parse(const char *units, ra_calendar calendar, ra_time_units *out, ra_err *err) {
  parts found;
  *out = (ra_time_units){.date_parts = parts_of_dates(units)};
  if (out->date_parts) return RA_OK;
  if (!split(units, &found))
    return ra_fail(err, RA_E_INVALID, "",
                   "units '%.60s' are not a time: expected like 'days since 1970-01-01'",
                   units ? units : "");
  if (!find_unit(found.unit, found.factor, out))
    return ra_fail(err, RA_E_INVALID, "",
                   "'%s' in units '%.60s' is not a unit of time: expected seconds, minutes, hours, "
                   "days, weeks, months or years",
                   found.unit, units);
  return ra__time_stamp(calendar, found.rest, units, &out->epoch_ms, err);
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

static double days_of(ra_calendar calendar, const ra_date *date, unsigned date_parts) {
  if (date_parts == 3) return 1;
  double days = 0;
  int first = date_parts == 2 ? date->month : 1, last = date_parts == 2 ? date->month : 12;
  for (int month = first; month <= last; month++)
    days += ra_time_month_days(calendar, date->year, month);
  return days;
}

// 20000131.25: the digits of a date, and a share of its day, month or year.
static int64_t date_of_number(ra_calendar calendar, unsigned date_parts, double value) {
  if (!(value >= 0 && value < 1e12)) return RA_TIME_NONE;
  ra_date date = {.month = 1, .day = 1};
  date.year = (int64_t)value;
  double share = value - (double)date.year;
  if (date_parts == 3) {
    date.day = (int)(date.year % 100);
    date.year /= 100;
  }
  if (date_parts >= 2) {
    date.month = (int)(date.year % 100);
    date.year /= 100;
  }
  int64_t ms;
  if (ra_time_from_date(calendar, &date, &ms, NULL) < 0) return RA_TIME_NONE;
  return ms + llround(share * days_of(calendar, &date, date_parts) * 864e5);
}

int64_t ra_time_decode(const ra_time_units *units, ra_calendar calendar, double value) {
  if (units->date_parts) return date_of_number(calendar, units->date_parts, value);
  if (units->months != 0) {
    double months = value * units->months;
    return fabs(months) < 1e9 ? add_months(calendar, units->epoch_ms, months) : RA_TIME_NONE;
  }
  double ms = value * units->unit_ms;
  if (!(fabs(ms + (double)units->epoch_ms) < 3e18) || !(fabs(ms) < 6e18)) return RA_TIME_NONE;
  return units->epoch_ms + llround(ms);
}
