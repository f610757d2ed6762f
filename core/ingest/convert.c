// convert.c - one pass over each variable of the source, then the metadata. Every object is written to its final key; the
// manifest comes last, after everything else is durable.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest_private.h"
#include "ingest/pass.h"

static int convert_array(ra__output *output, ra__array *array, ra__scratch *scratch, ra_err *err) {
  int rc = ra__pass_run(output, array, scratch, err);
  if (!scratch) return rc;
  output->ingest->scratch_peak = ra__scratch_peak(scratch) + ra__maps_scratch(output->ingest);
  return rc < 0 ? rc : ra__scratch_reset(scratch, err);
}

// The most that could be needed, else what samples say, with some more.
static int check_scratch(ra__output *output, ra_err *err) {
  ra_ingest *ingest = output->ingest;
  const char *folder = ingest->options.scratch;
  if (!ingest->scratch) return RA_OK;
  int rc = ra__scratch_check(folder, ingest->scratch, err);
  if (rc != RA_E_TOOBIG) return rc;
  uint64_t likely;
  rc = ra__estimate_scratch(ingest, output->cancel, &likely, err);
  if (rc < 0) return rc;
  return ra__scratch_check(folder, likely + likely / 4, err);
}

static int convert_arrays(ra__output *output, ra_err *err) {
  ra_ingest *ingest = output->ingest;
  const char *folder = ingest->options.scratch;
  ra__scratch *scratch = NULL;
  int rc = check_scratch(output, err);
  if (rc >= 0 && ingest->scratch) rc = ra__scratch_open(folder, &scratch, err);
  for (size_t i = 0; i < ingest->count && rc >= 0; i++) {
    ra__array *array = &ingest->arrays[i];
    if (!ra__place_reads(ingest, array)) continue;
    rc = ingest->options.by_reference ? ra__place_sample(ingest, array, output->cancel, err)
                                      : convert_array(output, array, scratch, err);
  }
  ra__scratch_free(scratch);
  return rc;
}

static int write_manifest(ra__output *output, ra_err *err) {
  const ra_ingest *ingest = output->ingest;
  char key[760];
  ra_str text;
  ra_str_init(&text);
  ra_str_add(&text, "{\"format\":1,\"collection\":");
  ra_str_add_json(&text, ingest->options.collection);
  ra_str_add(&text, ",\"dataset\":");
  ra_str_add_json(&text, ingest->options.dataset);
  ra_str_addf(&text, ",\"version\":\"%s\",\"fingerprint\":\"%s\",\"objects\":[", ingest->version,
              ingest->fingerprint);
  ra__output_list(output, &text);
  ra_str_add(&text, "\n]}\n");
  snprintf(key, sizeof key, "%s/manifest.json", output->prefix);
  int rc = text.failed ? ra_fail(err, RA_E_NOMEM, key, "out of memory")
                       : ra_store_sync(output->store, output->prefix, err);
  if (rc >= 0) rc = ra_store_put(output->store, key, text.ptr, text.len, err);
  if (rc >= 0) rc = ra_store_sync(output->store, key, err);
  ra_str_deinit(&text);
  return rc;
}

static int write_all(ra__output *output, ra_err *err) {
  int rc = ra_pool_new(output->ingest->jobs, output->cancel, &output->pool, err);
  if (rc >= 0) rc = ra__maps_open(output, err);
  if (rc >= 0) rc = convert_arrays(output, err);
  if (rc >= 0) rc = ra__place_write(output, err);
  if (rc >= 0) rc = ra_source_check(output->ingest->source, err);
  if (rc >= 0 && !output->ingest->kept) rc = ra__metadata_write(output, err);
  if (rc >= 0) rc = write_manifest(output, err);
  ra_pool_free(output->pool);
  ra__maps_close(output->ingest);
  return rc;
}

static int keys_of(const ra_ingest *ingest, ra_dataset **out, ra_err *err) {
  ra_str body;
  ra_str_init(&body);
  int rc = ra__body(ingest, false, &body, err);
  if (rc >= 0) rc = ra_dataset_parse(body.ptr, body.len, out, err);
  ra_str_deinit(&body);
  return rc;
}

static void prefix_of(const ra_ingest *ingest, char *out, size_t size) {
  snprintf(out, size, "%s/%s/%s", ingest->options.collection, ingest->options.dataset,
           ingest->version);
}

int ra_ingest_discard(ra_ingest *ingest, ra_store *store, ra_err *err) {
  char prefix[700];
  if (!*ingest->version || ingest->keep) return RA_OK;
  prefix_of(ingest, prefix, sizeof prefix);
  return ra_store_remove(store, prefix, err);
}

int ra_ingest_convert(ra_ingest *ingest, ra_store *store, ra_cancel *cancel, ra_err *err) {
  ra__output output = {.ingest = ingest, .store = store, .cancel = cancel};
  if (!*ingest->version)
    return ra_fail(err, RA_E_INTERNAL, ra_source_name(ingest->source),
                   "converted before its fingerprint");
  prefix_of(ingest, output.prefix, sizeof output.prefix);
  int rc = keys_of(ingest, &output.dataset, err);
  if (rc < 0) return rc;
  pthread_mutex_init(&output.lock, NULL);
  rc = write_all(&output, err);
  ra_err ignored = {0};
  if (rc < 0) ra_ingest_discard(ingest, store, &ignored);
  ra__output_deinit(&output);
  pthread_mutex_destroy(&output.lock);
  ra_dataset_unref(output.dataset);
  return rc;
}
