// context.c - PROJ's state of a thread: a context that never touches the network nor a file outside PROJ's own data
// folders, and the transforms that this thread has made, least recently used out first.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "geo/internal.h"

enum { KEPT = 16 };

typedef struct kept {
  char src[40], dst[40];
  uint64_t used;
  ra_transform *transform;
} kept;

typedef struct state {
  PJ_CONTEXT *ctx;
  kept transforms[KEPT];
  uint64_t clock;
} state;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool key_made;
static char *folders_of_proj;  // its search path: each call of proj_info frees what the last one told, of any thread

static void state_free(void *arg) {
  state *self = arg;
  for (int i = 0; i < KEPT; i++) ra_transform_free(self->transforms[i].transform);
  proj_context_destroy(self->ctx);
  free(self);
}

static void make_key(void) {
  key_made = pthread_key_create(&key, state_free) == 0;
  const char *folders = proj_info().searchpath;
  folders_of_proj = folders ? strdup(folders) : NULL;
}

// A definition from outside may name a grid or an init file: only those of PROJ's data folders are read.
static bool file_allowed(const char *path) {
  if (strstr(path, "..")) return false;
  const char *folders = folders_of_proj;
  while (folders && *folders) {
    size_t n = strcspn(folders, ":");
    if (n > 1 && !strncmp(path, folders, n) && path[n] == '/') return true;
    folders += n + (folders[n] == ':');
  }
  return false;
}

static PROJ_FILE_HANDLE *file_open(PJ_CONTEXT *ctx, const char *path, PROJ_OPEN_ACCESS access,
                                   void *user) {
  (void)ctx, (void)user;
  if (access != PROJ_OPEN_ACCESS_READ_ONLY || !file_allowed(path)) return NULL;
  return (PROJ_FILE_HANDLE *)fopen(path, "rbe");
}

static size_t file_read(PJ_CONTEXT *ctx, PROJ_FILE_HANDLE *file, void *dst, size_t n, void *user) {
  (void)ctx, (void)user;
  return fread(dst, 1, n, (FILE *)file);
}

static size_t file_write(PJ_CONTEXT *ctx, PROJ_FILE_HANDLE *file, const void *src, size_t n,
                         void *user) {
  (void)ctx, (void)file, (void)src, (void)n, (void)user;
  return 0;
}

static int file_seek(PJ_CONTEXT *ctx, PROJ_FILE_HANDLE *file, long long at, int whence, void *user) {
  (void)ctx, (void)user;
  return fseeko((FILE *)file, at, whence) == 0;
}

static unsigned long long file_tell(PJ_CONTEXT *ctx, PROJ_FILE_HANDLE *file, void *user) {
  (void)ctx, (void)user;
  return (unsigned long long)ftello((FILE *)file);
}

static void file_close(PJ_CONTEXT *ctx, PROJ_FILE_HANDLE *file, void *user) {
  (void)ctx, (void)user;
  fclose((FILE *)file);
}

static int file_exists(PJ_CONTEXT *ctx, const char *path, void *user) {
  (void)ctx, (void)user;
  FILE *file = file_allowed(path) ? fopen(path, "rbe") : NULL;
  if (file) fclose(file);
  return file != NULL;
}

static int refuse_path(PJ_CONTEXT *ctx, const char *path, void *user) {
  (void)ctx, (void)path, (void)user;
  return 0;
}

static int refuse_rename(PJ_CONTEXT *ctx, const char *from, const char *to, void *user) {
  (void)ctx, (void)from, (void)to, (void)user;
  return 0;
}

static const PROJ_FILE_API FILES = {1,           file_open,   file_read,    file_write,
                                    file_seek,   file_tell,   file_close,   file_exists,
                                    refuse_path, refuse_path, refuse_rename};

static void be_silent(void *user, int level, const char *text) {
  (void)user, (void)level, (void)text;
}

static state *state_new(void) {
  state *self = calloc(1, sizeof *self);
  if (!self) return NULL;
  self->ctx = proj_context_create();
  if (!self->ctx || pthread_setspecific(key, self)) {
    proj_context_destroy(self->ctx);
    free(self);
    return NULL;
  }
  proj_log_func(self->ctx, NULL, be_silent);
  proj_context_set_enable_network(self->ctx, 0);
  proj_context_set_fileapi(self->ctx, &FILES, NULL);
  return self;
}

static state *state_get(void) {
  pthread_once(&once, make_key);
  if (!key_made) return NULL;
  state *self = pthread_getspecific(key);
  return self ? self : state_new();
}

PJ_CONTEXT *ra__proj_context(void) {
  state *self = state_get();
  return self ? self->ctx : NULL;
}

const char *ra__proj_error(PJ_CONTEXT *ctx) {
  int code = proj_context_errno(ctx);
  const char *text = code ? proj_context_errno_string(ctx, code) : NULL;
  return text ? text : "PROJ gives no reason";
}

static kept *find_kept(state *self, const ra_crs *src, const ra_crs *dst) {
  for (int i = 0; i < KEPT; i++) {
    kept *entry = &self->transforms[i];
    if (entry->transform && !strcmp(entry->src, src->key) && !strcmp(entry->dst, dst->key)) {
      return entry;
    }
  }
  return NULL;
}

static kept *oldest(state *self) {
  kept *found = &self->transforms[0];
  for (int i = 1; i < KEPT; i++) {
    if (self->transforms[i].used < found->used) found = &self->transforms[i];
  }
  return found;
}

int ra_transform_get(const ra_crs *src, const ra_crs *dst, ra_transform **out, ra_err *err) {
  *out = NULL;
  state *self = state_get();
  if (!self) return ra_fail(err, RA_E_NOMEM, src->name, "no memory for PROJ");
  kept *entry = find_kept(self, src, dst);
  if (!entry) {
    ra_transform *made;
    int rc = ra_transform_new(src, dst, &made, err);
    if (rc < 0) return rc;
    entry = oldest(self);
    ra_transform_free(entry->transform);
    *entry = (kept){.transform = made};
    memcpy(entry->src, src->key, sizeof entry->src);
    memcpy(entry->dst, dst->key, sizeof entry->dst);
  }
  entry->used = ++self->clock;
  *out = entry->transform;
  return RA_OK;
}

void ra_geo_versions(ra_str *out) {
  ra_str_addf(out, "PROJ %d.%d.%d", PROJ_VERSION_MAJOR, PROJ_VERSION_MINOR, PROJ_VERSION_PATCH);
}
