// segment.c - writing a segment: plan, arrays shard by shard, metadata, manifest; see segment.h
#include "ingest/segment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "codec/codec.h"
#include "ingest/segment_private.h"

static const size_t MEMORY = (size_t)512 << 20;
static const size_t BASE = (size_t)72 << 20;  // the program, its libraries, the catalog in memory
static const size_t JOB_LEAST = (size_t)24 << 20;

// ---- objects

void ra__segment_note(ra__segment *segment, const char *key, uint64_t size, uint32_t crc32c) {
  pthread_mutex_lock(&segment->lock);
  ra_str_add(&segment->objects, segment->objects.len ? ",\n{\"key\":" : "\n{\"key\":");
  ra_str_add_json(&segment->objects, key + strlen(segment->prefix) + 1);
  ra_str_addf(&segment->objects, ",\"size\":%llu,\"crc32c\":\"%08x\"}", (unsigned long long)size,
              crc32c);
  segment->bytes += size;
  segment->object_count++;
  pthread_mutex_unlock(&segment->lock);
}

int ra__segment_put(ra__segment *segment, const char *array, const char *part, const void *data,
                    size_t size, ra_err *err) {
  ra_str key;
  ra_str_init(&key);
  ra_dataset_zarr_key(segment->dataset, array, &key);
  ra_str_add_char(&key, '/');
  ra_str_add(&key, part);
  int rc = key.failed ? ra_fail(err, RA_E_NOMEM, array, "out of memory")
                      : ra_store_put(segment->target, key.ptr, data, size, err);
  if (rc >= 0) ra__segment_note(segment, key.ptr, size, ra_crc32c(0, data, size));
  ra_str_deinit(&key);
  return rc;
}

static int put_manifest(ra__segment *segment, const ra_str *members, ra_err *err) {
  char key[600];
  ra_str text;
  ra_str_init(&text);
  ra_str_add(&text, "{\"format\":1,\"collection\":");
  ra_str_add_json(&text, segment->options->collection);
  ra_str_addf(
      &text, ",\"dataset\":\"segments\",\"version\":\"%s\",\"members\":", segment->options->version);
  ra_str_add_bytes(&text, members->ptr, members->len);
  ra_str_add(&text, ",\"objects\":[");
  if (segment->objects.len) ra_str_add_bytes(&text, segment->objects.ptr, segment->objects.len);
  ra_str_add(&text, "\n]}\n");
  snprintf(key, sizeof key, "%s/manifest.json", segment->prefix);
  int rc = text.failed || segment->objects.failed
               ? ra_fail(err, RA_E_NOMEM, key, "out of memory")
               : ra_store_sync(segment->target, segment->prefix, err);
  if (rc >= 0) rc = ra_store_put(segment->target, key, text.ptr, text.len, err);
  if (rc >= 0) rc = ra_store_sync(segment->target, key, err);
  ra_str_deinit(&text);
  return rc;
}

// ---- metadata

static int put_document(void *ctx, const char *path, const char *name, const ra_str *text,
                        ra_err *err) {
  return ra__segment_put(ctx, path, name, text->ptr, text->len, err);
}

static int add_groups(ra__segment *segment, ra_zarr_metadata *documents, ra_err *err) {
  const char *path;
  json_t *node;
  int rc = RA_OK;
  json_object_foreach(segment->stores[segment->newest].nodes, path, node) {
    if (ra__segment_node(segment, segment->newest, path) || rc < 0) continue;
    const char *attributes = ra__segment_attributes(segment, node, NULL, "");
    rc = attributes ? ra_zarr_metadata_group(documents, path, attributes, err)
                    : ra_fail(err, RA_E_NOMEM, path, "out of memory");
  }
  return rc;
}

static int put_root(ra__segment *segment, ra_zarr_metadata *documents, ra_err *err) {
  const json_t *root = segment->stores[segment->newest].document;
  const char *attributes = ra__segment_attributes(segment, root, NULL, "");
  if (!attributes) return ra_fail(err, RA_E_NOMEM, "", "out of memory");
  return ra_zarr_metadata_root(documents, attributes, err);
}

static int put_metadata(ra__segment *segment, ra_err *err) {
  ra_zarr_metadata documents;
  ra_zarr_metadata_init(&documents, segment->format, put_document, segment);
  int rc = add_groups(segment, &documents, err);
  for (size_t i = 0; i < segment->array_count && rc >= 0; i++)
    rc = ra_zarr_metadata_array(&documents, &segment->arrays[i].zarr, err);
  if (rc >= 0) rc = put_root(segment, &documents, err);
  ra_zarr_metadata_deinit(&documents);
  return rc;
}

// ---- all

static unsigned plan_jobs(ra__segment *segment) {
  size_t memory = segment->options->memory ? segment->options->memory : MEMORY;
  size_t rest = memory > BASE + JOB_LEAST ? memory - BASE : JOB_LEAST;
  unsigned jobs = segment->options->jobs;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  if (jobs < 1) jobs = cores > 0 ? (unsigned)cores : 1;
  while (jobs > 1 && rest / jobs < JOB_LEAST) jobs--;
  segment->job_bytes = jobs > 0 ? rest / jobs : rest;
  return jobs;
}

static int copy_arrays(ra__segment *segment, unsigned jobs, ra_err *err) {
  ra_pool *pool;
  int rc = ra_pool_new(jobs, segment->cancel, &pool, err);
  if (rc < 0) return rc;
  for (size_t i = 0; i < segment->array_count && rc >= 0; i++) {
    rc = ra__segment_copy(segment, &segment->arrays[i], pool, err);
  }
  ra_err later = {0};
  int waited = ra_pool_wait(pool, rc < 0 ? &later : err);
  ra_pool_free(pool);
  return rc < 0 ? rc : waited;
}

static int describe(ra__segment *segment, ra_segment_result *out, ra_err *err) {
  int rc = ra__segment_body(segment, &out->body, err);
  if (rc >= 0) rc = ra_dataset_parse(out->body.ptr, out->body.len, &segment->dataset, err);
  if (rc < 0) return rc;
  ra__segment_members(segment, &out->members);
  return out->members.failed ? ra_fail(err, RA_E_NOMEM, "", "out of memory for a manifest") : RA_OK;
}

static int write_all(ra__segment *segment, ra_segment_result *out, ra_err *err) {
  unsigned jobs = plan_jobs(segment);
  int rc = ra__segment_open(segment, err);
  if (rc >= 0) rc = ra__segment_plan(segment, err);
  if (rc >= 0) rc = describe(segment, out, err);
  if (rc >= 0) rc = copy_arrays(segment, jobs, err);
  if (rc >= 0) rc = ra__segment_cells(segment, err);
  if (rc >= 0) rc = put_metadata(segment, err);
  if (rc >= 0) rc = put_manifest(segment, &out->members, err);
  out->bytes = segment->bytes;
  out->objects = segment->object_count;
  return rc;
}

static void deinit(ra__segment *segment) {
  for (size_t i = 0; i < segment->array_count; i++) {
    for (size_t s = 0; segment->arrays[i].sources && s < segment->store_count; s++) {
      ra_zarr_array_unref(segment->arrays[i].sources[s]);
    }
  }
  ra__segment_close(segment);
  ra_dataset_unref(segment->dataset);
  ra_str_deinit(&segment->objects);
  pthread_mutex_destroy(&segment->lock);
  ra_arena_deinit(&segment->arena);
}

int ra_segment_write(ra_store *store, const ra_segment_options *options,
                     const ra_segment_member *members, size_t count, ra_cancel *cancel,
                     ra_segment_result *out, ra_err *err) {
  ra__segment segment = {.target = store,
                         .reader = ra_store_reader(store),
                         .options = options,
                         .members = members,
                         .member_count = count,
                         .cancel = cancel};
  *out = (ra_segment_result){0};
  if (!ra_id_valid(options->collection) || !ra_id_valid(options->version) || !count) {
    return ra_fail(err, RA_E_INVALID, "", "a segment has a collection, a version and members");
  }
  snprintf(segment.prefix, sizeof segment.prefix, "%s/segments/%s", options->collection,
           options->version);
  ra_arena_init(&segment.arena, 0);
  ra_str_init(&segment.objects);
  pthread_mutex_init(&segment.lock, NULL);
  int rc = write_all(&segment, out, err);
  deinit(&segment);
  if (rc < 0) ra_segment_result_deinit(out);
  return rc;
}

void ra_segment_result_deinit(ra_segment_result *result) {
  ra_str_deinit(&result->body);
  ra_str_deinit(&result->members);
}
