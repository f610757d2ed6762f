// convert.c - one pass over the source: each variable is read window by window into memory, its COGs encoded as their
// steps arrive, its statistics and shards once it is whole. Every object is written to its final key; the manifest comes
// last, after everything else is durable.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/ingest_private.h"

static const size_t WINDOW = (size_t)16 << 20;

static void set_strides(ra__block *block) {
  const ra_zarr_spec *zarr = &block->array->zarr;
  int64_t stride = 1;
  for (unsigned d = zarr->ndim; d-- > 0;) {
    block->strides[d] = stride;
    stride *= (int64_t)zarr->shape[d];
  }
}

// Rows of the first dimension to read at once: whole source chunks, so that none is decoded twice.
static uint64_t window_rows(const ra_source_var *var, size_t row_bytes) {
  uint64_t chunk = var->chunked ? var->chunk[0] : 1;
  uint64_t rows = WINDOW / (row_bytes ? row_bytes : 1);
  return rows <= chunk ? chunk : rows - rows % chunk;
}

static bool steps_lead(const ra_cf_variable *variable) {
  return variable->time_dim == 0 && variable->run_dim < 0;
}

// Reads the variable; queues the COGs of the steps that have come where time is the first dimension.
static int read_windows(const ra__block *block, uint8_t *cells, ra_err *err) {
  ra__output *output = block->output;
  const ra_cf_variable *variable = block->array->cf;
  const ra_source_var *var = variable->source;
  uint64_t start[RA_SOURCE_DIMS] = {0}, count[RA_SOURCE_DIMS];
  memcpy(count, var->shape, sizeof count);
  size_t row = var->ndim ? block->array->raw / var->shape[0] : block->array->raw;
  uint64_t rows = var->ndim ? window_rows(var, row) : 1, total = var->ndim ? var->shape[0] : 1;
  for (uint64_t at = 0; at < total; at += rows) {
    if (ra_cancel_is_set(output->cancel))
      return ra_fail(err, RA_E_CANCELLED, var->name, "cancelled");
    uint64_t n = total - at < rows ? total - at : rows;
    if (var->ndim) {
      start[0] = at;
      count[0] = n;
    }
    int rc = ra_source_read(output->ingest->source, var, start, count, cells + at * row, err);
    if (rc < 0) return rc;
    output->ingest->bytes_done += n * row;
    if (variable->mappable && steps_lead(variable))
      rc = ra__cogs_submit(block, at, at + n, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
}

static int encode_rest(const ra__block *block, ra_err *err) {
  const ra_cf_variable *variable = block->array->cf;
  int rc = RA_OK;
  if (variable->mappable) {
    if (!steps_lead(variable)) rc = ra__cogs_submit(block, 0, block->array->steps, err);
    if (rc >= 0) rc = ra__statistics(block, err);
  }
  return rc < 0 ? rc : ra__shards_submit(block, err);
}

// Jobs point into the cells, so nothing returns before they have ended.
static int settle(ra_pool *pool, int rc, ra_err *err) {
  ra_err later = {0};
  int waited = ra_pool_wait(pool, rc < 0 ? &later : err);
  return rc < 0 ? rc : waited;
}

static int convert_big(ra__output *output, ra__array *array, ra_err *err) {
  ra__block block = {.output = output, .array = array};
  set_strides(&block);
  ra_buf *cells;
  int rc = ra_buf_new(array->raw, &cells, err);
  if (rc < 0) return rc;
  block.cells = ra_buf_data(cells);
  rc = read_windows(&block, ra_buf_bytes(cells), err);
  if (rc >= 0) rc = encode_rest(&block, err);
  rc = settle(output->pool, rc, err);
  ra_buf_unref(cells);
  return rc;
}

// Coordinates, which the plan has read already.
static int convert_kept(ra__output *output, ra__array *array, ra_err *err) {
  ra__block block = {.output = output, .array = array};
  set_strides(&block);
  const void *cells;
  int rc = ra_source_cells(output->ingest->source, array->cf->source, &cells, err);
  if (rc < 0) return rc;
  block.cells = cells;
  rc = settle(output->pool, encode_rest(&block, err), err);
  if (rc >= 0) output->ingest->bytes_done += array->raw;
  return rc;
}

static int convert_arrays(ra__output *output, ra_err *err) {
  ra_ingest *ingest = output->ingest;
  for (size_t i = 0; i < ingest->count; i++) {
    ra__array *array = &ingest->arrays[i];
    int rc = array->cf->source->cells ? convert_kept(output, array, err)
                                      : convert_big(output, array, err);
    if (rc < 0) return rc;
  }
  return RA_OK;
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
  if (output->objects.len) ra_str_add_bytes(&text, output->objects.ptr, output->objects.len);
  ra_str_add(&text, "\n]}\n");
  snprintf(key, sizeof key, "%s/manifest.json", output->prefix);
  int rc = text.failed || output->objects.failed ? ra_fail(err, RA_E_NOMEM, key, "out of memory")
                                                 : ra_store_sync(output->store, output->prefix, err);
  if (rc >= 0) rc = ra_store_put(output->store, key, text.ptr, text.len, err);
  if (rc >= 0) rc = ra_store_sync(output->store, key, err);
  ra_str_deinit(&text);
  return rc;
}

static int write_all(ra__output *output, ra_err *err) {
  int rc = ra_pool_new(output->ingest->jobs, output->cancel, &output->pool, err);
  if (rc >= 0) rc = convert_arrays(output, err);
  if (rc >= 0) rc = ra__metadata_write(output, err);
  if (rc >= 0) rc = write_manifest(output, err);
  ra_pool_free(output->pool);
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
  ra_str_init(&output.objects);
  rc = write_all(&output, err);
  ra_err ignored = {0};
  if (rc < 0) ra_ingest_discard(ingest, store, &ignored);
  ra_str_deinit(&output.objects);
  pthread_mutex_destroy(&output.lock);
  ra_dataset_unref(output.dataset);
  return rc;
}
