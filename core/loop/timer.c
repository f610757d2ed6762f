// timer.c - see timer.h
#include "loop/timer.h"

#include <stdlib.h>

struct ra_timer {
  uv_timer_t handle;
  void (*fire)(void *ctx);
  void *ctx;
};

static void on_timer(uv_timer_t *handle) {
  ra_timer *timer = handle->data;
  timer->fire(timer->ctx);
}

int ra_timer_new(uv_loop_t *loop, bool background, void (*fire)(void *ctx), void *ctx,
                 ra_timer **out, ra_err *err) {
  ra_timer *timer = calloc(1, sizeof *timer);
  if (!timer) return ra_fail(err, RA_E_NOMEM, "", "no memory for a timer");
  uv_timer_init(loop, &timer->handle);
  if (background) uv_unref((uv_handle_t *)&timer->handle);
  timer->handle.data = timer;
  timer->fire = fire;
  timer->ctx = ctx;
  *out = timer;
  return RA_OK;
}

void ra_timer_start(ra_timer *timer, uint64_t delay_ms, uint64_t repeat_ms) {
  uv_update_time(timer->handle.loop);  // else the delay counts from the beginning of this turn
  uv_timer_start(&timer->handle, on_timer, delay_ms, repeat_ms);
}

void ra_timer_stop(ra_timer *timer) { uv_timer_stop(&timer->handle); }

bool ra_timer_active(const ra_timer *timer) {
  return uv_is_active((const uv_handle_t *)&timer->handle);
}

static void on_closed(uv_handle_t *handle) { free(handle->data); }

void ra_timer_free(ra_timer *timer) {
  if (timer) uv_close((uv_handle_t *)&timer->handle, on_closed);
}
