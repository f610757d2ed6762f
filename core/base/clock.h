// clock.h - monotonic time for budgets and metrics, wall time for stamps.
#pragma once
#include <stdint.h>

uint64_t ra_clock_ns(void);      // monotonic nanoseconds
int64_t ra_clock_wall_ms(void);  // milliseconds since 1970-01-01T00:00:00Z
