"""Reads lines of `calendar milliseconds date` and compares each with cftime's date."""
import sys

import cftime

bad = count = 0
for line in sys.stdin:
    calendar, ms, text = line.split()
    epoch = cftime.datetime(1970, 1, 1, calendar=calendar, has_year_zero=True)
    t = cftime.num2date(int(ms), "milliseconds since 1970-01-01", calendar, has_year_zero=True)
    assert t.calendar == epoch.calendar
    want = "%s%04d-%02d-%02dT%02d:%02d:%02d" % ("-" if t.year < 0 else "", abs(t.year), t.month, t.day,
                                                t.hour, t.minute, t.second)
    want += (".%03d" % (t.microsecond // 1000) if t.microsecond else "") + "Z"
    count += 1
    if want != text:
        bad += 1
        if bad < 10:
            print("%s %s: cftime says %s, we say %s" % (calendar, ms, want, text))
print("%d dates compared, %d differ" % (count, bad))
sys.exit(1 if bad or not count else 0)
