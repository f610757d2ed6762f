// caltime.h - CF calendars: instants, dates, units. The one place that knows them. An instant is a count of
// milliseconds since 1970-01-01T00:00:00 counted *in its own calendar*; two calendars' instants are not comparable but
// by their dates. (CF 1.11 §4.4)
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define RA_TIME_NONE INT64_MIN  // no time, or a missing one

typedef enum ra_calendar {
  RA_CALENDAR_STANDARD,  // also "gregorian": Julian before 1582-10-15
  RA_CALENDAR_PROLEPTIC_GREGORIAN,
  RA_CALENDAR_NOLEAP,    // also "365_day"
  RA_CALENDAR_ALL_LEAP,  // also "366_day"
  RA_CALENDAR_360_DAY,
  RA_CALENDAR_JULIAN,
} ra_calendar;

bool ra_calendar_parse(const char *name, ra_calendar *out);  // any case; "" and NULL: standard
const char *ra_calendar_name(ra_calendar calendar);          // "standard", "360_day", …

typedef struct ra_date {
  int64_t year;    // astronomical: year 0 exists
  int month, day;  // 1..12, 1..31
  int hour, minute, second, ms;
} ra_date;

int ra_time_from_date(ra_calendar calendar, const ra_date *date, int64_t *ms,
                      ra_err *err);  // an impossible date: RA_E_INVALID
void ra_time_to_date(ra_calendar calendar, int64_t ms, ra_date *date);
int ra_time_month_days(ra_calendar calendar, int64_t year, int month);  // month: 1..12
// "2020-02-30T06:00:00Z" in the calendar's own dates (milliseconds only when there are some); years of 4 digits or more,
// '-' before negative ones. out has room for 40 bytes.
void ra_time_format(ra_calendar calendar, int64_t ms, char *out);
// "20200230T060000Z", for ids and paths.
void ra_time_label(ra_calendar calendar, int64_t ms, char *out);
// RFC 3339, also a date alone or without seconds or zone (UTC), 'T' or ' ' between; offsets are applied. Parts that are
// absent are the earliest. RA_E_INVALID with what would be right.
int ra_time_parse(ra_calendar calendar, const char *text, int64_t *ms, ra_err *err);
// The instant with the same date in the proleptic Gregorian calendar (STAC's); *exact false where that date does not
// exist there (30 February): then the nearest valid one.
int64_t ra_time_to_iso(ra_calendar calendar, int64_t ms, bool *exact);
int64_t ra_time_from_iso(ra_calendar calendar, int64_t iso_ms, bool *exact);

// A count of a unit since an instant: "days since 1850-01-01 00:00:00", "6 hours since …", "msec since …", "fortnight from
// …", "hour @ …". All units of time that udunits has, with its prefixes; months and years are those of the calendar. Or
// dates written as numbers: "day as %Y%m%d.%f", "month as %Y%m.%f", "year as %Y.%f".
typedef struct ra_time_units {
  double unit_ms;       // 0 for months, years and dates
  double months;        // a unit's calendar months, else 0
  unsigned date_parts;  // of dates as numbers: 1 the year, 2 and the month, 3 and the day; else 0
  int64_t epoch_ms;     // in the calendar
} ra_time_units;
int ra_time_units_parse(const char *units, ra_calendar calendar, ra_time_units *out, ra_err *err);
// Are they meant as times: "<anything> since <anything>", or what else ra_time_units_parse takes?
bool ra_time_units_like(const char *units);
int64_t ra_time_decode(const ra_time_units *units, ra_calendar calendar,
                       double value);  // RA_TIME_NONE for NaN, overflow and numbers that are no date
