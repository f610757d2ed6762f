// op_gc.c - see op_gc.h. The store lists objects in the order of their keys, so the objects of one version follow each
// other.
#include "ops/op_gc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct version {
  ra_str *json;
  ra_cancel *cancel;
  char root[620];  // "collection/dataset/version"
  uint64_t objects, bytes;
  int64_t mtime_ms;
  bool finished;  // has its manifest
} version;

static void write_version(version *v) {
  if (!v->objects) return;
  char *dataset = strchr(v->root, '/'), *name = dataset ? strchr(dataset + 1, '/') : NULL;
  if (!name) return;
  *dataset++ = *name++ = 0;
  ra_str_add(v->json, v->json->len > 1 ? ",{\"collection\":" : "{\"collection\":");
  ra_str_add_json(v->json, v->root);
  ra_str_add(v->json, ",\"dataset\":");
  ra_str_add_json(v->json, dataset);
  ra_str_add(v->json, ",\"version\":");
  ra_str_add_json(v->json, name);
  ra_str_addf(v->json, ",\"objects\":%llu,\"bytes\":%llu,\"mtime\":%lld,\"finished\":%s}",
              (unsigned long long)v->objects, (unsigned long long)v->bytes, (long long)v->mtime_ms,
              v->finished ? "true" : "false");
}

// The length of the first three parts of a key; 0 when it has no more than three.
static size_t root_length(const char *key) {
  const char *at = key;
  for (int i = 0; i < 3; i++) {
    at = strchr(at, '/');
    if (!at) return 0;
    at++;
  }
  return (size_t)(at - key) - 1;
}

static int see(void *ctx, const char *key, uint64_t size, int64_t mtime_ms) {
  version *v = ctx;
  size_t length = root_length(key);
  if (ra_cancel_is_set(v->cancel)) return RA_E_CANCELLED;
  if (!length || length >= sizeof v->root) return RA_OK;
  if (strncmp(v->root, key, length) != 0 || v->root[length]) {
    write_version(v);
    memcpy(v->root, key, length);
    v->root[length] = 0;
    v->objects = v->bytes = 0;
    v->mtime_ms = INT64_MIN;
    v->finished = false;
  }
  if (!strcmp(key + length, "/manifest.json")) v->finished = true;
  v->objects++;
  v->bytes += size;
  if (mtime_ms > v->mtime_ms) v->mtime_ms = mtime_ms;
  return RA_OK;
}

static int versions_run(ra_op *op, void *state, ra_err *err) {
  ra_op_versions *versions = state;
  ra_store *store = ra_op_ops(op)->store;
  if (!store)
    return ra_fail(err, RA_E_NOTFOUND, "", "there is no store here: name it with --store");
  version v = {.json = &versions->json, .cancel = ra_op_cancel_flag(op)};
  ra_str_add_char(v.json, '[');
  int rc = ra_store_list(store, versions->prefix, see, &v, err);
  write_version(&v);
  ra_str_add_char(v.json, ']');
  if (rc == RA_E_CANCELLED) return ra_fail(err, rc, "", "nobody waits for the versions");
  return rc;
}

static void versions_deinit(void *state) { ra_str_deinit(&((ra_op_versions *)state)->json); }

static int remove_run(ra_op *op, void *state, ra_err *err) {
  ra_store *store = ra_op_ops(op)->store;
  if (!store)
    return ra_fail(err, RA_E_NOTFOUND, "", "there is no store here: name it with --store");
  return ra_store_remove(store, ((ra_op_remove *)state)->prefix, err);
}

static int sweep_run(ra_op *op, void *state, ra_err *err) {
  ra_store *store = ra_op_ops(op)->store;
  ra_op_sweep *sweep = state;
  if (!store) return RA_OK;
  return ra_store_sweep(store, sweep->before_ms, (const char *const *)sweep->kept, &sweep->swept,
                        err);
}

static void sweep_deinit(void *state) {
  char **kept = ((ra_op_sweep *)state)->kept;
  for (char **at = kept; kept && *at; at++) free(*at);
  free(kept);
}

const ra_op_kind RA_OP_SWEEP = {.name = "store.sweep",
                                .state_size = sizeof(ra_op_sweep),
                                .lane = RA_OP_IO,
                                .run = sweep_run,
                                .deinit = sweep_deinit};
const ra_op_kind RA_OP_VERSIONS = {.name = "store.versions",
                                   .state_size = sizeof(ra_op_versions),
                                   .lane = RA_OP_IO,
                                   .run = versions_run,
                                   .deinit = versions_deinit};
const ra_op_kind RA_OP_REMOVE = {
    .name = "store.remove", .state_size = sizeof(ra_op_remove), .lane = RA_OP_IO, .run = remove_run};
