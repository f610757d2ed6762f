// store_source_file.c - a source that is one file, and one that is a zip archive's members; see store_source.h. Both are
// what the ingest saw as long as the file's size and time of change are.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "format/zip.h"
#include "net/store_source.h"

typedef struct archive {
  int fd;  // of an archive; a file is opened for each object
  ra__file_state state;
  char *path;
  ra_zip *zip;
} archive;

int ra__source_failed(const char *path, int rc, ra_err *err) {
  if (rc == -ESTALE || rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP) return RA_E_CONFLICT;
  return ra_fail_errno(err, -rc, path, "cannot be opened");
}

static void close_archive(void *state) {
  archive *a = state;
  ra_zip_free(a->zip);
  if (a->fd >= 0) close(a->fd);
  free(a->path);
  free(a);
}

static int open_file(const ra_store *store, const char *version, const char *text, void **state,
                     ra_err *err) {
  (void)store;
  const char *path;
  archive *a = calloc(1, sizeof *a);
  if (!a) return ra_fail(err, RA_E_NOMEM, version, "no memory for a source");
  a->fd = -1;
  int rc = ra__source_parse(text, &a->state, &path)
               ? RA_OK
               : ra_fail(err, RA_E_CORRUPT, version, "its pointer names no file");
  if (rc >= 0 && !(a->path = strdup(path)))
    rc = ra_fail(err, RA_E_NOMEM, version, "no memory for a source");
  if (rc < 0) {
    close_archive(a);
    return rc;
  }
  *state = a;
  return RA_OK;
}

static int file_object(void *state, const char *key, ra__store_object *out, ra_err *err) {
  (void)key;
  const archive *a = state;
  int fd = ra__source_open_file(a->path, &a->state);
  if (fd < 0) return ra__source_failed(a->path, fd, err);
  *out = (ra__store_object){.fd = fd,
                            .size = a->state.size,
                            .mtime_ms = a->state.changed / 1000000,
                            .foreign = true,
                            .state = a->state};
  return RA_OK;
}

const ra__source_kind ra__source_file = {
    .word = "file", .open = open_file, .object = file_object, .close = close_archive};

// ---- an archive

static int archive_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  (void)key;
  (void)err;
  *out = ((const archive *)ctx)->state.size;
  return RA_OK;
}

static int archive_read(void *ctx, const char *key, uint64_t offset, size_t size, uint8_t *dst,
                        ra_err *err) {
  (void)key;
  const archive *a = ctx;
  return ra__pread_all(a->fd, a->path, offset, size, dst, err);
}

static int open_zip(const ra_store *store, const char *version, const char *text, void **state,
                    ra_err *err) {
  void *opened = NULL;
  int rc = open_file(store, version, text, &opened, err);
  if (rc < 0 || !opened) return rc;
  archive *a = opened;
  const ra_reader reader = {archive_read, archive_size, a};
  a->fd = ra__source_open_file(a->path, &a->state);
  if (a->fd < 0) {
    rc = ra__source_failed(a->path, a->fd, err);
    if (rc == RA_E_CONFLICT) ra__store_changed(version, err);
  }
  if (rc >= 0) rc = ra_zip_open(&reader, a->path, &a->zip, err);
  if (rc < 0) {
    close_archive(a);
    return rc;
  }
  *state = a;
  return RA_OK;
}

// A stored member is a part of the archive; what is deflated is inflated as a whole.
static int fill_member(const archive *a, const char *key, ra__store_object *out, ra_err *err) {
  bool stored;
  int rc = ra_zip_place(a->zip, key, &stored, &out->offset, &out->size, err);
  if (rc < 0) return rc;
  if (stored) {
    out->fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 0);
    return out->fd >= 0 ? RA_OK : ra_fail_errno(err, errno, key, "cannot be opened");
  }
  ra_reader reader = ra_zip_reader(a->zip);
  rc = ra_buf_new((size_t)out->size, &out->bytes, err);
  if (rc >= 0)
    rc = reader.read(reader.ctx, key, 0, (size_t)out->size, ra_buf_bytes(out->bytes), err);
  if (rc < 0 || ra__file_is(a->fd, &a->state)) return rc;
  return RA_E_CONFLICT;
}

static int zip_object(void *state, const char *key, ra__store_object *out, ra_err *err) {
  const archive *a = state;
  if (!ra__file_is(a->fd, &a->state)) return RA_E_CONFLICT;
  ra__store_object object = {
      .fd = -1, .mtime_ms = a->state.changed / 1000000, .foreign = true, .state = a->state};
  int rc = fill_member(a, key, &object, err);
  if (rc < 0) {
    ra__store_close_object(&object);
    return rc;
  }
  *out = object;
  return RA_OK;
}

const ra__source_kind ra__source_zip = {
    .word = "zip", .open = open_zip, .object = zip_object, .close = close_archive};
