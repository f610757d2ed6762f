// store_cache.c - see store_internal.h. The lock is never held across a system call that may wait.
#include <stdlib.h>
#include <string.h>

#include "net/store_internal.h"

#define MAX_OPEN 256
#define MAX_BYTES ((uint64_t)32 << 20)
#define BUCKETS (sizeof((ra__store_cache *)0)->buckets / sizeof(ra__store_entry *))

void ra__store_cache_init(ra__store_cache *cache) {
  memset(cache, 0, sizeof *cache);
  pthread_mutex_init(&cache->lock, NULL);
}

// The memory that an entry holds besides itself.
static uint64_t held_bytes(const ra__store_entry *entry) {
  return entry->object.bytes ? entry->object.size : 0;
}

static void destroy(ra__store_entry *entry) {
  ra__store_close_object(&entry->object);
  free(entry);
}

static ra__store_entry **bucket_of(ra__store_cache *cache, const char *key) {
  unsigned hash = 2166136261u;
  for (const unsigned char *p = (const unsigned char *)key; *p; p++) hash = (hash ^ *p) * 16777619u;
  return &cache->buckets[hash % BUCKETS];
}

static void unlink_order(ra__store_cache *cache, ra__store_entry *entry) {
  *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
  *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_newest(ra__store_cache *cache, ra__store_entry *entry) {
  entry->newer = NULL;
  entry->older = cache->newest;
  *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
  cache->newest = entry;
}

// Takes an entry out of the table; whoever reads through it keeps it until the release.
static void drop(ra__store_cache *cache, ra__store_entry *entry) {
  ra__store_entry **at = bucket_of(cache, entry->key);
  while (*at != entry) at = &(*at)->chain;
  *at = entry->chain;
  unlink_order(cache, entry);
  cache->count--;
  cache->bytes -= held_bytes(entry);
  entry->dropped = true;
  if (!entry->refs) destroy(entry);
}

static ra__store_entry *find(ra__store_cache *cache, const char *key) {
  ra__store_entry *entry = *bucket_of(cache, key);
  while (entry && strcmp(entry->key, key) != 0) entry = entry->chain;
  if (!entry) return NULL;
  entry->refs++;
  unlink_order(cache, entry);
  link_newest(cache, entry);
  return entry;
}

static void insert(ra__store_cache *cache, ra__store_entry *entry) {
  ra__store_entry **bucket = bucket_of(cache, entry->key);
  entry->chain = *bucket;
  *bucket = entry;
  link_newest(cache, entry);
  cache->count++;
  cache->bytes += held_bytes(entry);
  while ((cache->count > MAX_OPEN || cache->bytes > MAX_BYTES) && cache->oldest != entry)
    drop(cache, cache->oldest);
}

static int open_entry(ra_store *store, const char *key, ra__store_entry **out, ra_err *err) {
  ra__store_object object;
  int rc = ra__store_open_object(store, key, &object, err);
  if (rc < 0) return rc;
  size_t len = strlen(key) + 1;
  ra__store_entry *entry = calloc(1, sizeof *entry + len);
  if (!entry) {
    ra__store_close_object(&object);
    return ra_fail(err, RA_E_NOMEM, key, "no memory to open an object");
  }
  memcpy(entry->key, key, len);
  entry->object = object;
  entry->refs = 1;
  *out = entry;
  return RA_OK;
}

int ra__store_cache_get(ra_store *store, const char *key, ra__store_entry **out, ra_err *err) {
  ra__store_cache *cache = &store->cache;
  pthread_mutex_lock(&cache->lock);
  *out = find(cache, key);
  pthread_mutex_unlock(&cache->lock);
  if (*out) return RA_OK;
  ra__store_entry *made = NULL;
  int rc = ra__store_check_key(key, err);
  if (rc == RA_OK) rc = open_entry(store, key, &made, err);
  if (rc < 0 || !made) return rc;
  pthread_mutex_lock(&cache->lock);
  *out = find(cache, key);
  if (!*out) insert(cache, *out = made);
  pthread_mutex_unlock(&cache->lock);
  if (*out != made) destroy(made);
  return RA_OK;
}

void ra__store_cache_release(ra__store_cache *cache, ra__store_entry *entry) {
  pthread_mutex_lock(&cache->lock);
  bool last = --entry->refs == 0 && entry->dropped;
  pthread_mutex_unlock(&cache->lock);
  if (last) destroy(entry);
}

void ra__store_cache_drop(ra__store_cache *cache, const char *prefix) {
  size_t len = strlen(prefix);
  pthread_mutex_lock(&cache->lock);
  for (ra__store_entry *entry = cache->newest, *older; entry; entry = older) {
    older = entry->older;
    bool below = !len || (strncmp(entry->key, prefix, len) == 0 &&
                          (!entry->key[len] || entry->key[len] == '/'));
    if (below) drop(cache, entry);
  }
  pthread_mutex_unlock(&cache->lock);
}

void ra__store_cache_deinit(ra__store_cache *cache) {
  ra__store_cache_drop(cache, "");
  pthread_mutex_destroy(&cache->lock);
}
