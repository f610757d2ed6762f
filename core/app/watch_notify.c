// watch_notify.c - see watch_notify.h. The kernel counts watch numbers up, so they index an array of folder names; the
// watch of a folder that is gone leaves an empty place.
#include "app/watch_notify.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum {
  FILES = IN_CREATE | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE,
  EVENTS_SIZE = 64 << 10
};

struct ra_watch_notify {
  int fd;
  char **folders;  // by watch number
  size_t count;
  bool complained;
};

int ra_watch_notify_new(ra_watch_notify **out, ra_err *err) {
  ra_watch_notify *n = calloc(1, sizeof *n);
  if (!n) return ra_fail(err, RA_E_NOMEM, "", "no memory to watch a folder");
  n->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (n->fd < 0) {
    int code = errno;
    free(n);
    return ra_fail_errno(err, code, "", "no folder can be watched (fs.inotify.max_user_instances)");
  }
  *out = n;
  return RA_OK;
}

void ra_watch_notify_free(ra_watch_notify *n) {
  if (!n) return;
  for (size_t i = 0; i < n->count; i++) free(n->folders[i]);
  free(n->folders);
  close(n->fd);
  free(n);
}

int ra_watch_notify_fd(const ra_watch_notify *n) { return n->fd; }

static bool keep(ra_watch_notify *n, size_t watch, const char *folder) {
  if (watch >= n->count) {
    size_t count = watch + watch / 2 + 16;
    char **wider = realloc(n->folders, count * sizeof *wider);
    if (!wider) return false;
    memset(wider + n->count, 0, (count - n->count) * sizeof *wider);
    n->folders = wider;
    n->count = count;
  }
  char *name = strdup(folder);
  if (!name) return false;
  free(n->folders[watch]);  // a folder that was renamed keeps its watch
  n->folders[watch] = name;
  return true;
}

void ra_watch_notify_add(ra_watch_notify *n, const char *full_path, const char *folder) {
  int watch = inotify_add_watch(n->fd, full_path, FILES | IN_ONLYDIR | IN_EXCL_UNLINK);
  if (watch >= 0 && keep(n, (size_t)watch, folder)) return;
  if (watch >= 0) errno = ENOMEM;
  if (errno == ENOENT || errno == ENOTDIR || n->complained) return;
  n->complained = true;
  ra_log(
      RA_LOG_WARN,
      "%s: changes are not told%s: %s; new files are found when the folder is looked through again",
      full_path, errno == ENOSPC ? " (fs.inotify.max_user_watches is too small)" : "",
      strerror(errno));
}

static bool is_below(const char *path, const char *folder) {
  size_t n = strlen(folder);
  return n == 0 || (strncmp(path, folder, n) == 0 && (path[n] == 0 || path[n] == '/'));
}

void ra_watch_notify_forget(ra_watch_notify *n, const char *folder) {
  for (size_t i = 0; i < n->count; i++) {
    if (!n->folders[i] || !is_below(n->folders[i], folder)) continue;
    inotify_rm_watch(n->fd, (int)i);
    free(n->folders[i]);
    n->folders[i] = NULL;
  }
}

static void tell(ra_watch_notify *n, const struct inotify_event *event, ra_watch_notify_fn fn,
                 void *ctx) {
  if (event->mask & IN_Q_OVERFLOW) {
    fn(ctx, NULL, NULL, event->mask);
    return;
  }
  size_t watch = event->wd >= 0 ? (size_t)event->wd : SIZE_MAX;
  if (watch >= n->count || !n->folders[watch]) return;
  if (event->mask & IN_IGNORED) {  // the folder is gone
    free(n->folders[watch]);
    n->folders[watch] = NULL;
  } else if (event->len) {
    char folder[PATH_MAX];  // fn may forget the folder
    strncpy(folder, n->folders[watch], sizeof folder - 1);
    folder[sizeof folder - 1] = 0;
    fn(ctx, folder, event->name, event->mask);
  }
}

void ra_watch_notify_read(ra_watch_notify *n, ra_watch_notify_fn fn, void *ctx) {
  _Alignas(struct inotify_event) static _Thread_local char buffer[EVENTS_SIZE];
  ssize_t size;
  while ((size = read(n->fd, buffer, sizeof buffer)) > 0) {
    for (const char *at = buffer; at < buffer + size;) {
      const struct inotify_event *event = (const void *)at;
      tell(n, event, fn, ctx);
      at += sizeof *event + event->len;
    }
  }
}
