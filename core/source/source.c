// source.c - opening, lookup and reading; see source.h
#include "source/source.h"

#include <errno.h>
#include <hdf5.h>
#include <limits.h>
#include <netcdf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/size.h"
#include "source/fetched.h"
#include "source/storage.h"
#include "source/zarr_tree.h"

enum { KEPT_MAX = 64 << 20 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

// HDF5 writes what it thinks of a file to standard error, unless each thread forbids it.
static void silence_hdf5(void) {
  static _Thread_local bool silent;
  if (silent) return;
  silent = true;
  H5dont_atexit();  // after a damaged file its clean-up at exit loops and says so
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void ra__source_lock(void) {
  pthread_mutex_lock(&lock);
  silence_hdf5();
}
void ra__source_unlock(void) { pthread_mutex_unlock(&lock); }

int ra__source_fail(const ra_source *source, int status, const char *what, ra_err *err) {
  int code = status == NC_ENOMEM ? RA_E_NOMEM : status > 0 ? RA_E_IO : RA_E_CORRUPT;
  return ra_fail(err, code, source->name, "%s cannot be read: %s", what, nc_strerror(status));
}

// What is fetched is a file of this machine then; a store and references stay where they are.
static int set_url(ra_source *source, const char *url, ra_err *err) {
  char name[128];
  int rc = ra_remote_check_url(url, err);
  if (rc < 0) return rc;
  ra_url_name(url, name, sizeof name);
  source->url = ra_arena_strdup(&source->arena, url);
  source->name = ra_arena_strdup(&source->arena, name);
  if (!source->url || !source->name) return ra_fail(err, RA_E_NOMEM, url, "out of memory");
  source->path = source->url;
  if (ra_zarr_tree_is(url)) return RA_OK;
  rc = ra_fetched_new(url, &source->fetched, err);
  if (rc >= 0) source->path = ra_fetched_path(source->fetched);
  return rc;
}

static int set_path(ra_source *source, const char *path, ra_err *err) {
  if (ra_is_url(path)) return set_url(source, path, err);
  if (strstr(path, "://") || strstr(path, "#mode=")) {
    return ra_fail(err, RA_E_UNSUPPORTED, path,
                   "is an address that is not read; a path, or a URL of http or https is");
  }
  char *real = realpath(path, NULL);
  if (!real) return ra_fail_errno(err, errno, path, "cannot be found");
  source->path = ra_arena_strdup(&source->arena, real);
  free(real);
  if (!source->path) return ra_fail(err, RA_E_NOMEM, path, "out of memory");
  // netcdf-c reads a path with these as an address with options of its own.
  if (strstr(source->path, "://") || strchr(source->path, '#')) {
    return ra_fail(err, RA_E_UNSUPPORTED, path,
                   "has '#' or '://' in its path; rename the file or folder");
  }
  source->name = strrchr(source->path, '/') + 1;
  return RA_OK;
}

// netcdf-c and the reader of TIFFs open by path; what stands there has to be what was examined.
static int same_file(const ra_source *source, ra_err *err) {
  struct stat path, fd;
  if (stat(source->path, &path) < 0 || fstat(source->fd, &fd) < 0)
    return ra_fail_errno(err, errno, source->name, "cannot be examined");
  if (path.st_dev == fd.st_dev && path.st_ino == fd.st_ino)
    return ra__source_unchanged(source, err);
  return ra_fail(err, RA_E_CONFLICT, source->name, "was replaced while it was being opened");
}

static int open_locked(ra_source *source, ra_err *err) {
  int rc = source->hdf5 ? ra__source_scan(source, err) : ra__source_classic(source, err);
  if (rc < 0) return rc;
  int status = nc_open(source->path, NC_NOWRITE, &source->ncid);
  if (status) {
    source->ncid = -1;
    return ra_fail(err, RA_E_CORRUPT, source->name, "cannot be opened as NetCDF: %s",
                   nc_strerror(status));
  }
  rc = same_file(source, err);
  return rc < 0 ? rc : ra__source_inquire(source, err);
}

static int open_netcdf(ra_source *source, ra_err *err) {
  ra__source_lock();
  setenv("NCRCENV_IGNORE", "1", 1);  // a .ncrc or .dodsrc of the working folder is no part of the file
  int rc = open_locked(source, err);
  ra__source_unlock();
  return rc;
}

static int open_any(ra_source *source, ra_err *err) {
  if (ra_zarr_tree_is(source->path)) return ra__source_open_zarr(source, NULL, err);
  int rc = ra__source_magic(source, err);
  if (rc < 0) return rc;
  if (strcmp(source->format, "tiff") != 0) return open_netcdf(source, err);
  rc = ra__source_open_tiff(source, err);
  return rc < 0 ? rc : same_file(source, err);
}

int ra_source_check(ra_source *source, ra_err *err) {
  if (!source->identity) return ra__source_unchanged(source, err);
  return ra__source_zarr_unchanged(source, err);
}

static int new_source(const char *path, ra_source **out, ra_err *err) {
  ra_source *source = calloc(1, sizeof *source);
  if (!source) return ra_fail(err, RA_E_NOMEM, path, "out of memory");
  source->ncid = source->fd = -1;
  source->h5 = -1;
  source->threads = 1;
  ra_arena_init(&source->arena, (size_t)256 << 20);
  *out = source;
  return RA_OK;
}

int ra__source_open_references(const ra_source *origin, ra_references *references, ra_source **out,
                               ra_err *err) {
  ra_source *source = NULL;
  int rc = new_source(origin->name, &source, err);
  if (!source) {
    ra_references_free(references);
    return rc;
  }
  source->path = ra_arena_strdup(&source->arena, ra_source_path(origin));
  source->name = ra_arena_strdup(&source->arena, origin->name);
  source->url = origin->url ? source->path : NULL;
  if (source->path && source->name) {
    rc = ra__source_open_zarr(source, references, err);
  } else {
    ra_references_free(references);
    rc = ra_fail(err, RA_E_NOMEM, origin->name, "out of memory");
  }
  if (rc < 0) {
    ra_source_free(source);
    return rc;
  }
  *out = source;
  return RA_OK;
}

int ra_source_open(const char *path, ra_source **out, ra_err *err) {
  *out = NULL;
  ra_source *source = NULL;
  int made = new_source(path, &source, err);
  if (!source) return made;
  int rc = set_path(source, path, err);
  if (rc >= 0) ra_crash_subject(source->name);
  if (rc >= 0) rc = open_any(source, err);
  if (rc < 0) {
    ra_source_free(source);
    return rc;
  }
  *out = source;
  return RA_OK;
}

void ra_source_free(ra_source *source) {
  if (!source) return;
  for (unsigned i = 0; i < source->var_count; i++) ra_buf_unref(source->vars[i]->cells);
  if (source->backend) source->backend->close(source);
  ra__source_lock();
  for (unsigned i = 0; source->storages && i < source->var_count; i++)
    ra__storage_free(source->storages[i]);
  ra__source_close_hdf5(source);
  if (source->ncid >= 0) nc_close(source->ncid);
  ra__source_unlock();
  if (source->fd >= 0) close(source->fd);
  ra_fetched_free(source->fetched);
  ra_arena_deinit(&source->arena);
  free(source);
}

const char *ra_source_path(const ra_source *source) {
  return source->url ? source->url : source->path;
}

const char *ra_source_url(const ra_source *source) { return source->url; }
const char *ra_source_name(const ra_source *source) { return source->name; }
const char *ra_source_format(const ra_source *source) { return source->format; }
uint64_t ra_source_bytes(const ra_source *source) { return source->bytes; }
bool ra_source_is_servable(const ra_source *source) { return source->servable; }
const double *ra_source_affine(const ra_source *source) {
  return source->skewed ? source->affine : NULL;
}
size_t ra_source_dim_count(const ra_source *source) { return source->dim_count; }
const ra_source_dim *ra_source_get_dim(const ra_source *source, size_t i) {
  return &source->dims[i];
}
size_t ra_source_var_count(const ra_source *source) { return source->var_count; }
ra_source_var *ra_source_get_var(const ra_source *source, size_t i) { return source->vars[i]; }
size_t ra_source_attr_count(const ra_source *source) { return source->attr_count; }
const ra_source_attr *ra_source_attrs(const ra_source *source) { return source->attrs; }
void ra_source_set_threads(ra_source *source, unsigned threads) {
  source->threads = threads ? threads : 1;
}
uint64_t ra_source_chunks_read(const ra_source *source) { return source->chunks_read; }

static ra_source_var *find_exact(const ra_source *source, const char *group, size_t group_len,
                                 const char *name) {
  for (unsigned i = 0; i < source->var_count; i++) {
    ra_source_var *var = source->vars[i];
    if (strlen(var->group) == group_len && !strncmp(var->group, group, group_len) &&
        !strcmp(var->base, name)) {
      return var;
    }
  }
  return NULL;
}

ra_source_var *ra_source_find(const ra_source *source, const char *group, const char *name) {
  size_t len = strlen(group);
  for (;;) {
    ra_source_var *var = find_exact(source, group, len, name);
    if (var || len == 0) return var;
    while (len > 0 && group[--len] != '/') {
    }
  }
}

uint64_t ra_source_var_cells(const ra_source_var *var) {
  uint64_t cells = 1;
  for (unsigned d = 0; d < var->ndim; d++) {
    if (__builtin_mul_overflow(cells, var->shape[d], &cells)) return UINT64_MAX;
  }
  return cells;
}

size_t ra_source_var_bytes(const ra_source_var *var) {
  size_t bytes;
  return ra_size_mul(ra_source_var_cells(var), ra_dtype_size(var->dtype), &bytes) ? bytes : SIZE_MAX;
}

int ra_source_cells(ra_source *source, ra_source_var *var, const void **cells, ra_err *err) {
  if (!var->cells) {
    size_t bytes = ra_source_var_bytes(var);
    if (bytes > KEPT_MAX) {
      return ra_fail(err, RA_E_TOOBIG, source->name,
                     "variable '%s' is too big for a coordinate (64 MiB)", var->name);
    }
    static const uint64_t origin[RA_SOURCE_DIMS] = {0};
    ra_buf *buf;
    int rc = ra_buf_new(bytes ? bytes : 1, &buf, err);
    if (rc < 0) return rc;
    rc = ra_source_read(source, var, origin, var->shape, ra_buf_bytes(buf), err);
    if (rc < 0) {
      ra_buf_unref(buf);
      return rc;
    }
    var->cells = buf;
  }
  *cells = ra_buf_data(var->cells);
  return RA_OK;
}
