// store_source_folder.c - a source that is a folder of files; see store_source.h. `source.list` in the version has a line
// for each of them as the ingest saw it, "NAME SIZE CHANGED", in the order of names: what is opened has to be as listed, and
// what is not there must not be listed. It is searched where it lies, since a store may have a million of chunks.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/beneath.h"
#include "net/store_source.h"

enum { LINE_MOST = 4096 };

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

// The line that `at` lies in: its text, where it begins and where the next one does. false: there is none.
static bool line_at(const folder *f, uint64_t at, char *text, uint64_t *begin, uint64_t *next) {
  char block[2 * LINE_MOST];
  uint64_t from = at > LINE_MOST ? at - LINE_MOST : 0;
  ssize_t got = pread(f->list, block, sizeof block, (off_t)from);
  size_t here = (size_t)(at - from);
  if (got < 0 || here >= (size_t)got) return false;
  const char *start = here ? memrchr(block, '\n', here) : NULL;
  start = start ? start + 1 : block;
  const char *end = memchr(block + here, '\n', (size_t)got - here);
  if (!end || end - start >= LINE_MOST || (start == block && from > 0)) return false;
  memcpy(text, start, (size_t)(end - start));
  text[end - start] = 0;
  *begin = from + (uint64_t)(start - block);
  *next = from + (uint64_t)(end - block) + 1;
  return true;
}

// Whether an object is listed, and how. A list that cannot be read lists nothing of any use: -1.
static int find(const folder *f, const char *key, ra__file_state *out) {
  uint64_t low = 0, high = f->list_size, begin, next;
  char text[LINE_MOST];
  while (low < high) {
    if (!line_at(f, low + (high - low) / 2, text, &begin, &next)) return -1;
    char *space = strchr(text, ' ');
    if (!space) return -1;
    *space = 0;
    int order = strcmp(key, text);
    if (order == 0)
      return sscanf(space + 1, "%" SCNu64 " %" SCNd64, &out->size, &out->changed) == 2 ? 1 : -1;
    if (order < 0) high = begin;
    if (order > 0) low = next;
  }
  return 0;
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
