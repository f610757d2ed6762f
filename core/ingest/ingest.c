// ingest.c - opening and planning; see ingest.h
#include "ingest/ingest.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/path.h"
#include "ingest/ingest_private.h"

static const size_t MEMORY = (size_t)512 << 20;

// Big buffers are mapped, so that growing one moves no byte and freeing it gives the memory back: else glibc's arenas
// keep several times what is in use.
static void tune_malloc(void) {
  mallopt(M_MMAP_THRESHOLD, 4 << 20);
  mallopt(M_TRIM_THRESHOLD, 4 << 20);
  mallopt(M_ARENA_MAX, 2);
}

static int copy_text(ra_ingest *ingest, const char **text, ra_err *err) {
  if (!*text) return RA_OK;
  *text = ra_arena_strdup(&ingest->arena, *text);
  return *text ? RA_OK : ra_fail(err, RA_E_NOMEM, "", "out of memory");
}

static int copy_options(ra_ingest *ingest, const ra_ingest_options *options, ra_err *err) {
  ra_ingest_options *o = &ingest->options;
  *o = *options;
  if (!o->memory) o->memory = MEMORY;
  if (o->zarr_format != 2) o->zarr_format = 3;
  if (!o->collection || !ra_id_valid(o->collection)) {
    return ra_fail(err, RA_E_INVALID, o->collection ? o->collection : "",
                   "is no collection id: letters, digits, '.', '_' and '-'");
  }
  if (!o->dataset || !ra_id_valid(o->dataset) || !strcmp(o->dataset, "segments")) {
    return ra_fail(err, RA_E_INVALID, o->dataset ? o->dataset : "",
                   "is no dataset id: letters, digits, '.', '_' and '-', and not 'segments'");
  }
  const char **texts[] = {&o->collection, &o->dataset, &o->variables, &o->datetime, &o->scratch};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    int rc = copy_text(ingest, texts[i], err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

static void note_created(ra_ingest *ingest) {
  time_t now = time(NULL);
  struct tm tm;
  gmtime_r(&now, &tm);
  strftime(ingest->created, sizeof ingest->created, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

bool ra_ingest_in_place(const ra_ingest *ingest) { return ingest->in_place || ingest->kept; }

static int open_all(ra_ingest *ingest, const char *path, const ra_ingest_options *options,
                    ra_err *err) {
  int rc = copy_options(ingest, options, err);
  if (rc >= 0) rc = ra_source_open(path, &ingest->source, err);
  if (rc >= 0) rc = ra__place_refer(ingest, err);
  if (rc >= 0)
    rc = ra_source_datetime(ingest->source, ingest->options.datetime, &ingest->options.datetime, err);
  if (rc >= 0) rc = ra_cf_read(ingest->source, ingest->options.datetime, &ingest->cf, err);
  if (rc >= 0) rc = ra_cf_refusal(ingest->cf, err);
  if (rc >= 0) rc = ra__place_decide(ingest, err);
  return rc < 0 ? rc : ra__ingest_plan(ingest, err);
}

int ra_ingest_open(const char *path, const ra_ingest_options *options, ra_ingest **out, ra_err *err) {
  static pthread_once_t tuned = PTHREAD_ONCE_INIT;
  *out = NULL;
  pthread_once(&tuned, tune_malloc);
  ra_ingest *ingest = calloc(1, sizeof *ingest);
  if (!ingest) return ra_fail(err, RA_E_NOMEM, path, "out of memory");
  ra_arena_init(&ingest->arena, (size_t)256 << 20);
  note_created(ingest);
  ingest->sizes = (ra__sizes){.block = 4 << 20, .part = 8 << 20, .maps = 32 << 20};
  int rc = open_all(ingest, path, options, err);
  if (rc < 0) {
    ra_ingest_free(ingest);
    return rc;
  }
  *out = ingest;
  return RA_OK;
}

void ra_ingest_free(ra_ingest *ingest) {
  if (!ingest) return;
  ra_cf_free(ingest->cf);
  ra_source_free(ingest->source);
  ra_arena_deinit(&ingest->arena);
  free(ingest);
}

void ra_ingest_keep(ra_ingest *ingest) { ingest->keep = true; }
const char *ra_ingest_get_fingerprint(const ra_ingest *ingest) { return ingest->fingerprint; }
const char *ra_ingest_version(const ra_ingest *ingest) { return ingest->version; }

int ra_ingest_describe(const ra_ingest *ingest, ra_str *body, ra_err *err) {
  return ra__body(ingest, true, body, err);
}

ra_ingest_progress ra_ingest_get_progress(const ra_ingest *ingest) {
  return (ra_ingest_progress){
      .bytes_done = ingest->bytes_read / 2 + ingest->bytes_encoded / 2,
      .bytes_total = ingest->bytes_total,
      .bytes_written = ingest->bytes_written,
      .objects = ingest->objects,
      .steps_done = ingest->steps_done,
      .steps_total = ingest->steps_total,
      .chunks_read = ra_source_chunks_read(ingest->source),
      .scratch_peak = ingest->scratch_peak,
  };
}
