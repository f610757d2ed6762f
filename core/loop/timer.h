// timer.h - a timer on the loop: once or repeating. Owned by whoever made it; loop thread only.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

typedef struct ra_timer ra_timer;

// `background`: does not keep the loop running by itself.
int ra_timer_new(uv_loop_t *loop, bool background, void (*fire)(void *ctx), void *ctx,
                 ra_timer **out, ra_err *err);
// First after delay_ms, then every repeat_ms (0: once). Starting again replaces what was set.
void ra_timer_start(ra_timer *timer, uint64_t delay_ms, uint64_t repeat_ms);
void ra_timer_stop(ra_timer *timer);
bool ra_timer_active(const ra_timer *timer);
// May be called from `fire`. The memory is released when the loop runs next. NULL is fine.
void ra_timer_free(ra_timer *timer);
