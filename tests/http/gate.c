// gate.c - loaded in front of the C library by tests of cancelling: each read of a file whose path has $GATED_PATH in
// it leaves a byte in $GATE_TRACE, and waits while the file $GATE is there. So a job can be held where it stands, and
// what it reads afterwards can be counted.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void pass(int fd) {
  const char *wanted = getenv("GATED_PATH"), *trace = getenv("GATE_TRACE"), *gate = getenv("GATE");
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, sizeof path - 1);
  if (n <= 0 || !wanted || !trace || !gate) return;
  path[n] = 0;
  if (!strstr(path, wanted)) return;
  int out = open(trace, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (out < 0 || write(out, "x", 1) != 1) abort();
  close(out);
  while (access(gate, F_OK) == 0) usleep(1000);
}

ssize_t pread(int fd, void *data, size_t size, off_t offset) {
  static ssize_t (*next)(int, void *, size_t, off_t);
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, "pread");
  pass(fd);
  return next(fd, data, size, offset);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t offset) {
  static ssize_t (*next)(int, void *, size_t, off64_t);
  if (!next) *(void **)&next = dlsym(RTLD_NEXT, "pread64");
  pass(fd);
  return next(fd, data, size, offset);
}
