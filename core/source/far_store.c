// far_store.c - see far_store.h
#include "source/far_store.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "source/access.h"

enum { TEXT_MOST = 64 << 20, KEPT = 64 };

typedef struct text {
  const char *key, *bytes;
} text;

typedef struct seen {  // an object whose size was asked for: it is read next
  char *key;
  ra_remote_state state;
} seen;

struct ra_far_store {
  ra_arena arena;
  char *base;  // without a slash at its end
  const char *query;
  text *texts;
  size_t count;
  ra_str whole;  // the consolidated metadata
  ra_remote_state state;
  pthread_mutex_t lock;  // guards what follows
  seen seen[KEPT];
  unsigned next;
};

static ra_remote *remote(void) { return ra_source_get_access()->remote; }

bool ra_far_store_is(const char *url) {
  size_t n = strcspn(url, "?#");
  return n > 5 && (url[n - 1] == '/' || strncmp(url + n - 5, ".zarr", 5) == 0);
}

static int no_memory(ra_err *err) {
  return ra_fail(err, RA_E_NOMEM, "", "no memory for a store's metadata");
}

// ---- URLs

static bool plain(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c && strchr("-._~/", c));
}

static void add_url(const ra_far_store *store, const char *key, ra_str *out) {
  ra_str_addf(out, "%s/", store->base);
  for (const char *p = key; *p; p++) {
    if (plain((unsigned char)*p)) {
      ra_str_add_char(out, *p);
    } else {
      ra_str_addf(out, "%%%02X", (unsigned char)*p);
    }
  }
  ra_str_add(out, store->query);
}

// ---- consolidated metadata

static int add_text(ra_far_store *store, const char *path, const char *name, const json_t *value,
                    ra_err *err) {
  char *dump = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
  text *t = &store->texts[store->count++];
  t->key = ra_arena_printf(&store->arena, "%s%s%s", path, *path && *name ? "/" : "", name);
  t->bytes = dump ? ra_arena_strdup(&store->arena, dump) : NULL;
  free(dump);
  return t->key && t->bytes ? RA_OK : no_memory(err);
}

static int room_for(ra_far_store *store, size_t count, ra_err *err) {
  store->texts = ra_arena_calloc(&store->arena, count, sizeof *store->texts);
  return store->texts ? RA_OK : no_memory(err);
}

static bool is_array(const json_t *root) {
  const char *type = json_string_value(json_object_get(root, "node_type"));
  return type && strcmp(type, "array") == 0;
}

// .zmetadata has whole keys, zarr.json the paths of nodes; that of an array is all there is.
static int add_texts(ra_far_store *store, const json_t *root, bool v3, ra_err *err) {
  if (v3 && is_array(root)) {
    int rc = room_for(store, 1, err);
    return rc < 0 ? rc : add_text(store, "", "zarr.json", root, err);
  }
  const json_t *list =
      v3 ? json_object_get(json_object_get(root, "consolidated_metadata"), "metadata")
         : json_object_get(root, "metadata");
  if (!json_is_object(list)) return RA_E_UNSUPPORTED;
  const char *key;
  json_t *value;
  int rc = room_for(store, json_object_size(list) + 1, err);
  if (rc >= 0 && v3) rc = add_text(store, "", "zarr.json", root, err);
  json_object_foreach((json_t *)list, key, value) {
    if (rc < 0) break;
    rc = add_text(store, key, v3 ? "zarr.json" : "", value, err);
  }
  return rc;
}

static int fetch_json(ra_far_store *store, const char *name, json_t **out, ra_err *err) {
  ra_str url;
  ra_str_init(&url);
  add_url(store, name, &url);
  store->whole.len = 0;
  int rc = url.failed ? no_memory(err)
                      : ra_remote_text(remote(), url.ptr, TEXT_MOST, NULL, &store->whole,
                                       &store->state, err);
  ra_str_deinit(&url);
  if (rc < 0) return rc;
  const char *bytes = store->whole.ptr ? store->whole.ptr : "";
  *out = json_loadb(bytes, store->whole.len, 0, NULL);
  if (!*out)  // a uint64 does not fit
    *out = json_loadb(bytes, store->whole.len, JSON_DECODE_INT_AS_REAL, NULL);
  return *out ? RA_OK : ra_fail(err, RA_E_CORRUPT, name, "is not JSON");
}

// RA_E_NOTFOUND where there is no such object; RA_E_UNSUPPORTED, without a word, where nothing is consolidated in it.
static int try_metadata(ra_far_store *store, const char *name, bool v3, ra_err *err) {
  json_t *root = NULL;
  int rc = fetch_json(store, name, &root, err);
  if (rc >= 0) rc = add_texts(store, root, v3, err);
  json_decref(root);
  return rc;
}

// A root of v2 that is an array.
static int try_array(ra_far_store *store, ra_err *err) {
  json_t *root = NULL, *attributes = NULL;
  ra_err ignored;
  fetch_json(store, ".zattrs", &attributes, &ignored);
  int rc = fetch_json(store, ".zarray", &root, err);
  if (rc >= 0) rc = room_for(store, 2, err);
  if (rc >= 0) rc = add_text(store, ".zarray", "", root, err);
  if (rc >= 0 && attributes) rc = add_text(store, ".zattrs", "", attributes, err);
  json_decref(root);
  json_decref(attributes);
  return rc;
}

static int by_key(const void *a, const void *b) {
  return strcmp(((const text *)a)->key, ((const text *)b)->key);
}

static int open_store(ra_far_store *store, const char *url, ra_err *err) {
  int rc = try_metadata(store, "zarr.json", true, err);
  if (rc == RA_E_NOTFOUND || rc == RA_E_UNSUPPORTED)
    rc = try_metadata(store, ".zmetadata", false, err);
  if (rc == RA_E_NOTFOUND || rc == RA_E_UNSUPPORTED) rc = try_array(store, err);
  if (rc == RA_E_NOTFOUND || rc == RA_E_UNSUPPORTED)
    return ra_fail(err, RA_E_UNSUPPORTED, url,
                   "has no consolidated metadata (neither .zmetadata nor a zarr.json that holds "
                   "them), without which a store cannot be read by URL");
  if (rc >= 0 && store->count) qsort(store->texts, store->count, sizeof *store->texts, by_key);
  return rc;
}

int ra_far_store_open(const char *url, ra_far_store **out, ra_err *err) {
  if (!remote()) return ra_fail(err, RA_E_UNSUPPORTED, url, "files of servers are not read here");
  ra_far_store *store = calloc(1, sizeof *store);
  if (!store) return no_memory(err);
  pthread_mutex_init(&store->lock, NULL);
  ra_str_init(&store->whole);
  size_t n = strcspn(url, "?#");
  store->query = ra_arena_strndup(&store->arena, url + n, strcspn(url + n, "#"));
  while (n && url[n - 1] == '/') n--;
  store->base = ra_arena_strndup(&store->arena, url, n);
  int rc = store->base && store->query ? open_store(store, url, err) : no_memory(err);
  if (rc < 0) {
    ra_far_store_free(store);
    return rc;
  }
  *out = store;
  return RA_OK;
}

void ra_far_store_free(ra_far_store *store) {
  if (!store) return;
  for (unsigned i = 0; i < KEPT; i++) free(store->seen[i].key);
  pthread_mutex_destroy(&store->lock);
  ra_str_deinit(&store->whole);
  ra_arena_deinit(&store->arena);
  free(store);
}

size_t ra_far_store_count(const ra_far_store *store) { return store->count; }
const char *ra_far_store_name(const ra_far_store *store, size_t i) { return store->texts[i].key; }

void ra_far_store_identity(const ra_far_store *store, ra_str *out) {
  ra_str_addf(out, "%s %s\n", store->base, store->state.tag);
  ra_str_add_bytes(out, store->whole.ptr ? store->whole.ptr : "", store->whole.len);
}

// ---- objects

static const text *find_text(const ra_far_store *store, const char *key) {
  const text wanted = {.key = key};
  return store->count ? bsearch(&wanted, store->texts, store->count, sizeof wanted, by_key) : NULL;
}

static void note(ra_far_store *store, const char *key, const ra_remote_state *state) {
  char *copy = strdup(key);
  pthread_mutex_lock(&store->lock);
  seen *slot = &store->seen[store->next++ % KEPT];
  free(slot->key);
  *slot = (seen){copy, *state};
  pthread_mutex_unlock(&store->lock);
}

static bool recall(ra_far_store *store, const char *key, ra_remote_state *out) {
  bool found = false;
  pthread_mutex_lock(&store->lock);
  for (unsigned i = 0; i < KEPT && !found; i++) {
    found = store->seen[i].key && strcmp(store->seen[i].key, key) == 0;
    if (found) *out = store->seen[i].state;
  }
  pthread_mutex_unlock(&store->lock);
  return found;
}

static bool is_metadata(const char *key) {
  const char *slash = strrchr(key, '/'), *name = slash ? slash + 1 : key;
  return strcmp(name, "zarr.json") == 0 || name[0] == '.';
}

static int look(ra_far_store *store, const char *key, const char *url, ra_remote_state *out,
                ra_err *err) {
  if (recall(store, key, out)) return RA_OK;
  int rc = ra_remote_look(remote(), url, NULL, out, err);
  if (rc >= 0) note(store, key, out);
  return rc;
}

static int object_size(void *ctx, const char *key, uint64_t *out, ra_err *err) {
  ra_far_store *store = ctx;
  const text *own = find_text(store, key);
  if (own) *out = strlen(own->bytes);
  if (own) return RA_OK;
  if (is_metadata(key)) return ra_fail(err, RA_E_NOTFOUND, key, "there is no such object");
  ra_str url;
  ra_remote_state state = {0};
  ra_str_init(&url);
  add_url(store, key, &url);
  int rc = url.failed ? no_memory(err) : look(store, key, url.ptr, &state, err);
  if (rc >= 0) *out = state.size;
  ra_str_deinit(&url);
  return rc;
}

static int object_read(void *ctx, const char *key, uint64_t offset, size_t size, uint8_t *dst,
                       ra_err *err) {
  ra_far_store *store = ctx;
  const text *own = find_text(store, key);
  if (own) {
    size_t all = strlen(own->bytes);
    if (offset > all || size > all - offset)
      return ra_fail(err, RA_E_CORRUPT, key, "ends before what was to be read");
    memcpy(dst, own->bytes + offset, size);
    return RA_OK;
  }
  ra_str url;
  ra_remote_state state = {0};
  ra_str_init(&url);
  add_url(store, key, &url);
  int rc = url.failed ? no_memory(err) : look(store, key, url.ptr, &state, err);
  if (rc >= 0) rc = ra_remote_read(remote(), url.ptr, &state, offset, size, dst, NULL, err);
  ra_str_deinit(&url);
  return rc;
}

ra_reader ra_far_store_reader(ra_far_store *store) {
  return (ra_reader){object_read, object_size, store};
}
