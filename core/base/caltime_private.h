// caltime_private.h - what the files of caltime share.
#pragma once
#include "base/caltime.h"

// A time stamp as udunits and cftime take it behind "since": "1-1-1", "20000101T06", "2000-01-01 6:0 UTC". units:
// what it ends, for the message.
int ra__time_stamp(ra_calendar calendar, const char *text, const char *units, int64_t *ms,
                   ra_err *err);
