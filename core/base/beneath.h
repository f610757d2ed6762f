// beneath.h - opening files below a folder and never outside of it, whatever a path says and whatever links lie there.
// Any thread.
#pragma once

// Opens `path` (relative) below the folder `root`: by openat2 with RESOLVE_BENEATH, or part by part following no link
// where the kernel (or a container's filter) does not have it. Never waits for a pipe. The descriptor, or a negative
// errno: EXDEV or ELOOP where the path leads out.
int ra_open_beneath(int root, const char *path, int flags);
