// child.c - see child.h. RASTRUM_PARENT is the parent's pid; the child's own children do not see it.
#include "app/child.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static void set(const char *name, const char *value) {
  if (value) {
    setenv(name, value, 1);
  } else {
    unsetenv(name);
  }
}

int ra_child_spawn(uv_loop_t *loop, uv_process_t *process, const uv_process_options_t *options,
                   const char *what) {
  char parent[24];
  uv_process_options_t own = *options;
  own.file = "/proc/self/exe";
  snprintf(parent, sizeof parent, "%ld", (long)getpid());
  set("RASTRUM_PARENT", parent);
  set("RASTRUM_WORKER", what);
  int rc = uv_spawn(loop, process, &own);
  set("RASTRUM_PARENT", NULL);
  set("RASTRUM_WORKER", NULL);
  return rc;
}

void ra_child_begin(void) {
  const char *parent = getenv("RASTRUM_PARENT");
  if (!parent) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != (pid_t)strtol(parent, NULL, 10)) _exit(1);  // it had died before the line above
  unsetenv("RASTRUM_PARENT");
}
