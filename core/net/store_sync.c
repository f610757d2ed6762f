// store_sync.c - making what was put durable: by one call for the whole file system where that is safe; else the files
// several at a time, since a file system then commits many at once (thousands one by one take twenty times as long), then
// the folders, then the folders above.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/str.h"
#include "loop/lane.h"
#include "net/store_internal.h"

enum { THREADS = 8, STACK = 256 << 10 };

// The objects to sync: keys, each ended by a zero byte.
typedef struct files {
  ra_store *store;
  ra_str keys;
  pthread_mutex_t lock;
  size_t next;  // of the first key that nobody has taken
  int rc;
  ra_err err;
} files;

static int note(void *ctx, const char *key, uint64_t size, int64_t mtime_ms) {
  files *f = ctx;
  (void)size, (void)mtime_ms;
  ra_str_add_bytes(&f->keys, key, strlen(key) + 1);
  return f->keys.failed ? ra_fail(&f->err, RA_E_NOMEM, key, "no memory to sync a store") : RA_OK;
}

static const char *take(files *f) {
  pthread_mutex_lock(&f->lock);
  const char *key = f->rc == RA_OK && f->next < f->keys.len ? f->keys.ptr + f->next : NULL;
  if (key) f->next += strlen(key) + 1;
  pthread_mutex_unlock(&f->lock);
  return key;
}

static void fail(files *f, int errnum, const char *key) {
  pthread_mutex_lock(&f->lock);
  if (f->rc == RA_OK) f->rc = ra_fail_errno(&f->err, errnum, key, "cannot be made durable");
  pthread_mutex_unlock(&f->lock);
}

static void *work(void *ctx) {
  files *f = ctx;
  for (const char *key; (key = take(f));) {
    int fd = ra__store_open_beneath(f->store, key, O_RDONLY);
    if (fd == -ENOENT) continue;
    if (fd < 0 || fdatasync(fd) < 0) fail(f, fd < 0 ? -fd : errno, key);
    if (fd >= 0) close(fd);
  }
  return NULL;
}

static void work_together(files *f) {
  pthread_t threads[THREADS];
  unsigned count = 0;
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, STACK);
  while (count < THREADS && pthread_create(&threads[count], &attr, work, f) == 0) count++;
  pthread_attr_destroy(&attr);
  work(f);
  for (unsigned i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

static int sync_files(ra_store *store, const char *prefix, ra_err *err) {
  files f = {.store = store};
  ra_str_init(&f.keys);
  pthread_mutex_init(&f.lock, NULL);
  int rc = ra_store_list(store, prefix, note, &f, err);
  if (rc == RA_OK) {
    work_together(&f);
    rc = f.rc;
  }
  if (rc < 0 && f.err.code && err) *err = f.err;
  pthread_mutex_destroy(&f.lock);
  ra_str_deinit(&f.keys);
  return rc;
}

static int sync_folder(const ra_store *store, const char *path) {
  int dir = *path ? ra__store_open_beneath(store, path, O_RDONLY | O_DIRECTORY) : store->root_fd;
  if (dir == -ENOENT) return 0;
  if (dir < 0) return dir;
  int rc = fsync(dir) < 0 ? -errno : 0;
  if (dir != store->root_fd) close(dir);
  return rc;
}

// The folders above, nearest first, up to the root.
static int sync_above(const ra_store *store, const char *prefix) {
  char *path = strdup(prefix);
  if (!path) return -ENOMEM;
  int rc = 0;
  while (rc == 0 && *path) {
    char *slash = strrchr(path, '/');
    *(slash ? slash : path) = 0;
    rc = sync_folder(store, path);
  }
  free(path);
  return rc;
}

// Local file systems whose syncfs waits for all that was written and tells of errors (Linux 5.8): one call for a version
// of thousands of small objects, where each object's and folder's own sync would wait for the disk.
static bool syncs_as_a_whole(int root) {
  enum { MAGIC_EXT4 = 0xef53, MAGIC_XFS = 0x58465342, MAGIC_TMPFS = 0x01021994 };
  struct statfs fs;
  struct utsname kernel;
  unsigned major = 0, minor = 0;
  if (fstatfs(root, &fs) < 0 || uname(&kernel) < 0) return false;
  if (sscanf(kernel.release, "%u.%u", &major, &minor) != 2) return false;
  bool local = fs.f_type == MAGIC_EXT4 || fs.f_type == MAGIC_XFS || fs.f_type == MAGIC_TMPFS;
  return local && (major > 5 || (major == 5 && minor >= 8));
}

int ra_store_sync(ra_store *store, const char *prefix, ra_err *err) {
  ra_lane_assert_off_loop("syncing");
  ra_fault_point("sync");
  if (syncs_as_a_whole(store->root_fd)) {
    return syncfs(store->root_fd) < 0 ? ra_fail_errno(err, errno, prefix, "syncing failed") : RA_OK;
  }
  int rc = sync_files(store, prefix, err);
  if (rc == RA_OK) rc = ra__store_sync_folders(store, prefix, err);
  if (rc < 0) return rc;
  rc = sync_above(store, prefix);
  return rc < 0 ? ra_fail_errno(err, -rc, prefix, "syncing failed") : RA_OK;
}
