// store_source.c - from a key below `<version>/source/` to the object that the version's pointer leads to; see
// store_source.h. What a version's source needs to be looked into (an archive's directory) is kept for the versions that
// were asked for last.
#include "net/store_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/beneath.h"

enum { POINTER_MOST = 8192 };
#define POINTER "source.pointer"

struct ra__source {
  unsigned refs;  // guarded by the table's lock
  bool listed;
  uint64_t used;
  const ra__source_kind *kind;
  void *state;
  char version[];  // "<collection>/<dataset>/<version>"
};

static const ra__source_kind *const KINDS[] = {&ra__source_file, &ra__source_zip,
                                               &ra__source_folder, &ra__source_references};

// The length of "<collection>/<dataset>/<version>" where what follows is "/source/…"; 0 for other keys.
static size_t version_of(const char *key) {
  const char *at = key;
  for (int i = 0; i < 3; i++) {
    at = strchr(at, '/');
    if (!at) return 0;
    at++;
  }
  return strncmp(at, "source/", 7) == 0 ? (size_t)(at - key) - 1 : 0;
}

// ---- the pointer

static int read_pointer(const ra_store *store, const char *version, char *out, ra_err *err) {
  char key[2100];
  if (snprintf(key, sizeof key, "%s/" POINTER, version) >= (int)sizeof key) return RA_E_NOTFOUND;
  int fd = ra__store_open_beneath(store, key, O_RDONLY);
  if (fd == -ENOENT || fd == -ENOTDIR) return RA_E_NOTFOUND;
  if (fd < 0) return ra_fail_errno(err, -fd, key, "cannot be opened");
  ssize_t got = read(fd, out, POINTER_MOST - 1);
  int saved = errno;
  close(fd);
  if (got < 0) return ra_fail_errno(err, saved, key, "cannot be read");
  out[got] = 0;
  char *end = strchr(out, '\n');
  if (!end) return ra_fail(err, RA_E_CORRUPT, key, "is no line of text");
  *end = 0;
  return RA_OK;
}

static int open_kind(const ra_store *store, const char *text, ra__source *source, ra_err *err) {
  size_t n = strcspn(text, " ");
  for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
    if (strncmp(text, KINDS[i]->word, n) != 0 || KINDS[i]->word[n] || !text[n]) continue;
    source->kind = KINDS[i];
    return KINDS[i]->open(store, source->version, text + n + 1, &source->state, err);
  }
  return ra_fail(err, RA_E_CORRUPT, source->version, "its " POINTER " is of no known kind");
}

static int open_source(const ra_store *store, const char *version, ra__source **out, ra_err *err) {
  char text[POINTER_MOST];
  int rc = read_pointer(store, version, text, err);
  if (rc < 0) return rc;
  size_t n = strlen(version) + 1;
  ra__source *source = calloc(1, sizeof *source + n);
  if (!source) return ra_fail(err, RA_E_NOMEM, version, "no memory for a source");
  memcpy(source->version, version, n);
  source->refs = 1;
  rc = open_kind(store, text, source, err);
  if (rc < 0) {
    free(source);
    return rc;
  }
  *out = source;
  return RA_OK;
}

int ra_store_put_pointer(ra_store *store, const char *version, const char *kind, const char *path,
                         ra_err *err) {
  char key[2100], text[POINTER_MOST];
  struct stat info;
  int n;
  bool listed = strcmp(kind, ra__source_references.word) == 0;
  if (!listed && stat(path, &info) < 0)
    return ra_fail_errno(err, errno, path, "cannot be examined");
  ra__file_state state = listed ? (ra__file_state){0} : ra__file_state_of(&info);
  if (listed || strcmp(kind, ra__source_folder.word) == 0) {
    n = snprintf(text, sizeof text, "%s %s\n", kind, path);
  } else {
    n = snprintf(text, sizeof text, "%s %" PRIu64 " %" PRId64 " %s\n", kind, state.size,
                 state.changed, path);
  }
  int k = snprintf(key, sizeof key, "%s/" POINTER, version);
  if (n >= (int)sizeof text || k >= (int)sizeof key || strchr(path, '\n'))
    return ra_fail(err, RA_E_UNSUPPORTED, path, "has a path that cannot be kept");
  return ra_store_put(store, key, text, (size_t)n, err);
}

// ---- files of others

ra__file_state ra__file_state_of(const struct stat *info) {
  return (ra__file_state){
      .size = (uint64_t)info->st_size,
      .changed = (int64_t)info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec};
}

int ra_store_file_state(const char *path, uint64_t *size, int64_t *changed, ra_err *err) {
  struct stat info;
  if (stat(path, &info) < 0) return ra_fail_errno(err, errno, path, "cannot be examined");
  ra__file_state state = ra__file_state_of(&info);
  *size = state.size;
  *changed = state.changed;
  return RA_OK;
}

bool ra__source_parse(const char *text, ra__file_state *state, const char **path) {
  int used = 0;
  if (sscanf(text, "%" SCNu64 " %" SCNd64 " %n", &state->size, &state->changed, &used) != 2)
    return false;
  *path = text + used;
  return **path == '/';
}

int ra__source_open_file(const char *path, const ra__file_state *state) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
  if (fd < 0) return -errno;
  if (ra__file_is(fd, state)) return fd;
  close(fd);
  return -ESTALE;
}

bool ra__file_is(int fd, const ra__file_state *state) {
  struct stat info;
  if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) return false;
  ra__file_state now = ra__file_state_of(&info);
  return now.size == state->size && now.changed == state->changed;
}

int ra__store_changed(const char *key, ra_err *err) {
  return ra_fail(
      err, RA_E_CONFLICT, key,
      "the file that it stands for was changed or removed since it was ingested in place; "
      "ingest it again");
}

// ---- those that are kept

static void close_source(ra__source *source) {
  source->kind->close(source->state);
  free(source);
}

// Lock held. What it returns is nobody's any more.
static ra__source *release(ra__source *source) { return --source->refs == 0 ? source : NULL; }

static ra__source *unlist(ra__source **slot) {
  ra__source *source = *slot;
  *slot = NULL;
  source->listed = false;
  return release(source);
}

static ra__source *find(ra__sources *table, const char *version) {
  for (size_t i = 0; i < RA__SOURCES; i++) {
    ra__source *source = table->held[i];
    if (!source || strcmp(source->version, version) != 0) continue;
    source->used = ++table->tick;
    source->refs++;
    return source;
  }
  return NULL;
}

// Puts a source into a free slot, or in the place of the one that was used least recently, which is returned.
static ra__source *insert(ra__sources *table, ra__source *source) {
  size_t at = 0;
  for (size_t i = 0; i < RA__SOURCES && table->held[at]; i++) {
    if (!table->held[i] || table->held[i]->used < table->held[at]->used) at = i;
  }
  ra__source *old = table->held[at] ? unlist(&table->held[at]) : NULL;
  table->held[at] = source;
  source->listed = true;
  source->refs++;
  source->used = ++table->tick;
  return old;
}

static int get(ra_store *store, const char *version, ra__source **out, ra_err *err) {
  ra__sources *table = &store->sources;
  ra__source *made = NULL, *old = NULL;
  pthread_mutex_lock(&table->lock);
  *out = find(table, version);
  pthread_mutex_unlock(&table->lock);
  if (*out) return RA_OK;
  int rc = open_source(store, version, &made, err);
  if (rc < 0 || !made) return rc;
  pthread_mutex_lock(&table->lock);
  *out = find(table, version);
  if (!*out) old = insert(table, *out = made);
  pthread_mutex_unlock(&table->lock);
  if (*out != made) close_source(made);
  if (old) close_source(old);
  return RA_OK;
}

// `failed`: it is looked at anew the next time, since a folder may have been put back.
static void give_back(ra_store *store, ra__source *source, bool failed) {
  ra__sources *table = &store->sources;
  pthread_mutex_lock(&table->lock);
  for (size_t i = 0; i < RA__SOURCES && failed && source->listed; i++) {
    if (table->held[i] == source) unlist(&table->held[i]);
  }
  bool last = release(source) != NULL;
  pthread_mutex_unlock(&table->lock);
  if (last) close_source(source);
}

void ra__sources_init(ra__sources *table) {
  memset(table, 0, sizeof *table);
  pthread_mutex_init(&table->lock, NULL);
}

void ra__sources_deinit(ra__sources *table) {
  for (size_t i = 0; i < RA__SOURCES; i++) {
    if (table->held[i]) close_source(table->held[i]);
  }
  pthread_mutex_destroy(&table->lock);
}

// ---- objects

static int open_own(const ra_store *store, const char *key, ra__store_object *out, ra_err *err) {
  struct stat info;
  int fd = ra__store_open_beneath(store, key, O_RDONLY);
  if (fd == -ENOENT || fd == -ENOTDIR) return RA_E_NOTFOUND;
  if (fd < 0) return ra_fail_errno(err, -fd, key, "cannot be opened");
  int rc = ra_stat_object(fd, key, &info, err);
  if (rc < 0) {
    close(fd);
    return rc;
  }
  out->fd = fd;
  out->size = (uint64_t)info.st_size;
  out->mtime_ms = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000;
  return RA_OK;
}

static int open_foreign(ra_store *store, const char *key, ra__store_object *out, ra_err *err) {
  char version[2100];
  ra__source *source = NULL;
  size_t length = version_of(key);
  if (!length || length >= sizeof version) return RA_E_NOTFOUND;
  memcpy(version, key, length);
  version[length] = 0;
  int rc = get(store, version, &source, err);
  if (rc < 0 || !source) return rc;
  rc = source->kind->object(source->state, key + length + sizeof "/source/" - 1, out, err);
  if (rc == RA_E_CONFLICT) ra__store_changed(key, err);
  give_back(store, source, rc < 0 && rc != RA_E_NOTFOUND);
  return rc;
}

int ra__store_open_object(ra_store *store, const char *key, ra__store_object *out, ra_err *err) {
  *out = (ra__store_object){.fd = -1};
  int rc = open_own(store, key, out, err);
  if (rc == RA_E_NOTFOUND) rc = open_foreign(store, key, out, err);
  return rc == RA_E_NOTFOUND ? ra__store_missing(store, key, err) : rc;
}

void ra__store_close_object(ra__store_object *object) {
  if (object->fd >= 0) close(object->fd);
  free(object->far);
  ra_buf_unref(object->bytes);
}
