// watch_notify.h - inotify for a tree of folders: which watch is which folder. Folders are named by their path below the
// root, "" being the root itself. One thread's.
#pragma once
#include <stdint.h>
#include <sys/inotify.h>

#include "base/err.h"

typedef struct ra_watch_notify ra_watch_notify;

// folder and name: of what changed; mask: IN_*. IN_Q_OVERFLOW comes with folder NULL: anything may have changed.
typedef void (*ra_watch_notify_fn)(void *ctx, const char *folder, const char *name, uint32_t mask);

int ra_watch_notify_new(ra_watch_notify **out, ra_err *err);
void ra_watch_notify_free(ra_watch_notify *notify);
int ra_watch_notify_fd(const ra_watch_notify *notify);
// From now on changes in the folder are told. One that cannot be watched is logged, the first time.
void ra_watch_notify_add(ra_watch_notify *notify, const char *full_path, const char *folder);
// No more of this folder and of those below it.
void ra_watch_notify_forget(ra_watch_notify *notify, const char *folder);
// Tells what has happened since; does not wait.
void ra_watch_notify_read(ra_watch_notify *notify, ra_watch_notify_fn fn, void *ctx);
