// ingest.h - one source file becomes one version of one dataset: opened and planned, its fingerprint taken, converted into
// a store, described as the catalog row's body. The steps are separate, because a workflow plugin orders them. Blocking;
// one thread at a time, but for the progress, which any thread may read.
#pragma once
#include "base/cancel.h"
#include "base/str.h"
#include "format/cog.h"
#include "net/store.h"

typedef struct ra_ingest_options {
  const char *collection, *dataset;  // valid ids
  const char *variables;             // "a,b": only these data variables; NULL: all
  const char *datetime;              // time of variables without one; NULL: none
  ra_cog_compress compress;
  unsigned zarr_format;  // 2 or 3; 0: 3
  bool in_place;         // a COG stays where it is, where it can be served so; a Zarr store has to
  bool by_reference;  // a NetCDF file, or references, stay: their chunks are served where they lie
  bool copy;          // a Zarr store is converted, though it could stay where it is
  size_t memory;      // bytes that the whole process may use; 0: 512 MiB
  const char *scratch;  // folder for what does not fit in them; NULL: $TMPDIR, else /var/tmp
  unsigned jobs;        // encoder threads; 0: one a core
} ra_ingest_options;

typedef struct ra_ingest ra_ingest;

// Opens and plans; refuses what cannot be ingested, with the reason, before anything is written. Copies the options.
int ra_ingest_open(const char *path, const ra_ingest_options *options, ra_ingest **out, ra_err *err);
void ra_ingest_free(ra_ingest *ingest);
// Raised when the same source would give other bytes.
unsigned ra_ingest_writer_format(void);
// SHA-256 of the source, the options that change the output and the writer's format number; its first 16 digits are the
// version. Reads the whole file.
int ra_ingest_fingerprint(ra_ingest *ingest, ra_cancel *cancel, ra_err *err);
const char *ra_ingest_get_fingerprint(const ra_ingest *ingest);  // "" before
const char *ra_ingest_version(const ra_ingest *ingest);          // "" before
// Writes everything below <collection>/<dataset>/<version>/, the manifest last, and makes it durable. On failure what was
// written is removed. Needs the fingerprint.
int ra_ingest_convert(ra_ingest *ingest, ra_store *store, ra_cancel *cancel, ra_err *err);
// Removes what convert wrote, for a publication that failed.
int ra_ingest_discard(ra_ingest *ingest, ra_store *store, ra_err *err);
// From now on nothing of the version is removed, by a failed convert or by discard: others use it too. Any thread.
void ra_ingest_keep(ra_ingest *ingest);
// The catalog row's body (JSON). Needs convert, else its statistics are null.
int ra_ingest_describe(const ra_ingest *ingest, ra_str *body, ra_err *err);

// Whether the source stays where it is, served as it lies: a COG where it was asked for, a Zarr store wherever that can be.
bool ra_ingest_in_place(const ra_ingest *ingest);

typedef struct ra_ingest_progress {
  uint64_t bytes_done,
      bytes_total;  // raw bytes of variables; half is done when they are read, all when encoded
  uint64_t bytes_written, objects;
  uint64_t steps_done, steps_total;  // COGs
  uint64_t chunks_read;              // of the source, each decoded once
  uint64_t scratch_peak;             // bytes of the scratch file
} ra_ingest_progress;
ra_ingest_progress ra_ingest_get_progress(const ra_ingest *ingest);

// What a conversion would give, from samples spread over the file that are encoded for the purpose; the plan tells it
// then. Reads a part of the file; writes a scratch file for a moment, to learn how fast the disk is (one that cannot be
// written to is taken to keep up).
int ra_ingest_estimate(ra_ingest *ingest, ra_cancel *cancel, ra_err *err);
// The plan as JSON: source, grids, times, variables with chunks, sizes, findings; for people, --dry-run and inspect.
int ra_ingest_plan_json(const ra_ingest *ingest, ra_str *out, ra_err *err);
// `rastrum inspect --json`: the same for any file, with the verdict; a file that is refused is no failure here.
int ra_ingest_inspect(const char *path, const ra_ingest_options *options, ra_cancel *cancel,
                      ra_str *out, ra_err *err);
