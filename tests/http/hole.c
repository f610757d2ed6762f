// hole.c - loaded in front of the C library by test_hostile.py: a netcdf-c that a file has taken over. Where a file is opened
// it reads $HOLE_READS, writes $HOLE_WRITES and takes $HOLE_MIB of memory; what came of it stands on standard error.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void tell(const char *what, int fd) {
  dprintf(STDERR_FILENO, "hole %s: %s\n", what, fd < 0 ? strerror(errno) : "done");
  if (fd >= 0) close(fd);
}

int nc_open(const char *path, int mode, int *out) {
  tell("reads", open(getenv("HOLE_READS"), O_RDONLY | O_CLOEXEC));
  tell("writes", open(getenv("HOLE_WRITES"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  void *volatile memory = malloc((size_t)atoll(getenv("HOLE_MIB")) << 20);
  dprintf(STDERR_FILENO, "hole memory: %s\n", memory ? "done" : "refused");
  free(memory);
  return ((int (*)(const char *, int, int *))dlsym(RTLD_NEXT, "nc_open"))(path, mode, out);
}
