// supervisor.c - see supervisor.h. No loop and no threads: fork, exec, sigtimedwait. A worker dies with its parent (PDEATHSIG).
#include "app/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/http.h"

enum { WORKERS_MAX = 64, PAUSE_MOST_MS = 10000, STEADY_MS = 10000, EXIT_MS = 25000 };

typedef struct worker {
  pid_t pid;  // 0: none running
  uint64_t started_ms, start_at_ms;
  unsigned pause_ms;
  unsigned starts;
} worker;

typedef struct supervisor {
  worker workers[WORKERS_MAX];
  unsigned count;
  char **argv;
  int fd, admin_fd;  // admin_fd -1: none
  bool ending;
  uint64_t kill_at_ms;
  int exit_code;
} supervisor;

static uint64_t now_ms(void) { return ra_clock_ns() / 1000000; }

static void hand_over(const char *name, int fd) {
  char text[32];
  if (fd < 0) return;
  fcntl(fd, F_SETFD, 0);
  snprintf(text, sizeof text, "%d", fd);
  setenv(name, text, 1);
}

static void become_worker(const supervisor *s, unsigned index, unsigned starts, pid_t parent,
                          const sigset_t *old) {
  char text[32];
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);  // the parent died before the line above
  sigprocmask(SIG_SETMASK, old, NULL);
  hand_over("RASTRUM_WORKER_FD", s->fd);
  hand_over("RASTRUM_WORKER_ADMIN_FD", s->admin_fd);
  snprintf(text, sizeof text, "%u.%u", index, starts);
  setenv("RASTRUM_WORKER", text, 1);
  execv("/proc/self/exe", s->argv);
  fprintf(stderr, "rastrum: cannot start a worker: %s\n", strerror(errno));
  _exit(127);
}

static void start(supervisor *s, unsigned index, const sigset_t *old) {
  worker *w = &s->workers[index];
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid == 0) become_worker(s, index, w->starts, parent, old);
  w->starts++;
  w->started_ms = now_ms();
  if (pid < 0) {
    ra_log(RA_LOG_ERROR, "cannot start a worker: %s", strerror(errno));
    w->start_at_ms = w->started_ms + 1000;
    return;
  }
  w->pid = pid;
}

static void end_all(supervisor *s, int signal_number) {
  for (unsigned i = 0; i < s->count; i++) {
    if (s->workers[i].pid) kill(s->workers[i].pid, signal_number);
  }
}

static void begin_end(supervisor *s, int signal_number) {
  s->ending = true;
  s->kill_at_ms = now_ms() + EXIT_MS;
  end_all(s, signal_number);
}

// Exit code 2 and 1 at once after the first start are the worker's own verdict (a bad catalog, a broken plugin): trying
// again would only say it again.
static bool hopeless(const worker *w, int status) {
  return w->starts == 1 && WIFEXITED(status) && WEXITSTATUS(status) != 0 &&
         now_ms() - w->started_ms < 5000;
}

static void ended(supervisor *s, worker *w, int status) {
  w->pid = 0;
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (s->ending || hopeless(w, status)) {
    if (code && !s->exit_code) s->exit_code = code;
    if (!s->ending) begin_end(s, SIGTERM);
    return;
  }
  bool steady = now_ms() - w->started_ms > STEADY_MS;
  w->pause_ms = steady || !w->pause_ms ? 100 : w->pause_ms * 2;
  if (w->pause_ms > PAUSE_MOST_MS) w->pause_ms = PAUSE_MOST_MS;
  w->start_at_ms = now_ms() + w->pause_ms;
  ra_log(RA_LOG_ERROR, "a worker ended with %s %d; starting another in %u ms",
         WIFEXITED(status) ? "code" : "signal", WIFEXITED(status) ? code : WTERMSIG(status),
         w->pause_ms);
}

static void reap(supervisor *s) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    for (unsigned i = 0; i < s->count; i++) {
      if (s->workers[i].pid == pid) ended(s, &s->workers[i], status);
    }
  }
}

static bool any_running(const supervisor *s) {
  for (unsigned i = 0; i < s->count; i++) {
    if (s->workers[i].pid) return true;
  }
  return false;
}

static void start_due(supervisor *s, const sigset_t *old) {
  for (unsigned i = 0; i < s->count && !s->ending; i++) {
    if (!s->workers[i].pid && now_ms() >= s->workers[i].start_at_ms) start(s, i, old);
  }
}

static int watch(supervisor *s) {
  sigset_t set, old;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, &old);
  start_due(s, &old);
  while (!s->ending || any_running(s)) {
    const struct timespec tick = {.tv_nsec = 100 * 1000000};
    int number = sigtimedwait(&set, NULL, &tick);
    if (number == SIGTERM || number == SIGINT) begin_end(s, SIGTERM);
    reap(s);
    start_due(s, &old);
    if (s->ending && now_ms() > s->kill_at_ms) end_all(s, SIGKILL);
  }
  return s->exit_code;
}

int ra_supervisor_run(const ra_config *config, char **argv) {
  supervisor *s = calloc(1, sizeof *s);
  if (!s) return 1;
  ra_err err = {0};
  int port;
  int64_t workers = ra_config_int(config, "workers");
  s->count = workers < 1 ? 1 : workers > WORKERS_MAX ? WORKERS_MAX : (unsigned)workers;
  s->argv = argv;
  s->fd = s->admin_fd = -1;
  const char *where = ra_config_text(config, "listen"), *admin = ra_config_text(config, "admin");
  int rc = ra_http_bind(where, ra_config_bool(config, "next_free_port"), &s->fd, &port, &err);
  if (rc == RA_OK && admin) rc = ra_http_bind(where = admin, false, &s->admin_fd, &port, &err);
  int code = 1;
  if (rc < 0) {
    fprintf(stderr, "rastrum: %s: %s\n", where, err.message);
  } else {
    code = watch(s);
  }
  if (s->fd >= 0) close(s->fd);
  if (s->admin_fd >= 0) close(s->admin_fd);
  free(s);
  return code;
}

static int handed_over(const char *name) {
  const char *text = getenv(name);
  return text ? atoi(text) : -1;
}

int ra_supervisor_listen_fd(void) { return handed_over("RASTRUM_WORKER_FD"); }
int ra_supervisor_admin_fd(void) { return handed_over("RASTRUM_WORKER_ADMIN_FD"); }

bool ra_supervisor_first_start(void) {
  const char *text = getenv("RASTRUM_WORKER");
  return text && strcmp(text, "0.0") == 0;
}
