// references.c - see references.h
#include "source/references.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source/folder.h"

struct ra_references {
  ra_folder *folder;  // the file's own
  char *root, *name;  // its absolute path, and the file's name in it
  ra_kerchunk *refs;
};

enum { FILE_MOST = 256 << 20 };

static int elsewhere(const ra_kerchunk_ref *ref, ra_err *err) {
  return ra_fail(
      err, RA_E_UNSUPPORTED, ref->key,
      "points to '%.200s'; only files in the folder of the reference file, or below, are read",
      ref->target);
}

// The target's path below the folder; an error where it is none.
static int resolve(const ra_references *r, const ra_kerchunk_ref *ref, const char **path,
                   ra_err *err) {
  const char *target = ref->target;
  if (strncmp(target, "file://", 7) == 0) target += 7;
  if (strstr(target, "://")) return elsewhere(ref, err);
  size_t n = strlen(r->root);
  if (*target == '/' && (strncmp(target, r->root, n) != 0 || target[n] != '/'))
    return elsewhere(ref, err);
  *path = *target == '/' ? target + n + 1 : target;
  while (strncmp(*path, "./", 2) == 0) *path += 2;
  for (const char *part = *path; part; part = strchr(part, '/')) {
    if (*part == '/') part++;
    if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || !part[2])) return elsewhere(ref, err);
  }
  return **path ? RA_OK : elsewhere(ref, err);
}

static int find(const ra_references *r, const char *key, const ra_kerchunk_ref **out, ra_err *err) {
  *out = ra_kerchunk_find(r->refs, key);
  return *out ? RA_OK : ra_fail(err, RA_E_NOTFOUND, key, "there is no such reference");
}

static int object_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  const ra_references *r = ctx;
  const ra_kerchunk_ref *ref;
  const char *path;
  int64_t changed;
  int rc = find(r, key, &ref, err);
  if (rc < 0) return rc;
  *out = ref->size;
  if (ref->bytes || ref->size != UINT64_MAX) return RA_OK;
  rc = resolve(r, ref, &path, err);
  return rc < 0 ? rc : ra_folder_stat(r->folder, path, out, &changed, err);
}

static int object_read(void *ctx, const char *key, uint64_t offset, size_t size, uint8_t *dst,
                       ra_err *err) {
  const ra_references *r = ctx;
  const ra_kerchunk_ref *ref;
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
  rc = resolve(r, ref, &path, err);
  if (rc < 0) return rc;
  ra_reader files = ra_folder_reader(r->folder);
  rc = files.read(files.ctx, path, at, size, dst, err);
  // What a reference names and is not there is a damaged store, no chunk that was never written.
  return rc == RA_E_NOTFOUND
             ? ra_fail(err, RA_E_CORRUPT, key, "its file '%.200s' is missing", ref->target)
             : rc;
}

static int read_refs(ra_references *r, ra_err *err) {
  ra_reader files = ra_folder_reader(r->folder);
  uint64_t size;
  int rc = files.size(files.ctx, r->name, &size, err);
  if (rc < 0) return rc;
  if (size > FILE_MOST)
    return ra_fail(err, RA_E_TOOBIG, r->name, "a reference file of more than 256 MiB");
  char *text = malloc(size + 1);
  if (!text) return ra_fail(err, RA_E_NOMEM, r->name, "no memory for a reference file");
  rc = files.read(files.ctx, r->name, 0, size, (uint8_t *)text, err);
  if (rc == RA_OK) rc = ra_kerchunk_parse(text, size, &r->refs, err);
  free(text);
  return rc;
}

int ra_references_open(const char *path, ra_references **out, ra_err *err) {
  ra_references *r = calloc(1, sizeof *r);
  char *real = realpath(path, NULL), *slash = real ? strrchr(real, '/') : NULL;
  if (!r || !slash) {
    free(r);
    free(real);
    return ra_fail(err, r ? RA_E_NOTFOUND : RA_E_NOMEM, path, "cannot be opened");
  }
  r->name = strdup(slash + 1);
  *slash = 0;
  r->root = real;
  int rc = r->name ? ra_folder_open(*real ? real : "/", &r->folder, err)
                   : ra_fail(err, RA_E_NOMEM, path, "no memory for a path");
  if (rc == RA_OK) rc = read_refs(r, err);
  if (rc < 0) {
    ra_references_free(r);
    return rc;
  }
  *out = r;
  return RA_OK;
}

void ra_references_free(ra_references *r) {
  if (!r) return;
  ra_kerchunk_free(r->refs);
  ra_folder_free(r->folder);
  free(r->root);
  free(r->name);
  free(r);
}

const ra_kerchunk *ra_references_keys(const ra_references *r) { return r->refs; }

ra_reader ra_references_reader(ra_references *r) {
  return (ra_reader){object_read, object_size, r};
}

static int add_file(const ra_references *r, const char *path, ra_str *out, uint64_t *bytes,
                    ra_err *err) {
  uint64_t size;
  int64_t changed;
  int rc = ra_folder_stat(r->folder, path, &size, &changed, err);
  if (rc < 0) return rc;
  ra_str_addf(out, "%s %llu %lld\n", path, (unsigned long long)size, (long long)changed);
  *bytes += size;
  return RA_OK;
}

int ra_references_identity(const ra_references *r, ra_str *out, uint64_t *bytes, ra_err *err) {
  const char *last = "";
  *bytes = 0;
  int rc = add_file(r, r->name, out, bytes, err);
  for (size_t i = 0; i < ra_kerchunk_count(r->refs) && rc == RA_OK; i++) {
    const ra_kerchunk_ref *ref = ra_kerchunk_get(r->refs, i);
    const char *path = NULL;
    if (ref->bytes || strcmp(ref->target, last) == 0)
      continue;  // references of one file stand together
    last = ref->target;
    rc = resolve(r, ref, &path, err);
    if (rc == RA_OK) rc = add_file(r, path, out, bytes, err);
  }
  return rc;
}
