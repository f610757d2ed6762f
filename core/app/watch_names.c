// watch_names.c - see watch_names.h. The endings are those of the programs that fetch and copy: browsers, curl, rsync,
// aria2, lftp, editors.
#include "app/watch_names.h"

#include <string.h>
#include <strings.h>

static const char *const PARTIAL[] = {".part",       ".partial",  ".tmp",      ".temp", ".error",
                                      ".crdownload", ".aria2",    ".filepart", ".lock", ".swp",
                                      ".incomplete", ".download", "~",         NULL};
static const char *const NETCDF[] = {".nc",   ".nc3", ".nc4", ".cdf", ".netcdf",
                                     ".hdf5", ".h5",  ".he5", NULL};

static bool ends_with(const char *name, const char *const *endings) {
  size_t n = strlen(name);
  for (; *endings; endings++) {
    size_t m = strlen(*endings);
    if (n > m && strcasecmp(name + n - m, *endings) == 0) return true;
  }
  return false;
}

ra_watch_name ra_watch_name_of(const char *name) {
  if (!*name || *name == '.' || ends_with(name, PARTIAL)) return RA_WATCH_NAME_NO;
  return ends_with(name, NETCDF) ? RA_WATCH_NAME_YES : RA_WATCH_NAME_MAYBE;
}

bool ra_watch_magic(const unsigned char *bytes, size_t size) {
  static const unsigned char hdf5[RA_WATCH_MAGIC] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  if (size >= RA_WATCH_MAGIC && memcmp(bytes, hdf5, sizeof hdf5) == 0) return true;
  return size >= 4 && memcmp(bytes, "CDF", 3) == 0 &&
         (bytes[3] == 1 || bytes[3] == 2 || bytes[3] == 5);
}
