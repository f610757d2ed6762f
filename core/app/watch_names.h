// watch_names.h - which files of a watched folder are sources. By name first: what is hidden, temporary or partial is
// nobody's yet. Plain functions of texts and bytes; any thread.
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef enum ra_watch_name {
  RA_WATCH_NAME_NO,     // hidden, partial, temporary, or our own ".error"
  RA_WATCH_NAME_YES,    // named like NetCDF
  RA_WATCH_NAME_MAYBE,  // its first bytes tell
} ra_watch_name;

enum { RA_WATCH_MAGIC = 8 };

// name: of a file or folder, without its path. Folders are taken unless they are NO.
ra_watch_name ra_watch_name_of(const char *name);
// Whether a file that begins with these bytes is NetCDF (classic, 64-bit, CDF-5) or HDF5.
bool ra_watch_magic(const unsigned char *bytes, size_t size);
