// idle.c - see idle.h
#include "loop/idle.h"

#include <stdlib.h>

struct ra_idle {
  uv_idle_t handle;
  void (*fire)(void *ctx);
  void *ctx;
};

static void on_idle(uv_idle_t *handle) {
  ra_idle *idle = handle->data;
  idle->fire(idle->ctx);
}

int ra_idle_new(uv_loop_t *loop, void (*fire)(void *ctx), void *ctx, ra_idle **out, ra_err *err) {
  ra_idle *idle = calloc(1, sizeof *idle);
  if (!idle) return ra_fail(err, RA_E_NOMEM, "", "no memory for an idle handle");
  uv_idle_init(loop, &idle->handle);
  idle->handle.data = idle;
  idle->fire = fire;
  idle->ctx = ctx;
  *out = idle;
  return RA_OK;
}

void ra_idle_start(ra_idle *idle) { uv_idle_start(&idle->handle, on_idle); }

void ra_idle_stop(ra_idle *idle) { uv_idle_stop(&idle->handle); }

bool ra_idle_active(const ra_idle *idle) {
  return uv_is_active((const uv_handle_t *)&idle->handle);
}

static void on_closed(uv_handle_t *handle) { free(handle->data); }

void ra_idle_free(ra_idle *idle) {
  if (idle) uv_close((uv_handle_t *)&idle->handle, on_closed);
}
