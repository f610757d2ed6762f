// store_source_references.c - a source that is byte ranges of files (kerchunk's references, store.h), each file of the state
// that the ingest saw.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "net/store_lines.h"
#include "net/store_source.h"

enum { TARGETS_MOST = 64 << 20 };

typedef struct target {
  const char *name;  // "": none
  const char *path;  // of a file; NULL: it is far
  ra__file_state state;
  const char *url, *tag;
  uint64_t size;
} target;

typedef struct references {
  ra_arena arena;
  int list, inlined;
  uint64_t list_size, inlined_size;
  size_t count;
  target *targets;
} references;

static void close_references(void *state) {
  references *r = state;
  if (r->list >= 0) close(r->list);
  if (r->inlined >= 0) close(r->inlined);
  ra_arena_deinit(&r->arena);
  free(r);
}

static int open_part(const ra_store *store, const char *version, const char *name, int *fd,
                     uint64_t *size, ra_err *err) {
  char key[2100];
  struct stat info;
  if (snprintf(key, sizeof key, "%s/%s", version, name) >= (int)sizeof key)
    return ra_fail(err, RA_E_INVALID, version, "is no version");
  *fd = ra__store_open_beneath(store, key, O_RDONLY);
  if (*fd < 0) return ra_fail_errno(err, -*fd, key, "cannot be opened");
  if (fstat(*fd, &info) < 0) return ra_fail_errno(err, errno, key, "cannot be examined");
  *size = (uint64_t)info.st_size;
  return RA_OK;
}

// "SIZE URL TAG".
static bool parse_far(char *text, target *out) {
  int used = 0;
  if (sscanf(text, "%" SCNu64 " %n", &out->size, &used) != 1 || !used) return false;
  out->url = text + used;
  char *space = strchr(text + used, ' ');
  if (!space || strlen(space + 1) >= RA_REMOTE_TAG) return false;
  *space = 0;
  out->tag = space + 1;
  return true;
}

// "NAME\tfile SIZE CHANGED PATH" or "\thttp SIZE URL TAG", which stays in `line`.
static int parse_target(char *line, target *out, ra_err *err) {
  char *tab = strchr(line, '\t');
  bool good = tab && strncmp(tab + 1, "file ", 5) == 0 &&
              ra__source_parse(tab + 6, &out->state, &out->path);
  good = good || (tab && strncmp(tab + 1, "http ", 5) == 0 && parse_far(tab + 6, out));
  if (!good)
    return ra_fail(err, RA_E_CORRUPT, RA_STORE_TARGETS, "has a line that is no file of a source");
  *tab = 0;
  out->name = line;
  return RA_OK;
}

static int parse_targets(references *r, char *text, ra_err *err) {
  size_t lines = 0;
  for (const char *p = text; *p; p++) lines += *p == '\n';
  r->targets = ra_arena_calloc(&r->arena, lines + 1, sizeof *r->targets);
  if (!r->targets) return ra_fail(err, RA_E_NOMEM, "", "no memory for a source's files");
  int rc = RA_OK;
  for (char *end; rc >= 0 && (end = strchr(text, '\n')); text = end + 1) {
    *end = 0;
    rc = parse_target(text, &r->targets[r->count++], err);
  }
  return rc;
}

static int read_targets(const ra_store *store, const char *version, references *r, ra_err *err) {
  int fd = -1;
  uint64_t size = 0;
  int rc = open_part(store, version, RA_STORE_TARGETS, &fd, &size, err);
  if (rc >= 0 && size > TARGETS_MOST)
    rc = ra_fail(err, RA_E_TOOBIG, version, "its source has too many files");
  char *text = rc >= 0 ? ra_arena_alloc(&r->arena, size + 1) : NULL;
  if (rc >= 0 && !text) rc = ra_fail(err, RA_E_NOMEM, version, "no memory for a source's files");
  if (rc >= 0) rc = ra__pread_all(fd, RA_STORE_TARGETS, 0, size, (uint8_t *)text, err);
  if (fd >= 0) close(fd);
  if (rc < 0 || !text) return rc;
  text[size] = 0;
  return parse_targets(r, text, err);
}

static int open_references(const ra_store *store, const char *version, const char *text,
                           void **state, ra_err *err) {
  (void)text;
  references *r = calloc(1, sizeof *r);
  if (!r) return ra_fail(err, RA_E_NOMEM, version, "no memory for a source");
  r->list = r->inlined = -1;
  int rc = open_part(store, version, RA_STORE_LIST, &r->list, &r->list_size, err);
  if (rc >= 0) rc = open_part(store, version, RA_STORE_INLINE, &r->inlined, &r->inlined_size, err);
  if (rc >= 0) rc = read_targets(store, version, r, err);
  if (rc < 0) {
    close_references(r);
    return rc;
  }
  *state = r;
  return RA_OK;
}

// ---- objects

typedef struct range {
  size_t target;
  bool whole;
  uint64_t offset, size;
} range;

static int damaged(const char *key, ra_err *err) {
  return ra_fail(err, RA_E_CORRUPT, key, "the list of its source is damaged");
}

// "TARGET OFFSET SIZE".
static bool parse_range(const references *r, const char *text, range *out) {
  char size[24];
  int used = 0;
  if (sscanf(text, "%zu %" SCNu64 " %23s%n", &out->target, &out->offset, size, &used) != 3 ||
      text[used] || out->target > r->count)
    return false;
  out->whole = strcmp(size, "-") == 0;
  char *end = size;
  out->size = out->whole ? 0 : strtoull(size, &end, 10);
  return out->whole || (*end == 0 && end != size);
}

static int cut(const char *key, const range *wanted, uint64_t size, ra__store_object *out,
               ra_err *err) {
  if (wanted->offset > size || (!wanted->whole && wanted->size > size - wanted->offset))
    return ra_fail(err, RA_E_CORRUPT, key, "its source ends before it does");
  out->offset = wanted->offset;
  out->size = wanted->whole ? size - wanted->offset : wanted->size;
  return RA_OK;
}

static int inlined(const references *r, const char *key, const range *wanted, ra__store_object *out,
                   ra_err *err) {
  int rc = cut(key, wanted, r->inlined_size, out, err);
  if (rc < 0) return rc;
  out->fd = fcntl(r->inlined, F_DUPFD_CLOEXEC, 0);
  return out->fd >= 0 ? RA_OK : ra_fail_errno(err, errno, key, "cannot be opened");
}

static int in_file(const target *file, const char *key, const range *wanted, ra__store_object *out,
                   ra_err *err) {
  int rc = cut(key, wanted, file->state.size, out, err);
  if (rc < 0) return rc;
  int fd = ra__source_open_file(file->path, &file->state);
  if (fd < 0) return ra__source_failed(file->path, fd, err);
  out->fd = fd;
  out->mtime_ms = file->state.changed / 1000000;
  out->foreign = true;
  out->state = file->state;
  return RA_OK;
}

static int far_away(const target *t, const char *key, const range *wanted, ra__store_object *out,
                    ra_err *err) {
  int rc = cut(key, wanted, t->size, out, err);
  if (rc < 0) return rc;
  size_t n = strlen(t->url) + 1;
  out->far = malloc(sizeof *out->far + n);
  if (!out->far) return ra_fail(err, RA_E_NOMEM, key, "no memory for a source's file");
  out->far->state.size = t->size;
  memcpy(out->far->state.tag, t->tag, strlen(t->tag) + 1);
  memcpy(out->far->url, t->url, n);
  return RA_OK;
}

static int in_target(const references *r, const char *key, const range *wanted,
                     ra__store_object *out, ra_err *err) {
  if (!wanted->target) return inlined(r, key, wanted, out, err);
  const target *t = &r->targets[wanted->target - 1];
  return t->path ? in_file(t, key, wanted, out, err) : far_away(t, key, wanted, out, err);
}

static int references_object(void *state, const char *key, ra__store_object *out, ra_err *err) {
  const references *r = state;
  char rest[RA__LINE_MOST];
  range wanted = {.whole = true};
  int known = ra__lines_find(r->list, r->list_size, key, '\t', rest);
  if (known < 0 || (known && !parse_range(r, rest, &wanted))) return damaged(key, err);
  for (size_t i = 0; i < r->count && !known; i++) {
    if (!*key || strcmp(r->targets[i].name, key) != 0) continue;
    wanted.target = i + 1;
    known = 1;
  }
  if (!known) return RA_E_NOTFOUND;
  ra__store_object object = {.fd = -1};
  int rc = in_target(r, key, &wanted, &object, err);
  if (rc >= 0) *out = object;
  return rc;
}

const ra__source_kind ra__source_references = {.word = "references",
                                               .open = open_references,
                                               .object = references_object,
                                               .close = close_references};
