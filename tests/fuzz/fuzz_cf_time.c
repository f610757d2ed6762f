// fuzz_cf_time.c - units of time from any file: "<calendar's digit><number>\n<units>". Units are refused with a reason, or
// each number in them is no time or one whose date is a date of the calendar.
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/caltime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_instant(ra_calendar calendar, int64_t ms) {
  if (ms == RA_TIME_NONE) return;
  ra_date date;
  int64_t back, iso;
  char text[40];
  bool exact;
  ra_time_to_date(calendar, ms, &date);
  if (ra_time_from_date(calendar, &date, &back, NULL) < 0 || back != ms) {
    const int64_t most = 100000000;  // years that no date may be written with
    if (date.year >= -most && date.year <= most) abort();
  }
  ra_time_format(calendar, ms, text);
  ra_time_label(calendar, ms, text);
  iso = ra_time_to_iso(calendar, ms, &exact);
  if (exact && ra_time_from_iso(calendar, iso, &exact) != ms) abort();
}

static void check_units(ra_calendar calendar, const char *units, double value) {
  ra_time_units parsed;
  ra_err err = {0};
  bool like = ra_time_units_like(units);
  if (ra_time_units_parse(units, calendar, &parsed, &err) < 0) {
    if (err.message[0] == 0) abort();
    return;
  }
  if (!like) abort();
  const double values[] = {0, 1, -1, 0.5, 1e9, -1e15, NAN, INFINITY, value};
  for (size_t i = 0; i < sizeof values / sizeof *values; i++)
    check_instant(calendar, ra_time_decode(&parsed, calendar, values[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  char *text = malloc(size + 1);
  if (!text) return 0;
  memcpy(text, data, size);
  text[size] = 0;
  ra_calendar calendar = (ra_calendar)((unsigned char)text[0] % (RA_CALENDAR_JULIAN + 1));
  char *end;
  double value = strtod(text + 1, &end);
  if (*end == '\n') end++;
  check_units(calendar, end, value);
  int64_t ms;
  ra_err err = {0};
  if (ra_time_parse(calendar, end, &ms, &err) >= 0)
    check_instant(calendar, ms);
  else if (err.message[0] == 0)
    abort();
  ra_calendar named;
  ra_calendar_parse(end, &named);
  free(text);
  return 0;
}
