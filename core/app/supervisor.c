// supervisor.c - see supervisor.h. Sockets, the workers' lives, signals.
#include "app/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/child.h"
#include "app/listener.h"
#include "app/notify.h"
#include "app/reloader.h"
#include "app/watch.h"
#include "app/watchdog.h"
#include "app/worker.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"

enum {
  PAUSE_MOST_MS = 10000,
  STEADY_MS = 10000,
  HOPELESS_MS = 5000,
  EXIT_MS = 25000,
  WATCHDOG_LEAST_MS = 1000,  // an idle loop beats four times a second
  LISTENERS_MAX = 4
};

typedef struct worker {
  ra_supervisor *supervisor;
  unsigned index;
  uv_process_t process;
  uv_timer_t pause;     // until it is started again
  ra_control *control;  // NULL: none runs
  ra_worker_state state;
  uint64_t started_ms;
  unsigned pause_ms, starts;
  bool stuck;  // the watchdog has killed it
} worker;

typedef struct on_message {
  const char *name;
  void (*fn)(void *ctx, unsigned worker, const ra_control_message *message);
  void *ctx;
} on_message;

typedef struct on_worker {
  void (*fn)(void *ctx, unsigned worker, ra_worker_state state);
  void *ctx;
} on_worker;

typedef struct on_end {
  void (*fn)(void *ctx);
  void *ctx;
} on_end;

struct ra_supervisor {
  uv_loop_t loop;
  const ra_cli *cli;
  ra_reloader *reloader;
  ra_notify *notify;  // NULL: no service manager wants to know
  bool told_ready, reloading;
  char failure[512];  // of the last reload; empty: none
  worker workers[RA_WORKERS_MAX];
  unsigned count;
  ra_listener port, admin;
  ra_board *board;
  int board_fd;
  ra_watchdog *watchdog;
  uv_timer_t look;  // at the workers' pulses
  uv_signal_t signals[2];
  uv_timer_t kill;  // the end of an orderly end
  bool ending;
  int exit_code;
  on_message messages[RA_CONTROL_HANDLERS_MAX];
  on_worker states[LISTENERS_MAX];
  on_end endings[LISTENERS_MAX], ends[LISTENERS_MAX];
  unsigned message_count, state_count, ending_count, end_count;
};

static uint64_t now_ms(void) { return ra_clock_ns() / 1000000; }

static void show_blocked(ra_supervisor *s) {
  ra_metric_set(
      ra_metric_get(RA_METRIC_GAUGE, "rastrum_plugins_switched_off",
                    "Plugins that are answered 503 because workers got stuck in them.", NULL, 0),
      NULL, atomic_load(&s->board->blocks.count));
}

// ---- what the supervisor's other parts use

uv_loop_t *ra_supervisor_loop(ra_supervisor *s) { return &s->loop; }
const ra_config *ra_supervisor_config(const ra_supervisor *s) { return s->cli->config; }
bool ra_supervisor_ending(const ra_supervisor *s) { return s->ending; }
unsigned ra_supervisor_worker_count(const ra_supervisor *s) { return s->count; }

ra_worker_state ra_supervisor_worker_state(const ra_supervisor *s, unsigned index) {
  return index < s->count ? s->workers[index].state : RA_WORKER_NONE;
}

void ra_supervisor_on_worker(ra_supervisor *s,
                             void (*fn)(void *ctx, unsigned worker, ra_worker_state state),
                             void *ctx) {
  if (s->state_count < LISTENERS_MAX) s->states[s->state_count++] = (on_worker){fn, ctx};
}

void ra_supervisor_on(ra_supervisor *s, const char *name,
                      void (*fn)(void *ctx, unsigned worker, const ra_control_message *message),
                      void *ctx) {
  if (s->message_count < RA_CONTROL_HANDLERS_MAX)
    s->messages[s->message_count++] = (on_message){name, fn, ctx};
}

void ra_supervisor_on_ending(ra_supervisor *s, void (*fn)(void *ctx), void *ctx) {
  if (s->ending_count < LISTENERS_MAX) s->endings[s->ending_count++] = (on_end){fn, ctx};
}

void ra_supervisor_on_end(ra_supervisor *s, void (*fn)(void *ctx), void *ctx) {
  if (s->end_count < LISTENERS_MAX) s->ends[s->end_count++] = (on_end){fn, ctx};
}

int ra_supervisor_send(ra_supervisor *s, unsigned index, const char *name, uint32_t id,
                       const void *bytes, size_t size, ra_err *err) {
  if (ra_supervisor_worker_state(s, index) != RA_WORKER_READY)
    return ra_fail(err, RA_E_IO, name, "worker %u is not ready", index);
  return ra_control_send(s->workers[index].control, name, id, bytes, size, err);
}

unsigned ra_supervisor_send_all(ra_supervisor *s, const char *name, uint32_t id, const void *bytes,
                                size_t size) {
  unsigned sent = 0;
  for (unsigned i = 0; i < s->count; i++)
    sent += ra_supervisor_send(s, i, name, id, bytes, size, NULL) == RA_OK;
  return sent;
}

void ra_supervisor_unblock_plugins(ra_supervisor *s) {
  ra_watchdog_forgive(s->watchdog);
  show_blocked(s);
}

// ---- what the service manager is told

static unsigned count_ready(const ra_supervisor *s) {
  unsigned ready = 0;
  for (unsigned i = 0; i < s->count; i++) ready += s->workers[i].state == RA_WORKER_READY;
  return ready;
}

// Ready is when all workers have answered for the first time; from then on the line follows them.
static void tell_status(ra_supervisor *s) {
  unsigned ready = count_ready(s);
  if (s->ending || s->reloading || (!s->told_ready && ready < s->count)) return;
  s->told_ready = true;
  char address[128];
  ra_listener_text(s->port.fd, address, sizeof address);
  ra_notify_send(s->notify, "READY=1\nSTATUS=%u of %u workers answer on %s%s%s", ready, s->count,
                 address, s->failure[0] ? "; the last reload failed: " : "", s->failure);
}

void ra_supervisor_tell_reloading(ra_supervisor *s) {
  if (!s->told_ready) return;
  s->reloading = true;
  ra_notify_send(s->notify, "RELOADING=1\nSTATUS=reading plugins, ramps and settings");
}

void ra_supervisor_tell_serving(ra_supervisor *s, const char *failure) {
  s->reloading = false;
  snprintf(s->failure, sizeof s->failure, "%s", failure ? failure : "");
  for (char *p = s->failure; *p; p++) *p = *p == '\n' ? ' ' : *p;  // a line is an assignment
  tell_status(s);
}

// ---- one worker

static void set_state(worker *w, ra_worker_state state) {
  ra_supervisor *s = w->supervisor;
  w->state = state;
  ra_metric_set(
      ra_metric_get(RA_METRIC_GAUGE, "rastrum_workers", "Workers that answer requests.", NULL, 0),
      NULL, count_ready(s));
  tell_status(s);
  for (unsigned i = 0; i < s->state_count; i++) s->states[i].fn(s->states[i].ctx, w->index, state);
}

static void on_control(void *ctx, const ra_control_message *message) {
  worker *w = ctx;
  ra_supervisor *s = w->supervisor;
  if (strcmp(message->name, "ready") == 0) {
    set_state(w, RA_WORKER_READY);
    return;
  }
  for (unsigned i = 0; i < s->message_count; i++) {
    if (strcmp(s->messages[i].name, message->name) == 0)
      s->messages[i].fn(s->messages[i].ctx, w->index, message);
  }
}

static void log_worker(ra_log_level level, const worker *w, int pid, const char *message) {
  char fields[64];
  snprintf(fields, sizeof fields, "\"worker\":%u,\"pid\":%d", w->index, pid);
  ra_log_fields(level, message, fields);
}

static void start(worker *w);

static void on_pause_over(uv_timer_t *timer) {
  worker *w = timer->data;
  if (!w->supervisor->ending) start(w);
}

static void start_in(worker *w, unsigned ms) { uv_timer_start(&w->pause, on_pause_over, ms, 0); }

static void kill_all(ra_supervisor *s, int signal_number) {
  for (unsigned i = 0; i < s->count; i++) {
    if (s->workers[i].control) uv_process_kill(&s->workers[i].process, signal_number);
  }
}

static void on_kill(uv_timer_t *timer) { kill_all(timer->data, SIGKILL); }

static void begin_end(ra_supervisor *s) {
  if (s->ending) return;
  s->ending = true;
  ra_notify_send(s->notify, "STOPPING=1");
  // The workers have the socket too: now it is closed when the last of them stops accepting, so that clients are
  // refused at once instead of being reset at the end.
  if (!s->port.path) ra_listener_close(&s->port);
  for (unsigned i = 0; i < s->count; i++) uv_timer_stop(&s->workers[i].pause);
  uv_timer_start(&s->kill, on_kill, EXIT_MS, 0);
  for (unsigned i = 0; i < s->ending_count; i++) s->endings[i].fn(s->endings[i].ctx);
  kill_all(s, SIGTERM);
}

// A failure at once after the first start is the worker's own verdict (a bad catalog, no store): trying again would only
// say it again.
static bool hopeless(const worker *w, int64_t status) {
  return w->starts == 1 && status != 0 && now_ms() - w->started_ms < HOPELESS_MS;
}

static void replace(worker *w, int64_t status, int signal_number) {
  char message[96];
  bool steady = now_ms() - w->started_ms > STEADY_MS;
  w->pause_ms = steady || !w->pause_ms ? 100 : w->pause_ms * 2;
  if (w->pause_ms > PAUSE_MOST_MS) w->pause_ms = PAUSE_MOST_MS;
  snprintf(message, sizeof message, "a worker ended with %s %d; starting another in %u ms",
           signal_number ? "signal" : "code", signal_number ? signal_number : (int)status,
           w->pause_ms);
  log_worker(RA_LOG_ERROR, w, w->process.pid, message);
  ra_metric_add(ra_metric_get(RA_METRIC_COUNTER, "rastrum_worker_restarts_total",
                              "Workers that were replaced, by why they ended.", NULL, 0),
                w->stuck ? "reason=\"watchdog\"" : "reason=\"crash\"", 1);
  start_in(w, w->pause_ms);
}

static void on_exit_(uv_process_t *process, int64_t status, int signal_number) {
  worker *w = process->data;
  ra_supervisor *s = w->supervisor;
  ra_control_free(w->control);
  w->control = NULL;
  ra_board_worker_ended(s->board, w->index);
  int code = signal_number ? 128 + signal_number : (int)status;
  if (s->ending && signal_number == SIGTERM) code = 0;  // had only just begun
  if (s->ending || (!signal_number && hopeless(w, status))) {
    if (code && !s->exit_code) s->exit_code = code;
    begin_end(s);
  } else {
    replace(w, status, signal_number);
  }
  uv_close((uv_handle_t *)process, NULL);  // done before the pause is over: closing takes one turn
  set_state(w, RA_WORKER_NONE);
}

static int spawn(worker *w, int control_fd) {
  ra_supervisor *s = w->supervisor;
  char text[64];
  snprintf(text, sizeof text, "%u.%u.%d", w->index, w->starts, s->admin.fd >= 0);
  uv_stdio_container_t fds[RA_WORKER_FD_COUNT] = {0};
  int bundles[2];
  ra_reloader_fds(s->reloader, bundles);
  const int from[RA_WORKER_FD_COUNT] = {
      0, 1, 2, s->port.fd, s->admin.fd, control_fd, s->board_fd, bundles[0], bundles[1]};
  for (int i = 0; i < RA_WORKER_FD_COUNT; i++) {
    fds[i].flags = from[i] < 0 ? UV_IGNORE : UV_INHERIT_FD;
    fds[i].data.fd = from[i];
  }
  const uv_process_options_t options = {
      .args = s->cli->argv, .exit_cb = on_exit_, .stdio = fds, .stdio_count = RA_WORKER_FD_COUNT};
  // Without its supervisor nobody would watch, replace or reload it, and it would hold the port.
  return ra_child_spawn(&s->loop, &w->process, &options, text);
}

static int connect_and_spawn(worker *w, ra_err *err) {
  int fds[2];
  int rc = ra_control_pair(fds, err);
  if (rc < 0) return rc;
  rc = ra_control_new(&w->supervisor->loop, fds[0], &w->control, err);
  if (rc == RA_OK) {
    ra_control_on_other(w->control, on_control, w);
    int failed = spawn(w, fds[1]);
    if (failed) rc = ra_fail(err, RA_E_IO, "", "%s", uv_strerror(failed));
  }
  close(fds[1]);
  return rc;
}

static void start(worker *w) {
  ra_err err = {0};
  w->started_ms = now_ms();
  w->stuck = false;
  ra_watchdog_started(w->supervisor->watchdog, w->index, w->started_ms);
  w->process = (uv_process_t){.data = w};
  int rc = connect_and_spawn(w, &err);
  w->starts++;
  if (rc == RA_OK) {
    log_worker(RA_LOG_INFO, w, w->process.pid, "worker started");
    set_state(w, RA_WORKER_STARTING);
    return;
  }
  ra_log(RA_LOG_ERROR, "cannot start worker %u: %s", w->index, err.message);
  ra_control_free(w->control);
  w->control = NULL;
  if (w->process.type == UV_PROCESS) uv_close((uv_handle_t *)&w->process, NULL);
  start_in(w, 1000);
}

// ---- the watchdog

static void log_stuck(const worker *w, const ra_culprit *culprit, bool off) {
  ra_str fields;
  ra_str_init(&fields);
  ra_str_addf(&fields, "\"worker\":%u,\"pid\":%d,\"ms\":%llu,\"plugin\":", w->index, w->process.pid,
              (unsigned long long)culprit->stuck_ms);
  ra_str_add_json(&fields, culprit->plugin);
  ra_str_add(&fields, ",\"request\":");
  ra_str_add_json(&fields, culprit->request);
  ra_log_fields(RA_LOG_ERROR, "a worker is stuck and is killed", fields.ptr);
  if (off)
    ra_log_fields(
        RA_LOG_ERROR,
        "a plugin was to blame three times in ten minutes; it is answered 503 until a reload",
        fields.ptr);
  ra_str_deinit(&fields);
}

static void count_stuck(const ra_culprit *culprit) {
  ra_str labels;
  ra_str_init(&labels);
  ra_str_add(&labels, "plugin=\"");
  ra_metric_escape(&labels, culprit->plugin);
  ra_str_add_char(&labels, '"');
  ra_metric_add(ra_metric_get(RA_METRIC_COUNTER, "rastrum_watchdog_kills_total",
                              "Workers that were stuck, by the plugin whose code ran.", NULL, 0),
                labels.ptr, 1);
  ra_str_deinit(&labels);
}

static void look_at(worker *w) {
  ra_supervisor *s = w->supervisor;
  ra_culprit culprit;
  if (!w->control || !ra_watchdog_look(s->watchdog, w->index, now_ms(), &culprit)) return;
  w->stuck = true;
  uv_process_kill(&w->process, SIGKILL);
  bool off = culprit.running && ra_watchdog_blame(s->watchdog, culprit.plugin, now_ms());
  log_stuck(w, &culprit, off);
  count_stuck(&culprit);
  show_blocked(s);
}

// Who reads the log has stopped (a terminal's Ctrl-S, a pager): whoever writes to it waits, and no worker is to blame.
static bool log_is_stopped(void) {
  struct pollfd log = {.fd = STDERR_FILENO, .events = POLLOUT};
  return poll(&log, 1, 0) == 0;
}

static void on_look(uv_timer_t *timer) {
  ra_supervisor *s = timer->data;
  if (log_is_stopped()) return;
  for (unsigned i = 0; i < s->count; i++) look_at(&s->workers[i]);
}

// ---- the whole

static void on_signal(uv_signal_t *handle, int number) {
  (void)number;
  begin_end(handle->data);
}

static void init_handles(ra_supervisor *s) {
  static const int numbers[] = {SIGTERM, SIGINT};
  for (int i = 0; i < 2; i++) {
    uv_signal_init(&s->loop, &s->signals[i]);
    s->signals[i].data = s;
    uv_signal_start(&s->signals[i], on_signal, numbers[i]);
  }
  uv_timer_init(&s->loop, &s->kill);
  s->kill.data = s;
  uv_timer_init(&s->loop, &s->look);
  s->look.data = s;
  uint64_t interval = ra_watchdog_interval(s->watchdog);
  if (interval) uv_timer_start(&s->look, on_look, interval, interval);
  for (unsigned i = 0; i < s->count; i++) {
    worker *w = &s->workers[i];
    w->supervisor = s;
    w->index = i;
    uv_timer_init(&s->loop, &w->pause);
    w->pause.data = w;
  }
}

static bool any_running(const ra_supervisor *s) {
  for (unsigned i = 0; i < s->count; i++) {
    if (s->workers[i].control) return true;
  }
  return false;
}

static void close_handles(ra_supervisor *s) {
  for (unsigned i = 0; i < s->end_count; i++) s->ends[i].fn(s->ends[i].ctx);
  ra_notify_free(s->notify);
  for (int i = 0; i < 2; i++) uv_close((uv_handle_t *)&s->signals[i], NULL);
  uv_close((uv_handle_t *)&s->kill, NULL);
  uv_close((uv_handle_t *)&s->look, NULL);
  for (unsigned i = 0; i < s->count; i++) uv_close((uv_handle_t *)&s->workers[i].pause, NULL);
  uv_run(&s->loop, UV_RUN_DEFAULT);
  uv_loop_close(&s->loop);
}

static int watch(ra_supervisor *s) {
  ra_err err = {0};
  if (uv_loop_init(&s->loop) != 0) {
    fprintf(stderr, "rastrum: no event loop\n");
    return 1;
  }
  init_handles(s);
  s->notify = ra_notify_new(&s->loop);
  show_blocked(s);
  if (ra_reloader_new(s, s->cli, &s->reloader, &err) < 0 || ra_watch_start(s, s->cli, &err) < 0) {
    s->exit_code = ra_cli_fail(&err);
    s->ending = true;
  }
  for (unsigned i = 0; i < s->count && !s->ending; i++) start(&s->workers[i]);
  while (!s->ending || any_running(s)) uv_run(&s->loop, UV_RUN_ONCE);
  close_handles(s);
  return s->exit_code;
}

static int open_all(ra_supervisor *s, ra_err *err) {
  const char *admin = ra_config_text(s->cli->config, "admin");
  uint64_t stuck_ms = ra_config_ms(s->cli->config, "watchdog");
  int rc = ra_board_new(s->count, &s->board, &s->board_fd, err);
  if (rc == RA_OK) rc = ra_board_count_in(s->board, s->count, err);
  if (rc == RA_OK) rc = ra_watchdog_new(s->board, stuck_ms, &s->watchdog, err);
  if (rc == RA_OK)
    rc = ra_listener_open(&s->port, ra_config_text(s->cli->config, "listen"),
                          ra_config_bool(s->cli->config, "next_free_port"), err);
  if (rc == RA_OK && admin) rc = ra_listener_open(&s->admin, admin, false, err);
  return rc;
}

static void close_all(ra_supervisor *s) {
  ra_listener_close(&s->port);
  ra_listener_close(&s->admin);
  ra_watchdog_free(s->watchdog);
  if (s->board_fd >= 0) close(s->board_fd);  // the board itself stays mapped: it holds the metrics
}

// Values that are right in themselves but not here.
static bool config_ok(const ra_config *config) {
  int64_t workers = ra_config_int(config, "workers");
  uint64_t stuck_ms = ra_config_ms(config, "watchdog");
  if (workers < 1 || workers > RA_WORKERS_MAX) {
    fprintf(stderr, "rastrum: workers is %lld; it takes 1 to %d\n", (long long)workers,
            RA_WORKERS_MAX);
    return false;
  }
  if (!stuck_ms || stuck_ms >= WATCHDOG_LEAST_MS) return true;
  fprintf(stderr, "rastrum: watchdog is %llu ms; it takes 1s or more, or 0s for none\n",
          (unsigned long long)stuck_ms);
  return false;
}

int ra_supervisor_run(const ra_cli *cli) {
  const ra_config *config = cli->config;
  if (!config_ok(config)) return 2;
  ra_supervisor *s = calloc(1, sizeof *s);
  if (!s) return 1;
  ra_err err = {0};
  s->count = (unsigned)ra_config_int(config, "workers");
  s->cli = cli;
  s->port.fd = s->admin.fd = s->board_fd = -1;
  int code = 1;
  if (open_all(s, &err) < 0) {
    fprintf(stderr, "rastrum: %s%s%s\n", err.where, err.where[0] ? ": " : "", err.message);
  } else {
    code = watch(s);
  }
  close_all(s);
  free(s);
  return code;
}
