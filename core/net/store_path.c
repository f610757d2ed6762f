// store_path.c - which keys there are, and opening below the root (base/beneath.h).
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/beneath.h"
#include "base/fault.h"
#include "base/path.h"
#include "net/store_internal.h"

#define MAX_KEY 2048
#define MAX_PART 255

int ra__store_check_key(const char *key, ra_err *err) {
  if (!ra_key_valid(key)) {
    return ra_fail(err, RA_E_INVALID, key,
                   "is no key of an object: parts of [A-Za-z0-9._=-] separated by '/', none empty, "
                   "\".\" or \"..\"");
  }
  if (strlen(key) > MAX_KEY)
    return ra_fail(err, RA_E_INVALID, key, "is longer than %d bytes", MAX_KEY);
  for (const char *part = key; part; part = strchr(part, '/')) {
    if (*part == '/') part++;
    if (strcspn(part, "/") > MAX_PART) {
      return ra_fail(err, RA_E_INVALID, key, "has a part longer than %d bytes", MAX_PART);
    }
    if (strncmp(part, RA__STORE_TEMPORARY, strlen(RA__STORE_TEMPORARY)) == 0) {
      return ra_fail(err, RA_E_INVALID, key,
                     "has a part that begins with \"" RA__STORE_TEMPORARY "\"");
    }
  }
  return RA_OK;
}

// The length of the first three parts of a longer key; 0 for others.
static size_t version_length(const char *key) {
  const char *at = key;
  for (int i = 0; i < 3; i++) {
    at = strchr(at, '/');
    if (!at) return 0;
    at++;
  }
  return (size_t)(at - key) - 1;
}

int ra__store_missing(const ra_store *store, const char *key, ra_err *err) {
  char version[3 * (MAX_PART + 1)];
  size_t length = version_length(key);
  if (length && length < sizeof version) {
    memcpy(version, key, length);
    version[length] = 0;
    int fd = ra__store_open_beneath(store, version, O_RDONLY | O_DIRECTORY);
    if (fd == -ENOENT)
      return ra_fail(err, RA_E_GONE, key, "its version is not in the store (any more)");
    if (fd >= 0) close(fd);
  }
  return ra_fail(err, RA_E_NOTFOUND, key, "there is no such object");
}

static bool make_folder(int dir, const char *name) {
  ra_fault_point("folder");
  return mkdirat(dir, name, 0777) == 0 || errno == EEXIST;
}

int ra__store_open_parent(const ra_store *store, const char *key, bool make, const char **name) {
  return ra_open_parent_beneath(store->root_fd, key, make ? make_folder : NULL, name);
}

int ra__store_open_beneath(const ra_store *store, const char *path, int flags) {
  return ra_open_beneath(store->root_fd, path, flags);
}
