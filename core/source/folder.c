// folder.c - see folder.h
#include "source/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"

struct ra_folder {
  int fd;
  bool single;        // a file
  atomic_bool links;  // some were left out
};

int ra_folder_open(const char *path, ra_folder **out, ra_err *err) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return ra_fail_errno(err, errno, path, "cannot be opened");
  ra_folder *folder = calloc(1, sizeof *folder);
  int rc = RA_OK;
  if (!folder) {
    rc = ra_fail(err, RA_E_NOMEM, path, "no memory for a folder");
  } else if (fstat(fd, &st) < 0) {
    rc = ra_fail_errno(err, errno, path, "cannot be examined");
  } else if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
    rc = ra_fail(err, RA_E_UNSUPPORTED, path, "is neither a folder nor a regular file");
  }
  if (rc < 0 || !folder) {
    close(fd);
    free(folder);
    return rc;
  }
  folder->fd = fd;
  folder->single = S_ISREG(st.st_mode);
  *out = folder;
  return RA_OK;
}

void ra_folder_free(ra_folder *folder) {
  if (!folder) return;
  close(folder->fd);
  free(folder);
}

// ---- reading

// The descriptor of the one file, or of the one that is opened for it.
static int open_object(const ra_folder *folder, const char *key, struct stat *st, ra_err *err) {
  int fd = folder->single ? folder->fd : ra_open_beneath(folder->fd, key, O_RDONLY);
  if (fd == -ENOENT || fd == -ENOTDIR)
    return ra_fail(err, RA_E_NOTFOUND, key, "there is no such file");
  if (fd == -EXDEV || fd == -ELOOP)
    return ra_fail(err, RA_E_UNSUPPORTED, key, "leads out of its folder");
  if (fd < 0) return ra_fail_errno(err, -fd, key, "cannot be opened");
  int rc = ra_stat_object(fd, key, st, err);
  if (rc < 0 && !folder->single) close(fd);
  return rc < 0 ? rc : fd;
}

static void close_object(const ra_folder *folder, int fd) {
  if (!folder->single) close(fd);
}

int ra_folder_stat(const ra_folder *folder, const char *key, uint64_t *size, int64_t *changed,
                   ra_err *err) {
  struct stat st = {0};
  int fd = open_object(folder, key, &st, err);
  if (fd < 0) return fd;
  close_object(folder, fd);
  *size = (uint64_t)st.st_size;
  *changed = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
  return RA_OK;
}

static int object_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  int64_t changed;
  return ra_folder_stat(ctx, key, out, &changed, err);
}

static int read_all(int fd, const char *key, uint64_t offset, size_t size, uint8_t *dst, ra_err *err) {
  for (size_t got = 0; got < size;) {
    ssize_t n = pread(fd, dst + got, size - got, (off_t)(offset + got));
    if (n > 0) {
      got += (size_t)n;
    } else if (n == 0) {
      return ra_fail(err, RA_E_CORRUPT, key, "ends before byte %llu",
                     (unsigned long long)offset + size);
    } else if (errno != EINTR) {
      return ra_fail_errno(err, errno, key, "cannot be read");
    }
  }
  return RA_OK;
}

static int object_read(void *ctx, const char *key, uint64_t offset, size_t size, uint8_t *dst,
                       ra_err *err) {
  const ra_folder *folder = ctx;
  struct stat st;
  int fd = open_object(folder, key, &st, err);
  if (fd < 0) return fd;
  int rc = read_all(fd, key, offset, size, dst, err);
  close_object(folder, fd);
  return rc;
}

ra_reader ra_folder_reader(ra_folder *folder) {
  return (ra_reader){object_read, object_size, folder};
}

// ---- listing

bool ra_folder_has_links(const ra_folder *folder) { return folder->links; }

static bool is_folder(int dir, const struct dirent *entry) {
  struct stat st;
  if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
  return fstatat(dir, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int is_listed(const struct dirent *entry) {
  return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b) {
  return strcmp((*a)->d_name, (*b)->d_name);
}

int ra_folder_list(ra_folder *folder, const char *path,
                   int (*each)(void *ctx, const char *name, bool is_folder), void *ctx, ra_err *err) {
  struct dirent **entries;
  int dir = ra_open_beneath(folder->fd, *path ? path : ".", O_RDONLY | O_DIRECTORY);
  if (dir < 0) return ra_fail_errno(err, -dir, path, "cannot be opened");
  int count = scandirat(dir, ".", &entries, is_listed, by_bytes);
  int rc = count < 0 ? ra_fail_errno(err, errno, path, "cannot be listed") : RA_OK;
  for (int i = 0; i < count; i++) {
    if (entries[i]->d_type == DT_LNK) folder->links = true;
    if (rc == RA_OK && entries[i]->d_type != DT_LNK)
      rc = each(ctx, entries[i]->d_name, is_folder(dir, entries[i]));
    free(entries[i]);
  }
  if (count >= 0) free(entries);
  close(dir);
  return rc;
}
