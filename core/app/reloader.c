// reloader.c - see reloader.h
#include "app/reloader.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "app/dirs.h"
#include "app/folders.h"
#include "base/clock.h"
#include "base/log.h"

enum { WORKERS_MOST = 64, ASKING_MOST = 64, ANSWER_MS = 90000 };

typedef enum phase {
  RESTING,
  WAITING,   // for workers that start, which have read the bundle that serves
  PREPARING  // for the workers' answers
} phase;

typedef enum vote { NONE, ASKED, READY } vote;

typedef struct asking {  // somebody waits for the outcome, in a worker
  unsigned worker;
  uint32_t id;
  bool next;  // came while a reload was under way: that has read the files before
} asking;

struct ra_reloader {
  ra_supervisor *supervisor;
  const ra_cli *cli;
  ra_dirs dirs;
  int fds[2];
  unsigned serving;     // which of them
  uint32_t generation;  // of the bundle that serves
  uint32_t trial;  // of the bundle that was read last; no two have the same, so that no late vote counts for another
  uint64_t tried;  // digest of the bundle that was read last
  phase phase;
  vote votes[WORKERS_MOST];
  asking asking[ASKING_MOST];
  unsigned asking_count;
  bool again;  // one more after this one
  bool by_file;  // this one was begun by a changed file alone: if nothing that counts has changed it is over
  bool again_by_file;
  ra_str note;  // of the last one
  uint64_t begun_ns;
  uv_signal_t hup;
  uv_timer_t limit;
  ra_folders *folders;  // NULL without --dev
};

static void begin(ra_reloader *r, bool by_file);

// ---- the end of a reload

static void write_note(ra_reloader *r, const char *error) {
  char at[32];
  time_t now = (time_t)(ra_clock_wall_ms() / 1000);
  struct tm tm;
  gmtime_r(&now, &tm);
  strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", &tm);
  ra_str_deinit(&r->note);
  ra_str_init(&r->note);
  ra_str_addf(&r->note, "{\"at\":\"%s\",\"ok\":%s,\"generation\":%u", at, error ? "false" : "true",
              r->generation);
  if (error) {
    ra_str_add(&r->note, ",\"error\":");
    ra_str_add_json(&r->note, error);
  }
  ra_str_add_char(&r->note, '}');
  if (r->note.failed) ra_str_deinit(&r->note);
}

static int send_note(ra_reloader *r, unsigned worker, const char *name, uint32_t id) {
  ra_err err = {0};
  int rc = ra_supervisor_send(r->supervisor, worker, name, id, r->note.ptr, r->note.len, &err);
  if (rc < 0 && rc != RA_E_IO) ra_log(RA_LOG_ERROR, "worker %u: %s", worker, err.message);
  return rc;
}

// Tells every worker and everybody who asked.
static void tell(ra_reloader *r, const char *verdict, uint32_t id) {
  for (unsigned i = 0; i < ra_supervisor_worker_count(r->supervisor); i++) {
    send_note(r, i, r->votes[i] == NONE ? "note" : verdict, id);
    r->votes[i] = NONE;
  }
  unsigned kept = 0;
  for (unsigned i = 0; i < r->asking_count; i++) {
    asking *a = &r->asking[i];
    if (!a->next) {
      send_note(r, a->worker, "reloaded", a->id);
    } else {
      a->next = false;
      r->asking[kept++] = *a;
    }
  }
  r->asking_count = kept;
}

static void rest(ra_reloader *r) {
  r->phase = RESTING;
  uv_timer_stop(&r->limit);
  if (!r->again || ra_supervisor_ending(r->supervisor)) return;
  r->again = false;
  begin(r, r->again_by_file);
}

static void fail(ra_reloader *r, const char *reason) {
  ra_log(RA_LOG_ERROR, "reload: failed, nothing is changed: %s", reason);
  write_note(r, reason);
  tell(r, "abort", r->trial);
  ra_supervisor_tell_serving(r->supervisor, reason);
  rest(r);
}

static void commit(ra_reloader *r) {
  r->serving = !r->serving;
  r->generation++;
  ra_log(RA_LOG_INFO, "reload: done, generation %u, in %.0f ms", r->generation,
         (double)(ra_clock_ns() - r->begun_ns) / 1e6);
  ra_supervisor_unblock_plugins(r->supervisor);  // they may be mended
  write_note(r, NULL);
  tell(r, "commit", r->trial);
  ra_supervisor_tell_serving(r->supervisor, NULL);
  rest(r);
}

// ---- what the workers say

static void count_votes(ra_reloader *r) {
  if (r->phase != PREPARING) return;
  for (unsigned i = 0; i < ra_supervisor_worker_count(r->supervisor); i++) {
    if (r->votes[i] == ASKED) return;
    // It has read the bundle that serves now, and is asked when it answers.
    if (ra_supervisor_worker_state(r->supervisor, i) == RA_WORKER_STARTING) return;
  }
  commit(r);
}

static void ask(ra_reloader *r, unsigned worker) {
  int rc = ra_supervisor_send(r->supervisor, worker, "prepare", r->trial, NULL, 0, NULL);
  if (rc == RA_OK) r->votes[worker] = ASKED;
}

static void on_prepared(void *ctx, unsigned worker, const ra_control_message *message) {
  ra_reloader *r = ctx;
  if (r->phase != PREPARING || message->id != r->trial || r->votes[worker] != ASKED) return;
  if (message->size) {
    r->votes[worker] = NONE;  // it has dropped its own
    fail(r, message->bytes);
  } else {
    r->votes[worker] = READY;
    count_votes(r);
  }
}

static void forget_asking(ra_reloader *r, unsigned worker) {
  unsigned kept = 0;
  for (unsigned i = 0; i < r->asking_count; i++) {
    if (r->asking[i].worker != worker) r->asking[kept++] = r->asking[i];
  }
  r->asking_count = kept;
}

static void on_worker(void *ctx, unsigned worker, ra_worker_state state) {
  ra_reloader *r = ctx;
  vote before = r->votes[worker];
  if (state != RA_WORKER_READY) r->votes[worker] = NONE;
  if (state == RA_WORKER_NONE) forget_asking(r, worker);
  if (r->phase == PREPARING) {
    if (before == ASKED && state == RA_WORKER_NONE) {
      fail(r, "a worker ended while it read the new plugins");
      return;
    }
    if (state == RA_WORKER_READY) ask(r, worker);
    count_votes(r);
  } else if (r->phase == WAITING) {
    begin(r, r->by_file);
  }
  if (state == RA_WORKER_READY && r->note.len) send_note(r, worker, "note", 0);
}

static void on_limit(uv_timer_t *timer) {
  fail(timer->data, "a worker did not read the new plugins in time");
}

// ---- the beginning

// What a running server cannot change: the values that it runs with are kept, and the log says so.
static void keep_fixed(const ra_reloader *r, ra_config *config) {
  for (size_t i = 0; i < RA_OPTION_COUNT; i++) {
    const char *name = RA_OPTIONS[i].name;
    if (ra_option_is_fixed(name) && ra_config_keep(config, r->cli->config, name))
      ra_log(RA_LOG_WARN, "reload: %s has changed; that takes a restart", name);
  }
}

static void watch_folders(ra_reloader *r) {
  const char *lists[3 * RA_DIRS_MOST + 1];
  unsigned n = 0;
  if (!r->folders) return;
  lists[n++] = r->dirs.library;
  for (const char **dir = r->dirs.plugins; *dir; dir++) lists[n++] = *dir;
  for (const char **dir = r->dirs.colormaps; *dir; dir++) lists[n++] = *dir;
  for (const char **dir = r->dirs.tile_matrix_sets; *dir; dir++) lists[n++] = *dir;
  lists[n] = NULL;
  ra_folders_watch(r->folders, lists, ra_config_text(r->cli->config, "config"));
}

// Reads everything into the spare file. *same: it is what was tried last.
static int read_bundle(ra_reloader *r, bool *same, ra_err *err) {
  ra_config *config = NULL;
  ra_bundle *bundle = NULL;
  int rc = ra_cli_reconfigure(r->cli, NULL, &config, err);
  if (rc == RA_OK) keep_fixed(r, config);
  if (rc == RA_OK) rc = ra_dirs_find(&r->dirs, config, err);
  if (rc == RA_OK) watch_folders(r);  // before they are read: nothing falls between the two
  if (rc == RA_OK) rc = ra_dirs_read(&r->dirs, config, &bundle, err);
  if (rc == RA_OK) {
    *same = ra_bundle_digest(bundle) == r->tried;
    r->tried = ra_bundle_digest(bundle);
    rc = ra_bundle_save(bundle, r->fds[!r->serving], ++r->trial, err);
  }
  ra_bundle_unref(bundle);
  ra_config_free(config);
  return rc;
}

static bool any_starts(const ra_reloader *r) {
  for (unsigned i = 0; i < ra_supervisor_worker_count(r->supervisor); i++) {
    if (ra_supervisor_worker_state(r->supervisor, i) == RA_WORKER_STARTING) return true;
  }
  return false;
}

static void prepare(ra_reloader *r) {
  r->phase = PREPARING;
  uv_timer_start(&r->limit, on_limit, ANSWER_MS, 0);
  for (unsigned i = 0; i < ra_supervisor_worker_count(r->supervisor); i++) ask(r, i);
  count_votes(r);  // where no worker lives there is nobody to be harmed
}

static void begin(ra_reloader *r, bool by_file) {
  ra_err err = {0};
  bool same = false;
  r->by_file = by_file;
  r->phase = WAITING;
  if (!by_file) ra_supervisor_tell_reloading(r->supervisor);
  if (any_starts(r)) return;
  r->begun_ns = ra_clock_ns();
  if (read_bundle(r, &same, &err) < 0) {
    char reason[sizeof err.where + sizeof err.message + 4];
    snprintf(reason, sizeof reason, "%s%s%s", err.where, err.where[0] ? ": " : "", err.message);
    r->tried = 0;
    fail(r, reason);
  } else if (by_file && same) {
    ra_log(RA_LOG_DEBUG, "reload: a file has changed, but none that counts");
    rest(r);
  } else {
    prepare(r);
  }
}

static void want(ra_reloader *r, bool by_file) {
  if (ra_supervisor_ending(r->supervisor)) return;
  if (r->phase == PREPARING) {
    r->again_by_file = by_file && (!r->again || r->again_by_file);
    r->again = true;
  } else if (r->phase == WAITING) {
    r->by_file = r->by_file && by_file;
  } else {
    begin(r, by_file);
  }
}

static void on_hup(uv_signal_t *handle, int number) {
  (void)number;
  want(handle->data, false);
}

static void on_changed(void *ctx) { want(ctx, true); }

static void on_asked(void *ctx, unsigned worker, const ra_control_message *message) {
  ra_reloader *r = ctx;
  if (r->asking_count == ASKING_MOST || ra_supervisor_ending(r->supervisor)) {
    static const char busy[] =
        "{\"ok\":false,\"error\":\"too many wait for a reload, or the server ends\"}";
    ra_supervisor_send(r->supervisor, worker, "reloaded", message->id, busy, sizeof busy - 1, NULL);
    return;
  }
  r->asking[r->asking_count++] = (asking){worker, message->id, r->phase == PREPARING};
  want(r, false);
}

// ---- its life

static void on_closed(uv_handle_t *handle) {
  if (handle->type == UV_TIMER) free(handle->data);
}

static void on_end(void *ctx) {
  ra_reloader *r = ctx;
  ra_folders_free(r->folders);
  for (int i = 0; i < 2; i++) {
    if (r->fds[i] >= 0) close(r->fds[i]);
  }
  ra_str_deinit(&r->note);
  uv_close((uv_handle_t *)&r->hup, NULL);
  uv_close((uv_handle_t *)&r->limit, on_closed);
}

static void listen_to(ra_reloader *r) {
  uv_loop_t *loop = ra_supervisor_loop(r->supervisor);
  uv_signal_init(loop, &r->hup);
  r->hup.data = r;
  uv_signal_start(&r->hup, on_hup, SIGHUP);
  uv_timer_init(loop, &r->limit);
  r->limit.data = r;
  ra_supervisor_on_worker(r->supervisor, on_worker, r);
  ra_supervisor_on(r->supervisor, "prepared", on_prepared, r);
  ra_supervisor_on(r->supervisor, "reload", on_asked, r);
  ra_supervisor_on_end(r->supervisor, on_end, r);
}

static int read_first(ra_reloader *r, ra_err *err) {
  ra_bundle *bundle = NULL;
  for (int i = 0; i < 2; i++) {
    r->fds[i] = memfd_create("rastrum", MFD_CLOEXEC);
    if (r->fds[i] < 0) return ra_fail_errno(err, errno, "", "no memory for the plugins");
  }
  int rc = ra_dirs_find(&r->dirs, r->cli->config, err);
  if (rc == RA_OK) watch_folders(r);
  if (rc == RA_OK) rc = ra_dirs_read(&r->dirs, r->cli->config, &bundle, err);
  if (rc < 0) return rc;
  r->tried = ra_bundle_digest(bundle);
  rc = ra_bundle_save(bundle, r->fds[r->serving], r->trial, err);
  ra_bundle_unref(bundle);
  return rc;
}

int ra_reloader_new(ra_supervisor *supervisor, const ra_cli *cli, ra_reloader **out, ra_err *err) {
  ra_reloader *r = calloc(1, sizeof *r);
  if (!r) return ra_fail(err, RA_E_NOMEM, "", "no memory for the supervisor");
  r->supervisor = supervisor;
  r->cli = cli;
  r->fds[0] = r->fds[1] = -1;
  r->generation = r->trial = 1;
  ra_str_init(&r->note);
  listen_to(r);  // from here on it frees itself
  uv_loop_t *loop = ra_supervisor_loop(supervisor);
  int rc = ra_config_bool(cli->config, "dev") ? ra_folders_new(loop, on_changed, r, &r->folders, err)
                                              : RA_OK;
  *out = r;
  return rc < 0 ? rc : read_first(r, err);
}

void ra_reloader_fds(const ra_reloader *r, int fds[2]) {
  fds[0] = r->fds[r->serving];
  fds[1] = r->fds[!r->serving];
}
