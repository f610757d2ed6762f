// store_internal.h - the file store's pieces, inside net/.
#pragma once
#include <pthread.h>
#include <stdbool.h>

#include "cache/cache.h"
#include "net/remote.h"
#include "net/store.h"

#define RA__STORE_TEMPORARY \
  ".tmp-"  // begins the name of a file that is being written; no object's name may

// What tells that a file is still what it was.
typedef struct ra__file_state {
  uint64_t size;
  int64_t changed;  // ns, Unix time
} ra__file_state;

// A file of an HTTP server as the ingest saw it.
typedef struct ra__far {
  ra_remote_state state;
  char url[];
} ra__far;

// An object opened for reading: `size` bytes of a descriptor from `offset` on, of a far file, or bytes in memory. Of a file
// that is not the store's own, it holds what the ingest saw.
typedef struct ra__store_object {
  int fd;         // -1: in memory, or far
  ra__far *far;   // malloc'd; or NULL
  ra_buf *bytes;  // or NULL
  uint64_t offset, size;
  int64_t mtime_ms;
  bool foreign;
  ra__file_state state;
} ra__store_object;

// store_cache.c: open descriptors of objects, the least recently used closed first. Any thread.
typedef struct ra__store_entry {
  struct ra__store_entry *chain;  // of the same hash bucket
  struct ra__store_entry *newer, *older;
  unsigned refs;
  bool dropped;  // out of the table: closed at the last release
  struct ra__store_object object;
  char key[];
} ra__store_entry;

typedef struct ra__store_cache {
  pthread_mutex_t lock;
  ra__store_entry *buckets[512];
  ra__store_entry *newest, *oldest;
  unsigned count;
  uint64_t bytes;  // of objects in memory
} ra__store_cache;

// store_source.c: the sources of versions that were ingested in place, as far as they are open.
enum { RA__SOURCES = 64 };
typedef struct ra__source ra__source;
typedef struct ra__sources {
  pthread_mutex_t lock;
  ra__source *held[RA__SOURCES];
  uint64_t tick;
} ra__sources;

struct ra_store {
  int root_fd;
  char *root, *url;
  ra__store_cache cache;
  ra__sources sources;
  ra_remote *remote;  // of others; NULL: far files are not read
  ra_cache *ranges;   // of far files, as they were fetched; with `remote`
};

void ra__store_cache_init(ra__store_cache *cache);
void ra__store_cache_deinit(ra__store_cache *cache);
// A reference to the entry of a key, opened when it is not held.
int ra__store_cache_get(ra_store *store, const char *key, ra__store_entry **out, ra_err *err);
void ra__store_cache_release(ra__store_cache *cache, ra__store_entry *entry);
// Forgets the object `prefix` and all below it ("": everything).
void ra__store_cache_drop(ra__store_cache *cache, const char *prefix);

enum { RA__STORE_NAME = 64 };
// A name for a file or folder that is under way; unique in this process.
void ra__store_temporary(char name[RA__STORE_NAME]);

// store_walk.c: syncs the folders below `prefix`, each after what is in it.
int ra__store_sync_folders(ra_store *store, const char *prefix, ra_err *err);

// store_source.c: an object of the store, or below `<version>/source/` one that lies elsewhere. RA_E_CONFLICT where that was
// changed since.
int ra__store_open_object(ra_store *store, const char *key, ra__store_object *out, ra_err *err);
void ra__store_close_object(ra__store_object *object);
int ra__store_changed(const char *key, ra_err *err);  // what to say of a changed one
bool ra__file_is(int fd, const ra__file_state *state);
void ra__sources_init(ra__sources *table);
void ra__sources_deinit(ra__sources *table);
// store_file.c: exactly `size` bytes; what they are of is for messages.
int ra__pread_all(int fd, const char *what, uint64_t offset, size_t size, uint8_t *dst, ra_err *err);

// store_far.c: bytes of a far object, from `offset` of the object on.
int ra__store_read_far(const ra_store *store, const ra__store_object *object, uint64_t offset,
                       size_t size, uint8_t *dst, ra_err *err);

// store_path.c
int ra__store_check_key(const char *key, ra_err *err);
// What to say of an object that is not there: RA_E_NOTFOUND, or RA_E_GONE where its whole version is not.
int ra__store_missing(const ra_store *store, const char *key, ra_err *err);
// Opens below the root and never leaves it; the descriptor, or a negative errno.
int ra__store_open_beneath(const ra_store *store, const char *path, int flags);
// The folder that holds `key`, its name in *name. `make`: folders are made. The descriptor, or a negative errno.
int ra__store_open_parent(const ra_store *store, const char *key, bool make, const char **name);
