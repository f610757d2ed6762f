// beneath.h - opening files below a folder and never outside of it, whatever a path says and whatever links lie there.
// Any thread.
#pragma once
#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"

// Opens `path` (relative) below the folder `root`: by openat2 with RESOLVE_BENEATH, or part by part following no link
// where the kernel (or a container's filter) does not have it. Never waits for a pipe. The descriptor, or a negative
// errno: EXDEV or ELOOP where the path leads out.
int ra_open_beneath(int root, const char *path, int flags);

// The folder that holds `path`'s last part, which *name becomes, walked to part by part following no link. make: tried where a
// folder is not there (NULL: never); true when it is there now. The descriptor, or a negative errno.
int ra_open_parent_beneath(int root, const char *path, bool (*make)(int dir, const char *name),
                           const char **name);
// RA_OK, and what fstat says, of an open regular file. A folder is no object (RA_E_NOTFOUND); a pipe, a socket or a device
// in its place is a store that somebody else has changed (RA_E_CORRUPT).
int ra_stat_object(int fd, const char *key, struct stat *out, ra_err *err);
