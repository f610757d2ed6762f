// worker.c - see worker.h. RASTRUM_WORKER is "index.starts.admin.parent", set by supervisor.c.
#include "app/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

// Without its supervisor nobody would watch, replace or reload it, and it would hold the port: it goes at once.
static void die_with(long parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != (pid_t)parent) _exit(1);  // that had happened before the line above
}

bool ra_worker_init(ra_worker *worker) {
  int admin;
  long parent;
  const char *text = getenv("RASTRUM_WORKER");
  *worker = (ra_worker){.listen_fd = -1, .admin_fd = -1, .control_fd = -1};
  if (!text || sscanf(text, "%u.%u.%d.%ld", &worker->index, &worker->starts, &admin, &parent) != 4)
    return false;
  die_with(parent);
  signal(SIGHUP, SIG_IGN);  // a terminal sends it to all; the supervisor decides
  unsetenv("RASTRUM_WORKER");
  for (int fd = RA_WORKER_LISTEN_FD; fd < RA_WORKER_FD_COUNT; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
  worker->listen_fd = RA_WORKER_LISTEN_FD;
  worker->admin_fd = admin ? RA_WORKER_ADMIN_FD : -1;
  worker->control_fd = RA_WORKER_CONTROL_FD;
  return true;
}
