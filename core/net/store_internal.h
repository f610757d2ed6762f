// store_internal.h - the file store's pieces, inside net/.
#pragma once
#include <pthread.h>
#include <stdbool.h>

#include "net/store.h"

#define RA__STORE_TEMPORARY \
  ".tmp-"  // begins the name of a file that is being written; no object's name may

// store_cache.c: open descriptors of objects, the least recently used closed first. Any thread.
typedef struct ra__store_entry {
  struct ra__store_entry *chain;  // of the same hash bucket
  struct ra__store_entry *newer, *older;
  unsigned refs;
  bool dropped;  // out of the table: closed at the last release
  int fd;
  uint64_t size;
  char key[];
} ra__store_entry;

typedef struct ra__store_cache {
  pthread_mutex_t lock;
  ra__store_entry *buckets[512];
  ra__store_entry *newest, *oldest;
  unsigned count;
} ra__store_cache;

struct ra_store {
  int root_fd;
  char *root, *url;
  ra__store_cache cache;
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

// store_source.c: the file that a key below `<version>/source/` stands for. A descriptor, or a negative errno: ESTALE where it
// was changed since.
int ra__store_open_source(const ra_store *store, const char *key);
int ra__store_changed(const char *key, ra_err *err);  // what to say of ESTALE
// Either, for reading: an object of the store, or such a file.
int ra__store_open_object(const ra_store *store, const char *key);

// store_path.c
int ra__store_check_key(const char *key, ra_err *err);
// What to say of an object that is not there: RA_E_NOTFOUND, or RA_E_GONE where its whole version is not.
int ra__store_missing(const ra_store *store, const char *key, ra_err *err);
// Opens below the root and never leaves it; the descriptor, or a negative errno.
int ra__store_open_beneath(const ra_store *store, const char *path, int flags);
// The folder that holds `key`, its name in *name. `make`: folders are made. The descriptor, or a negative errno.
int ra__store_open_parent(const ra_store *store, const char *key, bool make, const char **name);
