// reload.c - see reload.h. A candidate is built (pool), adopted, and tested here by a request to it and to the VM that
// serves; meanwhile it reads the collections that are in the other's memory, so that the first requests after the swap
// don't wait.
#include "app/reload.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "loop/idle.h"
#include "loop/timer.h"

enum {
  GRACE_MS = 20000,  // for what a replaced VM has begun
  TEST_MS = 10000,   // for the test request and the collections
  LEAVING_MOST = 8,  // replaced VMs that still run; a reload waits for one of them to end
  ASKING_MOST = 64
};

typedef struct leaving {  // a VM that serves no longer, or never did
  struct leaving *next;
  ra_reload *reload;
  ra_script *script;
  bool drained;
} leaving;

typedef struct candidate {
  ra_reload *reload;  // NULL: it was dropped
  unsigned refs;      // callbacks to come, and the reload's own
  uint32_t id;
  char *refused;  // what the VM that serves has refused
  ra_script *script;
  ra_timer *limit;
  int rc;
  ra_err err;
  bool adopted;  // the loop's; before that the pool's
  bool warm;
  int status, old_status;  // of the test request; 0: no answer yet
} candidate;

typedef struct asking {
  uint32_t id;
  void (*done)(void *ctx, const char *note);
  void *ctx;
} asking;

struct ra_reload {
  ra_host *host;
  const ra_cli *cli;
  ra_control *control;
  int fds[2];
  unsigned serving;  // the file of the bundle that serves; the candidate's is the other one
  candidate *candidate;
  uint32_t waiting_id;  // asked for, but too many VMs still leave; 0: none
  unsigned building;
  leaving *leaving;
  unsigned leaving_count;
  ra_idle *reaper;
  asking asking[ASKING_MOST];
  unsigned asking_count;
  uint32_t last_id;
  bool ending;
};

static void prepare(ra_reload *r, uint32_t id);

// ---- VMs that leave

static void on_drained(void *ctx) {
  leaving *l = ctx;
  l->drained = true;
  ra_idle_start(l->reload->reaper);  // it may not be freed from inside of it
}

static void reap(void *ctx) {
  ra_reload *r = ctx;
  ra_idle_stop(r->reaper);
  for (leaving **at = &r->leaving; *at;) {
    leaving *l = *at;
    if (!l->drained) {
      at = &l->next;
      continue;
    }
    *at = l->next;
    ra_script_free_apart(l->script);
    free(l);
    r->leaving_count--;
  }
  uint32_t id = r->waiting_id;
  if (!id || r->leaving_count >= LEAVING_MOST) return;
  r->waiting_id = 0;
  prepare(r, id);
}

// newer: the VM that takes its place; NULL: it has never served.
static void leave(ra_reload *r, ra_script *script, ra_script *newer) {
  leaving *l = calloc(1, sizeof *l);
  if (!l) {  // it keeps running; that is better than to end what it has begun
    ra_log(RA_LOG_ERROR, "reload: no memory to end the old plugins");
    return;
  }
  *l = (leaving){.next = r->leaving, .reload = r, .script = script};
  r->leaving = l;
  r->leaving_count++;
  if (newer) {
    ra_script_retire(script, newer, GRACE_MS, on_drained, l);
  } else {
    ra_script_drain(script, 0, on_drained, l);
  }
}

// ---- the candidate

static void release(candidate *c) {
  if (--c->refs) return;
  free(c->refused);
  free(c);
}

static void drop_candidate(ra_reload *r) {
  candidate *c = r->candidate;
  if (!c) return;
  r->candidate = NULL;
  c->reload = NULL;
  ra_timer_free(c->limit);
  c->limit = NULL;
  if (c->adopted) leave(r, c->script, NULL);  // before that, the script is the builder's
  release(c);
}

static void answer(ra_reload *r, uint32_t id, const char *problem) {
  ra_err err = {0};
  if (ra_control_send(r->control, "prepared", id, problem, strlen(problem), &err) < 0)
    ra_log(RA_LOG_ERROR, "reload: %s", err.message);
}

static void refuse(ra_reload *r, const char *problem) {
  uint32_t id = r->candidate->id;
  drop_candidate(r);
  answer(r, id, problem);
}

// ---- tests on the loop

static void judge(candidate *c, bool late) {
  ra_reload *r = c->reload;
  if (!r || !c->limit) return;  // dropped, or judged
  if (!late && !(c->warm && c->status && c->old_status)) return;
  ra_timer_free(c->limit);
  c->limit = NULL;
  char problem[200];
  if (c->old_status && c->old_status < 500 && c->status >= 500) {
    snprintf(problem, sizeof problem,
             "with the new plugins /healthz is answered %d: see on_request and on_response",
             c->status);
    refuse(r, problem);
  } else if (c->old_status && !c->status) {
    snprintf(problem, sizeof problem, "with the new plugins /healthz is not answered within %d s",
             TEST_MS / 1000);
    refuse(r, problem);
  } else {
    answer(r, c->id, "");
  }
}

static void on_limit(void *ctx) { judge(ctx, true); }

static void on_answer(void *ctx, const ra_script_answer *answer_) {
  candidate *c = ctx;
  c->status = answer_->status;
  judge(c, false);
  release(c);
}

static void on_old_answer(void *ctx, const ra_script_answer *answer_) {
  candidate *c = ctx;
  c->old_status = answer_->status;
  judge(c, false);
  release(c);
}

static void on_warm(void *ctx, int rc, const char *result, const ra_err *err) {
  (void)result;
  candidate *c = ctx;
  if (rc < 0 && rc != RA_E_CANCELLED)
    ra_log(RA_LOG_WARN, "reload: collections are not read ahead: %s", err->message);
  c->warm = true;
  judge(c, false);
  release(c);
}

static int start_warming(candidate *c, ra_err *err) {
  ra_str hot;
  ra_str_init(&hot);
  int rc = ra_script_hot_json(c->reload->host->script, &hot, err);
  const ra_script_run run = {
      .workflow = "rastrum.warm", .args_json = hot.ptr, .done = on_warm, .ctx = c};
  if (rc == RA_OK) {
    c->refs++;
    rc = ra_script_run_workflow(c->script, &run, NULL, err);
    if (rc < 0) c->refs--;
  }
  ra_str_deinit(&hot);
  return rc;
}

static void request(candidate *c, ra_script *script,
                    void (*done)(void *ctx, const ra_script_answer *answer), int *status) {
  ra_err err = {0};
  c->refs++;
  if (ra_script_request(script, "GET", "/healthz", NULL, done, c, &err) == RA_OK) return;
  c->refs--;
  *status = 503;
}

static int start_tests(candidate *c, ra_err *err) {
  ra_host *host = c->reload->host;
  int rc = ra_timer_new(&host->loop, true, on_limit, c, &c->limit, err);
  if (rc == RA_OK) rc = start_warming(c, err);
  if (rc < 0) return rc;
  ra_timer_start(c->limit, TEST_MS, 0);
  request(c, host->script, on_old_answer, &c->old_status);
  if (c->reload) request(c, c->script, on_answer, &c->status);
  judge(c, false);
  return RA_OK;
}

// ---- building

// Pool thread: of the reload only what never changes.
static int build_of(candidate *c, const ra_reload *r, int fd, ra_err *err) {
  ra_bundle *bundle = NULL;
  ra_config *config = NULL;
  uint32_t generation = 0;
  int rc = ra_bundle_restore(fd, &generation, &bundle, err);
  if (rc == RA_OK && generation != c->id)
    rc = ra_fail(err, RA_E_CORRUPT, "plugins", "the supervisor handed generation %u over, not %u",
                 generation, c->id);
  if (rc == RA_OK) rc = ra_cli_reconfigure(r->cli, bundle, &config, err);
  for (size_t i = 0; rc == RA_OK && i < RA_OPTION_COUNT; i++) {
    if (ra_option_is_fixed(RA_OPTIONS[i].name))
      ra_config_keep(config, r->cli->config, RA_OPTIONS[i].name);
  }
  const ra_host_start start = {.role = "serve", .bundle = bundle, .refused = c->refused};
  if (rc == RA_OK) rc = ra_host_script(r->host, config, &start, &c->script, err);
  if (rc == RA_OK) rc = ra_script_build(c->script, err);
  ra_config_free(config);
  ra_bundle_unref(bundle);
  return rc;
}

typedef struct build {
  candidate *candidate;
  ra_reload *reload;
  int fd;
} build;

static void run_build(void *ctx) {
  build *b = ctx;
  b->candidate->rc = build_of(b->candidate, b->reload, b->fd, &b->candidate->err);
}

static void try_out(candidate *c) {
  int rc = c->rc;
  if (rc == RA_OK) rc = ra_script_adopt(c->script, &c->err);
  c->adopted = rc == RA_OK;
  if (c->adopted) {
    rc = start_tests(c, &c->err);
  } else {
    ra_script_free_apart(c->script);
  }
  if (rc < 0) refuse(c->reload, c->err.message);
}

static void on_built(void *ctx, int rc) {
  build *b = ctx;
  candidate *c = b->candidate;
  b->reload->building--;
  if (rc < 0) c->rc = ra_fail(&c->err, rc, "", "the reload did not begin");
  if (c == b->reload->candidate) {
    try_out(c);
  } else {  // dropped meanwhile
    ra_script_free_apart(c->script);
  }
  free(b);
  release(c);
}

static int submit_build(ra_reload *r, candidate *c, ra_err *err) {
  build *b = calloc(1, sizeof *b);
  if (!b) return ra_fail(err, RA_E_NOMEM, "", "no memory for a reload");
  *b = (build){.candidate = c, .reload = r, .fd = r->fds[!r->serving]};
  const ra_job job = {.run = run_build, .done = on_built, .ctx = b, .priority = 1};
  int rc = ra_lane_submit(r->host->ops.io, &job, err);
  if (rc < 0) {
    free(b);
    return rc;
  }
  c->refs++;
  r->building++;
  return RA_OK;
}

static void prepare(ra_reload *r, uint32_t id) {
  if (r->leaving_count >= LEAVING_MOST) {
    r->waiting_id = id;
    return;
  }
  ra_str refused;
  ra_err err = {0};
  candidate *c = calloc(1, sizeof *c);
  if (!c) {
    answer(r, id, "no memory for a reload");
    return;
  }
  *c = (candidate){.reload = r, .refs = 1, .id = id};
  r->candidate = c;
  ra_str_init(&refused);
  int rc = ra_script_refused_json(r->host->script, &refused, &err);
  c->refused = refused.ptr;
  if (rc == RA_OK) rc = submit_build(r, c, &err);
  if (rc < 0) refuse(r, err.message);
}

// ---- the supervisor's words

static void on_prepare(void *ctx, const ra_control_message *message) {
  ra_reload *r = ctx;
  drop_candidate(r);
  if (r->ending) {
    answer(r, message->id, "the server ends");
  } else {
    prepare(r, message->id);
  }
}

static void on_commit(void *ctx, const ra_control_message *message) {
  ra_reload *r = ctx;
  candidate *c = r->candidate;
  if (!c || c->id != message->id || !c->adopted) {
    ra_log(RA_LOG_ERROR, "reload: there is no generation %u to swap to", message->id);
    return;
  }
  ra_script *old = r->host->script;
  r->host->script = c->script;
  r->serving = !r->serving;
  r->candidate = NULL;
  c->reload = NULL;
  release(c);
  ra_script_set_note(r->host->script, message->bytes);
  leave(r, old, r->host->script);
  ra_script_start(r->host->script);
}

static void on_abort(void *ctx, const ra_control_message *message) {
  ra_reload *r = ctx;
  r->waiting_id = 0;
  drop_candidate(r);
  ra_script_set_note(r->host->script, message->bytes);
}

static void on_note(void *ctx, const ra_control_message *message) {
  ra_reload *r = ctx;
  ra_script_set_note(r->host->script, message->bytes);
}

// ---- those who ask for one

static void forget(ra_reload *r, unsigned i) { r->asking[i] = r->asking[--r->asking_count]; }

static void on_reloaded(void *ctx, const ra_control_message *message) {
  ra_reload *r = ctx;
  for (unsigned i = 0; i < r->asking_count; i++) {
    if (r->asking[i].id != message->id) continue;
    asking a = r->asking[i];
    forget(r, i);
    a.done(a.ctx, message->bytes);
    return;
  }
}

int ra_reload_ask(ra_reload *r, void (*done)(void *ctx, const char *note), void *ctx, ra_err *err) {
  if (r->asking_count == ASKING_MOST || r->ending)
    return ra_fail(err, RA_E_BUSY, "reload", "%u wait for a reload already, or the server ends",
                   r->asking_count);
  uint32_t id = ++r->last_id;
  int rc = ra_control_send(r->control, "reload", id, NULL, 0, err);
  if (rc == RA_OK) r->asking[r->asking_count++] = (asking){id, done, ctx};
  return rc;
}

void ra_reload_forget(ra_reload *r, void *ctx) {
  for (unsigned i = 0; i < r->asking_count; i++) {
    if (r->asking[i].ctx == ctx) {
      forget(r, i);
      return;
    }
  }
}

// ---- its life

int ra_reload_new(ra_host *host, const ra_cli *cli, const ra_worker *worker, ra_control *control,
                  ra_reload **out, ra_err *err) {
  static const struct {
    const char *name;
    ra_control_fn *fn;
  } words[] = {{"prepare", on_prepare},
               {"commit", on_commit},
               {"abort", on_abort},
               {"note", on_note},
               {"reloaded", on_reloaded}};
  ra_reload *r = calloc(1, sizeof *r);
  if (!r) return ra_fail(err, RA_E_NOMEM, "", "no memory for reloads");
  r->host = host;
  r->cli = cli;
  r->control = control;
  memcpy(r->fds, worker->bundle_fds, sizeof r->fds);
  int rc = ra_idle_new(&host->loop, reap, r, &r->reaper, err);
  for (size_t i = 0; rc == RA_OK && i < sizeof words / sizeof *words; i++)
    rc = ra_control_on(control, words[i].name, words[i].fn, r, err);
  *out = r;
  return rc;
}

void ra_reload_drain(ra_reload *r, uint64_t grace_ms) {
  if (!r) return;
  r->ending = true;
  r->waiting_id = 0;
  drop_candidate(r);
  for (leaving *l = r->leaving; l; l = l->next) {
    if (!l->drained) ra_script_drain(l->script, grace_ms, on_drained, l);
  }
}

void ra_reload_free(ra_reload *r) {
  if (!r) return;
  ra_reload_drain(r, 0);
  while ((r->leaving || r->building) && uv_run(&r->host->loop, UV_RUN_ONCE)) continue;
  ra_idle_free(r->reaper);
  free(r);
}
