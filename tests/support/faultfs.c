// faultfs.c - preloaded into a process under test: notes what it does to files, in order, and makes it fail from a chosen
// moment on, as a disk does that is full or was made read-only. Built and used by tests/http/crash.py.
//   FAULTFS_BELOW=folder   only what lies below counts
//   FAULTFS_LOG=file       a line "operation<TAB>path" each
//   FAULTFS_FAIL=errno,n   the n-th and all later changes fail so
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int changes;
static int log_fd = -1, fail_errno, fail_from;
static const char *below = "/nowhere";

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void start(void) {
  const char *log = getenv("FAULTFS_LOG"), *fail = getenv("FAULTFS_FAIL");
  if (getenv("FAULTFS_BELOW")) below = getenv("FAULTFS_BELOW");
  if (log) log_fd = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fail) sscanf(fail, "%d,%d", &fail_errno, &fail_from);
}

static void path_of(int fd, const char *name, char *out) {
  char link[64], folder[PATH_MAX] = "";
  if (fd == AT_FDCWD) {
    if (!getcwd(folder, sizeof folder)) folder[0] = 0;
  } else {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, folder, sizeof folder - 1);
    folder[n < 0 ? 0 : n] = 0;
  }
  if (!name)
    snprintf(out, 2 * PATH_MAX, "%s", folder);
  else if (*name == '/')
    snprintf(out, 2 * PATH_MAX, "%s", name);
  else
    snprintf(out, 2 * PATH_MAX, "%s/%s", folder, name);
}

// Notes an operation; true when it has to fail, with errno set.
static bool refused(const char *what, int fd, const char *name, bool change) {
  char path[2 * PATH_MAX], line[2 * PATH_MAX + 32];
  int saved = errno;
  path_of(fd, name, path);
  if (strncmp(path, below, strlen(below)) != 0) return errno = saved, false;
  if (change && fail_errno && atomic_fetch_add(&changes, 1) + 1 >= fail_from)
    return errno = fail_errno, true;
  int n = snprintf(line, sizeof line, "%s\t%s\n", what, path);
  if (log_fd >= 0 && REAL(write)(log_fd, line, (size_t)n) < 0) abort();
  return errno = saved, false;
}

ssize_t write(int fd, const void *data, size_t size) {
  return refused("write", fd, NULL, true) ? -1 : REAL(write)(fd, data, size);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  return refused("write", fd, NULL, true) ? -1 : REAL(pwrite)(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
  return pwrite(fd, data, size, at);
}
int fsync(int fd) { return refused("sync", fd, NULL, false) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return refused("sync", fd, NULL, false) ? -1 : REAL(fdatasync)(fd); }
int syncfs(int fd) { return refused("syncfs", fd, NULL, false) ? -1 : REAL(syncfs)(fd); }
int mkdir(const char *path, mode_t mode) {
  return refused("mkdir", AT_FDCWD, path, true) ? -1 : REAL(mkdir)(path, mode);
}
int mkdirat(int dir, const char *path, mode_t mode) {
  return refused("mkdir", dir, path, true) ? -1 : REAL(mkdirat)(dir, path, mode);
}
// A full disk lets go of what is there, and renames it; one that is read-only does not.
int unlink(const char *path) {
  return refused("unlink", AT_FDCWD, path, fail_errno != ENOSPC) ? -1 : REAL(unlink)(path);
}
int unlinkat(int dir, const char *path, int flags) {
  return refused("unlink", dir, path, fail_errno != ENOSPC) ? -1 : REAL(unlinkat)(dir, path, flags);
}
int renameat(int from, const char *old, int to, const char *new) {
  return refused("rename", to, new, fail_errno != ENOSPC) ? -1 : REAL(renameat)(from, old, to, new);
}
int ftruncate(int fd, off_t size) {
  return refused("truncate", fd, NULL, true) ? -1 : REAL(ftruncate)(fd, size);
}
int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

static int opened(int dir, const char *path, int flags, mode_t mode) {
  bool change = flags & (O_CREAT | O_TRUNC);
  return change && refused("create", dir, path, true) ? -1 : REAL(openat)(dir, path, flags, mode);
}

static mode_t mode_of(int flags, va_list args) {
  return flags & O_CREAT ? va_arg(args, mode_t) : 0;
}

#define OPEN(name, parameters, dir)        \
  int name parameters {                    \
    va_list args;                          \
    va_start(args, flags);                 \
    mode_t mode = mode_of(flags, args);    \
    va_end(args);                          \
    return opened(dir, path, flags, mode); \
  }
OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat, (int dir, const char *path, int flags, ...), dir)
OPEN(openat64, (int dir, const char *path, int flags, ...), dir)
