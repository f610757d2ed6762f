// store_file.c - the `file:` store: opening it, reads through the descriptor cache, puts.
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/str.h"
#include "loop/lane.h"
#include "net/store_internal.h"

static int unknown(const char *url, ra_err *err) {
  ra_str shown;
  ra_str_init(&shown);
  ra_str_add_url(&shown, url);
  int rc = ra_fail(err, RA_E_UNSUPPORTED, shown.ptr ? shown.ptr : "",
                   "is not a store that this version knows; file: is");
  ra_str_deinit(&shown);
  return rc;
}

// "file:./dir", "file:///dir", "dir" -> the path.
static int path_of(const char *url, const char **path, ra_err *err) {
  *path = url;
  size_t scheme = strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
  if (strncmp(url, "file:", 5) == 0) {
    *path = url + 5;
    if (strncmp(*path, "//", 2) == 0) *path += 2;
    if (strncmp(url, "file://", 7) == 0 && **path != '/') {
      return ra_fail(err, RA_E_INVALID, url,
                     "names a host; write file:///absolute/path or file:relative/path");
    }
  } else if (url[scheme] == ':' && scheme > 1) {
    return unknown(url, err);
  }
  return **path ? RA_OK : ra_fail(err, RA_E_INVALID, url, "names no folder");
}

// A new folder is lost in a crash until the folder that names it is synced.
static void sync_parent(const char *path) {
  char *parent = strdup(path);
  char *slash = parent ? strrchr(parent, '/') : NULL;
  if (slash) slash[slash == parent ? 1 : 0] = 0;
  int fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    fsync(fd);
    close(fd);
  }
  free(parent);
}

static int make_folder(const char *path, ra_err *err) {
  ra_fault_point("folder");
  if (mkdir(path, 0777) == 0) {
    sync_parent(path);
  } else if (errno != EEXIST) {
    return ra_fail_errno(err, errno, path, "the store's folder cannot be made");
  }
  return RA_OK;
}

// Makes the folder and those above it.
static int make_folders(const char *path, ra_err *err) {
  char *text = strdup(path);
  if (!text) return ra_fail(err, RA_E_NOMEM, path, "no memory to open a store");
  int rc = RA_OK;
  for (char *p = text + 1; rc == RA_OK; p++) {
    bool end = *p == 0;
    if (*p != '/' && !end) continue;
    *p = 0;
    if (access(text, F_OK) != 0) rc = make_folder(text, err);
    if (end) break;
    *p = '/';
  }
  free(text);
  return rc;
}

static int open_root(ra_store *store, const char *path, ra_err *err) {
  store->root = realpath(path, NULL);
  if (!store->root) return ra_fail_errno(err, errno, path, "the store's folder cannot be opened");
  store->root_fd = open(store->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (store->root_fd < 0)
    return ra_fail_errno(err, errno, path, "the store's folder cannot be opened");
  size_t size = strlen(store->root) + sizeof "file://";
  store->url = malloc(size);
  if (!store->url) return ra_fail(err, RA_E_NOMEM, path, "no memory to open a store");
  snprintf(store->url, size, "file://%s", store->root);
  return RA_OK;
}

int ra_store_open(const char *url, bool create, ra_store **out, ra_err *err) {
  const char *path;
  int rc = path_of(url, &path, err);
  if (rc == RA_OK && create) rc = make_folders(path, err);
  if (rc < 0) return rc;
  ra_store *store = calloc(1, sizeof *store);
  if (!store) return ra_fail(err, RA_E_NOMEM, url, "no memory to open a store");
  store->root_fd = -1;
  ra__store_cache_init(&store->cache);
  ra__sources_init(&store->sources);
  rc = open_root(store, path, err);
  if (rc < 0) {
    ra_store_free(store);
    return rc;
  }
  *out = store;
  return RA_OK;
}

void ra_store_free(ra_store *store) {
  if (!store) return;
  ra__store_cache_deinit(&store->cache);
  ra__sources_deinit(&store->sources);
  ra_cache_free(store->ranges);
  if (store->root_fd >= 0) close(store->root_fd);
  free(store->root);
  free(store->url);
  free(store);
}

const char *ra_store_url(const ra_store *store) { return store->url; }
const char *ra_store_root(const ra_store *store) { return store->root; }

int ra_store_check(const ra_store *store, ra_err *err) {
  struct stat now, opened;
  int fd = open(store->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ra_fail_errno(err, errno, store->root, "the store's folder cannot be opened");
  bool same = fstat(fd, &now) == 0 && fstat(store->root_fd, &opened) == 0 &&
              now.st_dev == opened.st_dev && now.st_ino == opened.st_ino;
  close(fd);
  if (same) return RA_OK;
  return ra_fail(err, RA_E_IO, store->root,
                 "the store's folder is another one than at the start; restart the server");
}

int ra__pread_all(int fd, const char *what, uint64_t offset, size_t size, uint8_t *dst, ra_err *err) {
  for (size_t got = 0; got < size;) {
    ssize_t n = pread(fd, dst + got, size - got, (off_t)(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return ra_fail_errno(err, errno, what, "cannot be read at byte %llu",
                           (unsigned long long)offset);
    if (n == 0) return ra_fail(err, RA_E_CORRUPT, what, "became shorter while it was read");
    got += (size_t)n;
  }
  return RA_OK;
}

// What is not the store's own may change at any time: it has been right if it is unchanged afterwards.
static int read_all(const ra_store *store, const ra__store_entry *entry, uint64_t offset,
                    size_t size, uint8_t *dst, ra_err *err) {
  const ra__store_object *object = &entry->object;
  if (object->far) return ra__store_read_far(store, object, offset, size, dst, err);
  if (object->bytes) {
    memcpy(dst, ra_buf_data(object->bytes) + offset, size);
    return RA_OK;
  }
  int rc = ra__pread_all(object->fd, entry->key, object->offset + offset, size, dst, err);
  if (object->foreign && !ra__file_is(object->fd, &object->state))
    return ra__store_changed(entry->key, err);
  return rc;
}

static int read_object(void *ctx, const char *key, uint64_t offset, size_t size, uint8_t *dst,
                       ra_err *err) {
  ra_store *store = ctx;
  ra_lane_assert_off_loop("reading an object");
  ra__store_entry *entry = NULL;
  int rc = ra__store_cache_get(store, key, &entry, err);
  if (rc < 0) return rc;
  if (offset > entry->object.size || size > entry->object.size - offset) {
    rc = ra_fail(err, RA_E_CORRUPT, key, "has %llu bytes where %zu at %llu were to be read",
                 (unsigned long long)entry->object.size, size, (unsigned long long)offset);
  } else {
    rc = read_all(store, entry, offset, size, dst, err);
  }
  ra__store_cache_release(&store->cache, entry);
  return rc;
}

static int object_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  ra_store *store = ctx;
  ra_lane_assert_off_loop("asking for an object's size");
  ra__store_entry *entry = NULL;
  int rc = ra__store_cache_get(store, key, &entry, err);
  if (rc < 0) return rc;
  *out = entry->object.size;
  ra__store_cache_release(&store->cache, entry);
  return RA_OK;
}

ra_reader ra_store_reader(ra_store *store) { return (ra_reader){read_object, object_size, store}; }

static int write_all(int fd, const uint8_t *data, size_t size) {
  ra_fault_point("write");
  while (size) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -errno;
    data += n;
    size -= (size_t)n;
  }
  return 0;
}

// Bytes in memory as a descriptor, for whoever sends files.
static int to_file(const ra__store_object *object, const char *key, ra_err *err) {
  int fd = memfd_create("object", MFD_CLOEXEC);
  if (fd < 0) return ra_fail_errno(err, errno, key, "cannot be unpacked");
  int rc = write_all(fd, ra_buf_data(object->bytes), (size_t)object->size);
  if (rc >= 0) return fd;
  close(fd);
  return ra_fail_errno(err, -rc, key, "cannot be unpacked");
}

int ra_store_open_object(ra_store *store, const char *key, ra_store_file *out, ra_err *err) {
  ra_lane_assert_off_loop("opening an object");
  ra__store_object object;
  int rc = ra__store_check_key(key, err);
  if (rc >= 0) rc = ra__store_open_object(store, key, &object, err);
  if (rc < 0) return rc;
  *out = (ra_store_file){
      .fd = object.fd, .offset = object.offset, .size = object.size, .mtime_ms = object.mtime_ms};
  if (object.far) {
    ra__store_close_object(&object);
    return ra_fail(err, RA_E_NOTFOUND, key, "lies on another server; refs.json says where");
  }
  if (!object.bytes) return RA_OK;
  out->fd = to_file(&object, key, err);
  ra__store_close_object(&object);
  return out->fd < 0 ? out->fd : RA_OK;
}

typedef struct stream {
  ra_store_next *next;
  void (*rewind)(void *ctx);  // NULL: it can be read once
  void *ctx;
  bool begun;
  int rc;  // of next
} stream;

static int write_pieces(int fd, stream *from, ra_err *err) {
  if (from->begun) from->rewind(from->ctx);
  from->begun = true;
  for (;;) {
    const void *data = NULL;
    size_t size = 0;
    from->rc = from->next(from->ctx, &data, &size, err);
    if (from->rc < 0 || size == 0) return from->rc < 0 ? -EIO : 0;
    int rc = write_all(fd, data, size);
    if (rc < 0) return rc;
  }
}

void ra__store_temporary(char name[RA__STORE_NAME]) {
  static atomic_uint counter;
  snprintf(name, RA__STORE_NAME, RA__STORE_TEMPORARY "%d-%u", (int)getpid(),
           atomic_fetch_add(&counter, 1));
}

// Writes and renames inside an open folder; a negative errno on failure, with nothing left behind.
static int put_in(int dir, const char *name, stream *from, ra_err *err) {
  char temporary[RA__STORE_NAME];
  ra__store_temporary(temporary);
  int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return -errno;
  int rc = write_pieces(fd, from, err);
  if (close(fd) < 0 && rc == 0) rc = -errno;
  ra_fault_point("rename");
  if (rc == 0 && renameat(dir, temporary, dir, name) < 0) rc = -errno;
  if (rc < 0) unlinkat(dir, temporary, 0);
  return rc;
}

static int put(ra_store *store, const char *key, stream *from, ra_err *err) {
  ra_lane_assert_off_loop("putting an object");
  int rc = ra__store_check_key(key, err);
  if (rc < 0) return rc;
  // A removal that runs meanwhile may take a folder away just after it was made.
  for (int tries = 0; tries < 8; tries++) {
    const char *name;
    rc = ra__store_open_parent(store, key, true, &name);
    if (rc == -ENOENT) continue;
    if (rc < 0) break;
    int dir = rc;
    rc = put_in(dir, name, from, err);
    close(dir);
    if (rc != -ENOENT || (from->begun && !from->rewind)) break;
  }
  ra__store_cache_drop(&store->cache, key);
  if (from->rc < 0) return from->rc;
  return rc < 0 ? ra_fail_errno(err, -rc, key, "cannot be written") : RA_OK;
}

int ra_store_put_stream(ra_store *store, const char *key, ra_store_next *next, void *ctx,
                        ra_err *err) {
  stream from = {.next = next, .ctx = ctx};
  return put(store, key, &from, err);
}

typedef struct piece {
  const void *data;
  size_t size;
  bool taken;
} piece;

static int next_piece(void *ctx, const void **data, size_t *size, ra_err *err) {
  (void)err;
  piece *p = ctx;
  *data = p->data;
  *size = p->taken ? 0 : p->size;
  p->taken = true;
  return RA_OK;
}

static void rewind_piece(void *ctx) { ((piece *)ctx)->taken = false; }

int ra_store_put(ra_store *store, const char *key, const void *data, size_t size, ra_err *err) {
  piece p = {.data = data, .size = size};
  stream from = {.next = next_piece, .rewind = rewind_piece, .ctx = &p};
  return put(store, key, &from, err);
}
