// beneath.c - see beneath.h
#include "base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_PART = 255 };

int ra_open_parent_beneath(int root, const char *path, bool (*make)(int dir, const char *name),
                           const char **name) {
  int dir = fcntl(root, F_DUPFD_CLOEXEC, 0);
  if (dir < 0) return -errno;
  const char *slash;
  while ((slash = strchr(path, '/'))) {
    char part[MAX_PART + 1];
    size_t len = (size_t)(slash - path);
    bool climbs = len == 0 || (len == 2 && !strncmp(path, "..", 2));
    if (len > MAX_PART || climbs) {
      close(dir);
      return climbs ? -EXDEV : -ENAMETOOLONG;
    }
    memcpy(part, path, len);
    part[len] = 0;
    int next = openat(dir, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (next < 0 && errno == ENOENT && make && make(dir, part))
      next = openat(dir, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int saved = errno;
    close(dir);
    if (next < 0) return -saved;
    dir = next;
    path = slash + 1;
  }
  *name = path;
  return dir;
}

static int open_by_parts(int root, const char *path, int flags) {
  const char *name = path;
  int dir = ra_open_parent_beneath(root, path, NULL, &name);
  if (dir < 0) return dir;
  int fd = strcmp(name, "..") == 0 ? -1 : openat(dir, name, flags | O_NOFOLLOW);
  int saved = strcmp(name, "..") == 0 ? EXDEV : errno;
  close(dir);
  return fd < 0 ? -saved : fd;
}

int ra_open_beneath(int root, const char *path, int flags) {
  static atomic_bool missing;
  flags |= O_CLOEXEC | O_NONBLOCK;
  if (!atomic_load_explicit(&missing, memory_order_relaxed)) {
    struct open_how how = {.flags = (unsigned)flags,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    for (int tries = 0; tries < 8; tries++) {
      long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
      if (fd >= 0) return (int)fd;
      if (errno != EAGAIN) break;  // a rename happened meanwhile
    }
    if (errno != ENOSYS && errno != EPERM) return -errno;
    if (errno == ENOSYS) atomic_store(&missing, true);
  }
  return open_by_parts(root, path, flags);
}

int ra_stat_object(int fd, const char *key, struct stat *out, ra_err *err) {
  if (fstat(fd, out) < 0) return ra_fail_errno(err, errno, key, "cannot be examined");
  if (S_ISREG(out->st_mode)) return RA_OK;
  return ra_fail(err, S_ISDIR(out->st_mode) ? RA_E_NOTFOUND : RA_E_CORRUPT, key,
                 "is not an object (a regular file)");
}
