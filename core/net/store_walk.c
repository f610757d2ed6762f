// store_walk.c - what goes over whole folders of a file store: listing, syncing, removing, sweeping. Links are neither
// followed nor counted as objects.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/path.h"
#include "base/str.h"
#include "loop/lane.h"
#include "net/store_internal.h"

#define MAX_DEPTH 64

typedef struct names {
  char **list;
  size_t count, cap;
} names;

static void names_free(names *n) {
  for (size_t i = 0; i < n->count; i++) free(n->list[i]);
  free(n->list);
}

static bool names_add(names *n, const char *name) {
  if (n->count == n->cap) {
    size_t cap = n->cap ? n->cap * 2 : 32;
    char **list = realloc(n->list, cap * sizeof *list);
    if (!list) return false;
    n->list = list;
    n->cap = cap;
  }
  char *copy = strdup(name);
  if (!copy) return false;
  n->list[n->count++] = copy;
  return true;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

// The names in a folder, sorted. The descriptor stays the caller's.
static int names_read(int dir, names *out) {
  int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = copy < 0 ? NULL : fdopendir(copy);
  if (!stream) {
    int saved = errno;
    if (copy >= 0) close(copy);
    return -saved;
  }
  int rc = 0;
  struct dirent *entry;
  while (rc == 0 && (errno = 0, entry = readdir(stream))) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    if (!names_add(out, entry->d_name)) rc = -ENOMEM;
  }
  if (rc == 0 && errno) rc = -errno;
  closedir(stream);
  if (out->count) qsort(out->list, out->count, sizeof *out->list, by_name);
  return rc;
}

// What a walk does at each step; a negative return stops it.
typedef struct visitor {
  int (*object)(struct visitor *v, int dir, const char *name, const struct stat *info);
  // Before a folder's contents; 1 passes it by. `info` is of this moment in both. NULL: nothing to do.
  int (*enter)(struct visitor *v, const char *name, const struct stat *info);
  int (*leave)(struct visitor *v, int parent, const char *name, int dir, const struct stat *info);
  ra_str key;   // of what is visited
  int stopped;  // by the caller of ra_store_list
  void *ctx;
  int (*each)(void *ctx, const char *key, uint64_t size, int64_t mtime_ms);
  struct sweeping *sweep;
} visitor;

static int64_t mtime_of(const struct stat *info) {
  return (int64_t)info->st_mtim.tv_sec * 1000 + info->st_mtim.tv_nsec / 1000000;
}

static int visit(visitor *v, int dir, const char *name, int depth);

static int visit_names(visitor *v, int dir, int depth) {
  names all = {0};
  int rc = names_read(dir, &all);
  size_t len = v->key.len;
  for (size_t i = 0; i < all.count && rc == 0; i++) {
    if (len) ra_str_add_char(&v->key, '/');
    ra_str_add(&v->key, all.list[i]);
    rc = v->key.failed ? -ENOMEM : visit(v, dir, all.list[i], depth + 1);
    if (v->key.ptr) v->key.ptr[v->key.len = len] = 0;
  }
  names_free(&all);
  return rc;
}

static int visit_folder(visitor *v, int parent, const char *name, int depth) {
  if (depth > MAX_DEPTH) return -ELOOP;
  int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (dir < 0) return errno == ENOENT ? 0 : -errno;
  struct stat info;
  int rc = fstat(dir, &info) < 0 ? -errno : 0, passed = 0;
  if (rc == 0 && v->enter) passed = v->enter(v, name, &info);
  if (rc == 0 && !passed) rc = visit_names(v, dir, depth);
  if (rc == 0 && !passed && v->leave) rc = v->leave(v, parent, name, dir, &info);
  close(dir);
  return rc;
}

static int visit(visitor *v, int dir, const char *name, int depth) {
  struct stat info;
  if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? 0 : -errno;
  return S_ISDIR(info.st_mode) ? visit_folder(v, dir, name, depth) : v->object(v, dir, name, &info);
}

// Visits all below `prefix`, or below the root.
static int walk(const ra_store *store, const char *prefix, visitor *v) {
  ra_str_init(&v->key);
  if (!*prefix) return visit_folder(v, store->root_fd, ".", 0);
  const char *name;
  int dir = ra__store_open_parent(store, prefix, false, &name);
  if (dir == -ENOENT || dir == -ENOTDIR) return 0;
  if (dir < 0) return dir;
  ra_str_add(&v->key, prefix);
  int rc = v->key.failed ? -ENOMEM : visit(v, dir, name, 0);
  close(dir);
  return rc;
}

static int start(const ra_store *store, const char *prefix, visitor *v, const char *what,
                 ra_err *err) {
  ra_lane_assert_off_loop(what);
  int rc = *prefix ? ra__store_check_key(prefix, err) : RA_OK;
  if (rc < 0) return rc;
  rc = walk(store, prefix, v);
  ra_str_deinit(&v->key);
  if (v->stopped) return v->stopped;
  return rc < 0 ? ra_fail_errno(err, -rc, *prefix ? prefix : store->root, "%s failed", what) : RA_OK;
}

static bool is_temporary(const char *name) {
  return strncmp(name, RA__STORE_TEMPORARY, strlen(RA__STORE_TEMPORARY)) == 0;
}

static int list_object(visitor *v, int dir, const char *name, const struct stat *info) {
  (void)dir;
  if (!S_ISREG(info->st_mode) || is_temporary(name)) return 0;
  int rc = v->each(v->ctx, v->key.ptr, (uint64_t)info->st_size, mtime_of(info));
  if (rc < 0) v->stopped = rc;
  return rc < 0 ? -ECANCELED : 0;
}

// What is being removed is there no more.
static int list_enter(visitor *v, const char *name, const struct stat *info) {
  (void)v, (void)info;
  return is_temporary(name);
}

int ra_store_list(ra_store *store, const char *prefix,
                  int (*each)(void *ctx, const char *key, uint64_t size, int64_t mtime_ms),
                  void *ctx, ra_err *err) {
  visitor v = {.object = list_object, .enter = list_enter, .ctx = ctx, .each = each};
  return start(store, prefix, &v, "listing", err);
}

static int sync_object(visitor *v, int dir, const char *name, const struct stat *info) {
  (void)v, (void)dir, (void)name, (void)info;
  return 0;
}

static int sync_leave(visitor *v, int parent, const char *name, int dir, const struct stat *info) {
  (void)v, (void)parent, (void)name, (void)info;
  return fsync(dir) < 0 ? -errno : 0;
}

int ra__store_sync_folders(ra_store *store, const char *prefix, ra_err *err) {
  visitor v = {.object = sync_object, .leave = sync_leave};
  return start(store, prefix, &v, "syncing", err);
}

// ---- removing

static int remove_file(int dir, const char *name) {
  ra_fault_point("remove");
  return unlinkat(dir, name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

// 1 when it is gone, 0 when something is in it.
static int remove_folder(int parent, const char *name) {
  ra_fault_point("remove");
  if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return 1;
  return errno == ENOTEMPTY || errno == EEXIST ? 0 : -errno;
}

static int remove_object(visitor *v, int dir, const char *name, const struct stat *info) {
  (void)v, (void)info;
  return remove_file(dir, name);
}

static int remove_leave(visitor *v, int parent, const char *name, int dir, const struct stat *info) {
  (void)v, (void)dir, (void)info;
  if (strcmp(name, ".") == 0) return 0;  // the root stays
  int rc = remove_folder(parent, name);
  return rc < 0 ? rc : 0;
}

static void remove_empty_above(const ra_store *store, const char *prefix) {
  char *path = strdup(prefix);
  char *slash;
  while (path && (slash = strrchr(path, '/'))) {
    *slash = 0;
    const char *name;
    int dir = ra__store_open_parent(store, path, false, &name);
    if (dir < 0) break;
    int rc = remove_folder(dir, name);
    close(dir);
    if (rc != 1) break;
  }
  free(path);
}

// Renames what `prefix` names to a temporary name in the same folder, which is appended to `out`.
static int set_aside(const ra_store *store, const char *prefix, ra_str *out) {
  char temporary[RA__STORE_NAME];
  const char *name;
  int dir = ra__store_open_parent(store, prefix, false, &name);
  if (dir < 0) return dir;
  ra__store_temporary(temporary);
  ra_fault_point("remove");
  int rc = renameat(dir, name, dir, temporary) < 0 ? -errno : 0;
  close(dir);
  ra_str_add_bytes(out, prefix, (size_t)(name - prefix));
  ra_str_add(out, temporary);
  return rc == 0 && out->failed ? -ENOMEM : rc;
}

static int remove_all(const ra_store *store, const char *prefix) {
  visitor v = {.object = remove_object, .leave = remove_leave};
  ra_str aside;
  ra_str_init(&aside);
  int rc = *prefix ? set_aside(store, prefix, &aside) : 0;
  if (rc == 0) rc = walk(store, *prefix ? aside.ptr : "", &v);
  ra_str_deinit(&v.key);
  ra_str_deinit(&aside);
  return rc == -ENOENT || rc == -ENOTDIR ? 0 : rc;
}

int ra_store_remove(ra_store *store, const char *prefix, ra_err *err) {
  ra_lane_assert_off_loop("removing");
  int rc = *prefix ? ra__store_check_key(prefix, err) : RA_OK;
  if (rc < 0) return rc;
  rc = remove_all(store, prefix);
  ra__store_cache_drop(&store->cache, prefix);
  if (rc < 0) return ra_fail_errno(err, -rc, *prefix ? prefix : store->root, "removing failed");
  remove_empty_above(store, prefix);
  return RA_OK;
}

// ---- sweeping

typedef struct sweeping {
  int64_t before_ms;
  const char *const *kept;
  unsigned doomed;  // folders of a removal that the visit is in
  ra_store_swept *swept;
} sweeping;

static int sweep_enter(visitor *v, const char *name, const struct stat *info) {
  sweeping *s = v->sweep;
  for (const char *const *kept = s->kept; kept && *kept; kept++)
    if (strcmp(*kept, v->key.ptr ? v->key.ptr : "") == 0) return 1;
  if (!s->doomed && !is_temporary(name)) return 0;
  if (!s->doomed && mtime_of(info) >= s->before_ms) return 1;
  s->doomed++;
  return 0;
}

static int sweep_object(visitor *v, int dir, const char *name, const struct stat *info) {
  sweeping *s = v->sweep;
  bool left = S_ISREG(info->st_mode) && is_temporary(name) && mtime_of(info) < s->before_ms;
  if (!left && !s->doomed) return 0;
  s->swept->files++;
  s->swept->bytes += (uint64_t)info->st_size;
  return remove_file(dir, name);
}

// A folder whose name is no part of a key is not ours (lost+found).
static int sweep_leave(visitor *v, int parent, const char *name, int dir, const struct stat *info) {
  sweeping *s = v->sweep;
  (void)dir;
  bool doomed = s->doomed > 0;
  if (doomed) s->doomed--;
  if (!v->key.len || !ra_key_valid(v->key.ptr)) return 0;
  if (!doomed && mtime_of(info) >= s->before_ms) return 0;
  int rc = remove_folder(parent, name);
  return rc < 0 ? rc : 0;
}

int ra_store_sweep(ra_store *store, int64_t before_ms, const char *const *kept,
                   ra_store_swept *swept, ra_err *err) {
  sweeping s = {.before_ms = before_ms, .kept = kept, .swept = swept};
  visitor v = {.object = sweep_object, .enter = sweep_enter, .leave = sweep_leave, .sweep = &s};
  *swept = (ra_store_swept){0};
  return start(store, "", &v, "sweeping", err);
}
