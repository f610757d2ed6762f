"""Judges our dates. Each line of the input is `date, calendar, milliseconds, date`, or `cftime, calendar, units, number, milliseconds`
(cftime says what is right), or `udunits, …` (libudunits2 does, in the standard calendar), with tabs between."""
import collections
import ctypes
import datetime
import re
import sys
import warnings

import cftime

warnings.simplefilter("ignore")
MS = datetime.timedelta(milliseconds=1)
ROUNDED = 1.01  # milliseconds: the stamp's fraction and the number's are each brought to a whole one


def since_1970(date):
    return (date - cftime.datetime(1970, 1, 1, calendar=date.calendar, has_year_zero=date.has_year_zero)) / MS


def check_date(calendar, ms, text):
    t = cftime.num2date(int(ms), "milliseconds since 1970-01-01", calendar, has_year_zero=True)
    want = "%s%04d-%02d-%02dT%02d:%02d:%02d" % ("-" if t.year < 0 else "", abs(t.year), t.month, t.day, t.hour, t.minute, t.second)
    want += (".%03d" % (t.microsecond // 1000) if t.microsecond else "") + "Z"
    return None if want == text else want


def check_cftime(calendar, units, value, ms):
    # a year 0 is refused in some calendars unless it is asked for
    zero = True if re.search("since 0+-", units) else None
    want = since_1970(cftime.num2date(float(value), units, calendar, has_year_zero=zero))
    return None if abs(want - float(ms)) < ROUNDED else "%.3f ms since 1970" % want


def check_udunits(calendar, units, value, ms):
    want = since_1970(udunits.date(units, float(value)))
    return None if abs(want - float(ms)) < ROUNDED else "%.3f ms since 1970" % want


class Udunits:
    def __init__(self):
        lib = self.lib = ctypes.CDLL("libudunits2.so.0")
        for name in ("ut_read_xml", "ut_parse", "ut_get_converter"):
            getattr(lib, name).restype = ctypes.c_void_p
        lib.ut_read_xml.argtypes = [ctypes.c_char_p]
        lib.ut_parse.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
        lib.ut_get_converter.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        lib.cv_convert_double.argtypes = [ctypes.c_void_p, ctypes.c_double]
        lib.cv_convert_double.restype = ctypes.c_double
        lib.ut_set_error_message_handler(lib.ut_ignore)
        self.system = lib.ut_read_xml(None)
        self.since = self.parse("seconds since 2000-01-01")

    def parse(self, units):
        return self.lib.ut_parse(self.system, units.encode(), 2)

    def date(self, units, value):
        converter = self.lib.ut_get_converter(self.parse(units), self.since)
        seconds = self.lib.cv_convert_double(converter, value)
        return cftime.num2date(seconds, "seconds since 2000-01-01", "standard")


udunits = Udunits()
checks = {"date": check_date, "cftime": check_cftime, "udunits": check_udunits}
counts, bad = collections.Counter(), collections.Counter()
for line in sys.stdin:
    who, *rest = line.rstrip("\n").split("\t")
    counts[who] += 1
    want = "a date" if not re.match("-?[0-9]", rest[-1]) else checks[who](*rest)
    if want:
        bad[who] += 1
        if bad[who] < 20:
            print(who, *rest[:-1], "is", want, "but we say", rest[-1])
for who in checks:
    print("%s: %d dates compared, %d differ" % (who, counts[who], bad[who]))
sys.exit(1 if bad or any(not counts[who] for who in checks) else 0)
