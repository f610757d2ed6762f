// lag.h - how late the loop is: a timer once a second whose lateness goes into rastrum_loop_lag_seconds.
// Something that holds the loop shows here first. Loop thread only.
#pragma once
#include <uv.h>

#include "base/err.h"

typedef struct ra_lag ra_lag;

// Does not keep the loop running by itself.
int ra_lag_start(uv_loop_t *loop, ra_lag **out, ra_err *err);
// The memory is released when the loop runs next. NULL is fine.
void ra_lag_stop(ra_lag *lag);
// Lateness of the last beat, in seconds; 0 before the first.
double ra_lag_last(const ra_lag *lag);
