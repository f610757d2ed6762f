// segment.h - the time-shaped data of several datasets of one kind (ra_dataset_kind) as one immutable Zarr store,
// <collection>/segments/<version>/data.zarr, and its manifest, which names the dataset and version behind each step.
// Blocking; a job's thread.
#pragma once
#include "base/cancel.h"
#include "base/str.h"
#include "format/dataset.h"
#include "net/store.h"

// The steps of one dataset: [first, first + count) of each axis of the store that they are read from.
typedef struct ra_segment_member {
  ra_dataset *store;              // the dataset itself, or a segment that holds it; borrowed
  const char *dataset, *version;  // whose steps they are
  const size_t *first, *count;    // one an axis of the store
} ra_segment_member;

typedef struct ra_segment_options {
  const char *collection, *version, *created;  // valid ids; RFC 3339
  size_t memory;                               // bytes that the whole process may use; 0: 512 MiB
  unsigned jobs;                               // threads; 0: one a core
} ra_segment_options;

typedef struct ra_segment_result {
  ra_str body;  // JSON in the form of a dataset's body; its dataset is "segments"
  ra_str members;  // JSON list of {"dataset","version","steps":[[first, count] of each axis of the segment]}
  uint64_t bytes, objects;
} ra_segment_result;

// Writes the members' steps behind each other, the manifest last, and makes all of it durable. What is packed unlike is
// decoded to floats; a variable without time is kept when it is equal in all stores. On failure the objects stay: whoever
// holds the lease removes them. The last member describes the segment (attributes, names).
int ra_segment_write(ra_store *store, const ra_segment_options *options,
                     const ra_segment_member *members, size_t count, ra_cancel *cancel,
                     ra_segment_result *out, ra_err *err);
void ra_segment_result_deinit(ra_segment_result *result);
