// scratch.c - see scratch.h
#include "ingest/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct ra__scratch {
  int fd;
  _Atomic uint64_t end, used, peak;
  char folder[];
};

const char *ra_scratch_folder(const char *folder) {
  if (folder && *folder) return folder;
  const char *given = getenv("TMPDIR");
  return given && *given ? given : "/var/tmp";
}

// Where the file system knows no files without a name, it is unlinked at once.
static int open_nameless(const char *folder) {
  int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)) return fd;
  char name[4096];
  if (snprintf(name, sizeof name, "%s/.rastrum-XXXXXX", folder) >= (int)sizeof name) {
    errno = ENAMETOOLONG;
    return -1;
  }
  fd = mkostemp(name, O_CLOEXEC);
  if (fd >= 0) unlink(name);
  return fd;
}

int ra__scratch_open(const char *folder, ra__scratch **out, ra_err *err) {
  folder = ra_scratch_folder(folder);
  size_t size = strlen(folder) + 1;
  ra__scratch *scratch = calloc(1, sizeof *scratch + size);
  if (!scratch) return ra_fail(err, RA_E_NOMEM, folder, "out of memory");
  memcpy(scratch->folder, folder, size);
  scratch->fd = open_nameless(folder);
  if (scratch->fd < 0) {
    free(scratch);
    return ra_fail_errno(err, errno, folder,
                         "takes no scratch file; name another folder with --scratch");
  }
  *out = scratch;
  return RA_OK;
}

void ra__scratch_free(ra__scratch *scratch) {
  if (!scratch) return;
  close(scratch->fd);
  free(scratch);
}

int ra__scratch_check(const char *folder, uint64_t need, ra_err *err) {
  struct statvfs fs;
  folder = ra_scratch_folder(folder);
  if (statvfs(folder, &fs) < 0) {
    return ra_fail_errno(err, errno, folder,
                         "cannot take scratch files; name a folder with --scratch");
  }
  uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
  if (need <= room) return RA_OK;
  return ra_fail(err, RA_E_TOOBIG, folder,
                 "has %.1f MB of room, %.1f MB of scratch space are needed; name a folder "
                 "with more with --scratch, or give more --memory",
                 (double)room / 1e6, (double)need / 1e6);
}

static int fail_write(const ra__scratch *scratch, int errnum, ra_err *err) {
  if (errnum != ENOSPC && errnum != EDQUOT && errnum != EFBIG)
    return ra_fail_errno(err, errnum, scratch->folder, "the scratch file cannot be written");
  return ra_fail_errno(err, errnum, scratch->folder,
                       "is full after %.1f MB of scratch; name a folder with more room with "
                       "--scratch, or give more --memory",
                       (double)scratch->used / 1e6);
}

int ra__scratch_append(ra__scratch *scratch, const void *data, size_t size, uint64_t *offset,
                       ra_err *err) {
  const char *from = data;
  uint64_t at = atomic_fetch_add(&scratch->end, size);
  *offset = at;
  uint64_t used = atomic_fetch_add(&scratch->used, size) + size, peak = scratch->peak;
  while (used > peak && !atomic_compare_exchange_weak(&scratch->peak, &peak, used)) {
  }
  while (size > 0) {
    ssize_t n = pwrite(scratch->fd, from, size, (off_t)at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail_write(scratch, n < 0 ? errno : EIO, err);
    from += n;
    at += (uint64_t)n;
    size -= (size_t)n;
  }
  return RA_OK;
}

void ra__scratch_release(ra__scratch *scratch, uint64_t offset, size_t size) {
  int how = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  if (fallocate(scratch->fd, how, (off_t)offset, (off_t)size) == 0) scratch->used -= size;
}

int ra__scratch_read(const ra__scratch *scratch, uint64_t offset, void *dst, size_t size,
                     ra_err *err) {
  char *to = dst;
  while (size > 0) {
    ssize_t n = pread(scratch->fd, to, size, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      return ra_fail_errno(err, n < 0 ? errno : EIO, scratch->folder,
                           "the scratch file cannot be read back");
    }
    to += n;
    offset += (uint64_t)n;
    size -= (size_t)n;
  }
  return RA_OK;
}

int ra__scratch_sync(const ra__scratch *scratch, ra_err *err) {
  if (fdatasync(scratch->fd) == 0) return RA_OK;
  return fail_write(scratch, errno, err);
}

int ra__scratch_reset(ra__scratch *scratch, ra_err *err) {
  scratch->end = scratch->used = 0;
  if (ftruncate(scratch->fd, 0) == 0) return RA_OK;
  return ra_fail_errno(err, errno, scratch->folder, "the scratch file cannot be emptied");
}

uint64_t ra__scratch_peak(const ra__scratch *scratch) { return scratch->peak; }
