// store.h - where objects live. `file:` for now; keys as in base/path.h. Reads are blocking and thread-safe (pool
// jobs only); a read opens below the root and never follows a way out of it (openat2 RESOLVE_BENEATH where the
// kernel has it, else a check part by part with O_NOFOLLOW).
#pragma once
#include "base/buf.h"
#include "base/reader.h"

typedef struct ra_store ra_store;

// "file:./dir", "file:///dir" or a plain path. The folder is made when `create` is set.
int ra_store_open(const char *url, bool create, ra_store **out, ra_err *err);
void ra_store_free(ra_store *store);
const char *ra_store_url(const ra_store *store);   // "file:///absolute/path"
const char *ra_store_root(const ra_store *store);  // the absolute path of a file store

// What files of HTTP servers are read with (the sources of virtual datasets); it must outlive the store. Once, before
// the first read; without it they are not.
struct ra_remote;
int ra_store_set_remote(ra_store *store, struct ra_remote *remote, ra_err *err);

// Whether the store's folder is there and can be read; another folder in its place is none. Blocks.
int ra_store_check(const ra_store *store, ra_err *err);

// Reads by key. Keeps a bounded number of descriptors open (LRU), since objects are immutable. Where the whole version
// (the first three parts of a longer key) is not there, a missing object is RA_E_GONE instead of RA_E_NOTFOUND: it may
// have been removed while it was read, so that nothing can be said of the object itself.
ra_reader ra_store_reader(ra_store *store);
// A whole object for sending it: `size` bytes of the descriptor, which the caller closes, from `offset` on.
typedef struct ra_store_file {
  int fd;
  uint64_t offset, size;
  int64_t mtime_ms;
} ra_store_file;
int ra_store_open_object(ra_store *store, const char *key, ra_store_file *out, ra_err *err);

// Writes a whole object: a temporary file in the same folder, then a rename. Not synced: see ra_store_sync.
int ra_store_put(ra_store *store, const char *key, const void *data, size_t size, ra_err *err);
// The same of an object that is made piece by piece: next gives pieces until one is empty; a piece need only live until the
// next call. When it fails, nothing is left and its failure is returned.
typedef int ra_store_next(void *ctx, const void **data, size_t *size, ra_err *err);
int ra_store_put_stream(ra_store *store, const char *key, ra_store_next *next, void *ctx,
                        ra_err *err);
// Notes that `<version>/source/…` is what lies at `path` (absolute), as long as it stays as it is now: kind "file" (any
// key is that file), "zip" (the archive's members), "folder" (the files below it; RA_STORE_LIST is there already), or "references" (`path` is a name
// for people).
int ra_store_put_pointer(ra_store *store, const char *version, const char *kind, const char *path,
                         ra_err *err);
// What tells that a regular file is still what it was, as such pointers hold it.
int ra_store_file_state(const char *path, uint64_t *size, int64_t *changed, ra_err *err);
// The object of a version that lists the files of a source folder: lines "NAME SIZE CHANGED", CHANGED in nanoseconds, in the
// order of the names' bytes.
#define RA_STORE_LIST "source.list"
// Kind "references": keys are byte ranges. RA_STORE_LIST has their lines "KEY\tTARGET OFFSET SIZE", in the order of the
// keys' bytes. Target 0 is RA_STORE_INLINE, the others are the lines of RA_STORE_TARGETS, from 1 on:
// "NAME\tfile SIZE CHANGED PATH", which below `source/` is there by its name as well, or "\thttp SIZE URL TAG" (remote.h).
// SIZE "-": all of the target.
#define RA_STORE_INLINE "source.inline"
#define RA_STORE_TARGETS "source.targets"
// Makes everything put below `prefix` durable: files, then folders, then the folders above up to the root.
int ra_store_sync(ra_store *store, const char *prefix, ra_err *err);
// Removes everything below `prefix` (no error when there is nothing), and folders above that became empty. It vanishes as
// a whole first (one rename), so that no reader sees a part of it.
int ra_store_remove(ra_store *store, const char *prefix, ra_err *err);

typedef struct ra_store_swept {
  uint64_t files, bytes;
} ra_store_swept;
// Removes what a process that died left half done, where it is older than `before_ms` (Unix time): temporary files,
// folders of a removal, empty folders. Nothing below a folder that `kept` (NULL-terminated) names is touched.
int ra_store_sweep(ra_store *store, int64_t before_ms, const char *const *kept,
                   ra_store_swept *swept, ra_err *err);
// Calls `each` for every object below the folder `prefix` ("" for all), or for the object of that name; folder by
// folder, in the order of names. Stops at a negative return and returns it. Nothing there is no error.
int ra_store_list(ra_store *store, const char *prefix,
                  int (*each)(void *ctx, const char *key, uint64_t size, int64_t mtime_ms),
                  void *ctx, ra_err *err);
