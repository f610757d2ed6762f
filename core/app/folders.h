// folders.h - tells when files in some folders, or in the folders right in them, have changed: for `serve --dev`. Editors
// write in bursts, so a change is told a moment after the last of a burst. One loop's thread.
#pragma once
#include <uv.h>

#include "base/err.h"

typedef struct ra_folders ra_folders;

int ra_folders_new(uv_loop_t *loop, void (*changed)(void *ctx), void *ctx, ra_folders **out,
                   ra_err *err);
// What is watched from now on. Call it after each change too: there may be new folders in them. file: one more file,
// which need not exist, or NULL. Both lists are read during the call.
void ra_folders_watch(ra_folders *folders, const char *const *paths, const char *file);
void ra_folders_free(ra_folders *folders);  // NULL is fine
