// priority.c - see priority.h
#include "app/priority.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { IO_WHO_PROCESS = 1, IO_CLASS_IDLE = 3 << 13, IO_FROM = 10 };  // of ioprio_set(2)

void ra_priority_lower(int nice_value) {
  if (nice_value <= 0) return;
  setpriority(PRIO_PROCESS, 0, nice_value);
  if (nice_value >= IO_FROM) syscall(SYS_ioprio_set, IO_WHO_PROCESS, 0, IO_CLASS_IDLE);
}
