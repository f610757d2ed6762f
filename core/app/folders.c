// folders.c - see folders.h. A folder's watch is lost when the folder is moved or made anew, so all are set again after
// each change; what changes in between is seen by whoever reads the files after that.
#include "app/folders.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

enum { SETTLE_MS = 100, LATEST_MS = 1000, WATCHES_MOST = 2000 };

typedef struct watch {
  uv_fs_event_t handle;
  ra_folders *folders;
  struct watch *next;
  char *only;  // the one file that counts; NULL: all
} watch;

struct ra_folders {
  uv_loop_t *loop;
  void (*changed)(void *ctx);
  void *ctx;
  watch *watches;
  unsigned count;
  uv_timer_t settle;
  uint64_t first_ms;  // of this burst
};

static void on_settled(uv_timer_t *timer) {
  ra_folders *f = timer->data;
  f->changed(f->ctx);
}

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status) {
  (void)events;
  watch *w = handle->data;
  ra_folders *f = w->folders;
  if (status < 0 || (w->only && (!name || strcmp(name, w->only) != 0))) return;
  uint64_t now = uv_now(f->loop);
  if (!uv_is_active((uv_handle_t *)&f->settle)) f->first_ms = now;
  uint64_t left = f->first_ms + LATEST_MS > now ? f->first_ms + LATEST_MS - now : 0;
  uv_timer_start(&f->settle, on_settled, left < SETTLE_MS ? left : SETTLE_MS, 0);
}

static void on_closed(uv_handle_t *handle) {
  watch *w = handle->data;
  free(w->only);
  free(w);
}

static void add(ra_folders *f, const char *path, const char *only) {
  if (f->count == WATCHES_MOST) return;
  watch *w = calloc(1, sizeof *w);
  if (!w) return;
  uv_fs_event_init(f->loop, &w->handle);
  w->handle.data = w;
  w->folders = f;
  w->only = only ? strdup(only) : NULL;
  int rc = uv_fs_event_start(&w->handle, on_event, path, 0);
  if (rc < 0 || (only && !w->only)) {
    ra_log(RA_LOG_WARN, "changes in %s are not seen: %s", path, uv_strerror(rc ? rc : UV_ENOMEM));
    uv_close((uv_handle_t *)&w->handle, on_closed);
    return;
  }
  w->next = f->watches;
  f->watches = w;
  f->count++;
}

static void add_tree(ra_folders *f, const char *path) {
  add(f, path, NULL);
  DIR *dir = opendir(path);
  if (!dir) return;
  for (struct dirent *e; (e = readdir(dir));) {
    char inner[PATH_MAX];
    struct stat info;
    if (e->d_name[0] == '.') continue;
    if (snprintf(inner, sizeof inner, "%s/%s", path, e->d_name) >= (int)sizeof inner) continue;
    if (stat(inner, &info) == 0 && S_ISDIR(info.st_mode)) add(f, inner, NULL);
  }
  closedir(dir);
}

static void add_file(ra_folders *f, const char *file) {
  char folder[PATH_MAX];
  const char *slash = strrchr(file, '/');
  size_t n = slash ? (size_t)(slash - file) : 0;
  if (n >= sizeof folder) return;
  snprintf(folder, sizeof folder, "%.*s", (int)n, file);
  add(f, n ? folder : slash ? "/" : ".", slash ? slash + 1 : file);
}

static void remove_all(ra_folders *f) {
  for (watch *w = f->watches, *next; w; w = next) {
    next = w->next;
    uv_close((uv_handle_t *)&w->handle, on_closed);
  }
  f->watches = NULL;
  f->count = 0;
}

int ra_folders_new(uv_loop_t *loop, void (*changed)(void *ctx), void *ctx, ra_folders **out,
                   ra_err *err) {
  ra_folders *f = calloc(1, sizeof *f);
  if (!f) return ra_fail(err, RA_E_NOMEM, "", "no memory to watch folders");
  f->loop = loop;
  f->changed = changed;
  f->ctx = ctx;
  uv_timer_init(loop, &f->settle);
  f->settle.data = f;
  *out = f;
  return RA_OK;
}

void ra_folders_watch(ra_folders *f, const char *const *paths, const char *file) {
  remove_all(f);
  for (; *paths; paths++) add_tree(f, *paths);
  if (file) add_file(f, file);
}

static void on_timer_closed(uv_handle_t *handle) { free(handle->data); }

void ra_folders_free(ra_folders *f) {
  if (!f) return;
  remove_all(f);
  uv_close((uv_handle_t *)&f->settle, on_timer_closed);
}
