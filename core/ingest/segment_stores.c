// segment_stores.c - the stores that a segment is made of: their metadata, and which of their steps stand where.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/path.h"
#include "base/size.h"
#include "format/json.h"
#include "ingest/segment_private.h"

enum { DOCUMENT_MOST = 64 << 20 };

// ---- metadata

static int read_document(const ra__segment *segment, const char *key, json_t **out, ra_err *err) {
  const ra_reader *reader = &segment->reader;
  uint64_t size;
  int rc = reader->size(reader->ctx, key, &size, err);
  if (rc < 0) return rc;
  if (size > DOCUMENT_MOST) return ra_fail(err, RA_E_CORRUPT, key, "is too big for metadata");
  char *text = malloc((size_t)size + 1);
  if (!text) return ra_fail(err, RA_E_NOMEM, key, "no memory for the metadata of a store");
  rc = reader->read(reader->ctx, key, 0, (size_t)size, (uint8_t *)text, err);
  json_error_t problem;
  *out = rc < 0 ? NULL : ra_json_load(text, (size_t)size, &problem);
  free(text);
  if (rc < 0) return rc;
  return *out ? RA_OK : ra_fail(err, RA_E_CORRUPT, key, "is not JSON: %s", problem.text);
}

// Nodes by the names of their arrays, as they were before they became parts of keys. Owned by the document.
static json_t *by_name(json_t *document, json_t *nodes) {
  json_t *named = json_object();
  const char *path;
  json_t *node;
  json_object_foreach(nodes, path, node) {
    ra_str name;
    ra_str_init(&name);
    ra_key_add_name(&name, path);
    if (name.failed || json_object_set(named, name.ptr ? name.ptr : "", node)) {
      json_decref(named);
      named = NULL;
    }
    ra_str_deinit(&name);
    if (!named) return NULL;
  }
  return named && !json_object_set_new(document, "by_name", named) ? named : NULL;
}

static int open_store(ra__segment *segment, ra__segment_store *store, ra_err *err) {
  ra_str key;
  ra_str_init(&key);
  ra_dataset_zarr_key(store->dataset, "", &key);
  ra_str_add(&key, segment->format == 2 ? "/.zmetadata" : "/zarr.json");
  int rc = key.failed ? ra_fail(err, RA_E_NOMEM, "", "out of memory")
                      : read_document(segment, key.ptr, &store->document, err);
  if (rc >= 0 && segment->format == 2) {
    json_t *own = store->document;
    store->document = ra__segment_from_v2(own);
    json_decref(own);
  }
  if (rc >= 0) {
    json_t *consolidated = json_object_get(store->document, "consolidated_metadata");
    store->nodes = json_object_get(consolidated, "metadata");
    if (!json_is_object(store->nodes)) {
      rc = ra_fail(err, RA_E_CORRUPT, key.ptr, "has no consolidated metadata");
    } else {
      store->nodes = by_name(store->document, store->nodes);
      if (!store->nodes) rc = ra_fail(err, RA_E_NOMEM, key.ptr, "no memory for the metadata");
    }
  }
  ra_str_deinit(&key);
  return rc;
}

// The index of a member's store, which is listed when it is new. Members of one store follow each other mostly.
static size_t store_of(ra__segment *segment, ra_dataset *dataset) {
  for (size_t i = segment->store_count; i-- > 0;) {
    if (segment->stores[i].dataset == dataset) return i;
  }
  segment->stores[segment->store_count] = (ra__segment_store){.dataset = dataset};
  return segment->store_count++;
}

// ---- steps

static int add_run(ra__segment_axis *axis, size_t store, const ra_dataset_axis *from,
                   uint64_t first, uint64_t count, ra_err *err) {
  ra__segment_run *last = axis->run_count ? &axis->runs[axis->run_count - 1] : NULL;
  if (!axis->runs || first > from->count || count > from->count - first) {
    return ra_fail(err, RA_E_INTERNAL, from->name, "steps %llu + %llu of %zu",
                   (unsigned long long)first, (unsigned long long)count, from->count);
  }
  if (last && last->store == store && last->first + last->count == first) {
    last->count += count;
  } else {
    axis->runs[axis->run_count++] = (ra__segment_run){store, first, count, axis->total};
  }
  axis->total += count;
  return RA_OK;
}

static int list_times(ra__segment *segment, size_t k, ra_err *err) {
  ra__segment_axis *axis = &segment->axes[k];
  axis->ms = ra_arena_calloc(&segment->arena, (size_t)axis->total + 1, sizeof *axis->ms);
  if (!axis->ms) return ra_fail(err, RA_E_NOMEM, "", "out of memory for the times of a segment");
  for (size_t i = 0; i < axis->run_count; i++) {
    const ra__segment_run *run = &axis->runs[i];
    const ra_dataset_axis *from = ra_dataset_get_axis(segment->stores[run->store].dataset, k);
    memcpy(axis->ms + run->at, from->ms + run->first, (size_t)run->count * sizeof *axis->ms);
  }
  return RA_OK;
}

static int allocate(ra__segment *segment, ra_err *err) {
  size_t members = segment->member_count;
  segment->axis_count = ra_dataset_axis_count(segment->members[members - 1].store);
  segment->stores = ra_arena_calloc(&segment->arena, members, sizeof *segment->stores);
  segment->axes = ra_arena_calloc(&segment->arena, segment->axis_count + 1, sizeof *segment->axes);
  for (size_t k = 0; segment->axes && k < segment->axis_count; k++) {
    segment->axes[k].runs = ra_arena_calloc(&segment->arena, members, sizeof(ra__segment_run));
    if (!segment->axes[k].runs) return ra_fail(err, RA_E_NOMEM, "", "out of memory");
  }
  return segment->stores && segment->axes ? RA_OK : ra_fail(err, RA_E_NOMEM, "", "out of memory");
}

static int add_member(ra__segment *segment, const ra_segment_member *member, ra_err *err) {
  size_t store = store_of(segment, member->store);
  segment->newest = store;
  if (ra_dataset_axis_count(member->store) != segment->axis_count ||
      ra_dataset_store_format(member->store) != segment->format) {
    return ra_fail(err, RA_E_INVALID, member->dataset,
                   "has other time axes, or another version of Zarr, than the rest");
  }
  for (size_t k = 0; k < segment->axis_count; k++) {
    const ra_dataset_axis *axis = ra_dataset_get_axis(member->store, k);
    int rc = add_run(&segment->axes[k], store, axis, member->first[k], member->count[k], err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

int ra__segment_open(ra__segment *segment, ra_err *err) {
  int rc = allocate(segment, err);
  segment->format = ra_dataset_store_format(segment->members[segment->member_count - 1].store);
  for (size_t i = 0; i < segment->member_count && rc >= 0; i++) {
    rc = add_member(segment, &segment->members[i], err);
  }
  for (size_t i = 0; i < segment->store_count && rc >= 0; i++) {
    rc = open_store(segment, &segment->stores[i], err);
  }
  for (size_t k = 0; k < segment->axis_count && rc >= 0; k++) rc = list_times(segment, k, err);
  return rc;
}

void ra__segment_close(ra__segment *segment) {
  for (size_t i = 0; i < segment->store_count; i++) json_decref(segment->stores[i].document);
}

// ---- nodes

const json_t *ra__segment_node(const ra__segment *segment, size_t store, const char *path) {
  const json_t *node = json_object_get(segment->stores[store].nodes, path);
  const char *type = json_string_value(json_object_get(node, "node_type"));
  return type && !strcmp(type, "array") ? node : NULL;
}

const char *ra__segment_text(const json_t *node, const char *attribute) {
  const json_t *attributes = json_object_get(node, "attributes");
  const char *text = json_string_value(json_object_get(attributes, attribute));
  return text ? text : "";
}

int ra__segment_parse(const json_t *node, const char *path, ra_zarr_array **out, ra_err *err) {
  char *text = json_dumps(node, JSON_COMPACT);
  if (!text) return ra_fail(err, RA_E_NOMEM, path, "out of memory");
  unsigned format = json_integer_value(json_object_get(node, "zarr_format")) == 2 ? 2 : 3;
  int rc = ra_zarr_array_parse_any(text, strlen(text), format, out, err);
  if (rc >= 0 && !ra_zarr_array_info(*out)->numeric) {
    ra_zarr_array_unref(*out);
    *out = NULL;
    rc = ra_fail(err, RA_E_UNSUPPORTED, path, "has no numbers");
  }
  free(text);
  return rc;
}
