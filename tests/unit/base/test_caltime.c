// Calendars: dates that exist and that don't, units of files in the wild, ISO neighbours, texts.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/caltime.h"

enum { CALENDARS = RA_CALENDAR_JULIAN + 1 };

static int64_t parsed(ra_calendar calendar, const char *text) {
  ra_err err;
  int64_t ms = RA_TIME_NONE;
  if (ra_time_parse(calendar, text, &ms, &err) < 0) return RA_TIME_NONE;
  return ms;
}

static const char *shown(ra_calendar calendar, int64_t ms) {
  static char text[40];
  ra_time_format(calendar, ms, text);
  return text;
}

static void names_of_calendars(void **state) {
  (void)state;
  ra_calendar calendar;
  assert_true(ra_calendar_parse("JULIAN", &calendar));
  assert_string_equal(ra_calendar_name(calendar), "julian");
  assert_true(ra_calendar_parse("365_day", &calendar));
  assert_string_equal(ra_calendar_name(calendar), "noleap");
  assert_true(ra_calendar_parse(NULL, &calendar));
  assert_string_equal(ra_calendar_name(calendar), "standard");
  assert_false(ra_calendar_parse("badname", &calendar));
}

static void dates_go_there_and_back(void **state) {
  (void)state;
  unsigned seed = (unsigned)time(NULL);
  print_message("seed %u\n", seed);
  for (int calendar = 0; calendar < CALENDARS; calendar++) {
    for (int i = 0; i < 20000; i++) {
      int64_t ms = ((int64_t)rand_r(&seed) << 31 | rand_r(&seed)) % 400000000000000 - 200000000000000;
      ra_date date;
      int64_t back;
      ra_time_to_date(calendar, ms, &date);
      assert_int_equal(ra_time_from_date(calendar, &date, &back, NULL), RA_OK);
      assert_true(back == ms);
      assert_true(parsed(calendar, shown(calendar, ms)) == ms || date.year < -9999);
    }
  }
}

static void days_follow_each_other(void **state) {
  (void)state;
  for (int calendar = 0; calendar < CALENDARS; calendar++) {
    ra_date last, date;
    ra_time_to_date(calendar, -1000000LL * 86400000, &last);
    for (int64_t day = -999999; day < 300000; day++) {
      ra_time_to_date(calendar, day * 86400000, &date);
      bool next_day = date.day == last.day + 1 && date.month == last.month;
      bool next_month = date.day == 1 && date.month == last.month % 12 + 1;
      bool reform = date.day == 15 && last.day == 4;
      assert_true(next_day || next_month || reform);
      assert_true(date.year == last.year + (date.month < last.month));
      last = date;
    }
  }
}

static void dates_that_do_not_exist_are_refused(void **state) {
  (void)state;
  assert_true(parsed(RA_CALENDAR_360_DAY, "2020-02-30T06:00:00Z") != RA_TIME_NONE);
  assert_true(parsed(RA_CALENDAR_360_DAY, "2020-01-31") == RA_TIME_NONE);
  assert_true(parsed(RA_CALENDAR_NOLEAP, "2020-02-29") == RA_TIME_NONE);
  assert_true(parsed(RA_CALENDAR_ALL_LEAP, "2019-02-29") != RA_TIME_NONE);
  assert_true(parsed(RA_CALENDAR_STANDARD, "1582-10-10") == RA_TIME_NONE);
  assert_true(parsed(RA_CALENDAR_PROLEPTIC_GREGORIAN, "1582-10-10") != RA_TIME_NONE);
  assert_true(parsed(RA_CALENDAR_STANDARD, "1500-02-29") != RA_TIME_NONE);
  assert_true(parsed(RA_CALENDAR_PROLEPTIC_GREGORIAN, "1500-02-29") == RA_TIME_NONE);
  // POSIX: 2000-02-29 is day 11016
  assert_true(parsed(RA_CALENDAR_STANDARD, "2000-02-29T00:00:00Z") == 11016LL * 86400000);
}

static void texts_of_dates(void **state) {
  (void)state;
  const ra_calendar iso = RA_CALENDAR_PROLEPTIC_GREGORIAN;
  const int64_t noon = parsed(iso, "2020-01-31T12:00:00Z");
  assert_true(noon == 1580472000000);
  assert_true(parsed(iso, "2020-01-31 12:00") == noon);
  assert_true(parsed(iso, "2020-01-31t12:00:00.000z") == noon);
  assert_true(parsed(iso, "2020-01-31T14:30:00+02:30") == noon);
  assert_true(parsed(iso, "2020-01-31T12:00:00.0004Z") == noon);
  assert_true(parsed(iso, "2020-01") == parsed(iso, "2020-01-01T00:00:00Z"));
  assert_true(parsed(iso, "0000-03-01") == -719468LL * 86400000);
  assert_true(parsed(iso, "2016-12-31T23:59:60Z") == parsed(iso, "2017-01-01"));
  const char *bad[] = {"",
                       "now",
                       "20-01-31",
                       "2020-1-31",
                       "2020-01-31T",
                       "2020-01-32",
                       "2020-13-01",
                       "2020-01-31T24:00:00Z",
                       "2020-01-31T12:60Z",
                       "2020-01-31T12:00:00+0230",
                       "2020-01-31T12:00:00Z ",
                       "2020-01-31T12:00:00,5Z",
                       "2020-01-31T12:00:00.Z",
                       "99999999999-01-01"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_true(parsed(iso, bad[i]) == RA_TIME_NONE);
  assert_string_equal(shown(iso, noon + 250), "2020-01-31T12:00:00.250Z");
  assert_string_equal(shown(iso, parsed(iso, "-0044-03-15")), "-0044-03-15T00:00:00Z");
  char label[40];
  ra_time_label(RA_CALENDAR_360_DAY, parsed(RA_CALENDAR_360_DAY, "2020-02-30T06:00"), label);
  assert_string_equal(label, "20200230T060000Z");
}

static const char *decoded(const char *units, const char *calendar_name, double value) {
  ra_calendar calendar;
  ra_time_units parsed_units;
  static ra_err err;
  assert_true(ra_calendar_parse(calendar_name, &calendar));
  if (ra_time_units_parse(units, calendar, &parsed_units, &err) < 0) return err.message;
  assert_true(ra_time_units_like(units));
  return shown(calendar, ra_time_decode(&parsed_units, calendar, value));
}

// Expected dates: cftime 1.6 (calendar months: dateutil's relativedelta).
static void units_of_files(void **state) {
  (void)state;
  assert_string_equal(decoded("days since 1850-1-1 0:0:0", "gregorian", 1.5),
                      "1850-01-02T12:00:00Z");
  assert_string_equal(decoded("hour since 0000-01-01 00:00:00", NULL, 366.0),
                      "0000-01-16T06:00:00Z");
  assert_string_equal(decoded("days since 0001-01-01", "standard", 735234), "2013-12-31T00:00:00Z");
  assert_string_equal(decoded("days since 0001-01-01", "NOLEAP", 59), "0001-03-01T00:00:00Z");
  assert_string_equal(decoded("days since 1964-03-12 12:09:00 -09:00", NULL, 0),
                      "1964-03-12T21:09:00Z");
  assert_string_equal(decoded("days since 1964-03-12 12:09:00 -9:00", NULL, 0),
                      "1964-03-12T12:09:00Z");  // as cftime
  assert_string_equal(decoded("Hour since 2001-12-31T23:00:00Z", NULL, 1), "2002-01-01T00:00:00Z");
  assert_string_equal(decoded("hours since 1-1-1 00:00:0.0", "360_day", 24),
                      "0001-01-02T00:00:00Z");
  assert_string_equal(decoded("secs since 1970-01-01 00:00:00 UTC", NULL, 86399.9996),
                      "1970-01-02T00:00:00Z");
  assert_string_equal(decoded("seconds since 2016-12-19T10:27:29.687763", NULL, 0),
                      "2016-12-19T10:27:29.688Z");
  assert_string_equal(decoded("days since 2001-1-1", "360_day", 59), "2001-02-30T00:00:00Z");
  assert_string_equal(decoded("months since 1958-1-1 00:00:00", NULL, 13), "1959-02-01T00:00:00Z");
  assert_string_equal(decoded("calendar Month since 2014-11-01T00:00:00Z", NULL, 2.5),
                      "2015-01-16T12:00:00Z");
  assert_string_equal(decoded("months since 2000-01-31", NULL, 1), "2000-02-29T00:00:00Z");
  assert_string_equal(decoded("months since 2000-01-01", NULL, -1), "1999-12-01T00:00:00Z");
  assert_string_equal(decoded("years since 2000-02-29", NULL, 1), "2001-02-28T00:00:00Z");
  assert_string_equal(decoded("days since 19700101", NULL, 1), "1970-01-02T00:00:00Z");
  assert_string_equal(decoded("kyr since 2000-01-01", NULL, -21), "-19000-01-01T00:00:00Z");
  // Julian day 2451545.0 is 2000-01-01T12:00 (Meeus, Astronomical Algorithms); in these calendars -1 follows 1
  assert_string_equal(decoded("days since -4713-01-01 12:00", "standard", 2451545),
                      "2000-01-01T12:00:00Z");
  assert_string_equal(decoded("days since -4713-11-24 12:00", "proleptic_gregorian", 2451545),
                      "2000-01-01T12:00:00Z");
  assert_string_equal(decoded("days since -1-1-1", "julian", 366), "0001-01-01T00:00:00Z");
  assert_string_equal(decoded("days since -1-1-1", "noleap", 365), "0000-01-01T00:00:00Z");
  assert_string_equal(decoded("minutes since 1582-10-04 23:59:00", "gregorian", 1),
                      "1582-10-15T00:00:00Z");
}

// As CDO writes them: "absolute" times.
static void numbers_that_are_dates(void **state) {
  (void)state;
  const char *day = "day as %Y%m%d.%f";
  assert_string_equal(decoded(day, NULL, 19990131.25), "1999-01-31T06:00:00Z");
  assert_string_equal(decoded("DAY  as  %Y%m%d", "360_day", 20000230), "2000-02-30T00:00:00Z");
  assert_string_equal(decoded("month as %Y%m.%f", "noleap", 200002.5), "2000-02-15T00:00:00Z");
  assert_string_equal(decoded("year as %Y.%f", "360_day", 1850.75), "1850-10-01T00:00:00Z");
  assert_string_equal(decoded(day, NULL, 101), "0000-01-01T00:00:00Z");
  const double none[] = {NAN, INFINITY, -20000101, 20000230, 20001301, 20000100, 1e300};
  ra_time_units units;
  assert_int_equal(ra_time_units_parse(day, RA_CALENDAR_STANDARD, &units, NULL), RA_OK);
  for (size_t i = 0; i < sizeof none / sizeof *none; i++)
    assert_true(ra_time_decode(&units, RA_CALENDAR_STANDARD, none[i]) == RA_TIME_NONE);
}

static void units_that_are_none(void **state) {
  (void)state;
  const char *none[] = {NULL,
                        "",
                        "K",
                        "days",
                        "degrees_north",
                        "since 2000-01-01",
                        "K @ 273.15",
                        "K from 2000-01-01",
                        "hours",
                        "day as %d%m%Y",
                        "day as %Y",
                        "hours/minutes since 2000-01-01",
                        "1/hour since 2000-01-01",
                        "hour min since 2000-01-01",
                        "0 hours since 2000-01-01"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_false(ra_time_units_like(none[i]));
  assert_non_null(strstr(decoded("days since yesterday", NULL, 0), "is not a date"));
  assert_non_null(
      strstr(decoded("days since 2001-02-31", NULL, 0), "is not a date of the standard"));
  assert_non_null(
      strstr(decoded("parsecs since 2000-01-01", NULL, 0), "'parsecs' in units 'parsecs"));
  const char *dates[] = {
      "2000/01/01",       "01-01-2000",     "2000-01-01 24:00", "2000-01-01 00:60",
      "2000-13-01",       "2000-02-30",     "1582-10-05",       "0000-00-00",
      "2000-001",         "20000101000000", "20000101.5",       "20006",
      "2000-01-01-12:00", "2000-01-01 EST", "2000-01-01 AM",    "2000-01-01, 12:00"};
  for (size_t i = 0; i < sizeof dates / sizeof *dates; i++) {
    char text[64];
    snprintf(text, sizeof text, "hours since %s", dates[i]);
    assert_non_null(strstr(decoded(text, NULL, 0), dates[i]));
    assert_non_null(strstr(decoded(text, NULL, 0), "is not a "));
  }
  ra_time_units units;
  assert_int_equal(ra_time_units_parse("days since 1970-01-01", RA_CALENDAR_STANDARD, &units, NULL),
                   RA_OK);
  assert_true(ra_time_decode(&units, RA_CALENDAR_STANDARD, NAN) == RA_TIME_NONE);
  assert_true(ra_time_decode(&units, RA_CALENDAR_STANDARD, 1e30) == RA_TIME_NONE);
  assert_true(ra_time_decode(&units, RA_CALENDAR_STANDARD, -INFINITY) == RA_TIME_NONE);
}

static void iso_neighbours(void **state) {
  (void)state;
  const ra_calendar iso = RA_CALENDAR_PROLEPTIC_GREGORIAN;
  bool exact;
  int64_t ms =
      ra_time_to_iso(RA_CALENDAR_360_DAY, parsed(RA_CALENDAR_360_DAY, "2019-02-30T06:00"), &exact);
  assert_false(exact);
  assert_string_equal(shown(iso, ms), "2019-02-28T06:00:00Z");
  ms = ra_time_to_iso(RA_CALENDAR_JULIAN, parsed(RA_CALENDAR_JULIAN, "1900-03-01"), &exact);
  assert_true(exact);
  assert_string_equal(shown(iso, ms), "1900-03-01T00:00:00Z");
  ms = ra_time_from_iso(RA_CALENDAR_NOLEAP, parsed(iso, "2020-02-29T12:00:00Z"), &exact);
  assert_false(exact);
  assert_string_equal(shown(RA_CALENDAR_NOLEAP, ms), "2020-02-28T12:00:00Z");
  ra_time_from_iso(RA_CALENDAR_STANDARD, parsed(iso, "1582-10-07"), &exact);
  assert_false(exact);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_of_calendars),
      cmocka_unit_test(dates_go_there_and_back),
      cmocka_unit_test(days_follow_each_other),
      cmocka_unit_test(dates_that_do_not_exist_are_refused),
      cmocka_unit_test(texts_of_dates),
      cmocka_unit_test(units_of_files),
      cmocka_unit_test(numbers_that_are_dates),
      cmocka_unit_test(units_that_are_none),
      cmocka_unit_test(iso_neighbours),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
