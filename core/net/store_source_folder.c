// store_source_folder.c - a source that is a folder of files; see store_source.h. `source.list` in the version has a line
// for each of them as the ingest saw it, "NAME SIZE CHANGED", in the order of names: what is opened has to be as listed, and
// what is not there must not be listed. It is searched where it lies, since a store may have a million of chunks.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/beneath.h"
#include "net/store_lines.h"
#include "net/store_source.h"

typedef struct folder {
  int fd, list;
  uint64_t list_size;
} folder;

static void close_folder(void *state) {
  folder *f = state;
  if (f->fd >= 0) close(f->fd);
  if (f->list >= 0) close(f->list);
  free(f);
}

static int open_list(const ra_store *store, const char *version, folder *f, ra_err *err) {
  char key[2100];
  struct stat info;
  if (snprintf(key, sizeof key, "%s/" RA_STORE_LIST, version) >= (int)sizeof key)
    return ra_fail(err, RA_E_INVALID, version, "is no version");
  f->list = ra__store_open_beneath(store, key, O_RDONLY);
  if (f->list < 0) return ra_fail_errno(err, -f->list, key, "cannot be opened");
  if (fstat(f->list, &info) < 0) return ra_fail_errno(err, errno, key, "cannot be examined");
  f->list_size = (uint64_t)info.st_size;
  return RA_OK;
}

static int open_folder(const ra_store *store, const char *version, const char *path, void **state,
                       ra_err *err) {
  folder *f = calloc(1, sizeof *f);
  if (!f) return ra_fail(err, RA_E_NOMEM, version, "no memory for a source");
  f->list = -1;
  f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  int rc = f->fd < 0 ? ra__store_changed(version, err) : open_list(store, version, f, err);
  if (rc < 0) {
    close_folder(f);
    return rc;
  }
  *state = f;
  return RA_OK;
}

// ---- the list

// Whether an object is listed, and how. A list that cannot be read lists nothing of any use: -1.
static int find(const folder *f, const char *key, ra__file_state *out) {
  char rest[RA__LINE_MOST];
  int known = ra__lines_find(f->list, f->list_size, key, ' ', rest);
  if (known != 1) return known;
  return sscanf(rest, "%" SCNu64 " %" SCNd64, &out->size, &out->changed) == 2 ? 1 : -1;
}

// ---- objects

static int folder_object(void *state, const char *key, ra__store_object *out, ra_err *err) {
  const folder *f = state;
  ra__file_state listed = {0};
  int known = find(f, key, &listed);
  if (known < 0) return ra_fail(err, RA_E_CORRUPT, key, "the list of its source is damaged");
  int fd = ra_open_beneath(f->fd, key, O_RDONLY | O_NOFOLLOW);
  bool absent = fd == -ENOENT || fd == -ENOTDIR;
  if (absent) return known ? RA_E_CONFLICT : RA_E_NOTFOUND;
  if (fd == -ELOOP || fd == -EXDEV) return RA_E_CONFLICT;
  if (fd < 0) return ra_fail_errno(err, -fd, key, "cannot be opened");
  if (!known) {
    struct stat info;
    bool is_folder = fstat(fd, &info) == 0 && S_ISDIR(info.st_mode);
    close(fd);
    return is_folder ? RA_E_NOTFOUND : RA_E_CONFLICT;
  }
  if (!ra__file_is(fd, &listed)) {
    close(fd);
    return RA_E_CONFLICT;
  }
  *out = (ra__store_object){.fd = fd,
                            .size = listed.size,
                            .mtime_ms = listed.changed / 1000000,
                            .foreign = true,
                            .state = listed};
  return RA_OK;
}

const ra__source_kind ra__source_folder = {
    .word = "folder", .open = open_folder, .object = folder_object, .close = close_folder};
