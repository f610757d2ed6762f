// clock.h - monotonic time for budgets and metrics, CPU time of a thread, wall time for stamps.
#pragma once
#include <stdint.h>

uint64_t ra_clock_ns(void);         // monotonic nanoseconds
uint64_t ra_clock_thread_ns(void);  // CPU time of this thread; a system call
int64_t ra_clock_wall_ms(void);     // milliseconds since 1970-01-01T00:00:00Z
