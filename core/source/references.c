// references.c - see references.h
#include "source/references.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/access.h"
#include "source/folder.h"

enum { FILE_MOST = 256 << 20, ROOTS_MOST = 64 };

// What references may point into.
typedef struct area {
  char *path;         // absolute, or a URL; without a slash at its end
  bool far;           // a URL
  ra_folder *folder;  // else
} area;

// What was at a URL when it was first read.
typedef struct looked {
  char *url;
  ra_remote_state state;
} looked;

struct ra_references {
  area roots[ROOTS_MOST];  // [0]: the reference file's own
  unsigned root_count;
  char *name;  // the file's, in its own root
  bool made;   // there is no file: a text was given
  ra_kerchunk *refs;
  pthread_mutex_t lock;  // guards what follows
  looked *looked;
  size_t looked_count, looked_room;
};

// ---- where a target lies

static int elsewhere(const ra_references *r, const ra_kerchunk_ref *ref, ra_err *err) {
  return ra_fail(
      err, RA_E_UNSUPPORTED, ref->key,
      "points to '%.200s'; only files in the folder of the reference file, or below, are "
      "read%s",
      ref->target, r->roots[0].far ? ", at its own URL" : ", and what source_roots names");
}

static bool is_url(const char *text) {
  return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

// No part of a path climbs, in any spelling; a URL's has no query either.
static bool stays(const char *path, bool far) {
  if (far && (strpbrk(path, "?#\\") || strcasestr(path, "%2e") || strcasestr(path, "%2f") ||
              strcasestr(path, "%5c")))
    return false;
  for (const char *part = path; part; part = strchr(part, '/')) {
    if (*part == '/') part++;
    if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || !part[2])) return false;
  }
  return true;
}

// The path below the root; NULL where it is not there. A reference file of another server does not reach files of this one.
static const char *below(const ra_references *r, const area *root, const char *target) {
  size_t n = strlen(root->path);
  bool own = root == &r->roots[0], far = is_url(target);
  if (!far && strstr(target, "://")) return NULL;
  if (far != root->far && (far || *target == '/' || !own)) return NULL;
  if (r->roots[0].far && !root->far) return NULL;
  if (far || *target == '/') {
    if (strncmp(target, root->path, n) != 0 || target[n] != '/') return NULL;
    target += n + 1;
  } else if (!own) {
    return NULL;
  }
  while (strncmp(target, "./", 2) == 0) target += 2;
  return *target && stays(target, root->far) ? target : NULL;
}

static int resolve(const ra_references *r, const ra_kerchunk_ref *ref, const area **where,
                   const char **path, ra_err *err) {
  const char *target = ref->target;
  if (strncmp(target, "file://", 7) == 0) target += 7;
  for (unsigned i = 0; i < r->root_count; i++) {
    *where = &r->roots[i];
    *path = below(r, *where, target);
    if (*path) return RA_OK;
  }
  return elsewhere(r, ref, err);
}

// ---- files of servers

// Lock held.
static looked *find_looked(const ra_references *r, const char *url) {
  for (size_t i = r->looked_count; i-- > 0;) {
    if (strcmp(r->looked[i].url, url) == 0) return &r->looked[i];
  }
  return NULL;
}

// Lock held. What cannot be kept is looked at again.
static void keep_looked(ra_references *r, const char *url, const ra_remote_state *state) {
  if (r->looked_count == r->looked_room) {
    size_t room = r->looked_room ? 2 * r->looked_room : 16;
    looked *more = realloc(r->looked, room * sizeof *more);
    if (!more) return;
    r->looked = more;
    r->looked_room = room;
  }
  char *copy = strdup(url);
  if (copy) r->looked[r->looked_count++] = (looked){copy, *state};
}

// What is at a URL: what was there at first, or with `anew` what is now.
static int look(ra_references *r, const char *url, bool anew, ra_remote_state *out, ra_err *err) {
  ra_remote *remote = ra_source_get_access()->remote;
  pthread_mutex_lock(&r->lock);
  const looked *known = anew ? NULL : find_looked(r, url);
  if (known) *out = known->state;
  pthread_mutex_unlock(&r->lock);
  if (known) return RA_OK;
  if (!remote) return ra_fail(err, RA_E_UNSUPPORTED, url, "files of servers are not read here");
  int rc = ra_remote_look(remote, url, NULL, out, err);
  if (rc == RA_E_NOTFOUND) return ra_fail(err, RA_E_CORRUPT, url, "the server has no such file");
  if (rc < 0) return rc;
  pthread_mutex_lock(&r->lock);
  if (!find_looked(r, url)) keep_looked(r, url, out);
  pthread_mutex_unlock(&r->lock);
  return RA_OK;
}

static int url_of(const area *root, const char *path, ra_str *out, ra_err *err) {
  ra_str_init(out);
  ra_str_addf(out, "%s/%s", root->path, path);
  return out->failed ? ra_fail(err, RA_E_NOMEM, path, "no memory for a URL") : RA_OK;
}

static int far_size(ra_references *r, const area *root, const char *path, uint64_t *out, ra_err *err) {
  ra_str url;
  ra_remote_state state;
  int rc = url_of(root, path, &url, err);
  if (rc >= 0) rc = look(r, url.ptr, false, &state, err);
  if (rc >= 0) *out = state.size;
  ra_str_deinit(&url);
  return rc;
}

static int far_read(ra_references *r, const area *root, const char *path, uint64_t at, size_t size,
                    uint8_t *dst, ra_err *err) {
  ra_str url;
  ra_remote_state state;
  int rc = url_of(root, path, &url, err);
  if (rc >= 0) rc = look(r, url.ptr, false, &state, err);
  if (rc >= 0)
    rc = ra_remote_read(ra_source_get_access()->remote, url.ptr, &state, at, size, dst, NULL, err);
  ra_str_deinit(&url);
  return rc;
}

// ---- objects

static int find(const ra_references *r, const char *key, const ra_kerchunk_ref **out, ra_err *err) {
  *out = ra_kerchunk_find(r->refs, key);
  return *out ? RA_OK : ra_fail(err, RA_E_NOTFOUND, key, "there is no such reference");
}

static int object_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  ra_references *r = ctx;
  const ra_kerchunk_ref *ref;
  const area *root;
  const char *path;
  int64_t changed;
  int rc = find(r, key, &ref, err);
  if (rc < 0) return rc;
  *out = ref->size;
  if (ref->bytes || ref->size != UINT64_MAX) return RA_OK;
  rc = resolve(r, ref, &root, &path, err);
  if (rc < 0) return rc;
  if (root->far) return far_size(r, root, path, out, err);
  return ra_folder_stat(root->folder, path, out, &changed, err);
}

static int object_read(void *ctx, const char *key, uint64_t offset, size_t size, uint8_t *dst,
                       ra_err *err) {
  ra_references *r = ctx;
  const ra_kerchunk_ref *ref;
  const area *root;
  const char *path;
  uint64_t at;
  int rc = find(r, key, &ref, err);
  if (rc < 0) return rc;
  if (offset > ref->size || size > ref->size - offset ||
      __builtin_add_overflow(ref->offset, offset, &at))
    return ra_fail(err, RA_E_CORRUPT, key, "ends before byte %llu",
                   (unsigned long long)offset + size);
  if (ref->bytes) {
    memcpy(dst, ref->bytes + offset, size);
    return RA_OK;
  }
  rc = resolve(r, ref, &root, &path, err);
  if (rc < 0) return rc;
  if (root->far) return far_read(r, root, path, at, size, dst, err);
  ra_reader files = ra_folder_reader(root->folder);
  rc = files.read(files.ctx, path, at, size, dst, err);
  // What a reference names and is not there is a damaged store, no chunk that was never written.
  return rc == RA_E_NOTFOUND
             ? ra_fail(err, RA_E_CORRUPT, key, "its file '%.200s' is missing", ref->target)
             : rc;
}

// ---- opening

static int no_memory(const char *path, ra_err *err) {
  return ra_fail(err, RA_E_NOMEM, path, "no memory for a reference file");
}

// Takes the path, which may be NULL.
static int add_root(ra_references *r, char *path, ra_err *err) {
  if (!path) return no_memory("", err);
  area *root = &r->roots[r->root_count++];
  *root = (area){.path = path, .far = is_url(path)};
  for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--) path[n - 1] = 0;
  return root->far ? RA_OK : ra_folder_open(*path ? path : "/", &root->folder, err);
}

static int add_roots(ra_references *r, ra_err *err) {
  int rc = RA_OK;
  for (const char *const *one = ra_source_get_access()->roots; one && *one && rc >= 0; one++) {
    if (r->root_count == ROOTS_MOST)
      return ra_fail(err, RA_E_TOOBIG, "source_roots", "more than %d roots", ROOTS_MOST - 1);
    char *real = is_url(*one) ? strdup(*one) : realpath(*one, NULL);
    rc = real ? add_root(r, real, err)
              : ra_fail(err, RA_E_NOTFOUND, *one, "of source_roots is not there");
  }
  return rc;
}

// Takes the folder's path and the file's name.
static int make(char *folder, char *name, ra_references **out, ra_err *err) {
  *out = NULL;
  ra_references *r = calloc(1, sizeof *r);
  if (!r || !folder || !name) {
    free(r);
    free(folder);
    free(name);
    return no_memory("", err);
  }
  pthread_mutex_init(&r->lock, NULL);
  r->name = name;
  *out = r;
  int rc = add_root(r, folder, err);
  return rc < 0 ? rc : add_roots(r, err);
}

static int read_refs(ra_references *r, ra_err *err) {
  ra_reader files = ra_folder_reader(r->roots[0].folder);
  uint64_t size;
  int rc = files.size(files.ctx, r->name, &size, err);
  if (rc < 0) return rc;
  if (size > FILE_MOST)
    return ra_fail(err, RA_E_TOOBIG, r->name, "a reference file of more than 256 MiB");
  char *text = malloc(size + 1);
  if (!text) return no_memory(r->name, err);
  rc = files.read(files.ctx, r->name, 0, size, (uint8_t *)text, err);
  if (rc == RA_OK) rc = ra_kerchunk_parse(text, size, &r->refs, err);
  free(text);
  return rc;
}

static int opened(ra_references *r, int rc, ra_references **out) {
  if (rc < 0) {
    ra_references_free(r);
  } else {
    *out = r;
  }
  return rc;
}

int ra_references_open(const char *path, ra_references **out, ra_err *err) {
  ra_references *r = NULL;
  char *real = realpath(path, NULL), *slash = real ? strrchr(real, '/') : NULL;
  if (!slash) return ra_fail(err, RA_E_NOTFOUND, path, "cannot be opened");
  char *name = strdup(slash + 1);
  *slash = 0;
  int rc = make(real, name, &r, err);
  if (rc >= 0 && r) rc = read_refs(r, err);
  return opened(r, rc, out);
}

int ra_references_open_text(const char *url, const char *text, size_t size, ra_references **out,
                            ra_err *err) {
  ra_references *r = NULL;
  size_t end = is_url(url) ? strcspn(url, "?#") : strlen(url), n = end;
  while (n && url[n - 1] != '/') n--;
  int rc = make(strndup(url, n ? n - 1 : 0), strndup(url + n, end - n), &r, err);
  if (r) r->made = true;
  if (rc >= 0) rc = ra_kerchunk_parse(text, size, &r->refs, err);
  return opened(r, rc, out);
}

void ra_references_free(ra_references *r) {
  if (!r) return;
  ra_kerchunk_free(r->refs);
  for (unsigned i = 0; i < r->root_count; i++) {
    ra_folder_free(r->roots[i].folder);
    free(r->roots[i].path);
  }
  for (size_t i = 0; i < r->looked_count; i++) free(r->looked[i].url);
  free(r->looked);
  pthread_mutex_destroy(&r->lock);
  free(r->name);
  free(r);
}

const ra_kerchunk *ra_references_keys(const ra_references *r) { return r->refs; }

ra_reader ra_references_reader(ra_references *r) {
  return (ra_reader){object_read, object_size, r};
}

// ---- identity

static int add_file(const area *root, const char *path, ra_str *out, uint64_t *bytes, ra_err *err) {
  uint64_t size;
  int64_t changed;
  int rc = ra_folder_stat(root->folder, path, &size, &changed, err);
  if (rc < 0) return rc;
  ra_str_addf(out, "%s %llu %lld\n", path, (unsigned long long)size, (long long)changed);
  *bytes += size;
  return RA_OK;
}

static int add_far(ra_references *r, const area *root, const char *path, ra_str *out,
                   uint64_t *bytes, ra_err *err) {
  ra_str url;
  ra_remote_state state;
  int rc = url_of(root, path, &url, err);
  if (rc >= 0) rc = look(r, url.ptr, true, &state, err);
  if (rc >= 0) {
    ra_str_addf(out, "%s %llu %s\n", url.ptr, (unsigned long long)state.size, state.tag);
    *bytes += state.size;
  }
  ra_str_deinit(&url);
  return rc;
}

// Of a reference file by URL the text is its identity.
static int add_own(const ra_references *r, ra_str *out, uint64_t *bytes, ra_err *err) {
  if (!r->roots[0].far && r->made) return RA_OK;  // made of a file that it points to
  if (!r->roots[0].far) return add_file(&r->roots[0], r->name, out, bytes, err);
  for (size_t i = 0; i < ra_kerchunk_count(r->refs); i++) {
    const ra_kerchunk_ref *ref = ra_kerchunk_get(r->refs, i);
    ra_str_addf(out, "%s %s %llu %llu\n", ref->key, ref->target ? ref->target : "",
                (unsigned long long)ref->offset, (unsigned long long)ref->size);
    if (ref->bytes) ra_str_add_bytes(out, ref->bytes, ref->size);
  }
  return RA_OK;
}

int ra_references_identity(ra_references *r, ra_str *out, uint64_t *bytes, ra_err *err) {
  const char *last = "";
  *bytes = 0;
  int rc = add_own(r, out, bytes, err);
  for (size_t i = 0; i < ra_kerchunk_count(r->refs) && rc == RA_OK; i++) {
    const ra_kerchunk_ref *ref = ra_kerchunk_get(r->refs, i);
    const area *root = NULL;
    const char *path = NULL;
    if (ref->bytes || strcmp(ref->target, last) == 0)
      continue;  // references of one file stand together
    last = ref->target;
    rc = resolve(r, ref, &root, &path, err);
    if (rc < 0) break;
    rc = root->far ? add_far(r, root, path, out, bytes, err) : add_file(root, path, out, bytes, err);
  }
  return rc;
}

int ra_references_place_of(ra_references *r, const ra_kerchunk_ref *ref, ra_references_place *out,
                           ra_err *err) {
  const area *root = NULL;
  const char *path = NULL;
  *out = (ra_references_place){0};
  int rc = resolve(r, ref, &root, &path, err);
  if (rc < 0 || !root) return rc;
  rc = url_of(root, path, &out->path, err);
  out->far = root->far;
  if (rc >= 0 && out->far) rc = look(r, out->path.ptr, false, &out->state, err);
  if (rc < 0) ra_str_deinit(&out->path);
  return rc;
}
