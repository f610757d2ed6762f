// shared.c - see shared.h. Chains by the key's hash under one lock, which is held for a copy at most.
#include "cache/shared.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { CHAINS = 1024, OVERHEAD = 64 };

typedef struct entry {
  struct entry *next;
  ra_shared_type type;
  double number;
  uint64_t end_ns;  // 0: none
  char *text;
  size_t text_size, key_size;
  char key[];
} entry;

struct ra_shared {
  pthread_mutex_t lock;
  size_t most, bytes, keys;
  entry *chains[CHAINS];
};

int ra_shared_new(size_t most, ra_shared **out, ra_err *err) {
  ra_shared *shared = calloc(1, sizeof *shared);
  if (!shared) return ra_fail(err, RA_E_NOMEM, "", "no memory for the shared values");
  pthread_mutex_init(&shared->lock, NULL);
  shared->most = most;
  *out = shared;
  return RA_OK;
}

static size_t size_of(const entry *e) { return OVERHEAD + e->key_size + e->text_size; }

static void drop(ra_shared *shared, entry **at) {
  entry *gone = *at;
  *at = gone->next;
  shared->bytes -= size_of(gone);
  shared->keys--;
  free(gone->text);
  free(gone);
}

void ra_shared_free(ra_shared *shared) {
  if (!shared) return;
  for (size_t i = 0; i < CHAINS; i++) {
    while (shared->chains[i]) drop(shared, &shared->chains[i]);
  }
  pthread_mutex_destroy(&shared->lock);
  free(shared);
}

static entry **chain_of(ra_shared *shared, const char *key, size_t n) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < n; i++) hash = (hash ^ (unsigned char)key[i]) * 1099511628211u;
  return &shared->chains[(hash ^ hash >> 32) % CHAINS];
}

static bool ended(const entry *e, uint64_t now) { return e->end_ns && now >= e->end_ns; }

// Where the key's entry is, or the end of its chain. One that has ended is removed.
static entry **find(ra_shared *shared, const char *key, size_t n) {
  entry **at = chain_of(shared, key, n);
  while (*at && !((*at)->key_size == n && memcmp((*at)->key, key, n) == 0)) at = &(*at)->next;
  if (!*at || !ended(*at, ra_clock_ns())) return at;
  drop(shared, at);
  while (*at) at = &(*at)->next;
  return at;
}

static void drop_ended(ra_shared *shared) {
  uint64_t now = ra_clock_ns();
  for (size_t i = 0; i < CHAINS; i++) {
    for (entry **at = &shared->chains[i]; *at;) {
      if (ended(*at, now)) {
        drop(shared, at);
      } else {
        at = &(*at)->next;
      }
    }
  }
}

static int make_room(ra_shared *shared, size_t more, bool key, ra_err *err) {
  for (int pass = 0; pass < 2; pass++) {
    if (shared->bytes + more <= shared->most && shared->keys + key <= RA_SHARED_KEYS_MOST)
      return RA_OK;
    if (pass == 0) drop_ended(shared);
  }
  return ra_fail(
      err, RA_E_NOMEM, "shared",
      "the shared values are full (%zu of %d keys, %zu of %zu bytes); shared_memory raises "
      "the bytes",
      shared->keys, RA_SHARED_KEYS_MOST, shared->bytes, shared->most);
}

static entry *add(ra_shared *shared, const char *key, size_t n) {
  entry *made = calloc(1, sizeof *made + n);
  if (!made) return NULL;
  memcpy(made->key, key, n);
  made->key_size = n;
  entry **chain = chain_of(shared, key, n);
  made->next = *chain;
  *chain = made;
  shared->keys++;
  shared->bytes += size_of(made);
  return made;
}

static uint64_t end_of(uint64_t ttl_ms) { return ttl_ms ? ra_clock_ns() + ttl_ms * 1000000u : 0; }

static int store(ra_shared *shared, const char *key, size_t n, const ra_shared_value *value,
                 uint64_t ttl_ms, ra_err *err) {
  entry *e = *find(shared, key, n);
  size_t size = value->type == RA_SHARED_TEXT ? value->size : 0;
  size_t had = e ? size_of(e) : 0, wanted = OVERHEAD + n + size;
  int rc = wanted > had ? make_room(shared, wanted - had, !e, err) : RA_OK;
  if (rc < 0) return rc;
  char *text = size ? malloc(size) : NULL;
  e = *find(shared, key, n);
  if (!e) e = add(shared, key, n);
  if (!e || (size && !text)) {
    free(text);
    return ra_fail(err, RA_E_NOMEM, "shared", "no memory for a shared value");
  }
  if (size) memcpy(text, value->text, size);
  free(e->text);
  shared->bytes += size - e->text_size;
  e->text = text;
  e->text_size = size;
  e->type = value->type;
  e->number = value->number;
  e->end_ns = end_of(ttl_ms);
  return RA_OK;
}

int ra_shared_set(ra_shared *shared, const char *key, size_t n, const ra_shared_value *value,
                  uint64_t ttl_ms, ra_err *err) {
  if (n > RA_SHARED_KEY_MOST)
    return ra_fail(err, RA_E_TOOBIG, "shared", "a key of %zu bytes; the most is %d", n,
                   RA_SHARED_KEY_MOST);
  if (value->type == RA_SHARED_TEXT && value->size > RA_SHARED_TEXT_MOST)
    return ra_fail(err, RA_E_TOOBIG, "shared", "a text of %zu bytes; the most is %d", value->size,
                   RA_SHARED_TEXT_MOST);
  int rc = RA_OK;
  pthread_mutex_lock(&shared->lock);
  if (value->type != RA_SHARED_NONE) {
    rc = store(shared, key, n, value, ttl_ms, err);
  } else {
    entry **at = find(shared, key, n);
    if (*at) drop(shared, at);
  }
  pthread_mutex_unlock(&shared->lock);
  return rc;
}

static int copy(const entry *e, ra_shared_value *out, ra_err *err) {
  *out = (ra_shared_value){.type = e->type, .number = e->number, .size = e->text_size};
  if (e->type != RA_SHARED_TEXT) return RA_OK;
  char *text = malloc(e->text_size + 1);
  if (!text) return ra_fail(err, RA_E_NOMEM, "shared", "no memory for a shared value");
  if (e->text_size) memcpy(text, e->text, e->text_size);
  text[e->text_size] = 0;
  out->text = text;
  return RA_OK;
}

int ra_shared_get(ra_shared *shared, const char *key, size_t n, ra_shared_value *out, ra_err *err) {
  *out = (ra_shared_value){0};
  pthread_mutex_lock(&shared->lock);
  const entry *e = *find(shared, key, n);
  int rc = e ? copy(e, out, err) : RA_OK;
  pthread_mutex_unlock(&shared->lock);
  return rc;
}

static int incr(ra_shared *shared, const char *key, size_t n, double by, uint64_t ttl_ms,
                double *out, ra_err *err) {
  entry *e = *find(shared, key, n);
  if (e && e->type != RA_SHARED_NUMBER) {
    return ra_fail(err, RA_E_CONFLICT, "shared", "'%.*s' holds no number", (int)n, key);
  }
  ra_shared_value value = {.type = RA_SHARED_NUMBER, .number = (e ? e->number : 0) + by};
  if (!isfinite(value.number)) {
    return ra_fail(err, RA_E_CONFLICT, "shared", "'%.*s' would not be a finite number", (int)n, key);
  }
  *out = value.number;
  if (!e) return store(shared, key, n, &value, ttl_ms, err);
  e->number = value.number;
  return RA_OK;
}

int ra_shared_incr(ra_shared *shared, const char *key, size_t n, double by, uint64_t ttl_ms,
                   double *out, ra_err *err) {
  if (n > RA_SHARED_KEY_MOST)
    return ra_fail(err, RA_E_TOOBIG, "shared", "a key of %zu bytes; the most is %d", n,
                   RA_SHARED_KEY_MOST);
  pthread_mutex_lock(&shared->lock);
  int rc = incr(shared, key, n, by, ttl_ms, out, err);
  pthread_mutex_unlock(&shared->lock);
  return rc;
}

ra_shared_stats ra_shared_get_stats(ra_shared *shared) {
  pthread_mutex_lock(&shared->lock);
  ra_shared_stats stats = {.keys = shared->keys, .bytes = shared->bytes};
  pthread_mutex_unlock(&shared->lock);
  return stats;
}
