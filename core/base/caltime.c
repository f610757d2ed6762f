// caltime.c - calendars: dates to instants and back, and to the proleptic Gregorian dates of ISO 8601. Pure functions,
// any thread. Texts and units are read in caltime_text.c.
#include "base/caltime.h"

#include <string.h>
#include <strings.h>

enum { DAY_MS = 86400000, YEAR_LIMIT = 100000000 };

// Days from 1970-01-01 (Gregorian) to 1582-10-15, the first Gregorian day of the standard calendar.
enum { SWITCH_DAY = -141427 };

static const struct {
  const char *name;
  ra_calendar calendar;
} names[] = {
    {"standard", RA_CALENDAR_STANDARD},  {"proleptic_gregorian", RA_CALENDAR_PROLEPTIC_GREGORIAN},
    {"noleap", RA_CALENDAR_NOLEAP},      {"all_leap", RA_CALENDAR_ALL_LEAP},
    {"360_day", RA_CALENDAR_360_DAY},    {"julian", RA_CALENDAR_JULIAN},
    {"gregorian", RA_CALENDAR_STANDARD}, {"365_day", RA_CALENDAR_NOLEAP},
    {"366_day", RA_CALENDAR_ALL_LEAP},   {"", RA_CALENDAR_STANDARD},
    {"360", RA_CALENDAR_360_DAY},        {"365", RA_CALENDAR_NOLEAP},
    {"366", RA_CALENDAR_ALL_LEAP},  // of the IRI Data Library and others
};

static const int before_month[13] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
static const int before_month_leap[13] = {0,   31,  60,  91,  121, 152, 182,
                                          213, 244, 274, 305, 335, 366};

bool ra_calendar_parse(const char *name, ra_calendar *out) {
  if (!name) name = "";
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcasecmp(name, names[i].name) != 0) continue;
    *out = names[i].calendar;
    return true;
  }
  return false;
}

const char *ra_calendar_name(ra_calendar calendar) { return names[calendar].name; }

static int64_t floor_div(int64_t a, int64_t b) {
  int64_t q = a / b;
  return q - (a % b < 0);
}

// Days from 1970-01-01 of the proleptic Gregorian calendar; years begin in March, so that a leap day is the last.
static int64_t gregorian_day(int64_t year, int month, int day) {
  year -= month <= 2;
  int64_t era = floor_div(year, 400), in_era = year - era * 400;
  int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719468;
}

static int64_t julian_day(int64_t year, int month, int day) {
  year -= month <= 2;
  int64_t era = floor_div(year, 4), in_era = year - era * 4;
  int64_t in_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 1461 + in_era * 365 + in_year - 719470;
}

static void march_date(int64_t year, int64_t in_year, ra_date *date) {
  int64_t month = (5 * in_year + 2) / 153;
  date->day = (int)(in_year - (153 * month + 2) / 5 + 1);
  date->month = (int)(month < 10 ? month + 3 : month - 9);
  date->year = year + (date->month <= 2);
}

static void gregorian_date(int64_t day, ra_date *date) {
  day += 719468;
  int64_t era = floor_div(day, 146097), in_era = day - era * 146097;
  int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
  march_date(year + era * 400, in_era - (365 * year + year / 4 - year / 100), date);
}

static void julian_date(int64_t day, ra_date *date) {
  day += 719470;
  int64_t era = floor_div(day, 1461), in_era = day - era * 1461;
  int64_t year = (in_era - in_era / 1460) / 365;
  march_date(year + era * 4, in_era - 365 * year, date);
}

static bool is_leap(ra_calendar calendar, int64_t year) {
  switch (calendar) {
    case RA_CALENDAR_NOLEAP: return false;
    case RA_CALENDAR_ALL_LEAP: return true;
    case RA_CALENDAR_JULIAN: return year % 4 == 0;
    case RA_CALENDAR_STANDARD:
      if (year < 1582) return year % 4 == 0;
      break;
    default: break;
  }
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int ra_time_month_days(ra_calendar calendar, int64_t year, int month) {
  if (calendar == RA_CALENDAR_360_DAY) return 30;
  const int *before = is_leap(calendar, year) ? before_month_leap : before_month;
  return before[month] - before[month - 1];
}

static int64_t date_day(ra_calendar calendar, int64_t year, int month, int day) {
  switch (calendar) {
    case RA_CALENDAR_360_DAY: return (year - 1970) * 360 + (month - 1) * 30 + day - 1;
    case RA_CALENDAR_NOLEAP: return (year - 1970) * 365 + before_month[month - 1] + day - 1;
    case RA_CALENDAR_ALL_LEAP: return (year - 1970) * 366 + before_month_leap[month - 1] + day - 1;
    case RA_CALENDAR_JULIAN: return julian_day(year, month, day) - julian_day(1970, 1, 1);
    case RA_CALENDAR_STANDARD:
      if (year < 1582 || (year == 1582 && (month < 10 || (month == 10 && day < 15))))
        return julian_day(year, month, day);
      break;
    case RA_CALENDAR_PROLEPTIC_GREGORIAN: break;
  }
  return gregorian_day(year, month, day);
}

static void even_date(int64_t day, int days_a_year, const int *before, ra_date *date) {
  date->year = 1970 + floor_div(day, days_a_year);
  int in_year = (int)(day - (date->year - 1970) * days_a_year);
  date->month = 1;
  while (before[date->month] <= in_year) date->month++;
  date->day = in_year - before[date->month - 1] + 1;
}

static void day_date(ra_calendar calendar, int64_t day, ra_date *date) {
  switch (calendar) {
    case RA_CALENDAR_360_DAY:
      date->year = 1970 + floor_div(day, 360);
      day -= (date->year - 1970) * 360;
      date->month = (int)(day / 30) + 1;
      date->day = (int)(day % 30) + 1;
      return;
    case RA_CALENDAR_NOLEAP: even_date(day, 365, before_month, date); return;
    case RA_CALENDAR_ALL_LEAP: even_date(day, 366, before_month_leap, date); return;
    case RA_CALENDAR_JULIAN: julian_date(day + julian_day(1970, 1, 1), date); return;
    case RA_CALENDAR_STANDARD:
      if (day < SWITCH_DAY) {
        julian_date(day, date);
        return;
      }
      break;
    case RA_CALENDAR_PROLEPTIC_GREGORIAN: break;
  }
  gregorian_date(day, date);
}

static bool in_gap(ra_calendar calendar, const ra_date *date) {
  return calendar == RA_CALENDAR_STANDARD && date->year == 1582 && date->month == 10 &&
         date->day > 4 && date->day < 15;
}

static bool date_exists(ra_calendar calendar, const ra_date *date) {
  return date->month >= 1 && date->month <= 12 && date->day >= 1 &&
         date->day <= ra_time_month_days(calendar, date->year, date->month) &&
         !in_gap(calendar, date);
}

int ra_time_from_date(ra_calendar calendar, const ra_date *date, int64_t *ms, ra_err *err) {
  if (date->year > YEAR_LIMIT || date->year < -YEAR_LIMIT)
    return ra_fail(err, RA_E_INVALID, "", "year %lld is out of range: at most %d",
                   (long long)date->year, YEAR_LIMIT);
  if (!date_exists(calendar, date))
    return ra_fail(err, RA_E_INVALID, "", "%04lld-%02d-%02d is not a date of the %s calendar",
                   (long long)date->year, date->month, date->day, ra_calendar_name(calendar));
  if (date->hour < 0 || date->hour > 23 || date->minute < 0 || date->minute > 59 ||
      date->second < 0 || date->second > 59 || date->ms < 0 || date->ms > 999)
    return ra_fail(err, RA_E_INVALID, "",
                   "%02d:%02d:%02d is not a time of day: 00:00:00 to 23:59:59", date->hour,
                   date->minute, date->second);
  int64_t seconds = (date->hour * 60 + date->minute) * 60 + date->second;
  *ms = date_day(calendar, date->year, date->month, date->day) * DAY_MS + seconds * 1000 + date->ms;
  return RA_OK;
}

void ra_time_to_date(ra_calendar calendar, int64_t ms, ra_date *date) {
  int64_t day = floor_div(ms, DAY_MS);
  int rest = (int)(ms - day * DAY_MS);
  day_date(calendar, day, date);
  date->ms = rest % 1000;
  date->second = rest / 1000 % 60;
  date->minute = rest / 60000 % 60;
  date->hour = rest / 3600000;
}

// The same date in another calendar, moved to the nearest that exists there.
static int64_t carry_over(ra_calendar from, ra_calendar to, int64_t ms, bool *exact) {
  ra_date date;
  ra_time_to_date(from, ms, &date);
  bool same = date_exists(to, &date);
  if (!same) {
    int last = ra_time_month_days(to, date.year, date.month);
    if (date.day > last) date.day = last;
    if (in_gap(to, &date)) date.day = date.day < 10 ? 4 : 15;
  }
  if (exact) *exact = same;
  int64_t day = date_day(to, date.year, date.month, date.day);
  return day * DAY_MS + (ms - floor_div(ms, DAY_MS) * DAY_MS);
}

int64_t ra_time_to_iso(ra_calendar calendar, int64_t ms, bool *exact) {
  return carry_over(calendar, RA_CALENDAR_PROLEPTIC_GREGORIAN, ms, exact);
}

int64_t ra_time_from_iso(ra_calendar calendar, int64_t iso_ms, bool *exact) {
  return carry_over(RA_CALENDAR_PROLEPTIC_GREGORIAN, calendar, iso_ms, exact);
}
