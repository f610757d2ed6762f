// store_source.c - objects that stay where they were: below `<version>/source/` lies the file that the version's pointer
// object names, and no other. The pointer holds the file's size and time of change, since a file that was changed is another
// one than the catalog describes.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/store_internal.h"

enum { POINTER_MOST = 8192 };
#define POINTER "source.pointer"

// The length of "<collection>/<dataset>/<version>/" where what follows is "source/…"; 0 for other keys.
static size_t version_of(const char *key) {
  const char *at = key;
  for (int i = 0; i < 3; i++) {
    at = strchr(at, '/');
    if (!at) return 0;
    at++;
  }
  return strncmp(at, "source/", 7) == 0 ? (size_t)(at - key) : 0;
}

static int read_pointer(const ra_store *store, const char *key, size_t length, char *out) {
  char path[2100];
  if (length + sizeof POINTER > sizeof path) return -ENOENT;
  snprintf(path, sizeof path, "%.*s" POINTER, (int)length, key);
  int fd = ra__store_open_beneath(store, path, O_RDONLY);
  if (fd < 0) return fd;
  ssize_t got = read(fd, out, POINTER_MOST - 1);
  int saved = errno;
  close(fd);
  if (got < 0) return -saved;
  out[got] = 0;
  return 0;
}

static int64_t changed_ns(const struct stat *info) {
  return (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
}

int ra__store_open_source(const ra_store *store, const char *key) {
  char text[POINTER_MOST], *end;
  uint64_t size;
  int64_t changed;
  int used = 0;
  size_t length = version_of(key);
  if (!length) return -ENOENT;
  int rc = read_pointer(store, key, length, text);
  if (rc < 0) return rc;
  if (sscanf(text, "%" SCNu64 " %" SCNd64 " %n", &size, &changed, &used) != 2 ||
      text[used] != '/' || !(end = strchr(text + used, '\n')))
    return -EIO;
  *end = 0;
  int fd = open(text + used, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
  if (fd < 0) return -errno;
  struct stat info;
  bool same = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size == size &&
              changed_ns(&info) == changed;
  if (same) return fd;
  close(fd);
  return -ESTALE;
}

int ra_store_put_pointer(ra_store *store, const char *version, const char *path, ra_err *err) {
  char key[2100], text[POINTER_MOST];
  struct stat info;
  if (stat(path, &info) < 0) return ra_fail_errno(err, errno, path, "cannot be examined");
  int n = snprintf(text, sizeof text, "%" PRIu64 " %" PRId64 " %s\n", (uint64_t)info.st_size,
                   changed_ns(&info), path);
  int k = snprintf(key, sizeof key, "%s/" POINTER, version);
  if (n >= (int)sizeof text || k >= (int)sizeof key || strchr(path, '\n'))
    return ra_fail(err, RA_E_UNSUPPORTED, path, "has a path that cannot be kept");
  return ra_store_put(store, key, text, (size_t)n, err);
}

int ra__store_open_object(const ra_store *store, const char *key) {
  int fd = ra__store_open_beneath(store, key, O_RDONLY);
  return fd == -ENOENT || fd == -ENOTDIR ? ra__store_open_source(store, key) : fd;
}

int ra__store_changed(const char *key, ra_err *err) {
  return ra_fail(
      err, RA_E_CONFLICT, key,
      "the file that it stands for was changed or removed since it was ingested in place; "
      "ingest it again");
}
