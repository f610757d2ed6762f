// listener.h - a listening socket that the supervisor owns: made from an address, and removed at the end where it is a
// file.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/err.h"

typedef struct ra_listener {
  int fd;            // -1: none
  char *path;        // of a Unix socket; NULL
  struct stat made;  // that file as we made it
} ra_listener;

// "HOST:PORT", "unix:PATH" or a path (anything with a slash). next_free: of a port, one of the following when it is taken.
int ra_listener_open(ra_listener *listener, const char *address, bool next_free, ra_err *err);
// Closes it; a socket file goes too, unless somebody has put another in its place.
void ra_listener_close(ra_listener *listener);
// "http://127.0.0.1:8080" or "unix:/path" of a listening descriptor.
void ra_listener_text(int fd, char *out, size_t size);
