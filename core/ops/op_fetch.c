// op_fetch.c - see op_fetch.h. The process's fetcher is made when it is first needed.
#include "ops/op_fetch.h"

#include <stdlib.h>

static void on_done(void *ctx, int rc, ra_fetch_answer *answer, const ra_err *err) {
  ra_op_fetch *f = ctx;
  f->fetch = NULL;
  f->answer = *answer;
  ra_str_init(&answer->headers);
  ra_str_init(&answer->body);
  ra_op_finish(f->op, rc, err);
}

static int fetch_start(ra_op *op, void *state, ra_err *err) {
  ra_op_fetch *f = state;
  ra_ops *ops = ra_op_ops(op);
  f->op = op;
  int rc = ops->fetcher ? RA_OK : ra_fetcher_new(ops->loop, ops->fetch_allow, &ops->fetcher, err);
  const ra_fetch_request request = {.method = f->method,
                                    .url = f->url,
                                    .headers = (const char *const *)f->headers,
                                    .body = f->body,
                                    .size = f->size,
                                    .timeout_ms = f->timeout_ms,
                                    .most = f->most,
                                    .redirects = f->redirects};
  return rc < 0 ? rc : ra_fetch_start(ops->fetcher, &request, on_done, f, &f->fetch, err);
}

static void fetch_cancelled(ra_op *op, void *state) {
  ra_op_fetch *f = state;
  ra_err err = {0};
  if (f->fetch) ra_fetch_cancel(f->fetch);
  f->fetch = NULL;
  ra_op_finish(op, ra_fail(&err, RA_E_CANCELLED, "fetch", "nobody waits any more"), &err);
}

static void fetch_deinit(void *state) {
  ra_op_fetch *f = state;
  for (size_t i = 0; f->headers && f->headers[i]; i++) free(f->headers[i]);
  free(f->headers);
  free(f->method);
  free(f->url);
  free(f->body);
  ra_str_deinit(&f->answer.headers);
  ra_str_deinit(&f->answer.body);
}

const ra_op_kind RA_OP_FETCH = {.name = "fetch",
                                .state_size = sizeof(ra_op_fetch),
                                .start = fetch_start,
                                .cancelled = fetch_cancelled,
                                .deinit = fetch_deinit};
