// idle.h - called once every turn of the loop while it is on, and the loop does not sleep then: for work that is cut into
// slices and for calls that must not happen inside their caller. Owned by whoever made it; loop thread only.
#pragma once
#include <stdbool.h>
#include <uv.h>

#include "base/err.h"

typedef struct ra_idle ra_idle;

int ra_idle_new(uv_loop_t *loop, void (*fire)(void *ctx), void *ctx, ra_idle **out, ra_err *err);
void ra_idle_start(ra_idle *idle);  // nothing when it is on
void ra_idle_stop(ra_idle *idle);
bool ra_idle_active(const ra_idle *idle);
// May be called from `fire`. The memory is released when the loop runs next. NULL is fine.
void ra_idle_free(ra_idle *idle);
