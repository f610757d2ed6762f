// process.c - see process.h. Linux: a pid alone is used again, so its start time stands beside it.
#include "base/process.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_text(const char *path, char *out, size_t size) {
  FILE *file = fopen(path, "re");
  size_t n = file ? fread(out, 1, size - 1, file) : 0;
  if (file) fclose(file);
  out[n] = 0;
  return n > 0;
}

// The start time in ticks since boot; 0: no such process, or it has ended and is not collected yet.
static unsigned long long start_of(long pid) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%ld/stat", pid);
  if (!read_text(path, text, sizeof text)) return 0;
  char *at = strrchr(text, ')');  // the name before it may hold anything
  if (!at || strlen(at) < 4 || at[2] == 'Z' || at[2] == 'X') return 0;
  for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
  return at ? strtoull(at, NULL, 10) : 0;
}

// What processes that can see each other's pids have in common: "<host>/<boot>.<pid namespace>".
static void place(char *out, size_t size) {
  char host[65] = "", boot[40] = "";
  struct stat space = {0};
  gethostname(host, sizeof host - 1);
  read_text("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
  if (stat("/proc/self/ns/pid", &space) < 0) space.st_ino = 0;
  snprintf(out, size, "%s/%.8s.%llu", host, boot, (unsigned long long)space.st_ino);
}

void ra_process_id(char id[RA_PROCESS_ID]) {
  char here[RA_PROCESS_ID - 48];
  place(here, sizeof here);
  snprintf(id, RA_PROCESS_ID, "%ld@%s.%llu", (long)getpid(), here, start_of(getpid()));
}

ra_process_state ra_process_look(const char *id) {
  char here[RA_PROCESS_ID - 48];
  char *end;
  long pid = strtol(id, &end, 10);
  const char *dot = strrchr(id, '.');
  place(here, sizeof here);
  size_t n = strlen(here);
  bool ours = pid > 0 && *end == '@' && dot == end + 1 + n && strncmp(end + 1, here, n) == 0;
  unsigned long long start = ours ? strtoull(dot + 1, NULL, 10) : 0;
  if (!start) return RA_PROCESS_UNKNOWN;
  if (start_of(pid) == start) return RA_PROCESS_ALIVE;
  // A hidden /proc must not make a living process look dead.
  bool there = kill((pid_t)pid, 0) == 0 || errno == EPERM;
  return there && start_of(pid) == 0 && start_of(getpid()) == 0 ? RA_PROCESS_UNKNOWN
                                                                : RA_PROCESS_DEAD;
}
