// cache.c - shards of a hash table with a list in order of use. A shard's lock is held for look-ups and bookkeeping
// only; values are made outside it, while an entry in the state MAKING tells others to wait.
#include "cache/cache.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/metrics.h"

// A shard holds at least this many bytes, so that a small cache is one exact list and a large one many locks.
enum { SHARD_BYTES = 16 << 20, SHARDS_MOST = 16, BUCKETS_FIRST = 64 };

typedef struct entry {
  ra_cache_key key;
  struct entry *chain;          // the bucket's next
  struct entry *newer, *older;  // in order of use; only when ready
  void *value;
  size_t bytes;
  bool ready;  // false: a thread is making it
} entry;

typedef struct shard {
  pthread_mutex_t lock;
  pthread_cond_t made;  // some entry became ready or went away
  entry **buckets;
  size_t bucket_count;  // a power of two
  size_t entries;       // the ones being made too
  entry *newest, *oldest;
  size_t bytes, limit;
  uint64_t hits, misses, evictions;
} shard;

struct ra_cache {
  ra_cache_ops ops;
  char labels[64];
  ra_metric *hits, *misses, *evictions, *bytes;
  size_t limit;
  unsigned shard_count;  // a power of two
  shard shards[];
};

static int shard_init(shard *s, size_t limit) {
  s->limit = limit;
  s->bucket_count = BUCKETS_FIRST;
  s->buckets = calloc(BUCKETS_FIRST, sizeof *s->buckets);
  if (!s->buckets) return -1;
  pthread_mutex_init(&s->lock, NULL);
  pthread_cond_init(&s->made, NULL);
  return 0;
}

static unsigned shards_for(size_t limit) {
  unsigned n = 1;
  while (n < SHARDS_MOST && limit / (n * 2) >= SHARD_BYTES) n *= 2;
  return n;
}

static void find_metrics(ra_cache *cache, const char *name) {
  snprintf(cache->labels, sizeof cache->labels, "cache=\"%.48s\"", name);
  cache->hits = ra_metric_get(RA_METRIC_COUNTER, "rastrum_cache_hits_total",
                              "Look-ups answered from a cache.", NULL, 0);
  cache->misses = ra_metric_get(RA_METRIC_COUNTER, "rastrum_cache_misses_total",
                                "Look-ups whose value had to be made.", NULL, 0);
  cache->evictions = ra_metric_get(RA_METRIC_COUNTER, "rastrum_cache_evictions_total",
                                   "Values dropped to keep a cache within its limit.", NULL, 0);
  cache->bytes =
      ra_metric_get(RA_METRIC_GAUGE, "rastrum_cache_bytes", "Bytes held by a cache.", NULL, 0);
}

int ra_cache_new(const char *name, size_t limit_bytes, const ra_cache_ops *ops, ra_cache **out,
                 ra_err *err) {
  unsigned count = shards_for(limit_bytes);
  ra_cache *cache = calloc(1, sizeof *cache + count * sizeof(shard));
  if (!cache) return ra_fail(err, RA_E_NOMEM, name, "out of memory for a cache");
  cache->ops = *ops;
  cache->limit = limit_bytes;
  find_metrics(cache, name);
  for (; cache->shard_count < count; cache->shard_count++) {
    if (shard_init(&cache->shards[cache->shard_count], limit_bytes / count) < 0) {
      ra_cache_free(cache);
      return ra_fail(err, RA_E_NOMEM, name, "out of memory for a cache");
    }
  }
  *out = cache;
  return RA_OK;
}

void ra_cache_free(ra_cache *cache) {
  if (!cache) return;
  for (unsigned i = 0; i < cache->shard_count; i++) {
    shard *s = &cache->shards[i];
    for (entry *e = s->newest; e;) {
      entry *older = e->older;
      cache->ops.unref(e->value);
      free(e);
      e = older;
    }
    ra_metric_add(cache->bytes, cache->labels, -(double)s->bytes);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->made);
    free(s->buckets);
  }
  free(cache);
}

static entry **find(shard *s, ra_cache_key key) {
  entry **at = &s->buckets[key.lo & (s->bucket_count - 1)];
  while (*at && ((*at)->key.lo != key.lo || (*at)->key.hi != key.hi)) at = &(*at)->chain;
  return at;
}

static void list_remove(shard *s, entry *e) {
  *(e->newer ? &e->newer->older : &s->newest) = e->older;
  *(e->older ? &e->older->newer : &s->oldest) = e->newer;
}

static void list_push(shard *s, entry *e) {
  e->newer = NULL;
  e->older = s->newest;
  *(s->newest ? &s->newest->newer : &s->oldest) = e;
  s->newest = e;
}

// Twice the buckets once there are more entries than buckets; without memory chains just grow longer.
static void grow(shard *s) {
  if (s->entries <= s->bucket_count) return;
  size_t count = s->bucket_count * 2;
  entry **buckets = calloc(count, sizeof *buckets);
  if (!buckets) return;
  for (size_t i = 0; i < s->bucket_count; i++) {
    for (entry *e = s->buckets[i], *next; e; e = next) {
      next = e->chain;
      e->chain = buckets[e->key.lo & (count - 1)];
      buckets[e->key.lo & (count - 1)] = e;
    }
  }
  free(s->buckets);
  s->buckets = buckets;
  s->bucket_count = count;
}

static void forget(shard *s, entry *e) {
  *find(s, e->key) = e->chain;
  s->entries--;
}

// Takes the oldest entries out until the shard is within its limit; gives them as a chain, to be released unlocked.
static entry *evict(ra_cache *cache, shard *s) {
  entry *gone = NULL;
  while (s->bytes > s->limit && s->oldest) {
    entry *e = s->oldest;
    list_remove(s, e);
    forget(s, e);
    s->bytes -= e->bytes;
    s->evictions++;
    ra_metric_add(cache->evictions, cache->labels, 1);
    ra_metric_add(cache->bytes, cache->labels, -(double)e->bytes);
    e->chain = gone;
    gone = e;
  }
  return gone;
}

static void release(ra_cache *cache, entry *gone) {
  while (gone) {
    entry *next = gone->chain;
    cache->ops.unref(gone->value);
    free(gone);
    gone = next;
  }
}

// The shard is locked. A ready entry, or NULL with *mine set: a new entry that the caller has to make (NULL there
// too when memory is short).
static entry *look_up(shard *s, ra_cache_key key, entry **mine) {
  entry **at;
  while (*(at = find(s, key))) {
    if ((*at)->ready) return *at;
    pthread_cond_wait(&s->made, &s->lock);
  }
  *mine = calloc(1, sizeof **mine);
  if (!*mine) return NULL;
  (*mine)->key = key;
  *at = *mine;
  s->entries++;
  grow(s);
  return NULL;
}

// The made value becomes the newest entry, and the oldest go.
static void file(ra_cache *cache, shard *s, entry *e, void *value, size_t bytes) {
  pthread_mutex_lock(&s->lock);
  e->value = value;
  e->bytes = bytes + sizeof *e;
  e->ready = true;
  s->bytes += e->bytes;
  ra_metric_add(cache->bytes, cache->labels, (double)e->bytes);
  list_push(s, e);
  entry *gone = evict(cache, s);
  pthread_cond_broadcast(&s->made);
  pthread_mutex_unlock(&s->lock);
  release(cache, gone);
}

static void give_up(shard *s, entry *e) {
  pthread_mutex_lock(&s->lock);
  forget(s, e);
  pthread_cond_broadcast(&s->made);
  pthread_mutex_unlock(&s->lock);
  free(e);
}

// Makes the value unlocked, then files it; the caller gets a reference of its own. e is NULL when memory was short: the
// value is then the caller's alone.
static int fill(ra_cache *cache, shard *s, entry *e,
                int (*make)(void *ctx, void **value, size_t *bytes, ra_err *err), void *ctx,
                void **out, ra_err *err) {
  void *value = NULL;
  size_t bytes = 0;
  int rc = make(ctx, &value, &bytes, err);
  if (rc < 0) {
    if (e) give_up(s, e);
    return rc;
  }
  *out = e ? cache->ops.ref(value) : value;
  if (e) file(cache, s, e, value, bytes);
  return RA_OK;
}

int ra_cache_get(ra_cache *cache, ra_cache_key key,
                 int (*make)(void *ctx, void **value, size_t *bytes, ra_err *err), void *ctx,
                 void **out, ra_err *err) {
  shard *s = &cache->shards[key.hi & (cache->shard_count - 1)];
  entry *mine = NULL;
  pthread_mutex_lock(&s->lock);
  entry *e = look_up(s, key, &mine);
  if (e) {
    list_remove(s, e);
    list_push(s, e);
    *out = cache->ops.ref(e->value);
    s->hits++;
  } else {
    s->misses++;
  }
  pthread_mutex_unlock(&s->lock);
  ra_metric_add(e ? cache->hits : cache->misses, cache->labels, 1);
  return e ? RA_OK : fill(cache, s, mine, make, ctx, out, err);
}

ra_cache_stats ra_cache_get_stats(ra_cache *cache) {
  ra_cache_stats sum = {.limit = cache->limit};
  for (unsigned i = 0; i < cache->shard_count; i++) {
    shard *s = &cache->shards[i];
    pthread_mutex_lock(&s->lock);
    sum.hits += s->hits;
    sum.misses += s->misses;
    sum.evictions += s->evictions;
    sum.bytes += s->bytes;
    sum.entries += s->entries;
    pthread_mutex_unlock(&s->lock);
  }
  return sum;
}
