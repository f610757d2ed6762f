// Calendars and units of time against cftime and udunits: random instants, and numbers in all units from all stamps, are
// written with the dates we give them, and check_caltime.py compares. Needs PEERS_PYTHON, a Python that has cftime;
// skipped (77) without it.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/caltime.h"

enum { CALENDARS = RA_CALENDAR_JULIAN + 1 };

static FILE *judge;
static unsigned seed;

static void write_instants(int calendar) {
  for (int i = 0; i < 3000; i++) {
    int64_t span = i % 2 ? 300000000000000 : 80000000000000;
    int64_t ms = ((int64_t)rand_r(&seed) << 31 | rand_r(&seed)) % span - span / 5;
    char text[40];
    ra_time_format(calendar, ms, text);
    fprintf(judge, "date\t%s\t%lld\t%s\n", ra_calendar_name(calendar), (long long)ms, text);
  }
}

// ---- units: what cftime reads whole it judges, in all calendars; the rest udunits, in the standard one

static const struct {
  const char *unit;
  double most;  // so that years stay in four digits
} FIELD_UNITS[] = {
    {"microseconds", 9e15},
    {"microsec", 9e15},
    {"msec", 9e13},
    {"milliseconds", 9e13},
    {"ms", 9e13},
    {"seconds", 9e10},
    {"secs", 9e10},
    {"s", 9e10},
    {"S", 9e10},
    {"minutes", 1e9},
    {"min", 1e9},
    {"mins", 1e9},
    {"hours", 2e7},
    {"Hour", 2e7},
    {"hrs", 2e7},
    {"h", 2e7},
    {"days", 9e5},
    {"DAYS", 9e5},
    {"d", 9e5},
    {"D", 9e5},
};

static const char *const FIELD_STAMPS[] = {
    "1970-01-01",
    "2000-01-01T00:00:00Z",
    "1970-01-01 00:00:00.0 +05:30",
    "2000-01-01 12:00 UTC",
    "2000-1-1 6:0",
    "1900-01-01 00:00:0.0",
    "1-1-1",
    "1-1-1 00:00:0.0",
    "0001-01-01 00:00:00",
    "0000-01-01",
    "0-1-1 12:00",
    "-0001-01-01",
    "-4713-01-01 12:00:00",
    "1582-10-15",
    "1582-10-04 06:00",
    "1600-02-28 23:59:59.999",
    "1964-03-12 12:09:00 -9:00",
    "2000-01-01T",
    "2000-01-01Z",
    "2000-01-01_06:30:00",
    "2016-12-19T10:27:29.687763",
    "1970-01-01 00:00 -0230",
    "1970-01-01 00:00:00 +05",
    "2000-01-01 UTC",
    "2000-01-01 +05:30",
    "+2000-01-01",
    "10000-01-01",
};

static const char *const UDUNITS_UNITS[] = {
    "6 hours",
    "6hours",
    "0.25 days",
    "1e-3 s",
    "+1 hour",
    "-1 hour",
    "hour*2",
    "2*hour",
    "2.hour",
    "2 3 hours",
    "hours/2",
    "millisec",
    "nanosec",
    "us",
    "\xc2\xb5s",
    "\xce\xbcs",
    "ns",
    "ds",
    "Ms",
    "ks",
    "Ts",
    "hectosecond",
    "dahour",
    "KILOSECONDS",
    "kiloday",
    "Megaseconds",
    "week",
    "weeks",
    "2 weeks",
    "fortnight",
    "fortnights",
    "common_year",
    "leap_year",
    "Julian_year",
    "JULIAN_YEARS",
    "Gregorian_years",
    "tropical_year",
    "sidereal_year",
    "sidereal_day",
    "sidereal_hours",
    "sidereal_minute",
    "sidereal_second",
    "sidereal_month",
    "tropical_month",
    "lunar_month",
    "work_year",
    "work_month",
    "shake",
    "jiffies",
    "hour",
    "msecs",
};

static const char *const UDUNITS_STAMPS[] = {
    "2000",
    "2000-6",
    "200006",
    "20000101",
    "20000101T000000",
    "20000101T0600",
    "20000101T06:30",
    "20000101T6",
    "20000101 060000",
    "2000-01-01 0600",
    "2000-01-01 6",
    "2000-01-01 06 UTC",
    "2000-01-01 6Z",
    "2000-01-01 12:00:00 05:30",
    "2000-01-01 12:00:00 +530",
    "2000-01-01 12:00:00 -5",
    "2000-01-01 12:00:00 5",
    "2016-12-31 23:59:60",
    "2000-01-01  12:00:00",
    "2000-01-01 12:00:00.",
};

static const char *const SHIFTS[] = {" since ", " SINCE ", " from ", " after ",
                                     " ref ",   "@",       " @ "};

static void write_units(const char *who, ra_calendar calendar, const char *units, double value) {
  ra_time_units parsed;
  ra_err err = {0};
  char text[600];
  if (ra_time_units_parse(units, calendar, &parsed, &err) < 0) {
    snprintf(text, sizeof text, "refused: %s", err.message);
  } else {
    snprintf(text, sizeof text, "%lld", (long long)ra_time_decode(&parsed, calendar, value));
  }
  fprintf(judge, "%s\t%s\t%s\t%.17g\t%s\n", who, ra_calendar_name(calendar), units, value, text);
}

static double below(double most) { return most * ((double)rand_r(&seed) / RAND_MAX - 0.1); }

static void write_field_units(ra_calendar calendar) {
  for (size_t u = 0; u < sizeof FIELD_UNITS / sizeof *FIELD_UNITS; u++) {
    for (size_t s = 0; s < sizeof FIELD_STAMPS / sizeof *FIELD_STAMPS; s++) {
      char units[160];
      snprintf(units, sizeof units, "%s since %s", FIELD_UNITS[u].unit, FIELD_STAMPS[s]);
      write_units("cftime", calendar, units, 0);
      write_units("cftime", calendar, units, round(below(FIELD_UNITS[u].most)));
      write_units("cftime", calendar, units, below(FIELD_UNITS[u].most));
    }
  }
}

static void write_months(void) {
  static const char *const UNITS[] = {"months since 1850-01-01", "month since 0000-02-30 06:00"};
  for (size_t u = 0; u < 2; u++) {
    for (int i = 0; i < 50; i++)
      write_units("cftime", RA_CALENDAR_360_DAY, UNITS[u], i % 2 ? below(5000) : round(below(5000)));
  }
}

static void write_udunits(void) {
  char units[160];
  for (size_t u = 0; u < sizeof UDUNITS_UNITS / sizeof *UDUNITS_UNITS; u++) {
    for (size_t k = 0; k < sizeof SHIFTS / sizeof *SHIFTS; k++) {
      snprintf(units, sizeof units, "%s%s2000-01-01", UDUNITS_UNITS[u], SHIFTS[k]);
      write_units("udunits", RA_CALENDAR_STANDARD, units, k == 0 ? 1 : below(5));
    }
  }
  for (size_t s = 0; s < sizeof UDUNITS_STAMPS / sizeof *UDUNITS_STAMPS; s++) {
    snprintf(units, sizeof units, "hours since %s", UDUNITS_STAMPS[s]);
    write_units("udunits", RA_CALENDAR_STANDARD, units, round(below(90000)));
  }
}

int main(void) {
  const char *python = getenv("PEERS_PYTHON");
  if (!python || !*python) {
    printf("skipped: PEERS_PYTHON names no Python with cftime\n");
    return 77;
  }
  char command[4096];
  snprintf(command, sizeof command, "'%s' '%s'", python, CHECK_SCRIPT);
  judge = popen(command, "w");
  if (!judge) return 1;
  seed = (unsigned)time(NULL);
  printf("seed %u\n", seed);
  fflush(stdout);
  for (int calendar = 0; calendar < CALENDARS; calendar++) {
    write_instants(calendar);
    write_field_units(calendar);
  }
  write_months();
  write_udunits();
  return pclose(judge) == 0 ? 0 : 1;
}
